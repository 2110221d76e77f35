"""The compiled form of `students.kernels.neurons.integrate`."""

from __future__ import annotations

from typing import Any

from students.kernels.compiled import compiled

BLOCK = 1024
"""Neurons of one pass: what the loops below hand to one another stays in a first-level cache."""


@compiled("void(float32[:, ::1], float32[::1], float32[::1], float32[:, ::1])")
def integrate_forward(current: Any, state: Any, beta: Any, membranes: Any) -> None:
    """Write the membranes of each step."""
    before = state
    for step in range(current.shape[0]):
        now, drive = membranes[step], current[step]
        for j in range(current.shape[1]):
            now[j] = before[j] * beta[j] + drive[j]
        before = now


@compiled(
    "void(float32[:, ::1], float32[::1], float32[:, ::1], float32[::1], float32[::1], float32[:, ::1], float64[::1])"
)
def integrate_backward(  # noqa: PLR0917  compiled functions take arguments by position
    membranes: Any, state: Any, gradient: Any, beta: Any, running: Any, total: Any, sums: Any
) -> None:
    """Write dL/dI into `total`, dL/d(state) into `running`, and add each neuron's gradient of beta to `sums`."""
    steps, neurons = membranes.shape
    for step in range(steps - 1, -1, -1):
        previous = membranes[step - 1] if step > 0 else state
        for start in range(0, neurons, BLOCK):
            end = min(start + BLOCK, neurons)
            before, out, carry = previous[start:end], total[step, start:end], running[start:end]
            arriving, decay, of_beta = gradient[step, start:end], beta[start:end], sums[start:end]
            for j in range(end - start):
                out[j] = arriving[j] + carry[j]
            for j in range(end - start):
                carry[j] = out[j] * decay[j]
            for j in range(end - start):
                of_beta[j] += out[j] * before[j]
