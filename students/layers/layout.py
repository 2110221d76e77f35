"""Signals ``(batch, channels, steps)`` whose memory runs in another order.

A spiking layer works step by step on all its channels, and so does a pointwise product. In a network of them signals
therefore lie in memory as (steps, batch, channels), their axes still in the order every module expects: nothing is
copied from layer to layer, a pointwise product is one matrix product over all steps, and a batch norm runs over rows of
channels. Elementwise modules keep the order. Values are the same whatever the order; only sums may round otherwise.
"""

from __future__ import annotations

from torch import Tensor, nn

from students.kernels.neurons.spike_product import spike_product
from students.kernels.reorder import steps_first
from students.layers.fast_convolution import pointwise_conv1d

CHANNELS_LAST = ((2, 0, 1), (0, 2, 1))
"""Orders of the axes batch, channels, steps whose last one is channels: step by step, or example by example."""


def channels_last(signal: Tensor) -> tuple[int, int, int] | None:
    """Return the order in which a signal's axes lie in memory where channels are the innermost; else None."""
    if signal.ndim != 3 or signal.is_contiguous():
        return None
    return next((order for order in CHANNELS_LAST if signal.permute(order).is_contiguous()), None)


def time_first(signal: Tensor) -> Tensor:
    """Return a signal ``(batch, channels, steps)`` with memory in the order (steps, batch, channels)."""
    return in_axis_order(steps_first(signal), (2, 0, 1))


def in_axis_order(rows: Tensor, order: tuple[int, int, int]) -> Tensor:
    """Return a signal whose axes were permuted to `order` as ``(batch, channels, steps)``; nothing is copied."""
    return rows.permute(*(order.index(axis) for axis in range(3)))


def pointwise(signal: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return the product at each step, ``(batch, outputs, steps)``, in the order of the signal's memory.

    Parameters
    ----------
    signal : Tensor, shape (batch, inputs, steps)
    weight : Tensor, shape (outputs, inputs, 1)
    bias : Tensor, shape (outputs,), or None
    """
    order = channels_last(signal)
    if order is not None:
        return spike_product(signal, weight, bias, order)
    outputs = pointwise_conv1d(signal, weight[:, :, 0])
    return outputs if bias is None else outputs + bias[:, None]


class BatchNorm1d(nn.BatchNorm1d):
    """A batch norm; trained over rows of channels where these are the innermost in memory."""

    def forward(self, input: Tensor) -> Tensor:
        """Map ``(batch, channels)`` or ``(batch, channels, steps)`` to the same shape."""
        order = channels_last(input) if self.training else None
        if order is None:
            return super().forward(input)
        rows = input.permute(order)
        return in_axis_order(super().forward(rows.reshape(-1, rows.shape[-1])).view(rows.shape), order)
