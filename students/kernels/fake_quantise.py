"""Fake quantisation: numbers put on an integer grid in the forward pass, with the straight-through gradient.

With levels ``n = clip(round(x / s), lowest, highest)`` (half to even) the outputs are ``y = n s``. A level that was not
clipped hands its gradient on, ``dx = (dy s) / s``; the scale's is ``sum dy (n - x / s)`` over levels inside the grid
and ``sum dy n`` over clipped ones. Values and signal gradients have the bits of Brevitas's ``IntQuant`` with a zero
point of 0; the scale's gradient is one sum of differences, in double precision in the compiled form.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from students.kernels.choice import choose


def fake_quantise(signal: Tensor, scale: Tensor, lowest: float, highest: float) -> Tensor:
    """Return ``clip(round(signal / scale), lowest, highest) * scale``; differentiable once in signal and scale.

    Parameters
    ----------
    signal : Tensor
    scale : Tensor, broadcastable to `signal`
        Above zero: a single one, or one for each entry of the first axis.
    lowest, highest : float
        Levels at the ends of the grid; whole numbers.

    Returns
    -------
    Tensor, shape of `signal`
    """
    values: Tensor = _FakeQuantise.apply(signal, scale, lowest, highest)  # pyright: ignore[reportAssignmentType]
    return values


class _FakeQuantise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, signal: Tensor, scale: Tensor, lowest: float, highest: float) -> Tensor:
        ctx.save_for_backward(signal, scale)
        ctx.lowest, ctx.highest = lowest, highest
        if _is_compiled(signal, scale):
            from students.kernels.fake_quantise_numba import quantise_rows

            signal = signal.contiguous()
            values = torch.empty_like(signal)
            rows = scale.numel()
            quantise_rows(
                _rows(signal, rows), scale.detach().numpy().reshape(rows), np.float32(lowest), np.float32(highest),
                _rows(values, rows),
            )  # fmt: skip
            return values
        return (signal / scale + 0.0).round_().clamp_(lowest, highest).mul_(scale)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None, None]:
        (gradient,), (signal, scale) = grad_outputs, ctx.saved_tensors
        of_signal, of_scale, *_ = ctx.needs_input_grad
        form = _compiled_gradients if _is_compiled(signal, scale, gradient) else _gradients
        found = form(gradient, signal, scale, (ctx.lowest, ctx.highest), (of_signal, of_scale))
        return *found, None, None


def _gradients(
    gradient: Tensor, signal: Tensor, scale: Tensor, ends: tuple[float, float], needed: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    """Return the gradients of signal and scale, as far as they are needed."""
    ratio = signal / scale
    rounded = (ratio + 0.0).round_()
    levels = rounded.clamp(*ends)
    clipped = (rounded < ends[0]) | (rounded > ends[1])
    of_signal = (gradient * scale).masked_fill_(clipped, 0.0).div_(scale) if needed[0] else None
    if not needed[1]:
        return of_signal, None
    return of_signal, (gradient * (levels - ratio.masked_fill_(clipped, 0.0))).sum_to_size(scale.shape)


def _compiled_gradients(
    gradient: Tensor, signal: Tensor, scale: Tensor, ends: tuple[float, float], needed: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    """As `_gradients`."""
    from students.kernels.fake_quantise_numba import scale_gradient, signal_gradient

    rows = scale.numel()
    signal = signal.contiguous()
    scales, lowest, highest = scale.numpy().reshape(rows), np.float32(ends[0]), np.float32(ends[1])
    given = (_rows(gradient.contiguous(), rows), _rows(signal, rows), scales, lowest, highest)
    of_signal = torch.empty_like(signal) if needed[0] else None
    if of_signal is not None:
        signal_gradient(*given, _rows(of_signal, rows))
    if not needed[1]:
        return of_signal, None
    of_scale = np.empty(rows)
    scale_gradient(*given, of_scale)
    return of_signal, torch.from_numpy(of_scale).to(scale.dtype).reshape(scale.shape)


def _is_compiled(signal: Tensor, scale: Tensor, gradient: Tensor | None = None) -> bool:
    """True for one scale, or one for each entry of the first axis, where Numba runs."""
    is_regular = scale.numel() == 1 or scale.shape == (*signal.shape[:1], *[1] * (signal.ndim - 1))
    return is_regular and choose("fake quantisation", signal, scale, gradient) == "numba"


def _rows(signal: Tensor, rows: int) -> np.ndarray[Any, Any]:
    return signal.detach().numpy().reshape(rows, -1) if signal.numel() else np.empty((rows, 0), np.float32)
