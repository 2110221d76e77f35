"""Average pools, and batch norm with ReLU and pool, as loops; `students.kernels.norm_pool` says what they compute.

A channel is finished before the next begins, so that its rows are read from the processor's cache again.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from students.kernels.compiled import compiled

LANES = 32
"""Partial sums of a row: several vector registers of them, so that no addition waits for the one before it."""


@compiled("void(float32[::1], int64, int64, float32[::1])")
def _pool_row(row: Any, kernel: Any, stride: Any, means: Any) -> None:
    """Write the means of one row, each summed in the order of its steps."""
    for place in range(len(means)):
        total = np.float32(0)
        for step in range(place * stride, place * stride + kernel):
            total += row[step]
        means[place] = total / np.float32(kernel)


@compiled("void(float32[::1], int64, int64, float32[::1])")
def _spread_row(of_means: Any, kernel: Any, stride: Any, of_row: Any) -> None:
    """Write the gradient of one row, summed in the order of the means a step is part of."""
    if kernel == stride:  # each step is part of one mean, those at the end of none
        for place in range(len(of_means)):
            share = of_means[place] / np.float32(kernel)
            for step in range(place * stride, place * stride + kernel):
                of_row[step] = share
        of_row[len(of_means) * stride :] = np.float32(0)
        return
    of_row[:] = np.float32(0)
    for place in range(len(of_means)):
        share = of_means[place] / np.float32(kernel)
        for step in range(place * stride, place * stride + kernel):
            of_row[step] += share


@compiled("void(float32[:, ::1], int64, int64, float32[:, ::1])")
def pool(signal: Any, kernel: Any, stride: Any, means: Any) -> None:
    """Write the means of every row."""
    for row in range(len(signal)):
        _pool_row(signal[row], kernel, stride, means[row])


@compiled("void(float32[:, ::1], int64, int64, float32[:, ::1])")
def spread(of_means: Any, kernel: Any, stride: Any, of_signal: Any) -> None:
    """Write the gradient of every row."""
    for row in range(len(of_means)):
        _spread_row(of_means[row], kernel, stride, of_signal[row])


@compiled("void(float32[::1], float64[::1])")
def _add_row(row: Any, sums: Any) -> None:
    """Add a row to partial sums in double precision."""
    whole = len(row) // LANES * LANES
    for start in range(0, whole, LANES):
        part = row[start : start + LANES]
        for lane in range(LANES):
            sums[lane] += np.float64(part[lane])
    for place in range(whole, len(row)):
        sums[0] += np.float64(row[place])


@compiled("void(float32[::1], float32[::1], float64, float64[::1], float64[::1])")
def _add_products(left: Any, right: Any, centre: Any, sums: Any, products: Any) -> None:
    """Add ``left`` and ``left (right - centre)`` to partial sums in double precision."""
    whole = len(left) // LANES * LANES
    for start in range(0, whole, LANES):
        one, other = left[start : start + LANES], right[start : start + LANES]
        for lane in range(LANES):
            value = np.float64(one[lane])
            sums[lane] += value
            products[lane] += value * (np.float64(other[lane]) - centre)
    for place in range(whole, len(left)):
        value = np.float64(left[place])
        sums[0] += value
        products[0] += value * (np.float64(right[place]) - centre)


@compiled("void(float32[::1], float64, float64[::1], float64[::1])")
def _add_squares(row: Any, origin: Any, sums: Any, squares: Any) -> None:
    """Add ``row - origin`` and its squares to partial sums in double precision."""
    whole = len(row) // LANES * LANES
    for start in range(0, whole, LANES):
        part = row[start : start + LANES]
        for lane in range(LANES):
            difference = np.float64(part[lane]) - origin
            sums[lane] += difference
            squares[lane] += difference * difference
    for place in range(whole, len(row)):
        difference = np.float64(row[place]) - origin
        sums[0] += difference
        squares[0] += difference * difference


@compiled("void(float32[:, :, ::1], float64[:, ::1])")
def moments(signal: Any, found: Any) -> None:
    """Write mean and variance of each channel, in one pass over what differs from its first value."""
    batch, channels, steps = signal.shape
    sums, squares = np.empty(LANES), np.empty(LANES)
    for channel in range(channels):
        sums[:] = 0.0
        squares[:] = 0.0
        origin = np.float64(signal[0, channel, 0])
        for example in range(batch):
            _add_squares(signal[example, channel], origin, sums, squares)
        mean = sums.sum() / (batch * steps)
        variance = squares.sum() / (batch * steps) - mean * mean
        found[0, channel], found[1, channel] = origin + mean, max(variance, 0.0)


@compiled("void(float32[::1], float32, float32, float32, float32, float32[::1])")
def _activate_row(  # noqa: PLR0917  compiled functions take arguments by position
    row: Any, factor: Any, offset: Any, scale: Any, highest: Any, outputs: Any
) -> None:
    """Write ``relu(factor x + offset)``, on the grid of a scale; none where the scale is zero."""
    zero = np.float32(0)
    for step in range(len(row)):
        value = row[step] * factor + offset
        outputs[step] = zero if value <= zero else value
    if scale != zero:
        for step in range(len(row)):
            level = np.rint(outputs[step] / scale)
            outputs[step] = (highest if level > highest else level) * scale


@compiled("void(float32[:, :, ::1], float32[:, ::1], float32, float32, int64, int64, float32[:, :, ::1])")
def activate_and_pool(  # noqa: PLR0917  compiled functions take arguments by position
    signal: Any, line: Any, scale: Any, highest: Any, kernel: Any, stride: Any, means: Any
) -> None:
    """Write the means of ``relu(factor x + offset)``, its factor and offset a channel's two rows of `line`."""
    batch, channels, steps = signal.shape
    row = np.empty(steps, np.float32)
    for channel in range(channels):
        for example in range(batch):
            _activate_row(signal[example, channel], line[0, channel], line[1, channel], scale, highest, row)
            _pool_row(row, kernel, stride, means[example, channel])


