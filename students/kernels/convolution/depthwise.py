"""Depthwise convolution over steps, value and gradients as loops over the taps.

    y[b, c, t] = sum_k w[c, k] x[b, c, t + k - before]

Up to `MOST_TAPS` taps this takes less time than products of spectra, which `students.layers.fast_convolution` has as
the form in torch; what torch itself is slow at on a CPU is the gradient of the taps. The two forms differ by rounding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from students.kernels.choice import choose

MOST_TAPS = 96
"""Where loops and spectra of 64 x 16 x 1000 values take the same time, forward and backward (AMD EPYC)."""


def runs_directly(signal: Tensor, weight: Tensor, pads: tuple[int, int]) -> bool:
    """True where `direct_depthwise` can run and is the faster form; notes the kernel's form where it could be."""
    taps = weight.shape[-1]
    if signal.ndim != 3 or signal.numel() == 0 or taps > MOST_TAPS or signal.shape[-1] + sum(pads) < taps:
        return False
    return choose("depthwise", signal, weight) == "numba"


def direct_depthwise(signal: Tensor, weight: Tensor, pads: tuple[int, int]) -> Tensor:
    """Return each channel correlated with its own taps; differentiable once, with respect to both.

    The gradient of the taps is summed over the steps of an example in single precision, over examples in double.

    Parameters
    ----------
    signal : Tensor of float32, shape (batch, channels, steps)
        Not empty.
    weight : Tensor of float32, shape (channels, 1, taps)
    pads : tuple of int
        Zero steps before and after.

    Returns
    -------
    Tensor, shape (batch, channels, steps + before + after - taps + 1)
    """
    outputs: Tensor = _Direct.apply(signal, weight, pads)  # pyright: ignore[reportAssignmentType]
    return outputs


class _Direct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, signal: Tensor, weight: Tensor, pads: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(signal, weight)
        ctx.before = pads[0]
        return _correlated(signal, weight[:, 0], pads[0], signal.shape[-1] + sum(pads) - weight.shape[-1] + 1)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None]:
        from students.kernels.convolution.depthwise_numba import tap_gradients

        (errors,), (signal, weight) = grad_outputs, ctx.saved_tensors
        taps = weight.shape[-1]
        of_signal, of_weight = None, None
        if ctx.needs_input_grad[0]:
            of_signal = _correlated(errors, weight[:, 0].flip(1), taps - 1 - ctx.before, signal.shape[-1])
        if ctx.needs_input_grad[1]:
            found = torch.empty(len(weight), taps, dtype=torch.float64)
            tap_gradients(_plain(signal), _plain(errors), ctx.before, found.numpy())
            of_weight = found.float()[:, None]
        return of_signal, of_weight, None


def _correlated(signal: Tensor, taps: Tensor, before: int, steps: int) -> Tensor:
    from students.kernels.convolution.depthwise_numba import correlate

    outputs = torch.empty(*signal.shape[:2], steps)
    correlate(_plain(signal), _plain(taps), before, outputs.numpy())
    return outputs


def _plain(values: Tensor) -> Any:
    return values.detach().contiguous().numpy()
