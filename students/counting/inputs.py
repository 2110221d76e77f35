"""What a model is called with when it is observed: one signal or several, by position or by keyword."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from energy_models.errors import DataError, StudentError
from students.counting.axes import DECODE, Axes, Steps, plain

Inputs = Tensor | tuple[Tensor, ...] | Mapping[str, Tensor]
"""Signals with decodes (in a stream: segments) on their first axis, as many in each."""


@dataclass(frozen=True, slots=True)
class Signals:
    """The signals of a model's call, in order, each with its keyword; a model called by position has none.

    Parameters
    ----------
    names : tuple of str
        Keywords; empty where the call is by position.
    tensors : tuple of Tensor
    """

    names: tuple[str, ...]
    tensors: tuple[Tensor, ...]

    @property
    def first(self) -> Tensor:
        """The signal whose channels and steps are the workload's."""
        return self.tensors[0]

    @property
    def shapes(self) -> str:
        """Shapes and number formats, for messages."""
        named = self.names or ("",) * len(self.tensors)
        return ", ".join(
            f"{name} {tuple(one.shape)} {one.dtype}".strip().replace("torch.", "")
            for name, one in zip(named, self.tensors, strict=True)
        )

    def batches(self, size: int) -> Iterator[Signals]:
        """Return copies of so many examples at a time, which a model may write into; each batch replaces the last."""
        with torch.inference_mode(False):
            rooms = [torch.empty_like(one[:size], requires_grad=False) for one in self.tensors]
        for parts in zip(*(one.detach().split(size) for one in self.tensors), strict=True):
            copies = zip(rooms, parts, strict=True)
            yield Signals(self.names, tuple(room[: len(part)].copy_(part) for room, part in copies))

    def call(self, model: torch.nn.Module) -> object:
        """Return what a model gives for these signals."""
        return model(**dict(zip(self.names, self.tensors, strict=True))) if self.names else model(*self.tensors)

    def known_axes(self, mode: str) -> list[tuple[Tensor, Axes]]:
        """Return each signal with its axes: in a stream the last axis is steps where it is as long as a segment."""
        steps = self.first.shape[-1] if mode == "stream" else 0
        return [(one, _axes_of(one, steps)) for one in self.tensors]


def _axes_of(signal: Tensor, steps: int) -> Axes:
    axes = [((signal.shape[0], DECODE),), *(plain(size) for size in signal.shape[1:])]
    if steps and signal.dim() > 1 and signal.shape[-1] == steps:
        axes[-1] = ((steps, Steps(steps)),)
    return tuple(axes)


def signals_of(inputs: object, name: str) -> Signals:
    """Return checked signals.

    Raises
    ------
    DataError
        No tensors, none at all, unequal numbers of examples, no example, or numbers that are missing or not finite.
    """
    where = f"observing {name}"
    signals = _signals(inputs, where)
    first = signals.first
    if first.dim() < 2 or any(0 in one.shape or not one.dim() for one in signals.tensors):
        raise DataError(
            f"there is nothing to observe in inputs of shape {signals.shapes}",
            where=where,
            remedy="Give examples of shape (channels, steps), that signal first; examples on the first axis of each",
        )
    if len({len(one) for one in signals.tensors}) > 1:
        raise DataError(
            f"the signals hold unequal numbers of examples: {signals.shapes}",
            where=where,
            remedy="Give every signal the same examples on its first axis",
        )
    if any(one.is_meta for one in signals.tensors):
        raise DataError(
            "the inputs are on the device meta, where tensors have shapes and no numbers",
            where=where,
            remedy="Give tensors that hold numbers; the counts depend on them",
        )
    # A sum is finite only where every term is, and several times faster than a test of each.
    for one in signals.tensors:
        if not bool(one.sum().isfinite()) and not bool(torch.isfinite(one).all()):
            raise DataError(
                f"{int((~torch.isfinite(one)).sum())} input values are not finite",
                where=where,
                remedy="Drop or repair the recordings that hold NaN or infinity",
            )
    return signals


def _signals(inputs: object, where: str) -> Signals:
    values = inputs.values() if isinstance(inputs, Mapping) else inputs if isinstance(inputs, tuple) else (inputs,)
    parts: list[Any] = list(values)
    wrong = next((one for one in parts if not isinstance(one, Tensor) or one.layout != torch.strided), None)
    if wrong is not None:
        what = f"{wrong.layout} tensor" if isinstance(wrong, Tensor) else type(wrong).__name__
        raise DataError(
            f"inputs are a {what.removeprefix('torch.')}"
            if wrong is inputs
            else f"inputs hold a {what.removeprefix('torch.')}",
            where=where,
            remedy="Give dense tensors, torch.as_tensor(...): one, a tuple of them, or a mapping from keywords to them",
        )
    names = tuple(inputs) if isinstance(inputs, Mapping) else ()
    if not parts or not all(isinstance(one, str) for one in names):
        raise DataError(
            f"inputs are an empty {type(inputs).__name__}" if not parts else "inputs are a mapping from no keywords",
            where=where,
            remedy="Give a tensor, or name each by the argument of the model's forward it is given as",
        )
    return Signals(tuple(str(one) for one in names), tuple(parts))


def check_steps(signals: Signals, name: str) -> None:
    """Refuse signals of which it is not clear which axis runs along the steps of a stream.

    The first signal's last axis is the steps. Any other signal runs along them if its last axis is as long; if none of
    its axes is, it is the same in every step.

    Raises
    ------
    StudentError
        A first signal without channels, unless of whole numbers, or another one with the steps on an earlier axis.
    """
    first = signals.first
    if first.dim() < 3 and first.is_floating_point():
        raise StudentError(
            f"a stream of shape {tuple(first.shape)}",
            where=f"observing {name}",
            remedy="Give segments of shape (segments, channels, steps)",
        )
    steps = first.shape[-1]
    for one in signals.tensors[1:]:
        if one.dim() > 1 and one.shape[-1] != steps and steps in one.shape[1:]:
            raise StudentError(
                f"it is not clear whether a signal of shape {tuple(one.shape)} runs along the {steps} steps",
                where=f"observing {name}",
                remedy="Put the steps on the last axis, or give segments of another length",
            )
