"""What a machine is: how it executes, what each act costs, what it remembers, and what it draws while idle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from energy_models.hardware.described import Described
from energy_models.hardware.execution import Execution
from energy_models.hardware.memory import Memory, check_memories
from energy_models.quantities import (
    AboveZero,
    Area,
    Energy,
    Frequency,
    Frozen,
    Length,
    Power,
    Ratio,
    Source,
    Temperature,
    Time,
    Voltage,
)


class Wake(Frozen):
    """Leaving sleep, once per decode."""

    energy: Energy
    time: Time


class MemoryRail(Frozen):
    """Supply of memories alone, made from the machine's own.

    Parameters
    ----------
    supply : Quantity
        While the machine is awake; reads and writes of the memories that it feeds hold at it.
    asleep : Quantity or None
        While it sleeps, where retention is kept at another one.
    efficiency : Quantity
        Share that what makes the rail delivers: accesses and leakage are divided by it.
    feeds : tuple of str or None
        Names of the memories that it feeds; None: all of them.
    """

    supply: Voltage
    asleep: Voltage | None = None
    efficiency: Ratio
    feeds: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _an_efficiency(self) -> Self:
        if not 0 < self.efficiency.band.low <= self.efficiency.band.high <= 1:
            raise ValueError("efficiency must lie above 0 and at most at 1")
        return self


class HardwareProfile(Described):
    """A machine, complete; what all machines at a site share (front end, radio, supply) is the site's.

    Parameters
    ----------
    name, title, description : str
    node, supply, temperature, clock : Quantity
        Technology node, supply voltage, silicon temperature and clock at which the costs hold.
    execution : Execution
    memories : tuple of Memory
        In order of preference.
    static : Quantity
        Leakage and whatever else is drawn the whole time besides retention; while asleep `gated_residual` of it.
    gated_residual : Quantity or None
        Share of `static` that stays while the machine sleeps; None: all of it, no gating of it is known.
    always_on_power : Quantity or None
        Of what no sleep switches off (oscillator, timer, supervisor); None where `static` has it.
    gathering : Quantity or None
        Power between decisions where the machine gathers samples itself, clocks and inputs running, instead of sleeping
        while something else does; charged where a site says that the machine does it. None: not known.
    energy_per_clock_cycle : Quantity or None
        Of the clock tree in every cycle, whatever is done in it; None where other constants have it.
    clock_runs : {'always', 'awake'} or None
        When `energy_per_clock_cycle` is charged, at `clock`; given beside it and only there.
    memory_rail : MemoryRail or None
        None where the memories have the machine's supply.
    area : Quantity or None
        Silicon of the machine; None where it is not known, which is never taken as none.
    wake : Wake
    sources : mapping of str to Source
        Bibliographic records of the file's own.
    """

    node: Length
    supply: Voltage
    temperature: Temperature
    clock: Annotated[Frequency, AboveZero()]
    execution: Execution
    memories: tuple[Memory, ...] = Field(min_length=1)
    static: Power
    gated_residual: Ratio | None = None
    always_on_power: Power | None = None
    gathering: Power | None = None
    energy_per_clock_cycle: Energy | None = None
    clock_runs: Literal["always", "awake"] | None = None
    memory_rail: MemoryRail | None = None
    area: Annotated[Area, AboveZero()] | None = None
    wake: Wake
    sources: Mapping[str, Source] = Field(default_factory=dict[str, Source])

    @model_validator(mode="after")
    def _memories_consistent(self) -> Self:
        problems = check_memories(self.memories)
        if not self.execution.contains_memory:
            problems += [
                f"memory {memory.name} needs read and write energy on a {self.execution.style}"
                for memory in self.memories
                if not memory.priced
            ]
        if (self.energy_per_clock_cycle is None) != (self.clock_runs is None):
            problems.append("give clock_runs, 'always' or 'awake', beside energy_per_clock_cycle and only there")
        if self.gated_residual is not None and self.gated_residual.band.high > 1:
            problems.append("gated_residual is a share of static: it cannot exceed 1")
        fed = () if self.memory_rail is None else self.memory_rail.feeds or ()
        unknown = [name for name in fed if name not in {memory.name for memory in self.memories}]
        if unknown:
            problems.append(f"memory_rail feeds no memory here: {', '.join(unknown)}")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def on_rail(self, memory: Memory) -> bool:
        """Return whether a memory has the rail of its own as its supply."""
        rail = self.memory_rail
        return rail is not None and (rail.feeds is None or memory.name in rail.feeds)
