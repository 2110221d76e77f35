"""Modules in a row of which several run as one operation in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from students.layers.fast_convolution import mixed_depthwise_conv1d
from students.layers.layout import BatchNorm1d, channels_last, time_first
from students.layers.modules import Conv1d, DepthwiseConv1d
from students.neurons.lif import LIF, ZeroInitialState


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


class TimeFirst(nn.Sequential):
    """A network of ``(batch, channels, steps)`` that is trained on signals in the order (steps, batch, channels).

    In training a batch norm and the leaky neurons behind it run as one operation; a dropout of probability zero may
    stand between. Modules that somebody listens to run one by one.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Run the modules."""
        if not self.training:
            return super().forward(input)
        modules, signal, place = list(self), time_first(input), 0
        while place < len(modules):
            taken, spikes = _fired(signal, modules[place : place + 3])
            signal = modules[place](signal) if spikes is None else spikes
            place += taken
        return signal


def _fired(signal: Any, modules: Sequence[nn.Module]) -> tuple[int, Tensor | None]:
    """Return how many modules ran as one, and the spikes of neurons behind a batch norm; 1 and None elsewhere."""
    norm, last = modules[0], next((one for one in modules[1:] if not _does_nothing(one)), None)
    if type(norm) is not BatchNorm1d or type(last) is not ZeroInitialState or type(last.neurons) is not LIF:
        return 1, None
    run = modules[: modules.index(last) + 1]
    plain = norm.training and norm.affine and type(signal) is Tensor and channels_last(signal) == (2, 0, 1)
    if not plain or signal.shape[0] * signal.shape[2] < 2 or any(hooks_of(*run, last.neurons)):
        return 1, None
    return len(run), last.neurons.of_norm(signal, norm)


def _does_nothing(module: nn.Module) -> bool:
    return isinstance(module, nn.Dropout) and module.p == 0


def hooks_of(*modules: nn.Module) -> tuple[Mapping[int, Any], ...]:
    """Return where the hooks of modules are kept: what is empty now may be filled later."""
    return tuple(
        hooks for one in modules
        for hooks in (one._forward_hooks, one._forward_pre_hooks, one._backward_hooks, one._backward_pre_hooks)
    )  # fmt: skip
