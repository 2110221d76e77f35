"""A matrix product over rows that keeps spikes as bits for its backward pass.

Of ``y = x W' + b`` the backward pass needs x for the gradient of W. Rows of spikes, which the product finds them to be,
take a thirty-second of their memory until then; others are kept as they are.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from students.kernels.arrays import array_of, in_memory_order
from students.kernels.choice import choose

PLANES = 8
"""Bits of a byte: each holds one of as many contiguous parts of the rows."""


def spike_product(
    signal: Tensor, weight: Tensor, bias: Tensor | None, order: tuple[int, ...] | None = None
) -> Tensor:
    """Return ``signal @ weight.T + bias`` along one axis, in the order of the signal's memory. Differentiable once.

    The same bits as ``torch.nn.functional.linear``, outputs and gradients.

    Parameters
    ----------
    signal : Tensor
        Contiguous with its axes permuted to `order`.
    weight : Tensor, shape (outputs, inputs) or (outputs, inputs, 1)
    bias : Tensor, shape (outputs,), or None
    order : tuple of int or None
        Axes of the signal, that of its inputs the last; None: as they are.

    Returns
    -------
    Tensor, shape of `signal` with outputs in the place of its inputs
    """
    order = tuple(range(signal.ndim)) if order is None else order
    learns = torch.is_grad_enabled() and weight.requires_grad
    if not learns or choose("spike_product", signal, weight, bias) == "torch":
        return _back(functional.linear(signal.permute(order), weight.flatten(1), bias), order)
    return _Product.apply(signal, weight, bias, order)  # type: ignore[no-any-return]


def _back(rows: Tensor, order: tuple[int, ...]) -> Tensor:
    """Return a tensor whose axes were permuted to `order`."""
    return rows.permute(*(order.index(axis) for axis in range(len(order))))


def are_spikes(signal: Tensor) -> bool:
    """True where a signal holds zeros and ones only."""
    dense = in_memory_order(signal)
    if dense.is_contiguous() and choose("spike_product", signal) == "numba":
        return pack_spikes(dense) is not None
    return bool(torch.all((signal == 0) | (signal == 1)))


def pack_spikes(signal: Tensor) -> Tensor | None:
    """Return a float32 signal's spikes as bits, shape (elements / 8 rounded up,) of uint8; None where it has others."""
    from students.kernels.neurons.spike_bits_numba import pack

    bits = torch.empty(-(-signal.numel() // PLANES), dtype=torch.uint8)
    return bits if pack(array_of(signal, 0), bits.numpy()) else None


def unpack_spikes(bits: Tensor, shape: torch.Size) -> Tensor:
    """Return spikes of `pack_spikes` in float32."""
    from students.kernels.neurons.spike_bits_numba import unpack

    signal = torch.empty(shape)
    unpack(bits.numpy(), array_of(signal, 0))
    return signal


class _Product(torch.autograd.Function):
    """One operation, reorderings included: what autograd notes of each of them costs as much as a small product."""

    @staticmethod
    def forward(
        context: Any, signal: Tensor, weight: Tensor, bias: Tensor | None, order: tuple[int, ...]
    ) -> Tensor:
        rows, matrix = signal.permute(order), weight.flatten(1)
        bits = pack_spikes(rows)
        context.save_for_backward(signal if bits is None else bits, weight)
        context.shape, context.order, context.packed = rows.shape, order, bits is not None
        return _back(functional.linear(rows, matrix, bias), order)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        kept, weight = context.saved_tensors
        arriving, matrix = gradient.permute(context.order).reshape(-1, len(weight)), weight.flatten(1)
        of_weight, of_rows = None, None
        if context.needs_input_grad[1]:
            rows = unpack_spikes(kept, context.shape) if context.packed else kept.permute(context.order)
            of_weight = (arriving.t() @ rows.reshape(-1, rows.shape[-1])).view(weight.shape)
            del rows
        if context.needs_input_grad[0]:
            of_rows = _back((arriving @ matrix).view(context.shape), context.order)
        return of_rows, of_weight, arriving.sum(0) if context.needs_input_grad[2] else None, None
