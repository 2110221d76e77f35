"""The one copy of a spiking network: a signal ``(batch, channels, steps)`` as ``(steps, batch, channels)``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from students.kernels.choice import choose


def steps_first(signal: Tensor) -> Tensor:
    """Return a signal as a contiguous ``(steps, batch, channels)``; the same memory where it is that already.

    Parameters
    ----------
    signal : Tensor, shape (batch, channels, steps)
    """
    rows = signal.permute(2, 0, 1)
    if rows.is_contiguous():
        return rows
    if not signal.is_contiguous() or choose("reorder", signal) == "torch":
        return rows.contiguous()
    return _StepsFirst.apply(signal)  # type: ignore[return-value]


class _StepsFirst(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, signal: Tensor) -> Tensor:
        from students.kernels.reorder_numba import steps_first_into

        batch, channels, steps = signal.shape
        rows = signal.new_empty(steps, batch, channels)
        steps_first_into(signal.detach().numpy(), rows.numpy())
        return rows

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        from students.kernels.reorder_numba import steps_last_into

        steps, batch, channels = gradient.shape
        signal = gradient.new_empty(batch, channels, steps)
        steps_last_into(gradient.contiguous().numpy(), signal.numpy())
        return signal
