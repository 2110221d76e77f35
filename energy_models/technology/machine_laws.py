"""Constants of the laws that size a machine: area, wires, leakage, supplies, clocks, what is beside the datapath."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import Field

from energy_models.quantities import (
    Band,
    Cycles,
    Energy,
    EnergyPerBit,
    Frozen,
    Information,
    Length,
    Power,
    PowerPerBit,
    Quantity,
    Ratio,
    Time,
    Voltage,
    read_model,
)

End = Literal["low", "nominal", "high"]
"""Which end of every constant's band a law takes; the ends of a result are those that make it least, or most."""
Cell = Literal["sram", "standard_cell", "register", "non_volatile"]
"""What a bit is kept in: six transistors, a latch, a flip-flop, or a cell that needs no supply."""
CELLS: tuple[Cell, ...] = ("sram", "standard_cell", "register", "non_volatile")


class AreaConstants(Frozen):
    """Areas in squares of the node [F2] a bit, a column, a bank and a gate; gates of logic; what layout adds."""

    sram_cell: Ratio
    sram_column: Ratio
    sram_bank: Ratio
    core_factor: Ratio
    gate: Ratio
    utilisation: Ratio
    multiply_accumulate: Ratio
    multiplier_share: Ratio
    register_bit: Ratio
    standard_cell_bit: Ratio
    controller: Ratio
    non_volatile_cell: Ratio


class WireConstants(Frozen):
    """Energy of a bit over a millimetre at 1 V, and the mean way as a share of a square's side."""

    energy: EnergyPerBit
    distance: Ratio


class LeakageConstants(Frozen):
    """Leakage of one memory cell at its retention rail, and of everything else in such cells."""

    retention: PowerPerBit
    rail: Voltage
    gate_bits: Ratio
    register_bits: Ratio
    standard_cell_bits: Ratio
    gated: Ratio


class SupplyConstants(Frozen):
    """Lowest supplies, and the efficiency of what makes a rail above the logic's."""

    logic: Voltage
    sram: Voltage
    standard_cell_memory: Voltage
    rail_efficiency: Ratio


class ClockConstants(Frozen):
    """Time of a multiply-accumulate at a node and its nominal supply, the period over a delay, energy of a cycle."""

    logic_period: Time
    reference_node: Length
    margin: Ratio
    cycle_energy: Energy
    cycle_node: Length
    cycle_supply: Voltage
    gated_clock: Ratio


class SizeLimits(Frozen):
    """What is not built larger."""

    standard_cell_memory: Information
    word: Information


class AlwaysOn(Frozen):
    """What no sleep switches off."""

    power: Power


class SetUp(Frozen):
    """What a datapath needs before each layer."""

    cycles: Cycles


class MachineLaws(Frozen):
    """Every constant of the laws, one table each; `energy_models/data/technology/machine.toml` says where from."""

    name: str = Field(pattern="^[a-z][a-z0-9_]*$")
    area: AreaConstants
    wires: WireConstants
    leakage: LeakageConstants
    supplies: SupplyConstants
    clock: ClockConstants
    limits: SizeLimits
    always_on: AlwaysOn
    set_up: SetUp


@cache
def machine_laws() -> MachineLaws:
    """Return the shipped constants.

    Raises
    ------
    ProfileError
        When the file has problems; all of them are listed.
    """
    return read_model(Path(str(files("energy_models.data"))) / "technology" / "machine.toml", MachineLaws)


def at(quantity: Quantity, end: End) -> float:
    """Return one end of a constant's band in SI."""
    return end_of(quantity.band, end)


def against(quantity: Quantity, end: End) -> float:
    """Return the other end of a constant's band in SI: of one that a result is divided by."""
    opposite: dict[End, End] = {"low": "high", "nominal": "nominal", "high": "low"}
    return end_of(quantity.band, opposite[end])


def end_of(band: Band, end: End) -> float:
    """Return one end of a band."""
    return {"low": band.low, "nominal": band.nominal, "high": band.high}[end]
