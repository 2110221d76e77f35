"""One memory of a machine: volatile with a retention power, or non-volatile with a cost per bit and one of waking."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from energy_models.quantities import AboveZero, Energy, EnergyPerBit, Frozen, Information, PowerPerBit, Time

Operand = Literal["weights", "activations", "state", "buffers"]
OPERANDS: tuple[Operand, ...] = ("weights", "activations", "state", "buffers")
Technology = Literal["flash", "fram", "mram"]


class NonVolatile(Frozen):
    """What keeps its content unpowered: energy per bit, every bit of a word, and what switching it on costs a decode.

    Without `write` it is read only: it holds weights, nothing that changes.
    """

    technology: Technology
    read: EnergyPerBit
    write: EnergyPerBit | None = None
    wake: Energy
    wake_time: Time


class Memory(Frozen):
    """One memory. `read` and `write` are per word; absent where the core's own costs include them, or non-volatile.

    `retention` is the power per kept bit, charged for every bank of `bank` bits in use; a non-volatile memory has none.
    `awake_leakage` is what a bit of such a bank draws besides while the machine is awake and the memory at its full
    supply; absent where `retention` holds at that one. `wires` is the energy of a word's way between its bank and the
    datapath, a read and a write alike; absent where `read` and `write` contain it.
    `idle_banks` says whether banks whose content ends with a decode are off until the next one. `reload_from` names a
    non-volatile memory with a copy of the weights: this one may then be off between decodes. A memory that `holds`
    nothing is such a copy.
    """

    name: str = Field(pattern="^[a-z][a-z0-9_]*$")
    capacity: Information
    bank: Annotated[Information, AboveZero()]
    word_bits: int = Field(gt=0)
    read: Energy | None = None
    write: Energy | None = None
    retention: PowerPerBit | None = None
    awake_leakage: PowerPerBit | None = None
    wires: Energy | None = None
    idle_banks: Literal["off", "kept"] | None = None
    non_volatile: NonVolatile | None = None
    reload_from: str | None = None
    holds: tuple[Operand, ...]

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        problems: list[str] = []
        if (self.retention is None) == (self.non_volatile is None):
            problems.append("give retention, or else non_volatile")
        if self.retention is None and self.awake_leakage is not None:
            problems.append("awake_leakage comes on top of retention: give that too")
        if (self.retention is None) != (self.idle_banks is None):
            problems.append("give idle_banks, 'off' or 'kept', beside retention and only there")
        if self.non_volatile is not None:
            if self.read is not None or self.write is not None or self.reload_from is not None:
                problems.append("a non-volatile memory is priced per bit: no read, write or reload_from beside it")
            if self.non_volatile.write is None and set(self.holds) - {"weights"}:
                problems.append("a non-volatile memory without a write energy holds weights only")
        if self.reload_from is not None and (self.holds != ("weights",) or self.write is None):
            problems.append("a memory that is reloaded holds weights only, and has a write energy")
        if self.reload_from is not None and self.idle_banks == "kept":
            problems.append("a memory that is reloaded can be switched off: idle_banks = 'off'")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def priced(self) -> bool:
        """Whether accesses have a price of their own."""
        return self.non_volatile is not None or (self.read is not None and self.write is not None)


def check_memories(memories: tuple[Memory, ...]) -> list[str]:
    """Return what is wrong with the memories of a machine together."""
    names = [memory.name for memory in memories]
    problems = [f"memory names repeat: {', '.join(names)}"] if len(set(names)) != len(names) else []
    held = {operand for memory in memories for operand in memory.holds}
    problems += [f"no memory may hold {operand}" for operand in OPERANDS if operand not in held]
    stores = {memory.name for memory in memories if memory.non_volatile is not None}
    wanted = {memory.name: memory.reload_from for memory in memories if memory.reload_from is not None}
    problems += [
        f"memory {name} is reloaded from {store!r}, which is no non-volatile memory here"
        for name, store in wanted.items()
        if store not in stores
    ]
    problems += [
        f"memory {memory.name} holds nothing, and nothing is reloaded from it"
        for memory in memories
        if not memory.holds and memory.name not in wanted.values()
    ]
    return problems
