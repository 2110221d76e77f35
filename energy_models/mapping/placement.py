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

    `lasting_bits` are those of each memory whose content outlives a decode, in the order of `uses`.
    """

    memory_of: Mapping[Operand, Memory]
    held: tuple[Operand, ...]
    uses: tuple[MemoryUse, ...]
    lasting_bits: tuple[float, ...]
    infeasibilities: tuple[str, ...]

    def word_bits(self, operand: Operand) -> int:
        """Return the word width of the memory that holds an operand [bits]."""
        return self.memory_of[operand].word_bits
