"""Fake quantisation as loops; `students.kernels.fake_quantise` says what they compute."""

from __future__ import annotations

from typing import Any

import numpy as np

from students.kernels.compiled import compiled

LANES = 16
"""Partial sums of a row: as many as a vector register holds, so that a sum is as fast as the arithmetic in it."""


@compiled("void(float32[:, ::1], float32[::1], float32, float32, float32[:, ::1])")
def quantise_rows(signal: Any, scales: Any, lowest: Any, highest: Any, outputs: Any) -> None:
    """Put each row on the grid of its scale."""
    zero = np.float32(0)
    for row in range(signal.shape[0]):
        scale = scales[row]
        for place in range(signal.shape[1]):
            level = np.rint(signal[row, place] / scale + zero)
            level = highest if level > highest else level
            level = lowest if level < lowest else level
            outputs[row, place] = level * scale


@compiled("void(float32[:, ::1], float32[:, ::1], float32[::1], float32, float32, float32[:, ::1])")
def signal_gradient(  # noqa: PLR0917  compiled functions take arguments by position
    gradient: Any, signal: Any, scales: Any, lowest: Any, highest: Any, of_signal: Any
) -> None:
    """Write the gradient of the signal: that of the outputs, or zero where a level was clipped."""
    zero = np.float32(0)
    for row in range(signal.shape[0]):
        scale = scales[row]
        for place in range(signal.shape[1]):
            level = np.rint(signal[row, place] / scale + zero)
            kept = zero if level > highest or level < lowest else gradient[row, place] * scale
            of_signal[row, place] = kept / scale


@compiled("void(float32[:, ::1], float32[:, ::1], float32[::1], float32, float32, float64[::1])")
def scale_gradient(  # noqa: PLR0917  compiled functions take arguments by position
    gradient: Any, signal: Any, scales: Any, lowest: Any, highest: Any, of_scales: Any
) -> None:
    """Write the gradient of each row's scale, summed in double precision."""
    zero = np.float32(0)
    count = signal.shape[1]
    whole = count // LANES * LANES
    sums = np.zeros(LANES)
    for row in range(signal.shape[0]):
        scale = scales[row]
        sums[:] = 0.0
        for start in range(0, whole, LANES):
            for lane in range(LANES):
                ratio = signal[row, start + lane] / scale
                level = np.rint(ratio + zero)
                inner = zero if level > highest or level < lowest else ratio
                level = highest if level > highest else level
                level = lowest if level < lowest else level
                sums[lane] += np.float64(gradient[row, start + lane]) * np.float64(level - inner)
        total = 0.0
        for lane in range(LANES):
            total += sums[lane]
        for place in range(whole, count):
            ratio = signal[row, place] / scale
            level = np.rint(ratio + zero)
            inner = zero if level > highest or level < lowest else ratio
            level = highest if level > highest else level
            level = lowest if level < lowest else level
            total += np.float64(gradient[row, place]) * np.float64(level - inner)
        of_scales[row] = total
