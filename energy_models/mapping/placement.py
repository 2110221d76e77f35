"""The memories that hold the operands of a workload, and how full its memories are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from energy_models.hardware import Memory, Operand
from energy_models.quantities import Number


class WordWidths(Protocol):
    """What the counts of a style ask of a placement."""

    def word_bits(self, operand: Operand) -> Number:
        """Return the word width of the memory that holds an operand [bits]."""
        ...


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """What one memory holds, against what it can hold [bits]."""

    memory: str
    capacity_bits: float
    used_bits: float
    holds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Placement:
    """The memory of each operand, which operands take room at all, how full the memories are, and what does not fit.

    Parameters
    ----------
    memory_of : mapping of operand to Memory
    held : tuple of operand
        Those that take room.
    uses : tuple of MemoryUse
        One a memory.
    kept_bits, lasting_bits : tuple of float or array
        In whole banks of each memory: what is used, and what outlives a decode [bits]. Arrays are of very many machines
        that differ in their banks.
    widths : mapping of operand to float or array
        Word of the memory that holds each operand [bits].
    infeasibilities : tuple of str
    """

    memory_of: Mapping[Operand, Memory]
    held: tuple[Operand, ...]
    uses: tuple[MemoryUse, ...]
    kept_bits: tuple[Number, ...]
    lasting_bits: tuple[Number, ...]
    widths: Mapping[Operand, Number]
    infeasibilities: tuple[str, ...]

    def word_bits(self, operand: Operand) -> Number:
        """Return the word width of the memory that holds an operand [bits]."""
        return self.widths[operand]
