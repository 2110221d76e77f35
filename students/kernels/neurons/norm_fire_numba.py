"""The compiled form of `students.kernels.neurons.norm_fire`; a neuron is a place in (batch, channels)."""

from __future__ import annotations

from typing import Any

import numpy as np

from students.kernels.compiled import compiled

BLOCK = 16384
"""Neurons of one pass over all steps: rows of so many stay in a second-level cache."""
GROUP = 16
"""Steps whose gradients are added up in single precision before they join a sum in double precision."""
ZERO, ONE = np.float32(0.0), np.float32(1.0)


@compiled("void(float64[::1], int64, float64[::1])")
def _over_batch(sums: Any, steps: int, means: Any) -> None:
    """Write means of each channel over batch and steps from each neuron's sum over the steps."""
    channels = means.shape[0]
    means[:] = 0.0
    for start in range(0, sums.shape[0], channels):
        for channel in range(channels):
            means[channel] += sums[start + channel]
    means /= sums.shape[0] // channels * steps


@compiled("void(float32[::1], float32[::1])")
def _to_neurons(values: Any, row: Any) -> None:
    """Write a number of each channel to its neurons."""
    channels = values.shape[0]
    for start in range(0, row.shape[0], channels):
        for channel in range(channels):
            row[start + channel] = values[channel]


@compiled("void(float32[:, ::1], float32[::1], float64[:, ::1])")
def _moments(signal: Any, mean: Any, found: Any) -> None:
    """Write mean and variance of each channel in double precision; `mean` is the first of them in single."""
    steps, neurons = signal.shape
    channels = found.shape[1]
    sums, centre = np.zeros(neurons), np.empty(neurons, np.float32)
    for step in range(steps):
        row = signal[step]
        for j in range(neurons):
            sums[j] += row[j]
    _over_batch(sums, steps, found[0])
    for channel in range(channels):
        mean[channel] = found[0, channel]
    _to_neurons(mean, centre)
    sums[:] = 0.0
    for step in range(steps):
        row = signal[step]
        for j in range(neurons):
            distance = row[j] - centre[j]
            sums[j] += distance * distance
    _over_batch(sums, steps, found[1])


@compiled(
    "void(float32[:, ::1], UniTuple(float32[::1], 4), float64, int64, float64[:, ::1], float32[:, ::1],"
    " UniTuple(float32[:, ::1], 2))"
)
def norm_fire_forward(  # noqa: PLR0917  compiled functions take arguments by position
    signal: Any, given: Any, eps: float, reset: int, statistics: Any, line: Any, written: Any
) -> None:
    """Write membranes and spikes of each step, of neurons that start at zero.

    Parameters
    ----------
    given : tuple of ndarray
        Weight and bias of each channel; beta and threshold of each neuron.
    statistics : ndarray of float64, shape (3, channels)
        Written: mean, variance, one over the standard deviation.
    line : ndarray, shape (3, channels)
        Written: mean, factor, offset.
    """
    steps, neurons = signal.shape
    weight, bias, beta, threshold = given
    membranes, spikes = written
    _moments(signal, line[0], statistics[:2])
    for channel in range(weight.shape[0]):
        statistics[2, channel] = 1.0 / np.sqrt(statistics[1, channel] + eps)
        line[1, channel] = np.float32(statistics[2, channel]) * weight[channel]
        line[2, channel] = bias[channel] - line[0, channel] * line[1, channel]
    factor, offset = np.empty(neurons, np.float32), np.empty(neurons, np.float32)
    _to_neurons(line[1], factor)
    _to_neurons(line[2], offset)
    before, drive = np.zeros(neurons, np.float32), np.empty(neurons, np.float32)
    for step in range(steps):
        now, row, spike = membranes[step], signal[step], spikes[step]
        for j in range(neurons):
            drive[j] = row[j] * factor[j] + offset[j]
        if reset == 1:
            for j in range(neurons):
                charge = before[j] * beta[j] + drive[j]
                now[j] = charge - (threshold[j] if before[j] > threshold[j] else ZERO)
        elif reset == 2:
            for j in range(neurons):
                now[j] = (ZERO if before[j] > threshold[j] else before[j]) * beta[j] + drive[j]
        else:
            for j in range(neurons):
                now[j] = before[j] * beta[j] + drive[j]
        for j in range(neurons):
            spike[j] = ONE if now[j] > threshold[j] else ZERO
        before = now


