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


def spike_product(rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return ``rows @ weight.T + bias``, shape (..., outputs). Differentiable once.

    The same bits as ``torch.nn.functional.linear``, outputs and gradients.

    Parameters
    ----------
    rows : Tensor, shape (..., inputs)
        Contiguous.
    weight : Tensor, shape (outputs, inputs)
    bias : Tensor, shape (outputs,), or None
    """
    learns = torch.is_grad_enabled() and weight.requires_grad
    if not learns or choose("spike_product", rows, weight, bias) == "torch":
        return functional.linear(rows, weight, bias)
    outputs: Tensor = _Product.apply(rows.view(-1, rows.shape[-1]), weight, bias)  # type: ignore[assignment]
    return outputs.view(*rows.shape[:-1], len(weight))


def are_spikes(signal: Tensor) -> bool:
    """True where a signal holds zeros and ones only."""
    dense = in_memory_order(signal)
    if dense.is_contiguous() and choose("spike_product", signal) == "numba":
        return pack_spikes(dense) is not None
    return bool(torch.all((signal == 0) | (signal == 1)))


def pack_spikes(signal: Tensor) -> Tensor | None:
    """Return a float32 signal's spikes as bits, shape (elements / 8 rounded up,) of uint8; None where it has others."""
    from students.kernels.spike_bits_numba import pack

    bits = torch.empty(-(-signal.numel() // PLANES), dtype=torch.uint8)
    return bits if pack(array_of(signal, 0), bits.numpy()) else None


def unpack_spikes(bits: Tensor, shape: torch.Size) -> Tensor:
    """Return spikes of `pack_spikes` in float32."""
    from students.kernels.spike_bits_numba import unpack

    signal = torch.empty(shape)
    unpack(bits.numpy(), array_of(signal, 0))
    return signal


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        bits = pack_spikes(rows)
        context.save_for_backward(rows if bits is None else bits, weight)
        context.shape = None if bits is None else rows.shape
        return functional.linear(rows, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        kept, weight = context.saved_tensors
        rows = kept if context.shape is None else unpack_spikes(kept, context.shape)
        of_weight = gradient.t() @ rows if context.needs_input_grad[1] else None
        del rows
        of_rows = gradient @ weight if context.needs_input_grad[0] else None
        return of_rows, of_weight, gradient.sum(0) if context.needs_input_grad[2] else None
