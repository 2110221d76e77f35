"""The compiled forms of `students.kernels.neurons.fire` and `recurrent_fire`.

Steps outside, neurons inside, so that rows stay in the cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from students.kernels.compiled import compiled

RESETS: Mapping[str, int] = {"none": 0, "subtract": 1, "zero": 2}
BLOCK = 1024
"""Neurons of one pass: what the loops below hand to one another stays in a first-level cache."""
ZERO, ONE = np.float32(0.0), np.float32(1.0)


@compiled("void(float32[:, ::1], float32[::1], float32[::1], float32[::1], int64, float32[:, ::1], float32[:, ::1])")
def fire_forward(  # noqa: PLR0917  compiled functions take arguments by position
    current: Any, state: Any, beta: Any, threshold: Any, reset: int, membranes: Any, spikes: Any
) -> None:
    """Write the membranes of step t into row ``t % rows``, and the spikes of each step."""
    steps, neurons = current.shape
    before = state
    for step in range(steps):
        now, drive, spike = membranes[step % membranes.shape[0]], current[step], spikes[step]
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
    "void(float32[:, ::1], float32[::1], float32[:, ::1], float32[::1], float32[::1], UniTuple(float64, 2), int64,"
    " boolean, float32[::1], float32[:, ::1], float64[:, ::1])"
)
def fire_backward(  # noqa: PLR0917  compiled functions take arguments by position
    membranes: Any, state: Any, grad_spikes: Any, beta: Any, threshold: Any, slope: tuple[float, float], reset: int,
    learns: bool, running: Any, total: Any, sums: Any,
) -> None:
    """Write dL/dI into `total`, dL/d(state) into `running`, and add each neuron's gradients of beta and threshold.

    Parameters
    ----------
    slope : tuple of float
        Factor on the distance from the threshold, and height of the surrogate's slope.
    learns : bool
        Whether the gradients of beta and threshold are wanted.
    running : ndarray, shape (neurons,)
        At first the gradient that reaches the last membranes.
    sums : ndarray of float64, shape (2, neurons)
    """
    steps, neurons = membranes.shape
    width, height = np.float32(slope[0]), np.float32(slope[1])
    for step in range(steps - 1, -1, -1):
        previous = membranes[step - 1] if step > 0 else state
        for start in range(0, neurons, BLOCK):
            end = min(start + BLOCK, neurons)
            now, before, out = membranes[step, start:end], previous[start:end], total[step, start:end]
            arriving, carry = grad_spikes[step, start:end], running[start:end]
            decay, limit = beta[start:end], threshold[start:end]
            of_beta, of_threshold = sums[0, start:end], sums[1, start:end]
            # One loop for a few arrays each: with more of them the compiler gives up on vectors.
            for j in range(end - start):
                distance = (now[j] - limit[j]) * width
                out[j] = ONE / (distance * distance + ONE) * height * arriving[j]
            if learns:
                for j in range(end - start):
                    of_threshold[j] -= out[j]
            for j in range(end - start):
                out[j] += carry[j]
                carry[j] = out[j] * decay[j]
            if reset == 2:
                for j in range(end - start):
                    carry[j] = ZERO if before[j] > limit[j] else carry[j]
            if learns and reset == 2:
                for j in range(end - start):
                    of_beta[j] += ZERO if before[j] > limit[j] else out[j] * before[j]
            elif learns:
                for j in range(end - start):
                    of_beta[j] += out[j] * before[j]
            if learns and reset == 1:
                for j in range(end - start):
                    of_threshold[j] -= out[j] if before[j] > limit[j] else ZERO


@compiled(
    "void(int64, float32[:, ::1], float32[::1], float32[::1], float32[::1], int64, float32[::1], float32[:, ::1],"
    " float32[:, ::1])"
)
def recurrent_forward(  # noqa: PLR0917  compiled functions take arguments by position
    step: int, current: Any, state: Any, beta: Any, threshold: Any, reset: int, heard: Any, membranes: Any, spikes: Any
) -> None:
    """Write membranes and spikes of one step, of neurons that hear the spikes of the step before."""
    before = membranes[step - 1] if step > 0 else state
    now, drive, spike = membranes[step], current[step], spikes[step]
    neurons = now.shape[0]
    if reset == 1:
        for j in range(neurons):
            charge = before[j] * beta[j] + drive[j] + heard[j]
            now[j] = charge - (threshold[j] if before[j] > threshold[j] else ZERO)
    elif reset == 2:
        for j in range(neurons):
            charge = before[j] * beta[j] + drive[j] + heard[j]
            now[j] = ZERO if before[j] > threshold[j] else charge
    else:
        for j in range(neurons):
            now[j] = before[j] * beta[j] + drive[j] + heard[j]
    for j in range(neurons):
        spike[j] = ONE if now[j] > threshold[j] else ZERO


@compiled(
    "void(int64, float32[:, ::1], float32[::1], float32[:, ::1], float32[::1], float32[::1], UniTuple(float64, 2),"
    " int64, float32[::1], float32[::1], float32[:, ::1], float64[:, ::1])"
)
def recurrent_backward(  # noqa: PLR0917  compiled functions take arguments by position
    step: int, membranes: Any, state: Any, grad_spikes: Any, beta: Any, threshold: Any, slope: tuple[float, float],
    reset: int, returned: Any, running: Any, total: Any, sums: Any,
) -> None:
    """Write dL/dI of one step, what it hands on to the step before, and add to the gradients of beta and threshold.

    Parameters
    ----------
    returned : ndarray, shape (neurons,)
        The gradient of this step's spikes that came back through the recurrent weights.
    """
    width, height = np.float32(slope[0]), np.float32(slope[1])
    previous = membranes[step - 1] if step > 0 else state
    neurons = previous.shape[0]
    for start in range(0, neurons, BLOCK):
        end = min(start + BLOCK, neurons)
        now, before, out = membranes[step, start:end], previous[start:end], total[step, start:end]
        arriving, back, carry = grad_spikes[step, start:end], returned[start:end], running[start:end]
        decay, limit = beta[start:end], threshold[start:end]
        of_beta, of_threshold = sums[0, start:end], sums[1, start:end]
        for j in range(end - start):
            distance = (now[j] - limit[j]) * width
            out[j] = ONE / (distance * distance + ONE) * height * (arriving[j] + back[j])
        for j in range(end - start):
            of_threshold[j] -= out[j]
        if reset == 2:
            for j in range(end - start):
                out[j] = ZERO if before[j] > limit[j] else out[j] + carry[j]
        else:
            for j in range(end - start):
                out[j] += carry[j]
        for j in range(end - start):
            carry[j] = out[j] * decay[j]
        for j in range(end - start):
            of_beta[j] += out[j] * before[j]
        if reset == 1:
            for j in range(end - start):
                of_threshold[j] -= out[j] if before[j] > limit[j] else ZERO
