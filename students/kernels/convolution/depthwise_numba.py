"""Depthwise convolution over steps and its gradients as loops; `depthwise` says what they compute.

Several taps, or steps, are taken at once, so that a sum is read and written once for all of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from students.kernels.compiled import compiled

AT_ONCE = 8


@compiled("void(float32[::1], int64, float32[::1])")
def _padded(row: Any, before: Any, padded: Any) -> None:
    """Write a row with zeros around it; what lies outside is left out."""
    padded[:] = np.float32(0)
    first, last = max(0, -before), min(len(row), len(padded) - before)
    if last > first:
        padded[before + first : before + last] = row[first:last]


@compiled("void(float32[::1], float32[::1], float32[::1])")
def _correlate_row(padded: Any, taps: Any, outputs: Any) -> None:
    """Write ``y[t] = sum_k w[k] x[t + k]``, summed in the order of the taps."""
    steps, count = len(outputs), len(taps)
    outputs[:] = np.float32(0)
    whole = count // AT_ONCE * AT_ONCE
    for tap in range(0, whole, AT_ONCE):
        w0, w1, w2, w3 = taps[tap], taps[tap + 1], taps[tap + 2], taps[tap + 3]
        w4, w5, w6, w7 = taps[tap + 4], taps[tap + 5], taps[tap + 6], taps[tap + 7]
        seen = padded[tap : tap + steps + AT_ONCE - 1]
        for step in range(steps):
            outputs[step] = (
                outputs[step] + w0 * seen[step] + w1 * seen[step + 1] + w2 * seen[step + 2] + w3 * seen[step + 3]
                + w4 * seen[step + 4] + w5 * seen[step + 5] + w6 * seen[step + 6] + w7 * seen[step + 7]
            )  # fmt: skip
    for tap in range(whole, count):
        weight, seen = taps[tap], padded[tap : tap + steps]
        for step in range(steps):
            outputs[step] += weight * seen[step]


@compiled("void(float32[:, :, ::1], float32[:, ::1], int64, float32[:, :, ::1])")
def correlate(signal: Any, taps: Any, before: Any, outputs: Any) -> None:
    """Write each channel's correlation with its taps; `before` may be negative, the signal's first steps left out."""
    batch, channels, steps = outputs.shape
    padded = np.empty(steps + taps.shape[1] - 1, np.float32)
    for example in range(batch):
        for channel in range(channels):
            _padded(signal[example, channel], before, padded)
            _correlate_row(padded, taps[channel], outputs[example, channel])


@compiled("void(float32[::1], float32[::1], float32[::1])")
def _add_products(padded: Any, errors: Any, sums: Any) -> None:
    """Add ``sum_t e[t] x[t + k]`` to the sum of each tap."""
    steps, count = len(errors), len(sums)
    whole = steps // AT_ONCE * AT_ONCE
    for step in range(0, whole, AT_ONCE):
        e0, e1, e2, e3 = errors[step], errors[step + 1], errors[step + 2], errors[step + 3]
        e4, e5, e6, e7 = errors[step + 4], errors[step + 5], errors[step + 6], errors[step + 7]
        seen = padded[step : step + count + AT_ONCE - 1]
        for tap in range(count):
            sums[tap] += (
                e0 * seen[tap] + e1 * seen[tap + 1] + e2 * seen[tap + 2] + e3 * seen[tap + 3]
                + e4 * seen[tap + 4] + e5 * seen[tap + 5] + e6 * seen[tap + 6] + e7 * seen[tap + 7]
            )  # fmt: skip
    for step in range(whole, steps):
        error, seen = errors[step], padded[step : step + count]
        for tap in range(count):
            sums[tap] += error * seen[tap]


@compiled("void(float32[:, :, ::1], float32[:, :, ::1], int64, float64[:, ::1])")
def tap_gradients(signal: Any, errors: Any, before: Any, found: Any) -> None:
    """Write the gradient of each channel's taps: rows in single precision, their sum in double."""
    batch, channels, steps = errors.shape
    count = found.shape[1]
    padded, sums = np.empty(steps + count - 1, np.float32), np.empty(count, np.float32)
    found[:] = 0.0
    for example in range(batch):
        for channel in range(channels):
            _padded(signal[example, channel], before, padded)
            sums[:] = np.float32(0)
            _add_products(padded, errors[example, channel], sums)
            for tap in range(count):
                found[channel, tap] += sums[tap]
