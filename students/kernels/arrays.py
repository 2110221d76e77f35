"""Tensors as the arrays that compiled functions read and write: no copies where the memory is in order."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def array_of(tensor: Tensor, kept: int) -> Any:
    """Return a contiguous tensor's memory as a numpy array: its first `kept` axes, and the others as one."""
    shape = tensor.shape[:kept]
    return tensor.detach().view(*shape, tensor.shape[kept:].numel()).numpy()


def in_memory_order(tensor: Tensor) -> Tensor:
    """Return a tensor with its axes in the order of their strides, the longest first; nothing is copied."""
    return tensor.permute(sorted(range(tensor.ndim), key=lambda axis: -tensor.stride(axis)))


def row_of(parameter: Tensor, state: Tensor) -> Any:
    """Return one number a neuron, shape (batch * channels,), of a parameter that the layer or each channel has."""
    return parameter.detach().expand(state.shape).contiguous().view(-1).numpy()


def sum_over_batch(sums: Tensor, like: Tensor) -> Tensor:
    """Return sums of each neuron, shape (batch, channels), as the gradient of a parameter like that of `row_of`."""
    return (sums.sum() if like.ndim == 0 else sums.sum(0)).to(like.dtype)
