"""Pseudo-random numbers of an input code: a register of 32 bits for each channel.

A step is ``s ^= s << 13``, ``s ^= s >> 17``, ``s ^= s << 5`` (xorshift: Marsaglia 2003, Journal of Statistical
Software 8(14), doi 10.18637/jss.v008.i14); the number is the upper 16 bits of s.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

REGISTER_BITS, RANDOM_BITS = 32, 16
SHIFTS = (13, 17, 5)
"""To the left, to the right, to the left; the register runs through all 2^32 - 1 numbers but zero."""

_MASK = 2**REGISTER_BITS - 1
_MIX = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)  # odd constants of a 32-bit mixing function (xxHash's)


def first_registers(channels: int) -> NDArray[np.int64]:
    """Return what each channel's register holds before the first step, none of them zero, shape (channels,)."""
    found: list[int] = []
    for channel in range(channels):
        mixed = (channel * _MIX[0] + _MIX[2]) & _MASK
        for shift, factor in ((15, _MIX[1]), (13, _MIX[2])):
            mixed = ((mixed ^ (mixed >> shift)) * factor) & _MASK
        found.append((mixed ^ (mixed >> 16)) or 1)
    return np.array(found, dtype=np.int64)


def next_registers(registers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the registers one step on, of any shape."""
    first, second, third = SHIFTS
    moved = registers ^ (registers << first & _MASK)
    moved = moved ^ (moved >> second)
    return moved ^ (moved << third & _MASK)


def random_numbers(channels: int, steps: int) -> NDArray[np.int64]:
    """Return the numbers of the first steps, 0 to 2^16 - 1, shape (channels, steps)."""
    registers, found = first_registers(channels), np.empty((channels, steps), dtype=np.int64)
    for step in range(steps):
        registers = next_registers(registers)
        found[:, step] = registers >> (REGISTER_BITS - RANDOM_BITS)
    return found
