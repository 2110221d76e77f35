"""Published areas of chips beside what the area laws give for the memories, multipliers and controller they state.

A *core* is what the laws describe. A *chip* holds front ends, logic or pads that its source does not part: of it the
laws predict a part, and a prediction above the whole would be wrong.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, cast

from energy_models.quantities import Band
from energy_models.technology import (
    End,
    controller_area_m2,
    core_area_m2,
    gates_area_m2,
    machine_laws,
    memory_area_m2,
    multiplier_gates,
)
from energy_models.technology.area import square_m2
from energy_models.technology.machine_laws import at
from energy_models.validation.rows import Role

TABLE = "validation/areas.csv"
SQUARE_MILLIMETRE_M2 = 1e-6
PRODUCT_BITS, SUM_BITS = 8.0, 24.0
ENDS: tuple[End, End, End] = ("low", "nominal", "high")


@dataclass(frozen=True, slots=True)
class AreaRow:
    """One published area.

    Parameters
    ----------
    id, what : str
    node_nm : float
        Technology node [nm].
    memory_bits : float
        All its memories, as stated [bits].
    predicted : Band
        By the laws, every constant at its bound [m^2].
    published_m2 : float
    scope : {'core', 'chip'}
    role : {'fitted', 'held out'}
        ``fitted``: the core factor was chosen after it.
    source, note : str
    """

    id: str
    what: str
    node_nm: float
    memory_bits: float
    predicted: Band
    published_m2: float
    scope: Literal["core", "chip"]
    role: Role
    source: str
    note: str

    @property
    def ratio(self) -> float:
        """Predicted over published."""
        return self.predicted.nominal / self.published_m2

    @property
    def swept_m2(self) -> float:
        """Area of its memories by the sweep, without what banks and the core take [m^2]."""
        return self.memory_bits * at(machine_laws().area.sram_cell, "nominal") * float(square_m2(self.node_nm))


@cache
def area_rows() -> tuple[AreaRow, ...]:
    """Return every published area of the shipped table beside its prediction."""
    text = (files("energy_models.data") / TABLE).read_text(encoding="utf-8")
    return tuple(_row(row) for row in csv.DictReader(text.splitlines()))


def _row(row: dict[str, str]) -> AreaRow:
    node, bits, banks = (float(row[name]) for name in ("node_nm", "memory_bits", "banks"))
    low, nominal, high = (
        float(_area_m2(node, end, bits=bits, banks=banks, word_bits=float(row["word_bits"]),
                       multipliers=float(row["multipliers"])))
        for end in ENDS
    )  # fmt: skip
    return AreaRow(
        row["id"], row["what"], node, bits, Band(low, nominal, high), float(row["area_mm2"]) * SQUARE_MILLIMETRE_M2,
        cast(Literal["core", "chip"], row["scope"]), cast(Role, row["role"]), row["source"], row["note"],
    )


def _area_m2(node: float, end: End, *, bits: float, banks: float, word_bits: float, multipliers: float) -> float:
    memory = memory_area_m2("sram", node, end, banks=banks, bank_bits=bits / banks, word_bits=word_bits)
    gates = multipliers * multiplier_gates(PRODUCT_BITS, PRODUCT_BITS, SUM_BITS, end)
    return float(core_area_m2(memory, gates_area_m2(gates, node, end) + controller_area_m2(node, end), end))