@compiled(
    "void(UniTuple(float32[:, ::1], 4), UniTuple(float32[::1], 3), UniTuple(float64, 2), int64, boolean,"
    " float64[:, ::1], int64)"
)
def _block_backward(  # noqa: PLR0917  compiled functions take arguments by position
    signals: Any, rows: Any, slope: tuple[float, float], reset: int, learns: bool, sums: Any, start: int
) -> None:
    """Write G of `BLOCK` neurons and add up their sums, as `norm_fire_backward` says."""
    signal, membranes, arriving, total = signals
    steps, neurons = membranes.shape
    end = min(start + BLOCK, neurons)
    size = end - start
    centre, decay, limit = rows[0][start:end], rows[1][start:end], rows[2][start:end]
    width, height = np.float32(slope[0]), np.float32(slope[1])
    carry, rest, parts = np.zeros(size, np.float32), np.zeros(size, np.float32), np.zeros((4, size), np.float32)
    level, tilt, of_beta, of_threshold = parts
    for step in range(steps - 1, -1, -1):
        before = membranes[step - 1, start:end] if step > 0 else rest
        now, out, given = membranes[step, start:end], total[step, start:end], arriving[step, start:end]
        row = signal[step, start:end]
        # One loop for a few arrays each: with more of them the compiler gives up on vectors.
        for j in range(size):
            distance = (now[j] - limit[j]) * width
            out[j] = ONE / (distance * distance + ONE) * height * given[j]
        if learns:
            for j in range(size):
                of_threshold[j] -= out[j]
        for j in range(size):
            out[j] += carry[j]
            carry[j] = out[j] * decay[j]
        if reset == 2:
            for j in range(size):
                carry[j] = ZERO if before[j] > limit[j] else carry[j]
        for j in range(size):
            level[j] += out[j]
            tilt[j] += out[j] * (row[j] - centre[j])
        if learns and reset == 2:
            for j in range(size):
                of_beta[j] += ZERO if before[j] > limit[j] else out[j] * before[j]
        elif learns:
            for j in range(size):
                of_beta[j] += out[j] * before[j]
        if learns and reset == 1:
            for j in range(size):
                of_threshold[j] -= out[j] if before[j] > limit[j] else ZERO
        if step % GROUP == 0:
            for one in range(4):
                for j in range(size):
                    sums[one, start + j] += parts[one, j]
                    parts[one, j] = ZERO


@compiled(
    "void(float32[:, ::1], float64[:, ::1], float32[:, ::1], float32[:, ::1], float32[:, ::1],"
    " UniTuple(float32[::1], 2), UniTuple(float64, 2), int64, boolean, Tuple((float32[:, ::1], float64[:, ::1])))"
)
def norm_fire_backward(  # noqa: PLR0917  compiled functions take arguments by position
    signal: Any, statistics: Any, line: Any, membranes: Any, arriving: Any, neurons: Any, slope: tuple[float, float],
    reset: int, learns: bool, written: Any,
) -> None:
    """Write the gradient of the signal, and add up those of norm and neurons.

    Parameters
    ----------
    neurons : tuple of ndarray
        Beta and threshold of each neuron.
    learns : bool
        Whether the gradients of beta and threshold are wanted.
    written : tuple of ndarray
        The signal's gradient; and of float64, shape (4, neurons), zeros to which are added the sums of G, the gradient
        of the normalised current, of G (X - mean), and the gradients of beta and threshold.
    """
    total, sums = written
    count, channels = total.shape[1], line.shape[1]
    centre, factor = np.empty(count, np.float32), np.empty(count, np.float32)
    _to_neurons(line[0], centre)
    _to_neurons(line[1], factor)
    for start in range(0, count, BLOCK):
        _block_backward(
            (signal, membranes, arriving, total), (centre, neurons[0], neurons[1]), slope, reset, learns, sums, start
        )
    means, each = np.empty(channels), np.empty((2, channels), np.float32)
    level, tilt = np.empty(count, np.float32), np.empty(count, np.float32)
    _over_batch(sums[0], total.shape[0], means)
    for channel in range(channels):
        each[0, channel] = means[channel]
    _over_batch(sums[1], total.shape[0], means)
    for channel in range(channels):
        each[1, channel] = means[channel] * (statistics[2, channel] * statistics[2, channel])
    _to_neurons(each[0], level)
    _to_neurons(each[1], tilt)
    for step in range(total.shape[0]):
        row, out = signal[step], total[step]
        for j in range(count):
            out[j] = (out[j] - level[j] - (row[j] - centre[j]) * tilt[j]) * factor[j]