@compiled("void(float32[::1], float32[::1], float32, float32, float32, float32, float32[::1], float32[::1])")
def _activation_gradient_row(  # noqa: PLR0917  compiled functions take arguments by position
    of_row: Any, row: Any, factor: Any, offset: Any, scale: Any, highest: Any, of_line: Any, of_scale: Any
) -> None:
    """Write the gradient of ``factor x + offset`` and, where there is a scale, each step's part of its gradient."""
    zero = np.float32(0)
    if scale == zero:
        for step in range(len(row)):
            of_line[step] = zero if row[step] * factor + offset <= zero else of_row[step]
        return
    for step in range(len(row)):
        value = row[step] * factor + offset
        ratio = zero if value <= zero else value / scale
        level = np.rint(ratio)
        inner = zero if level > highest else ratio
        of_scale[step] = of_row[step] * ((highest if level > highest else level) - inner)
        kept = zero if level > highest or value <= zero else of_row[step] * scale
        of_line[step] = kept / scale


@compiled(
    "float64(float32[:, :, ::1], float32[:, :, ::1], float64[:, ::1], float32[:, ::1], float32, float32, int64, int64, "
    "float32[:, :, ::1], float64[:, ::1])"
)
def gradients(  # noqa: PLR0917  compiled functions take arguments by position
    of_means: Any, signal: Any, statistics: Any, line: Any, scale: Any, highest: Any, kernel: Any, stride: Any,
    of_signal: Any, of_norm: Any,
) -> float:
    """Write the gradients of the signal and of weight and bias, each channel's; return that of the scale.

    `statistics` holds mean and inverse deviation of each channel.
    """
    batch, channels, steps = signal.shape
    of_row, of_scales = np.empty(steps, np.float32), np.empty(steps, np.float32)
    sums, products, scales = np.empty(LANES), np.empty(LANES), np.zeros(LANES)
    for channel in range(channels):
        mean, inverse, factor = statistics[0, channel], statistics[1, channel], line[0, channel]
        sums[:] = 0.0
        products[:] = 0.0
        for example in range(batch):
            row, of_line = signal[example, channel], of_signal[example, channel]
            _spread_row(of_means[example, channel], kernel, stride, of_row)
            _activation_gradient_row(of_row, row, factor, line[1, channel], scale, highest, of_line, of_scales)
            _add_products(of_line, row, mean, sums, products)
            if scale != np.float32(0):
                _add_row(of_scales, scales)
        total, product = sums.sum(), products.sum()
        of_norm[0, channel], of_norm[1, channel] = product * inverse, total
        slope = np.float32(product * inverse * inverse / (batch * steps))
        level = np.float32(total / (batch * steps))
        centre = np.float32(mean)
        for example in range(batch):
            row, of_line = signal[example, channel], of_signal[example, channel]
            for step in range(steps):
                of_line[step] = (of_line[step] - level - (row[step] - centre) * slope) * factor
    return scales.sum()
