"""The shape of a signal and the ends of its numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

TABLE_BITS = 12
"""Widest signal of which a function is a table with an entry for every code; of a wider one it is steps [bits]."""


@dataclass(frozen=True, slots=True)
class Range:
    """Shape of one example's signal, and ends that none of its numbers, nor any partial sum of them, passes.

    Parameters
    ----------
    shape : tuple of int
    lowest, highest : int
        For a product: over all inputs on the input's grid and the stored weights, starting from the bias, in any order.
    """

    shape: tuple[int, ...]
    lowest: int
    highest: int

    @property
    def bits(self) -> int:
        """Width that holds every number: unsigned where none is negative [bits]."""
        return max(self.highest.bit_length(), 1) if self.lowest >= 0 else self.signed_bits

    @property
    def signed_bits(self) -> int:
        """Width that holds every number in two's complement [bits]."""
        return max((-self.lowest - 1).bit_length() if self.lowest < 0 else 0, max(self.highest, 0).bit_length()) + 1
