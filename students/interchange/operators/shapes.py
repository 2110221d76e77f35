"""Operators that move numbers, or make shapes out of shapes."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from students.interchange.graph import Builder, Node, Run, UnsupportedVariant


def _whole(values: Tensor | None, otherwise: Any) -> list[int] | None:
    """Return whole numbers that a version gives as a tensor, and an older one as an attribute."""
    given = otherwise if values is None else values.reshape(-1).tolist()
    return None if given is None else [int(one) for one in given]


def _flatten(node: Node) -> Run:
    axis = node.attribute("axis", 1)

    def run(signal: Tensor) -> Tensor:
        place = axis % signal.dim() if axis < 0 else axis
        return signal.reshape(math.prod(signal.shape[:place]), math.prod(signal.shape[place:]))

    return run


def _reshape(node: Node) -> Run:
    keeps_zero = node.attribute("allowzero", 0)

    def run(signal: Tensor, shape: Tensor | None = None) -> Tensor:
        sizes = _whole(shape, node.attribute("shape", None)) or []
        if not keeps_zero:
            sizes = [signal.shape[place] if size == 0 else size for place, size in enumerate(sizes)]
        return signal.reshape(sizes)

    return run


def _transpose(node: Node) -> Run:
    order = node.attribute("perm", None)
    return lambda signal: signal.permute(list(order or range(signal.dim())[::-1]))


def _squeeze(node: Node) -> Run:
    def run(signal: Tensor, axes: Tensor | None = None) -> Tensor:
        places = _whole(axes, node.attribute("axes", None))
        gone = {place % signal.dim() for place in places or ()}
        kept = [
            size for place, size in enumerate(signal.shape) if (place not in gone if places is not None else size != 1)
        ]
        return signal.reshape(kept)

    return run


def _unsqueeze(node: Node) -> Run:
    def run(signal: Tensor, axes: Tensor | None = None) -> Tensor:
        places = _whole(axes, node.attribute("axes", None)) or []
        rank = signal.dim() + len(places)
        for place in sorted(place % rank for place in places):
            signal = signal.unsqueeze(place)
        return signal

    return run


def _concatenate(node: Node) -> Run:
    axis = node.attribute("axis", 0)
    return lambda *values: torch.cat(values, axis)


def _split(node: Node) -> Run:
    axis, parts = node.attribute("axis", 0), len(node.outputs)

    def run(signal: Tensor, sizes: Tensor | None = None) -> tuple[Tensor, ...]:
        given = _whole(sizes, node.attribute("split", None))
        return torch.split(signal, given or math.ceil(signal.shape[axis] / parts), axis)

    return run


def _slice(node: Node) -> Run:
    def run(signal: Tensor, *bounds: Tensor | None) -> Tensor:
        starts, ends, axes, steps = (
            _whole(bounds[place] if place < len(bounds) else None, node.attribute(name, None))
            for place, name in enumerate(("starts", "ends", "axes", "steps"))
        )
        for place, (start, end) in enumerate(zip(starts or (), ends or (), strict=True)):
            signal = _cut(signal, axes[place] if axes else place, start, end, steps[place] if steps else 1)
        return signal

    return run


def _cut(signal: Tensor, axis: int, start: int, end: int, step: int) -> Tensor:
    """Return every `step`-th index of an axis; torch has no negative steps."""
    chosen = range(signal.shape[axis])[slice(start, end if end > -signal.shape[axis] - 1 else None, step)]
    if len(chosen) == signal.shape[axis] and step == 1:
        return signal
    if not chosen:
        return signal.narrow(axis, 0, 0)
    low, high = min(chosen), max(chosen)
    index = [slice(None)] * signal.dim()
    index[axis] = slice(low, high + 1, abs(step))
    piece = signal[tuple(index)]
    return piece.flip(axis) if step < 0 else piece


def _pad(node: Node) -> Run:
    mode = node.attribute("mode", "constant")
    names = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    if mode not in names:
        raise UnsupportedVariant(f"mode = {mode!r}")

    def run(
        signal: Tensor, pads: Tensor | None = None, value: Tensor | None = None, axes: Tensor | None = None
    ) -> Tensor:
        amounts = _whole(pads, node.attribute("pads", node.attribute("paddings", None))) or []
        places = _whole(axes, None) or list(range(signal.dim()))
        pairs = [(0, 0)] * signal.dim()
        for number, place in enumerate(places):
            pairs[place] = (amounts[number], amounts[number + len(places)])
        if mode != "constant":
            first = next((place for place, pair in enumerate(pairs) if any(pair)), signal.dim() - 1)
            return _border(signal, pairs, max(first, signal.dim() - 3), names[mode])
        filling = node.attribute("value", 0.0) if value is None else value.item()
        first = next((place for place, pair in enumerate(pairs) if any(pair)), signal.dim() - 1)
        flat = [size for pair in reversed(pairs[first:]) for size in pair]
        return functional.pad(signal, flat, value=filling)

    return run


def _border(signal: Tensor, pairs: list[tuple[int, int]], first: int, mode: str) -> Tensor:
    """Return the signal continued over its borders; torch does so for at most three last axes."""
    if any(any(pair) for pair in pairs[:first]):
        raise NotImplementedError(f"padding of the first axes in mode {mode!r}")
    flat = [size for pair in reversed(pairs[first:]) for size in pair]
    lead = signal.shape[:first]
    shaped = signal.reshape(1, math.prod(lead), *signal.shape[first:])
    out = functional.pad(shaped, flat, mode=mode)
    return out.reshape(*lead, *out.shape[2:])


def _gather(node: Node) -> Run:
    axis = node.attribute("axis", 0)

    def run(signal: Tensor, index: Tensor) -> Tensor:
        place = axis % signal.dim()
        if not index.dim():
            return signal.select(place, int(index.item()))
        if place == 0 and signal.dim() == 2 and node.constant(0) is not None:
            return functional.embedding(index, signal)
        found = signal.index_select(place, torch.where(index < 0, index + signal.shape[place], index).reshape(-1))
        return found.reshape(*signal.shape[:place], *index.shape, *signal.shape[place + 1 :])

    return run


def _gather_elements(node: Node) -> Run:
    axis = node.attribute("axis", 0)
    return lambda signal, index: torch.gather(
        signal, axis, torch.where(index < 0, index + signal.shape[axis], index)
    )


def _expand(signal: Tensor, shape: Tensor) -> Tensor:
    return signal.expand(torch.broadcast_shapes(signal.shape, [int(size) for size in shape.tolist()]))


def _tile(node: Node) -> Run:
    if node.version < 6:
        raise UnsupportedVariant("its version before 6, which repeats along one axis")
    return lambda signal, times: signal.repeat(*(int(one) for one in times.tolist()))


def _shape(node: Node) -> Run:
    start, end = node.attribute("start", 0), node.attribute("end", None)
    return lambda signal: torch.tensor(list(signal.shape)[start:end], dtype=torch.int64)


def _constant_of_shape(node: Node) -> Run:
    value = node.attribute("value", torch.zeros(1))
    return lambda shape: torch.full([int(size) for size in shape.tolist()], value.item(), dtype=value.dtype)


def _identity(node: Node) -> Run:
    node.only_output()
    training = node.constant(2)
    if node.has(2) and (training is None or bool(training.item())):
        raise UnsupportedVariant("it drops elements at random")
    return lambda signal, *_: signal


def _triangle(node: Node) -> Run:
    function = torch.triu if node.attribute("upper", 1) else torch.tril
    return lambda signal, diagonal=None: function(signal, 0 if diagonal is None else int(diagonal.item()))


def _depth_to_space(node: Node) -> Run:
    block, mode = node.attribute("blocksize", 1), node.attribute("mode", "DCR")

    def run(signal: Tensor) -> Tensor:
        batch, channels, height, width = signal.shape
        depth = channels // block**2
        if mode == "DCR":
            split = signal.reshape(batch, block, block, depth, height, width).permute(0, 3, 4, 1, 5, 2)
        else:
            split = signal.reshape(batch, depth, block, block, height, width).permute(0, 1, 4, 2, 5, 3)
        return split.reshape(batch, depth, height * block, width * block)

    return run


def _space_to_depth(node: Node) -> Run:
    block = node.attribute("blocksize", 1)

    def run(signal: Tensor) -> Tensor:
        batch, channels, height, width = signal.shape
        split = signal.reshape(batch, channels, height // block, block, width // block, block)
        return split.permute(0, 3, 5, 1, 2, 4).reshape(batch, channels * block**2, height // block, width // block)

    return run


def _resize(node: Node) -> Run:
    """Repetition of each element a whole number of times: nearest neighbours need no arithmetic."""
    node.expect("mode", "nearest")
    node.expect("axes", None)
    node.expect("keep_aspect_ratio_policy", "stretch")
    node.expect("coordinate_transformation_mode", "half_pixel", "asymmetric")
    floor = node.attribute("nearest_mode", "round_prefer_floor") == "floor"
    node.expect("nearest_mode", "round_prefer_floor", "floor")
    if node.operator == "Resize" and floor != (node.attribute("coordinate_transformation_mode", "") == "asymmetric"):
        raise UnsupportedVariant("this rounding of coordinates")
    scales_place = 1 if node.operator == "Upsample" or node.version < 11 else 2

    def run(signal: Tensor, *given: Tensor | None) -> Tensor:
        scales, sizes = ([*given, None, None, None][place - 1] for place in (scales_place, 3))
        factors = list(node.attribute("scales", [])) if scales is None else scales.tolist()
        if sizes is not None:
            factors = [after / before for after, before in zip(sizes.tolist(), signal.shape, strict=True)]
        if any(factor != int(factor) for factor in factors):
            raise NotImplementedError(f"resizing by {factors}: only whole factors repeat elements")
        for axis, factor in enumerate(int(factor) for factor in factors):
            if factor > 1:
                shape = signal.shape
                repeated = signal.unsqueeze(axis + 1).expand(*shape[: axis + 1], factor, *shape[axis + 1 :])
                signal = repeated.reshape(*shape[:axis], shape[axis] * factor, *shape[axis + 1 :])
        return signal

    return run


def builders() -> dict[str, Builder]:
    """Return the builders by operator."""
    return {
        "Flatten": _flatten,
        "Reshape": _reshape,
        "Transpose": _transpose,
        "Squeeze": _squeeze,
        "Unsqueeze": _unsqueeze,
        "Concat": _concatenate,
        "Split": _split,
        "Slice": _slice,
        "Pad": _pad,
        "Gather": _gather,
        "GatherElements": _gather_elements,
        "Expand": lambda _: _expand,
        "Trilu": _triangle,
        "Tile": _tile,
        "Shape": _shape,
        "Size": lambda _: lambda signal: torch.tensor(signal.numel()),
        "ConstantOfShape": _constant_of_shape,
        "Identity": _identity,
        "Dropout": _identity,
        "DepthToSpace": _depth_to_space,
        "SpaceToDepth": _space_to_depth,
        "Resize": _resize,
        "Upsample": _resize,
    }
