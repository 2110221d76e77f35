"""A depthwise convolution over steps in a form that is trained fast on a CPU: the same function.

What is slow in torch on a CPU is the direct convolution's weight gradient. Few taps run as compiled loops
(`students.kernels.convolution`). For many, and where Numba cannot run, forward and both gradients are products of
spectra, a few examples at a time so that they stay in the processor's cache.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from students.kernels.convolution.depthwise import direct_depthwise, runs_directly

CHUNK_EXAMPLES = 8
"""Examples transformed at once: half a megabyte at 16 channels x 1000 steps, which a second-level cache holds."""

FASTEST_FACTOR = 32
"""Transform lengths are multiples of this power of two: longer ones than needed can be faster than the nearest."""


def pad_steps(signal: Tensor, pads: tuple[int, int]) -> Tensor:
    """Return the signal with `pads` zero steps before and after."""
    return signal if pads == (0, 0) else functional.pad(signal, pads)


def pointwise_conv1d(signal: Tensor, weight: Tensor) -> Tensor:
    """Return a product at every step, ``y[b, :, t] = weight x[b, :, t]``; differentiable once.

    Parameters
    ----------
    signal : Tensor, shape (batch, inputs, steps)
    weight : Tensor, shape (outputs, inputs)
    """
    outputs: Tensor = _Pointwise.apply(signal, weight)  # pyright: ignore[reportAssignmentType]
    return outputs


def depthwise_conv1d(signal: Tensor, weight: Tensor, pads: tuple[int, int]) -> Tensor:
    """Return each channel correlated with its own taps, as ``conv1d(..., groups=channels)`` does.

    ``y[b, c, t] = sum_k w[c, k] x[b, c, t + k - before]``, by the correlation theorem: the spectrum of y is that of x
    times the conjugate of that of w. Differentiable once, with respect to both arguments.

    Parameters
    ----------
    signal : Tensor of float32, shape (batch, channels, steps)
    weight : Tensor of float32, shape (channels, 1, taps)
    pads : tuple of int
        Zero steps before and after.

    Returns
    -------
    Tensor, shape (batch, channels, steps + before + after - taps + 1)
    """
    if runs_directly(signal, weight, pads):
        return direct_depthwise(signal, weight, pads)
    outputs: Tensor = _ByFourier.apply(signal, None, weight, pads)  # pyright: ignore[reportAssignmentType]
    return outputs


def mixed_depthwise_conv1d(signal: Tensor, mixing: Tensor, weight: Tensor, pads: tuple[int, int]) -> Tensor:
    """Return `depthwise_conv1d` of a pointwise mixture of the channels, which spectra never keep whole.

    Parameters
    ----------
    signal : Tensor of float32, shape (batch, inputs, steps)
    mixing : Tensor of float32, shape (channels, inputs)
    weight : Tensor of float32, shape (channels, 1, taps)
    pads : tuple of int
        Zero steps before and after.
    """
    if runs_directly(signal, weight, pads):
        return direct_depthwise(pointwise_conv1d(signal, mixing), weight, pads)
    outputs: Tensor = _ByFourier.apply(signal, mixing, weight, pads)  # pyright: ignore[reportAssignmentType]
    return outputs


class _Pointwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, signal: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(signal, weight)
        return _mixed(signal, weight)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, Tensor | None]:
        (gradient,), (signal, weight) = grad_outputs, ctx.saved_tensors
        of_signal = _mixed(gradient, weight.t()) if ctx.needs_input_grad[0] else None
        return of_signal, torch.bmm(gradient, signal.transpose(1, 2)).sum(dim=0) if ctx.needs_input_grad[1] else None


class _ByFourier(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, signal: Tensor, mixing: Tensor | None, weight: Tensor, pads: tuple[int, int]) -> Tensor:
        channels, _, taps = weight.shape
        steps = signal.shape[-1] + sum(pads) - taps + 1
        length = _transform_length(max(signal.shape[-1] + max(pads), steps))  # wide padding: more steps than went in
        spectrum = _tap_spectrum(weight, pads[0], length)
        outputs = signal.new_empty(len(signal), channels, steps)
        conjugate, period = spectrum.conj_physical(), signal.new_zeros(CHUNK_EXAMPLES, channels, length)
        spectra = spectrum.new_empty(len(signal), *spectrum.shape)
        for rows in _chunks(len(signal)):
            seen = spectra[rows]
            seen.copy_(_spectra(_mixed(signal[rows], mixing), period))
            outputs[rows] = torch.fft.irfft(seen * conjugate, length)[..., :steps]
        ctx.save_for_backward(signal, mixing, spectrum, spectra)
        ctx.taps, ctx.before, ctx.length = taps, pads[0], length
        return outputs

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, Tensor | None, Tensor, None]:
        (gradient,), (signal, mixing, spectrum, spectra) = grad_outputs, ctx.saved_tensors
        of_signal = torch.empty_like(signal) if ctx.needs_input_grad[0] else None
        of_mixing = None if mixing is None else torch.zeros_like(mixing)
        summed = torch.zeros_like(spectrum)
        period = signal.new_zeros(CHUNK_EXAMPLES, len(spectrum), ctx.length)
        for rows in _chunks(len(signal)):
            errors = _spectra(gradient[rows], period)
            summed += (spectra[rows] * errors.conj()).sum(dim=0)
            of_mixed = torch.fft.irfft(errors.mul_(spectrum), ctx.length)[..., : signal.shape[-1]]
            if of_mixing is not None:
                of_mixing += torch.bmm(of_mixed, signal[rows].transpose(1, 2)).sum(dim=0)
            if of_signal is not None:
                of_signal[rows] = of_mixed if mixing is None else _mixed(of_mixed, mixing.t())
        of_weight = torch.fft.irfft(summed, ctx.length)[:, _tap_places(ctx.taps, ctx.before, ctx.length)]
        return of_signal, of_mixing, of_weight[:, None], None


def _mixed(signal: Tensor, mixing: Tensor | None) -> Tensor:
    """Return ``mixing @ signal``, example by example: ``matmul`` would copy the signal to fold the batch in."""
    return signal if mixing is None else torch.bmm(mixing.expand(len(signal), *mixing.shape), signal)


def _chunks(count: int) -> list[slice]:
    return [slice(start, start + CHUNK_EXAMPLES) for start in range(0, count, CHUNK_EXAMPLES)]


def _spectra(signal: Tensor, period: Tensor) -> Tensor:
    """Return the spectra of signals followed by zeros; `period` holds the zeros, and is used again and again."""
    period[: len(signal), :, : signal.shape[-1]] = signal
    return torch.fft.rfft(period[: len(signal)])


def _tap_places(taps: int, before: int, length: int) -> Tensor:
    """Return each tap's place in a period: the first `before` taps look back, to the period's end."""
    return (torch.arange(taps) - before) % length


def _tap_spectrum(weight: Tensor, before: int, length: int) -> Tensor:
    """Return the spectra of the taps, shape (channels, length // 2 + 1)."""
    period = weight.new_zeros(weight.shape[0], length)
    period[:, _tap_places(weight.shape[-1], before, length)] = weight[:, 0]
    return torch.fft.rfft(period)


def _transform_length(least: int) -> int:
    """Return the smallest fast length from `least` on: a multiple of `FASTEST_FACTOR` without factors above 5."""
    multiple = -(-least // FASTEST_FACTOR)
    while True:
        rest = multiple
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return multiple * FASTEST_FACTOR
        multiple += 1
