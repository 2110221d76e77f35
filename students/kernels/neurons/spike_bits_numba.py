"""Spikes as bits: bit k of byte j is element ``k n + j`` of a signal in 8 contiguous parts of n elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from students.kernels.compiled import compiled

BLOCK = 4096
"""Bytes of one pass; the first pass without spikes only ends the packing."""
ZERO, ONE = np.float32(0.0), np.float32(1.0)


@compiled("boolean(float32[::1], uint8[::1])")
def pack(signal: Any, packed: Any) -> bool:
    """Write a signal's bits; False, and bits without meaning, where one element is neither 0 nor 1."""
    size = packed.shape[0]
    for start in range(0, size, BLOCK):
        end = min(start + BLOCK, size)
        bits = packed[start:end]
        bits[:] = 0
        for plane in range(8):
            part = signal[min(plane * size + start, signal.shape[0]) : min(plane * size + end, signal.shape[0])]
            others = 0
            for j in range(part.shape[0]):
                others |= (part[j] != ZERO) & (part[j] != ONE)
            if others:
                return False
            for j in range(part.shape[0]):
                bits[j] |= np.uint8(part[j] != ZERO) << np.uint8(plane)
    return True


@compiled("void(uint8[::1], float32[::1])")
def unpack(packed: Any, signal: Any) -> None:
    """Write the signal of bits."""
    size = packed.shape[0]
    for start in range(0, size, BLOCK):
        end = min(start + BLOCK, size)
        bits = packed[start:end]
        for plane in range(8):
            part = signal[min(plane * size + start, signal.shape[0]) : min(plane * size + end, signal.shape[0])]
            for j in range(part.shape[0]):
                part[j] = ONE if bits[j] & np.uint8(1 << plane) else ZERO
