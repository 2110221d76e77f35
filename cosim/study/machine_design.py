"""The table ``[hardware.design]``: machines sized to the decoders of a study."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from energy_models.design import KIB, Choices, DesignedStyle
from energy_models.errors import PriceError
from energy_models.technology import Cell

SQUARE_MILLIMETRE_M2 = 1e-6


def _fitted(value: object) -> object:
    """Return no list where cells are to fit the networks."""
    return () if value == "fit" else value


def _supplies(value: object) -> object:
    """Return the supplies of a range ``{ low, high, step }`` [V] as a list."""
    if not isinstance(value, dict):
        return value
    given = cast("dict[str, Any]", value)
    low, high, step = (given.get(name) for name in ("low", "high", "step"))
    if set(given) != {"low", "high", "step"} or not all(isinstance(one, int | float) for one in (low, high, step)):
        raise ValueError("give a list of volts, or low, high and step")
    ends = cast("tuple[float, float, float]", (low, high, step))
    if not (0 < ends[0] <= ends[1] and ends[2] > 0):
        raise ValueError("low must be above 0 and at most high, step above 0")
    count = int((ends[1] - ends[0]) / ends[2] + 1e-9)
    return tuple(round(ends[0] + place * ends[2], 6) for place in range(1 + count))


Cells = Annotated[tuple[int, ...], BeforeValidator(_fitted)]


class DesignPlan(BaseModel):
    """What a search may choose; see `energy_models.design.Choices`. What is not given is as there.

    Parameters
    ----------
    styles : tuple of str
    nodes_nm : tuple of float
        Technology nodes [nm].
    supplies_v : tuple of float
        Supplies of the logic [V], or a range ``{ low, high, step }``.
    rows, columns : tuple of int or 'fit'
        Cells; ``fit``: shares of what the networks have.
    weight_cells, data_cells : tuple of str
    banks_kib : tuple of float
        Capacities of a bank [KiB].
    word_bits : tuple of int
    area_mm2 : float or None
        Most silicon of the core [mm^2].
    one_machine : {'per_decoder', 'per_study'}
        A machine each, or one that takes every decoder.
    objective : {'decoder_power'}
        What is made least.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    styles: tuple[DesignedStyle, ...] = ()
    nodes_nm: tuple[float, ...] = ()
    supplies_v: Annotated[tuple[float, ...], BeforeValidator(_supplies)] = ()
    rows: Cells = ()
    columns: Cells = ()
    weight_cells: tuple[Cell, ...] = ()
    data_cells: tuple[Cell, ...] = ()
    banks_kib: tuple[float, ...] = ()
    word_bits: tuple[int, ...] = ()
    area_mm2: float | None = Field(default=None, gt=0)
    one_machine: Literal["per_decoder", "per_study"] = "per_decoder"
    objective: Literal["decoder_power"] = "decoder_power"

    @model_validator(mode="after")
    def _inside_the_laws(self) -> Self:
        try:
            self.choices()
        except PriceError as error:
            raise ValueError(str(error)) from error
        return self

    def choices(self) -> Choices:
        """Return what a search may choose.

        Raises
        ------
        PriceError
            Choices beyond the laws.
        """
        given: dict[str, Any] = {
            "styles": self.styles, "nodes_nm": self.nodes_nm, "supplies_v": self.supplies_v, "rows": self.rows,
            "columns": self.columns, "weight_cells": self.weight_cells, "data_cells": self.data_cells,
            "bank_bits": tuple(KIB * size for size in self.banks_kib), "word_bits": self.word_bits,
            "most_area_m2": math.inf if self.area_mm2 is None else self.area_mm2 * SQUARE_MILLIMETRE_M2,
        }
        return Choices(**{name: value for name, value in given.items() if value != ()})
