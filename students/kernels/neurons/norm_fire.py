"""A batch norm in training with the leaky neurons behind it, over all steps of a window.

The neurons are those of `students.kernels.neurons.fire`, with the currents

    I[t] = factor X[t] + offset,   factor = weight / sqrt(variance + eps),   offset = bias - mean factor

and mean and variance of each channel over steps and batch. Normalised currents are never held: they follow from the
signal, which the gradient of a batch norm needs anyway. Sums run in double precision, those of the compiled backward
pass over 16 steps in single before. Spikes and membranes have the same bits in both forms, gradients are within 1e-6.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from students.kernels.arrays import array_of, row_of, sum_over_batch
from students.kernels.choice import choose
from students.kernels.neurons.fire import Firing, Reset, torch_backward, torch_forward
from students.kernels.norm_pool import move_running_statistics


def norm_fire(
    signal: Tensor, norm: nn.BatchNorm1d, beta: Tensor, threshold: Tensor, *, alpha: float, reset: Reset = "subtract"
) -> Tensor:
    """Return the spikes of neurons that start at zero, in {0, 1}, for the currents ``norm(signal)``.

    The norm's running statistics move as torch moves them. Differentiable once, with respect to the signal, the norm's
    weight and bias, beta and threshold.

    Parameters
    ----------
    signal : Tensor, shape (batch, channels, steps)
        In memory as (steps, batch, channels), with two values a channel or more.
    norm : BatchNorm1d
        With weight and bias.
    beta, threshold : Tensor, shape () or (channels,)
    alpha : float
        Steepness of the arctangent surrogate.
    reset : {'subtract', 'zero', 'none'}

    Returns
    -------
    Tensor, shape and order in memory of `signal`
    """
    given = (signal, norm.weight, norm.bias, beta, threshold)
    how = Firing(alpha, reset, "all", choose("norm_fire", *given))
    spikes: Tensor = _NormFire.apply(*given, norm, how)  # pyright: ignore[reportAssignmentType]
    return spikes


class _NormFire(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, *given: Any) -> Tensor:
        signal, weight, bias, beta, threshold, norm, how = given
        rows = signal.permute(2, 0, 1)
        membranes, spikes = torch.empty_like(rows), torch.empty_like(rows)
        run = _numba_forward if how.path == "numba" else _torch_forward
        statistics, line = run(rows, (weight, bias, beta, threshold), (norm.eps, how.reset), (membranes, spikes))
        move_running_statistics(norm, statistics, rows.shape[0] * rows.shape[1])
        context.save_for_backward(rows, membranes, beta, threshold, statistics, line)
        context.how = how
        return spikes.permute(1, 2, 0)

    @staticmethod
    @once_differentiable
    def backward(context: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        how, saved = context.how, context.saved_tensors
        learns = any(context.needs_input_grad[3:5])
        run = _numba_backward if how.path == "numba" else _torch_backward
        of_rows, of_norm, of_beta, of_threshold = run(grad_outputs[0].permute(2, 0, 1), saved, how, learns)
        of_weight, of_bias = (of_norm[1] * saved[4][2]).to(of_rows.dtype), of_norm[0].to(of_rows.dtype)
        return of_rows.permute(1, 2, 0), of_weight, of_bias, of_beta, of_threshold, None, None


def _torch_forward(
    rows: Tensor, given: tuple[Tensor, ...], how: tuple[float, Reset], written: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Write membranes and spikes; return what the compiled form, whose reference this is, writes about the norm.

    Returns
    -------
    statistics : Tensor of float64, shape (3, channels)
        Mean, variance, one over the standard deviation.
    line : Tensor, shape (3, channels)
        Mean, factor, offset.
    """
    (weight, bias, beta, threshold), (eps, reset) = given, how
    count = rows.shape[0] * rows.shape[1]
    mean = rows.sum((0, 1), dtype=torch.float64) / count
    centre = mean.to(rows.dtype)
    variance = (rows - centre).square_().sum((0, 1), dtype=torch.float64) / count
    statistics = torch.stack((mean, variance, 1.0 / (variance + eps).sqrt()))
    factor = statistics[2].to(rows.dtype) * weight
    line = torch.stack((centre, factor, bias - centre * factor))
    state = rows.new_zeros(rows.shape[1:])
    torch_forward(rows * line[1] + line[2], state, beta, threshold, reset, *written)
    return statistics, line


def _torch_backward(
    arriving: Tensor, saved: tuple[Tensor, ...], how: Firing, learns: bool
) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
    """Return the gradient of the rows, the sums of G and G (X - mean) of each channel, and those of the neurons.

    G is the gradient of the normalised current. That of the signal is
    ``(G - sum(G) / n - (X - mean) sum(G (X - mean)) / (n variance)) factor``; the reference of the compiled form.
    """
    rows, membranes, beta, threshold, statistics, line = saved
    state = rows.new_zeros(rows.shape[1:])
    total, found = torch_backward(arriving, torch.zeros_like(state), (membranes, state, beta, threshold), how, learns)
    centred, count = rows - line[0], rows.shape[0] * rows.shape[1]
    sums = torch.stack([one.sum((0, 1), dtype=torch.float64) for one in (total, total * centred)])
    level, slope = (sums[0] / count).to(rows.dtype), (sums[1] / count * statistics[2].square()).to(rows.dtype)
    return total.sub_(level).sub_(centred.mul_(slope)).mul_(line[1]), sums, found.beta, found.threshold


def _numba_forward(
    rows: Tensor, given: tuple[Tensor, ...], how: tuple[float, Reset], written: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    from students.kernels.neurons.fire_numba import RESETS
    from students.kernels.neurons.norm_fire_numba import norm_fire_forward

    (weight, bias, beta, threshold), (eps, reset) = given, how
    statistics, line = rows.new_empty(3, len(weight), dtype=torch.float64), rows.new_empty(3, len(weight))
    neurons = row_of(beta, rows[0]), row_of(threshold, rows[0])
    norm_fire_forward(
        array_of(rows, 1), (array_of(weight, 0), array_of(bias, 0), *neurons), eps, RESETS[reset], statistics.numpy(),
        line.numpy(), (array_of(written[0], 1), array_of(written[1], 1)),
    )  # fmt: skip
    return statistics, line


def _numba_backward(
    arriving: Tensor, saved: tuple[Tensor, ...], how: Firing, learns: bool
) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
    from students.kernels.neurons.fire_numba import RESETS
    from students.kernels.neurons.norm_fire_numba import norm_fire_backward

    rows, membranes, beta, threshold, statistics, line = saved
    total, sums = torch.empty_like(rows), torch.zeros(4, *rows.shape[1:], dtype=torch.float64)
    norm_fire_backward(
        array_of(rows, 1), statistics.numpy(), line.numpy(), array_of(membranes, 1), array_of(arriving.contiguous(), 1),
        (row_of(beta, rows[0]), row_of(threshold, rows[0])), (math.pi / 2.0 * how.alpha, how.alpha / 2.0),
        RESETS[how.reset], learns, (array_of(total, 1), array_of(sums, 1)),
    )  # fmt: skip
    if not learns:
        return total, sums[:2].sum(1), None, None
    of_beta, of_threshold = (sum_over_batch(one, like) for one, like in zip(sums[2:], (beta, threshold), strict=True))
    return total, sums[:2].sum(1), of_beta, of_threshold
