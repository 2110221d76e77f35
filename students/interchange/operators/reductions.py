"""Sums, means and extremes over axes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from students.interchange.graph import Builder, Node, Run

Reduction = Callable[[Tensor, list[int], bool], Tensor]


def _axes(node: Node, signal: Tensor, given: Tensor | None) -> list[int] | None:
    """Return the axes reduced over; None where there are none and the node then does nothing."""
    axes = node.attribute("axes", None) if given is None else given.tolist()
    if axes:
        return list(axes)
    return None if node.attribute("noop_with_empty_axes", 0) else list(range(signal.dim()))


def _reduction(function: Reduction) -> Builder:
    def build(node: Node) -> Run:
        keep = bool(node.attribute("keepdims", 1))

        def run(signal: Tensor, axes: Tensor | None = None) -> Tensor:
            over = _axes(node, signal, axes)
            return signal if over is None else function(signal, over, keep)

        return run

    return build


def _product(signal: Tensor, axes: list[int], keep: bool) -> Tensor:  # private: the callers name it
    for axis in sorted((axis % signal.dim() for axis in axes), reverse=True):
        signal = signal.prod(axis, keepdim=keep)
    return signal


def _log_sum_exp(signal: Tensor, axes: list[int], keep: bool) -> Tensor:
    largest = signal.amax(axes, keepdim=True)
    total = (signal - largest).exp().sum(axes, keepdim=True).log() + largest
    return total if keep else total.squeeze(axes)


def _extreme_place(function: Callable[..., Tensor]) -> Builder:
    def build(node: Node) -> Run:
        node.expect("select_last_index", 0)
        axis, keep = node.attribute("axis", 0), bool(node.attribute("keepdims", 1))
        return lambda signal: function(signal, axis, keep)

    return build


def builders() -> dict[str, Builder]:
    """Return the builders by operator."""
    reductions: dict[str, Reduction] = {
        "ReduceMean": lambda x, axes, keep: x.mean(axes, keepdim=keep),
        "ReduceSum": lambda x, axes, keep: x.sum(axes, keepdim=keep),
        "ReduceMax": lambda x, axes, keep: x.amax(axes, keepdim=keep),
        "ReduceMin": lambda x, axes, keep: x.amin(axes, keepdim=keep),
        "ReduceProd": _product,
        "ReduceL1": lambda x, axes, keep: x.abs().sum(axes, keepdim=keep),
        "ReduceL2": lambda x, axes, keep: (x * x).sum(axes, keepdim=keep).sqrt(),
        "ReduceSumSquare": lambda x, axes, keep: (x * x).sum(axes, keepdim=keep),
        "ReduceLogSum": lambda x, axes, keep: x.sum(axes, keepdim=keep).log(),
        "ReduceLogSumExp": _log_sum_exp,
    }
    return {
        **{name: _reduction(function) for name, function in reductions.items()},
        "ArgMax": _extreme_place(torch.argmax),
        "ArgMin": _extreme_place(torch.argmin),
    }
