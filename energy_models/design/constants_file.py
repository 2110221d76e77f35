"""Constants of designed machines besides those of `energy_models.technology.machine_laws`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import Field

from energy_models.quantities import (
    CapacitancePerArea,
    EnergyPerBit,
    Frozen,
    Information,
    Length,
    Ratio,
    Time,
    Voltage,
    read_model,
)


class ControlLaw(Frozen):
    """What registers and sequencing add to the operations of a datapath; less where registers are priced by the bit."""

    factor: Ratio
    beside_registers: Ratio


class WakeLaw(Frozen):
    """Capacitance of the supplies that were off, and the time until work begins."""

    capacitance: CapacitancePerArea
    time: Time


class StandardCellLaw(Frozen):
    """Energy of a bit accessed in latches, at the node and supply of one chip."""

    node: Length
    supply: Voltage
    access: EnergyPerBit


class NonVolatileLaw(Frozen):
    """Access time of flash and MRAM, whatever the supply of the logic."""

    access: Time


class SpreadLaw(Frozen):
    """Factors on energies that tables give, with their bounds."""

    logic: Ratio
    sram: Ratio
    register_bit: Ratio
    register_read: Ratio


class SizeLaw(Frozen):
    """Bits of an event-driven core's queue, and the finest node with embedded flash."""

    queue: Information
    finest_flash: Length


class DesignLaws(Frozen):
    """Every constant, one table each; `energy_models/data/technology/design.toml` says where from."""

    name: str = Field(pattern="^[a-z][a-z0-9_]*$")
    control: ControlLaw
    wake: WakeLaw
    standard_cell_memory: StandardCellLaw
    non_volatile: NonVolatileLaw
    spread: SpreadLaw
    sizes: SizeLaw


@cache
def design_laws() -> DesignLaws:
    """Return the shipped constants.

    Raises
    ------
    ProfileError
        When the file has problems; all of them are listed.
    """
    return read_model(Path(str(files("energy_models.data"))) / "technology" / "design.toml", DesignLaws)
