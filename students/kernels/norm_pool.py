"""Average pools over steps, and a batch norm with the ReLU and the average pool behind it as one operation.

The pooled values and gradients have the bits of ``avg_pool1d``. The fused operation keeps its input only: normalised
values, the mask of the ReLU and the gradient before the pool are computed anew, row by row, and never held whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from students.kernels.choice import choose
from students.kernels.fake_quantise import fake_quantise


@dataclass(frozen=True, slots=True)
class Pool:
    """Windows of an average pool [steps]; steps behind the last whole window are left out."""

    kernel: int
    stride: int

    def count(self, steps: int) -> int:
        """Return the number of means of so many steps."""
        return (steps - self.kernel) // self.stride + 1


@dataclass(frozen=True, slots=True)
class LevelGrid:
    """An unsigned integer grid: values 0, `scale`, ..., `highest` x `scale`."""

    scale: Tensor
    highest: float


def average_pool(signal: Tensor, pool: Pool) -> Tensor:
    """Return the means over steps, ``(batch, channels, steps)`` to ``(batch, channels, means)``."""
    if not _fits(signal, pool) or choose("average pool", signal) == "torch":
        return functional.avg_pool1d(signal, pool.kernel, pool.stride)
    means: Tensor = _AveragePool.apply(signal, pool)  # pyright: ignore[reportAssignmentType]
    return means


def norm_relu_pool(signal: Tensor, norm: nn.BatchNorm1d, pool: Pool, grid: LevelGrid | None = None) -> Tensor:
    """Return the means of ``relu(norm(signal))``, put on a grid before the pool where there is one.

    The norm is in training: its statistics are those of the signal, and its running ones move. Differentiable once,
    with respect to the signal, the norm's weight and bias and the grid's scale.

    Parameters
    ----------
    signal : Tensor, shape (batch, channels, steps)
    norm : BatchNorm1d
        With weight and bias.
    pool : Pool
    grid : LevelGrid or None
        With a single scale.

    Returns
    -------
    Tensor, shape (batch, channels, means)
    """
    scale = None if grid is None else grid.scale
    tensors = (signal, norm.weight, norm.bias, scale)
    is_wide = _fits(signal, pool) and signal.shape[0] * signal.shape[2] > 1
    if not is_wide or choose("norm, ReLU and pool", *tensors) == "torch":
        values = functional.relu(norm(signal))
        values = values if grid is None else fake_quantise(values, grid.scale, 0.0, grid.highest)
        return average_pool(values, pool)
    highest = 0.0 if grid is None else grid.highest
    with torch.no_grad():
        statistics = _moments(signal)
        move_running_statistics(norm, statistics, signal.shape[0] * signal.shape[2])
    outputs = _NormReluPool.apply(signal, norm.weight, norm.bias, scale, statistics, (norm.eps, pool, highest))
    means: Tensor = outputs  # pyright: ignore[reportAssignmentType]
    return means


class _AveragePool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, signal: Tensor, pool: Pool) -> Tensor:
        from students.kernels.norm_pool_numba import pool as pool_rows

        ctx.shape, ctx.pool = signal.shape, pool
        means = signal.new_empty(*signal.shape[:-1], pool.count(signal.shape[-1]))
        pool_rows(_rows(signal), pool.kernel, pool.stride, _rows(means))
        return means

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        from students.kernels.norm_pool_numba import spread

        of_signal = grad_outputs[0].new_empty(ctx.shape)
        spread(_rows(grad_outputs[0]), ctx.pool.kernel, ctx.pool.stride, _rows(of_signal))
        return of_signal, None


class _NormReluPool(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917 - autograd hands on positions, and gradients of tensors only
        ctx: Any, signal: Tensor, weight: Tensor, bias: Tensor, scale: Tensor | None, statistics: Tensor,
        settings: tuple[float, Pool, float],
    ) -> Tensor:
        from students.kernels.norm_pool_numba import activate_and_pool

        eps, pool, highest = settings
        inverse = (statistics[1] + eps).rsqrt()
        factor = inverse.float() * weight
        line = torch.stack([factor, bias - statistics[0].float() * factor])
        statistics = torch.stack([statistics[0], inverse])
        means = signal.new_empty(*signal.shape[:2], pool.count(signal.shape[2]))
        ctx.save_for_backward(signal, scale, statistics, line)
        ctx.pool, ctx.step, ctx.highest = pool, _number(scale), np.float32(highest)
        activate_and_pool(_plain(signal), line.numpy(), ctx.step, ctx.highest, pool.kernel, pool.stride, means.numpy())
        return means

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, Tensor, Tensor, Tensor | None, None, None]:
        from students.kernels.norm_pool_numba import gradients

        signal, scale, statistics, line = ctx.saved_tensors
        of_signal = torch.empty(signal.shape, dtype=signal.dtype)
        of_norm = torch.empty(2, signal.shape[1], dtype=torch.float64)
        found = gradients(
            _plain(grad_outputs[0]), _plain(signal), statistics.numpy(), line.numpy(), ctx.step, ctx.highest,
            ctx.pool.kernel, ctx.pool.stride, of_signal.numpy(), of_norm.numpy(),
        )  # fmt: skip
        of_weight, of_bias = of_norm.float()
        return of_signal, of_weight, of_bias, None if scale is None else torch.full_like(scale, found), None, None


def _moments(signal: Tensor) -> Tensor:
    """Return mean and variance of each channel in double precision, shape (2, channels)."""
    from students.kernels.norm_pool_numba import moments

    found = torch.empty(2, signal.shape[1], dtype=torch.float64)
    moments(_plain(signal), found.numpy())
    return found


def move_running_statistics(norm: nn.BatchNorm1d, statistics: Tensor, count: int) -> None:
    """Move a norm's running mean and its running, unbiased variance towards those of a batch, as torch does."""
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked.add_(1)
    weight = 1 / int(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(statistics[0].to(norm.running_mean.dtype), weight)
    norm.running_var.lerp_((statistics[1] * (count / (count - 1))).to(norm.running_var.dtype), weight)


def _fits(signal: Tensor, pool: Pool) -> bool:
    """True for a signal with a whole window; torch refuses the others."""
    return signal.ndim == 3 and signal.numel() > 0 and signal.shape[-1] >= pool.kernel


def _number(scale: Tensor | None) -> np.float32:
    """Return a grid's scale; zero where there is no grid."""
    return np.float32(0.0 if scale is None else scale.item())


def _plain(signal: Tensor) -> np.ndarray[Any, Any]:
    return signal.detach().contiguous().numpy()


def _rows(signal: Tensor) -> np.ndarray[Any, Any]:
    return _plain(signal).reshape(-1, signal.shape[-1])
