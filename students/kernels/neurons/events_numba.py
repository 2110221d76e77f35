"""The compiled form of `students.kernels.neurons.events`; steps outside, neurons inside."""

from __future__ import annotations

from typing import Any

import numpy as np

from students.kernels.compiled import compiled

ZERO, ONE = np.float32(0.0), np.float32(1.0)


@compiled(
    "void(float32[:, ::1], float32[::1], float32[::1], float32[::1], float32[::1], UniTuple(int64, 2),"
    " float32[:, ::1], float32[:, ::1])"
)
def events_forward(  # noqa: PLR0917  compiled functions take arguments by position
    current: Any, state: Any, fired: Any, beta: Any, threshold: Any, how: tuple[int, int], membranes: Any, events: Any
) -> None:
    """Write the membranes and events of each step.

    Parameters
    ----------
    fired : ndarray, shape (neurons,)
        Events of the step before the first.
    how : tuple of int
        Reset (0 none, 1 subtract, 2 zero, 3 residue) and most events of a step.
    """
    steps, neurons = current.shape
    reset, most = how
    before, earlier = state, fired
    for step in range(steps):
        now, drive, event = membranes[step], current[step], events[step]
        if reset == 1:
            for j in range(neurons):
                now[j] = before[j] * beta[j] + drive[j] - earlier[j] * threshold[j]
        elif reset == 2:
            for j in range(neurons):
                now[j] = (ZERO if earlier[j] > ZERO else before[j]) * beta[j] + drive[j]
        elif reset == 3:
            for j in range(neurons):
                now[j] = (before[j] - earlier[j] * threshold[j]) * beta[j] + drive[j]
        else:
            for j in range(neurons):
                now[j] = before[j] * beta[j] + drive[j]
        for j in range(neurons):
            event[j] = ONE if now[j] > threshold[j] else ZERO
        for level in range(2, most + 1):
            times = np.float32(level)
            for j in range(neurons):
                event[j] += ONE if now[j] > threshold[j] * times else ZERO
        before, earlier = now, event


@compiled(
    "void(float32[:, ::1], float32[::1], float32[:, ::1], float32[::1], float32[::1], UniTuple(float64, 3),"
    " UniTuple(int64, 2), boolean, float32[::1], float32[:, ::1], float64[:, ::1])"
)
def events_backward(  # noqa: PLR0917  compiled functions take arguments by position
    membranes: Any, state: Any, arriving: Any, beta: Any, threshold: Any, surrogate: tuple[float, float, float],
    how: tuple[int, int], learns: bool, running: Any, total: Any, sums: Any,
) -> None:
    """Write dL/dI into `total`, dL/d(state) into `running`, and add each neuron's gradients of beta and threshold.

    Parameters
    ----------
    surrogate : tuple of float
        Kind (0 arctangent, 1 fast sigmoid, 2 sigmoid), factor on the distance, height.
    running : ndarray, shape (neurons,)
        At first the gradient that reaches the last membranes.
    sums : ndarray of float64, shape (2, neurons)
    """
    steps, neurons = membranes.shape
    kind, width, height = int(surrogate[0]), np.float32(surrogate[1]), np.float32(surrogate[2])
    reset, most = how
    slope, summed = np.empty(neurons, np.float32), np.empty(neurons, np.float32)
    weighted, fired = np.empty(neurons, np.float32), np.empty(neurons, np.float32)
    for step in range(steps - 1, -1, -1):
        now, out, given = membranes[step], total[step], arriving[step]
        before = membranes[step - 1] if step > 0 else state
        summed[:] = ZERO
        weighted[:] = ZERO
        fired[:] = ZERO
        for level in range(1, most + 1):
            times = np.float32(level)
            if kind == 0:
                for j in range(neurons):
                    distance = (now[j] - threshold[j] * times) * width
                    slope[j] = height / (distance * distance + ONE)
            elif kind == 1:
                for j in range(neurons):
                    distance = abs(now[j] - threshold[j] * times) * width + ONE
                    slope[j] = ONE / (distance * distance)
            else:
                for j in range(neurons):
                    falling = np.exp(-(abs(now[j] - threshold[j] * times) * width))
                    slope[j] = height * falling / ((ONE + falling) * (ONE + falling))
            for j in range(neurons):
                summed[j] += slope[j]
                weighted[j] += slope[j] * times
            for j in range(neurons):
                fired[j] += ONE if before[j] > threshold[j] * times else ZERO
        for j in range(neurons):
            out[j] = summed[j] * given[j] + running[j]
            running[j] = out[j] * beta[j]
        if reset == 2:
            for j in range(neurons):
                running[j] = ZERO if fired[j] > ZERO else running[j]
        if learns:
            for j in range(neurons):
                sums[1, j] -= weighted[j] * given[j]
            if reset == 1:
                for j in range(neurons):
                    sums[1, j] -= out[j] * fired[j]
            elif reset == 3:
                for j in range(neurons):
                    sums[1, j] -= out[j] * beta[j] * fired[j]
                    sums[0, j] -= out[j] * fired[j] * threshold[j]
            for j in range(neurons):
                sums[0, j] += ZERO if reset == 2 and fired[j] > ZERO else out[j] * before[j]
