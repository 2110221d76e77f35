"""Modules in a row of which several run as one operation in training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from students.layers.fast_convolution import mixed_depthwise_conv1d
from students.layers.layout import BatchNorm1d
from students.layers.modules import Conv1d, DepthwiseConv1d


@runtime_checkable
class PoolsOfNorms(Protocol):
    """An average pool that can take its place, the ReLU's before it and the batch norm's before that at once."""

    def of_norm(self, signal: Tensor, norm: nn.BatchNorm1d, relu: nn.Module) -> Any:
        """Return the pool of ``relu(norm(signal))``; None where the three have to run one by one."""
        ...


class FusedSequential(nn.Sequential):
    """Modules that run one after the other.

    Deployed (eval) they run one by one. In training two kinds of neighbours run as one, the same function for less
    time: a pointwise convolution and the depthwise one behind it, where nothing stands between them (linear both); and
    a batch norm with the ReLU and the average pool behind it. Modules that somebody listens to run one by one.
    """

    def forward(self, input: Any) -> Any:
        """Run the modules."""
        if not self.training:
            return super().forward(input)
        modules, signal, place = list(self), input, 0
        while place < len(modules):
            three = modules[place : place + 3]
            fused = _fused(signal, *three) if len(three) == 3 and isinstance(signal, Tensor) else None
            signal = modules[place](signal) if fused is None else fused
            place += 1 if fused is None else 3
        return signal


def _fused(signal: Tensor, first: nn.Module, second: nn.Module, third: nn.Module) -> Any:
    """Return what three modules make of a signal in one operation; None where there is none of these three."""
    if (type(first) is nn.BatchNorm1d or type(first) is BatchNorm1d) and isinstance(third, PoolsOfNorms):
        runs = first.training and first.affine and not any(hooks_of(first, second, third))
        return third.of_norm(signal, first, second) if runs else None
    if type(first) is Conv1d and type(second) is nn.Identity and type(third) is DepthwiseConv1d:
        plain = first.is_pointwise and first.bias is None and third.bias is None
        if plain and not any(hooks_of(first, second, third)):
            return mixed_depthwise_conv1d(signal, first.weight[:, :, 0], third.weight, third.pads)
    return None


def hooks_of(*modules: nn.Module) -> tuple[Mapping[int, Any], ...]:
    """Return where the hooks of modules are kept: what is empty now may be filled later."""
    return tuple(
        hooks for one in modules
        for hooks in (one._forward_hooks, one._forward_pre_hooks, one._backward_hooks, one._backward_pre_hooks)
    )  # fmt: skip
