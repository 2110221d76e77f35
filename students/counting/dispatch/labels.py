"""Axes after a move of numbers, found by moving labels in place of the numbers.

An operation that only moves numbers is run once more on a tensor that holds, for every number, the decode (or step) it
belongs to, counted from 1; a constant holds 0. Where the labels end up gives the axes of the result.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from students.counting.axes import DECODE, Axes, BatchAxisError, Steps, plain
from students.counting.calls import Call, tensors_of
from students.counting.dispatch.operands import Info, Rows
from students.counting.dispatch.tracer import Tracer

ADDRESSES = ("index", "indices", "mask")
"""Arguments that say where to, not what."""


def moved_values(tracer: Tracer, call: Call) -> list[Tensor]:
    """Return the input-dependent operands whose numbers are moved, not those that say where to."""
    named = call.named()
    addresses = [one for name in ADDRESSES for one in tensors_of(named.get(name))]
    dynamic = [one for one in tensors_of((call.args, call.kwargs)) if tracer.is_dynamic(one)]
    return [one for one in dynamic if not any(one is other for other in addresses)] or dynamic


def known_move(tracer: Tracer, call: Call, out: Tensor, sources: list[Tensor], *, sums: int = 0) -> Info:
    """Return the info of a moved tensor; ``sums=1``: numbers moved to one index are added.

    Raises
    ------
    BatchAxisError
        Several decodes, and they do not lie along one axis any more.
    """
    infos = [tracer.read(one) for one in sources]
    codes = {info.codes for info in infos} if not sums else {None}
    word = max(info.word for info in infos) if all(info.word for info in infos) else 0
    axes, rows = None, None
    if tracer.batch > 1 or tracer.recorder.steps > 1:
        axes, rows = _landed(tracer, call, infos, out, sums)
    elif all(info.axes is not None for info in infos):
        axes = _alone(infos, out)
    return Info(axes, codes.pop() if len(codes) == 1 else None, word=word, rows=rows)


def _alone(infos: list[Info], out: Tensor) -> Axes | None:
    """Return the axes of the only decode: its axis stays if it still has length one, else the first such axis."""
    for place in (*[place for info in infos for place in _labelled(info, out)], 0):
        if place < out.dim() and out.shape[place] == 1:
            return tuple(((1, DECODE),) if axis == place else plain(size) for axis, size in enumerate(out.shape))
    return None


def _labelled(info: Info, out: Tensor) -> list[int]:
    return [place for place, axis in enumerate((info.axes or ())[: out.dim()]) if any(label for _, label in axis)]


def _landed(
    tracer: Tracer, call: Call, infos: list[Info], out: Tensor, sums: int
) -> tuple[Axes | None, Rows | None]:
    labels = dict.fromkeys(factor for info in infos for axis in info.axes or () for factor in axis if factor[1])
    if any(info.rows for info in infos):
        labels[tracer.batch, DECODE] = None
    axes: Axes = tuple(plain(size) for size in out.shape)
    for size, label in labels:
        landed = _moved_labels(tracer, call, label, sums)
        found = _along(landed, size)
        if found is None:
            rows = _rows(landed) if len(labels) == 1 else None
            if rows is None:
                raise BatchAxisError
            return None, rows
        place, outer = found
        if axes[place] != plain(out.shape[place]):
            raise BatchAxisError
        factors = ((outer, ""), (size, label), (out.shape[place] // size // outer, ""))
        axes = (*axes[:place], tuple(one for one in factors if one[0] > 1 or one[1]), *axes[place + 1 :])
    return axes, None


def _moved_labels(tracer: Tracer, call: Call, label: str | Steps, sums: int) -> Tensor:
    """Return the operation's result on labels; where numbers are added, all on one place must share their label."""
    first = _run(tracer, call, label, 1)
    if not sums:
        return first
    count, squares = _run(tracer, call, label, 0), _run(tracer, call, label, 2)
    if bool((squares * count != first * first).any()):
        raise BatchAxisError
    return first / count.clamp(min=1)


def _run(tracer: Tracer, call: Call, label: str | Steps, power: int) -> Tensor:
    named = call.named()
    addresses = [one for name in ADDRESSES for one in tensors_of(named.get(name))]

    def labelled(value: Any) -> Any:
        if not isinstance(value, Tensor) or any(value is one for one in addresses):
            return value
        if "strided" in call.name and (not value.is_contiguous() or value.storage_offset()):
            raise BatchAxisError
        if not tracer.is_dynamic(value):
            return torch.zeros_like(value, dtype=torch.float64, memory_format=torch.contiguous_format)
        ids = _labels(tracer.info(value), value, label)
        return torch.where(ids > 0, ids**power, 0.0)

    args, kwargs = tree_map(labelled, (call.args, call.kwargs))
    names = [argument.name for argument in call.function._schema.arguments]
    pairs = zip(names, args, strict=False)
    args = [0.0 if name == "value" and isinstance(one, int | float) else one for name, one in pairs]
    return tensors_of(call.function(*args, **kwargs))[0].cpu().to(torch.float64)


def _labels(info: Info, tensor: Tensor, label: str | Steps) -> Tensor:
    """Return the label of every element, counted from 1, float64, contiguous, shape of the tensor."""
    if info.rows is not None and label == DECODE:
        shape = [1] * tensor.dim()
        shape[info.rows.axis] = -1
        rows = torch.tensor(info.rows.decodes, dtype=torch.float64) + 1
        return rows.reshape(shape).expand(tensor.shape).contiguous().to(tensor.device)
    if info.axes is None:
        raise BatchAxisError
    factors = [factor for axis in info.axes for factor in axis]
    ids = torch.zeros([size for size, _ in factors] or [1], dtype=torch.float64)
    for place, (size, name) in enumerate(factors):
        if name == label:
            shape = [1] * len(factors)
            shape[place] = size
            ids = ids + torch.arange(1, size + 1, dtype=torch.float64).reshape(shape)
    return ids.reshape(tensor.shape).contiguous().to(tensor.device)


def _along(landed: Tensor, size: int) -> tuple[int, int] | None:
    """Return (axis, factors in front of the label on it) where labels 1..size run along one axis, else None."""
    for place, length in enumerate(landed.shape):
        groups = length // size if length % size == 0 else 0
        for outer in (n for n in range(1, groups + 1) if groups % n == 0):
            pattern = torch.arange(1, size + 1, dtype=torch.float64).repeat_interleave(groups // outer).repeat(outer)
            shape = [1] * landed.dim()
            shape[place] = length
            if bool(((landed == 0) | (landed == pattern.reshape(shape))).all()):
                return place, outer
    return None


def _rows(landed: Tensor) -> Rows | None:
    """Return the decode of each row, where every row of some axis belongs to one decode."""
    for place in range(landed.dim()):
        rows = landed.movedim(place, 0).reshape(landed.shape[place], -1)
        if rows.numel() and bool((rows == rows[:, :1]).all()) and bool((rows > 0).all()):
            return Rows(place, tuple(int(one) - 1 for one in rows[:, 0].tolist()))
    return None
