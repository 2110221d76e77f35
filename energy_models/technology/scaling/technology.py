"""The constants of scaling: anchors by class of circuit, supplies, the transistor, and the range they hold in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from energy_models.quantities import (
    Frozen,
    Information,
    Ratio,
    Source,
    Temperature,
    TemperatureRise,
    Voltage,
    read_model,
)

CircuitClass = Literal["multiplier", "adder", "float_multiplier", "float_adder", "wire", "analogue", "leakage"]


class Range(Frozen):
    """Where the laws hold. Supplies end at `headroom` times the highest nominal supply of the node."""

    temperature_low: Temperature
    temperature_high: Temperature
    lowest_supply: Voltage
    headroom: Ratio


class NominalSupply(Frozen):
    """Supply at which a node's energies are given; its high bound is that of low-leakage flavours."""

    node_nm: float = Field(gt=0)
    supply: Voltage


class ShapePoint(Frozen):
    """Energy of logic at a node over that at 45 nm, both at the same supply."""

    node_nm: float = Field(gt=0)
    energy: Ratio


class Leg(Frozen):
    """What an energy at the finer of two anchor nodes is of that at the coarser, each at its own supply."""

    coarse_nm: float = Field(gt=0)
    fine_nm: float = Field(gt=0)
    ratio: Ratio


class SramLegs(Frozen):
    """Legs of one access to an SRAM of a size."""

    size: Information
    legs: tuple[Leg, ...] = Field(min_length=1)


class SupplyLaw(Frozen):
    """Energy goes with the supply to the power `exponent`; the rest describes a transistor's drive current."""

    exponent: Ratio
    threshold: Voltage
    slope_factor: Ratio
    velocity_exponent: Ratio


class LeakageLaw(Frozen):
    """`barrier_lowering`: volts of threshold per volt of supply; leakage doubles every `doubling`."""

    barrier_lowering: Ratio
    doubling: TemperatureRise


class Technology(Frozen):
    """Everything scaling rests on.

    Parameters
    ----------
    name : str
    range : Range
    nominal_supplies, shape : tuple
        By node, coarse to fine, from the coarsest to the finest anchor.
    classes : mapping of CircuitClass to tuple of Leg
    sram : tuple of SramLegs
        Small to large.
    supply : SupplyLaw
    leakage : LeakageLaw
    """

    name: str = Field(pattern="^[a-z][a-z0-9_]*$")
    range: Range
    nominal_supplies: tuple[NominalSupply, ...] = Field(min_length=2)
    shape: tuple[ShapePoint, ...] = Field(min_length=2)
    classes: Mapping[CircuitClass, tuple[Leg, ...]]
    sram: tuple[SramLegs, ...] = Field(min_length=1)
    supply: SupplyLaw
    leakage: LeakageLaw
    sources: Mapping[str, Source] = Field(default_factory=dict[str, Source])

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        tables = {f"classes.{name}": legs for name, legs in self.classes.items()}
        tables |= {f"sram[{index}]": memory.legs for index, memory in enumerate(self.sram)}
        ends = (self.shape[0].node_nm, self.shape[-1].node_nm)
        problems = [f"{name} does not lead from {ends[0]} to {ends[1]} nm" for name, legs in tables.items()
                    if not _leads(legs, *ends)]
        for name, nodes in (("shape", [point.node_nm for point in self.shape]),
                            ("nominal_supplies", [point.node_nm for point in self.nominal_supplies])):
            if nodes != sorted(nodes, reverse=True) or (nodes[0], nodes[-1]) != ends:
                problems.append(f"{name} must go from {ends[0]} down to {ends[1]} nm")
        energies = [point.energy.value for point in self.shape]
        if energies != sorted(energies, reverse=True):
            problems.append("shape must fall with the node")
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _leads(legs: tuple[Leg, ...], coarse_nm: float, fine_nm: float) -> bool:
    """Return whether legs join up from the coarsest node to the finest."""
    joined = all(one.fine_nm == other.coarse_nm for one, other in pairwise(legs))
    falling = all(leg.coarse_nm > leg.fine_nm for leg in legs)
    return joined and falling and (legs[0].coarse_nm, legs[-1].fine_nm) == (coarse_nm, fine_nm)


@cache
def load_technology() -> Technology:
    """Return the shipped constants of scaling.

    Raises
    ------
    ProfileError
        When the file has problems; all of them are listed.
    """
    return read_model(Path(str(files("energy_models.data"))) / "technology" / "cmos.toml", Technology)
