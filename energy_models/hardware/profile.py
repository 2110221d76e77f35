"""What a machine is: how it executes, what each act costs, what it remembers, and what it draws while idle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from energy_models.hardware.described import Described
from energy_models.hardware.execution import Execution
from energy_models.hardware.memory import Memory, check_memories
from energy_models.quantities import (
    AboveZero,
    Energy,
    Frequency,
    Frozen,
    Length,
    Power,
    Source,
    Temperature,
    Time,
    Voltage,
)


class Wake(Frozen):
    """Leaving sleep, once per decode."""

    energy: Energy
    time: Time


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
        Power drawn the whole time, awake or asleep, besides retention.
    idle_cycle : Quantity or None
        Energy of a clock cycle in which nothing is done, charged at `clock` all the time; None where `static` has it.
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
    idle_cycle: Energy | None = None
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
        if problems:
            raise ValueError("; ".join(problems))
        return self
