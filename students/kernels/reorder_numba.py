"""The compiled form of `students.kernels.reorder`: tiles small enough that both sides stay in the cache."""

from __future__ import annotations

from typing import Any

from students.kernels.compiled import compiled

STEPS, CHANNELS = 16, 64
"""Of one tile."""


@compiled("void(float32[:, :, ::1], float32[:, :, ::1])")
def steps_first_into(signal: Any, rows: Any) -> None:
    """Copy (batch, channels, steps) into (steps, batch, channels)."""
    batch, channels, steps = signal.shape
    for one in range(batch):
        for first in range(0, channels, CHANNELS):
            for start in range(0, steps, STEPS):
                for step in range(start, min(start + STEPS, steps)):
                    for channel in range(first, min(first + CHANNELS, channels)):
                        rows[step, one, channel] = signal[one, channel, step]


@compiled("void(float32[:, :, ::1], float32[:, :, ::1])")
def steps_last_into(rows: Any, signal: Any) -> None:
    """Copy (steps, batch, channels) into (batch, channels, steps)."""
    batch, channels, steps = signal.shape
    for one in range(batch):
        for first in range(0, channels, CHANNELS):
            for start in range(0, steps, STEPS):
                for channel in range(first, min(first + CHANNELS, channels)):
                    for step in range(start, min(start + STEPS, steps)):
                        signal[one, channel, step] = rows[step, one, channel]
