"""How operations that an adopted network calls, rather than holds as layers, are lowered."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import fx, nn
from torch.fx.node import map_arg
from torch.nn import functional

from students.deploy.graph import Floats, Join, Range
from students.deploy.lowering.builder import Builder, Signal, refused, scalar
from students.deploy.lowering.modules import lower_module
from students.deploy.lowering.moves import MIXED, Turned, move_onwards, places_of
from students.deploy.lowering.pools import What, lower_reduction
from students.quantize.adopt import operations as known
from students.quantize.adopt.parts import values
from students.quantize.adopt.traced import place_of
from students.quantize.signals import on_grid_of

POOLS: Mapping[Any, type[nn.Module]] = {
    functional.avg_pool1d: nn.AvgPool1d, torch.avg_pool1d: nn.AvgPool1d, functional.avg_pool2d: nn.AvgPool2d,
    functional.adaptive_avg_pool1d: nn.AdaptiveAvgPool1d, functional.adaptive_avg_pool2d: nn.AdaptiveAvgPool2d,
    functional.max_pool1d: nn.MaxPool1d, functional.max_pool2d: nn.MaxPool2d,
    functional.adaptive_max_pool1d: nn.AdaptiveMaxPool1d, functional.adaptive_max_pool2d: nn.AdaptiveMaxPool2d,
    torch.softmax: nn.Softmax, functional.softmax: nn.Softmax, "softmax": nn.Softmax,
    torch.log_softmax: nn.LogSoftmax, functional.log_softmax: nn.LogSoftmax, "log_softmax": nn.LogSoftmax,
}  # fmt: skip
"""Called layers, made of the same arguments; names that only the call has are dropped."""

CALL_ONLY = frozenset({"_stacklevel", "dtype", "inplace", "training"})

REDUCTIONS: Mapping[Any, What] = {
    torch.mean: "mean", "mean": "mean", torch.sum: "sum", "sum": "sum", torch.amax: "max", "amax": "max",
}  # fmt: skip


REDUCED = frozenset({
    torch.amax, "amax", functional.max_pool1d, functional.max_pool2d, functional.adaptive_max_pool1d,
    functional.adaptive_max_pool2d,
})  # fmt: skip
"""Of the calls whose outputs are some of their inputs, those that choose by the numbers."""


def lower_call(builder: Builder, node: fx.Node, signals: Mapping[fx.Node, Any]) -> Any:
    """Return what a called operation makes of its signal, or the number that it reads of a signal's shape.

    Raises
    ------
    StudentError
        An operation that has no deployed form.
    """
    target = cast(Any, node.target)
    given = [signals[one] for one in node.all_input_nodes if isinstance(signals[one], Signal | Turned)]
    if not given:
        return _run(node, signals)
    if target in (values, on_grid_of):
        return given[0]
    if any(isinstance(one, Turned) for one in given):
        return _onwards(builder, node, signals)
    if target in known.JOINS:
        return _joined(builder, node, given)
    if len(given) > 1:
        raise refused(place_of(node), "it takes several signals")
    signal: Signal = given[0]
    if target in known.SIZES:
        return _run(node, {**signals, node.all_input_nodes[0]: places_of(signal.shape)})
    if target in POOLS:
        arguments, names = map_arg((node.args[1:], node.kwargs), lambda one: signals[one])
        kept = {name: value for name, value in names.items() if name not in CALL_ONLY}
        return lower_module(builder, str(node.name), POOLS[target](*arguments, **kept), signal)
    if target in REDUCTIONS:
        return _reduced(builder, node, signal, signals)
    if target in known.KEPT_CALLS or target in known.PADS:
        source = node.all_input_nodes[0]
        found = _run(node, {**signals, source: places_of(signal.shape)})
        return move_onwards(builder, str(node.name), found, signal)
    if target in known.ADDITIONS | known.SCALINGS:
        return _scaled(node, signal)
    if target in known.LIMITS:
        return signal.clipped(*_limits(node))
    raise refused(place_of(node), "no integers are defined for it")


def _onwards(builder: Builder, node: fx.Node, signals: Mapping[fx.Node, Any]) -> Any:
    """Return a signal that is moved on from where its examples are not in the first axis."""
    source = node.all_input_nodes[0]
    turned = signals[source]
    if len(node.all_input_nodes) > 1 or not isinstance(turned, Turned) or node.target not in known.KEPT_CALLS - REDUCED:
        raise refused(place_of(node), MIXED)
    return move_onwards(builder, str(node.name), _run(node, {**signals, source: turned.places}), turned.signal)


def _run(node: fx.Node, signals: Mapping[fx.Node, Any]) -> Any:
    """Return what an operation gives on tensors and numbers."""
    target = cast(Any, node.target)
    args, kwargs = map_arg((node.args, node.kwargs), lambda one: signals[one])
    if node.op == "call_method":
        return getattr(args[0], target)(*args[1:], **kwargs)
    return target(*args, **kwargs)


def _reduced(builder: Builder, node: fx.Node, signal: Signal, signals: Mapping[fx.Node, Any]) -> Signal:
    """Return a sum, mean or maximum over whole axes; which these are is seen where one of them is repeated."""
    named = {**dict(zip(("dim", "keepdim"), node.args[1:], strict=False)), **node.kwargs}
    axes = named.get("dim", named.get("axis"))
    listed = [axes] if isinstance(axes, int) else list(cast(Any, axes) or ())
    count = len(signal.shape) + 1
    places = sorted({one % count for one in listed})
    if not places or 0 in places:
        raise refused(place_of(node), "it mixes the examples")
    shape = tuple(_run(node, {**signals, cast(fx.Node, node.args[0]): places_of(signal.shape)}).shape[1:])
    what = REDUCTIONS[node.target]
    return lower_reduction(builder, str(node.name), signal, axes=[one - 1 for one in places], shape=shape, what=what)


def _scaled(node: fx.Node, signal: Signal) -> Signal:
    """Return a signal times, over, plus or minus written numbers, found at the values 0 and 1."""
    if not all(isinstance(one, int | float | fx.Node) for one in (*node.args, *node.kwargs.values())):
        raise refused(place_of(node), "it takes something else than a number")
    source = node.all_input_nodes[0]
    zero, one = (float(_run(node, {source: torch.tensor(number, dtype=torch.float64)})) for number in (0.0, 1.0))
    return signal.affine(str(node.name), scalar(one - zero), scalar(zero))


def _limits(node: fx.Node) -> tuple[float, float]:
    """Return the least and the greatest value that a limit lets through, found at huge numbers."""
    source = node.all_input_nodes[0]
    ends = (float(_run(node, {source: torch.tensor(number, dtype=torch.float64)})) for number in (-math.inf, math.inf))
    low, high = ends
    return low, high


def _joined(builder: Builder, node: fx.Node, given: list[Signal]) -> Signal:
    """Return signals one after the other along an axis."""
    axis = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else 0)
    axes = len(given[0].shape)
    if not isinstance(axis, int) or axis % (axes + 1) == 0 or len({len(one.shape) for one in given}) > 1:
        raise refused(place_of(node), "it joins the examples")
    place = axis % (axes + 1) - 1
    for one in given:
        one.check_unlimited(place_of(node))
    scale, offset = (
        np.concatenate([_along_axis(constants, one.shape, place) for constants, one in zip(both, given, strict=True)],
                       axis=place)
        for both in ([one.scale for one in given], [one.offset for one in given])
    )  # fmt: skip
    shape = (*given[0].shape[:place], sum(one.shape[place] for one in given), *given[0].shape[place + 1 :])
    found = Range(shape, min(one.range.lowest for one in given), max(one.range.highest for one in given))
    name = builder.name(str(node.name))
    builder.add(Join(name, given[0].node, tuple(one.node for one in given[1:]), found, place))
    if len(set(scale.ravel().tolist())) == 1 and not offset.any():
        scale, offset = scalar(float(scale.flat[0])), scalar(0.0)
    return Signal(name, found, scale, offset)


def _along_axis(constants: Floats, shape: tuple[int, ...], axis: int) -> Floats:
    """Return constants of a signal with the axis that is joined written out."""
    full = constants.reshape((1,) * (len(shape) - constants.ndim) + constants.shape)
    return np.broadcast_to(full, (*full.shape[:axis], shape[axis], *full.shape[axis + 1 :]))
