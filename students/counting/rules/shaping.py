"""Operations that only move numbers: free, and their effect on which axis tells decodes apart.

The list is explicit. Anything absent is either counted elsewhere or listed as uncounted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from students.counting.axes.batch_axis import (
    AxisLost,
    Layout,
    Steps,
    broadcast,
    drop,
    is_labelled,
    plain,
    reshape,
    step_axis,
    steps_of,
)
from students.counting.calls.call import Call, Rule, by_shape, even_when_silent, moving, tensors_of
from students.counting.dispatch.operands import Info, Pads
from students.counting.dispatch.padded import surround, unpadded
from students.counting.dispatch.tracer import Tracer
from students.counting.rules.streams import Sliding, cut_steps, keep_window, slid_axis

SAME = (
    "clone",
    "contiguous",
    "detach",
    "alias",
    "to",
    "_to_copy",
    "dropout",
    "feature_dropout",
    "alpha_dropout",
    "native_dropout",
    "lift_fresh",
    "type_as",
    "positive",
    "resolve_conj",
    "resolve_neg",
    "detach_",
)
RESHAPED = ("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as", "reshape_as")
PERMUTED = (
    "permute",
    "transpose",
    "t",
    "numpy_T",
    "mT",
    "matrix_H",
    "adjoint",
    "movedim",
    "moveaxis",
    "swapaxes",
    "swapdims",
)
PIECES = (
    "slice",
    "narrow",
    "split",
    "split_with_sizes",
    "chunk",
    "tensor_split",
    "unsafe_chunk",
    "unsafe_split",
    "flip",
    "roll",
)
PADDED = ("pad", "constant_pad_nd")


def _first(call: Call) -> Tensor:
    return tensors_of((call.args, call.kwargs))[0]


def _layout_if(tracer: Tracer, tensor: Tensor) -> Info:
    info = tracer.info(tensor)
    if info.padded_steps:
        raise AxisLost
    return info


def _same(tracer: Tracer, call: Call) -> Any:
    info = tracer.info(_first(call))
    out = call.run()
    for tensor in tensors_of(out)[:1]:
        tracer.know(tensor, info)
    return out


def _reshaped(tracer: Tracer, call: Call) -> Any:
    """Cutting the steps of a stream into blocks keeps each block until its last step has come."""
    source = _first(call)
    out, info = call.run(), _layout_if(tracer, source)
    if out.dtype != source.dtype:
        tracer.refuse(call.name, "it reads a number's bits as another number")
        return out
    layout = None if info.layout is None else reshape(info.layout, out.shape)
    after = replace(info, layout=layout, pads=())
    before, blocks = _steps(info.layout), _steps(layout)
    if before is not None and blocks is not None and blocks != before:
        size = blocks.every // before.every
        keep_window(tracer, tracer.label("blocks"), (source, info), Sliding(size, size), after)
        after = replace(after, origin=0)
    tracer.know(out, after)
    return out


def _steps(layout: Layout | None) -> Steps | None:
    place = None if layout is None else step_axis(layout)
    return None if layout is None or place is None else steps_of(layout[place])


def _permuted(tracer: Tracer, call: Call) -> Any:
    out, source = call.run(), _first(call)
    info = tracer.info(source)
    # Distinct sizes on a tensor without storage show where each axis went.
    probe = torch.empty([place + 2 for place in range(source.dim())], device="meta")
    order = [size - 2 for size in call.function(probe, *call.args[1:], **call.kwargs).shape]
    layout = None if info.layout is None else tuple(info.layout[place] for place in order)
    pads = tuple(info.pads[place] for place in order) if info.pads else ()
    tracer.know(out, replace(info, layout=layout, pads=pads))
    return out


def _pieces(tracer: Tracer, call: Call) -> Any:
    named, out, source = call.named(), call.run(), _first(call)
    info = _layout_if(tracer, source)
    layout, dim = info.layout, int(named.get("dim") or 0)
    moved = named.get("dims") or ()
    if layout is not None and any(steps_of(layout[place]) for place in ([moved] if isinstance(moved, int) else moved)):
        raise AxisLost("it moves the steps of a stream to other places")
    along = layout is not None and not moved and steps_of(layout[dim]) is not None
    for tensor in tensors_of(out):
        after = cut_steps(layout, dim, source, tensor) if along and layout else _resized(layout, source, tensor)
        steps, cut = _steps(layout), _steps(after)
        same = along and steps is not None and cut is not None and steps.every == cut.every
        tracer.know(tensor, replace(info, layout=after, pads=(), origin=info.origin if same else 0))
    return out


def _resized(layout: Layout | None, source: Tensor, piece: Tensor) -> Layout | None:
    """Return the layout of a piece; cutting through decodes loses them."""
    if layout is None:
        return None
    axes = []
    for axis, before, after in zip(layout, source.shape, piece.shape, strict=True):
        if before != after and is_labelled(axis):
            raise AxisLost
        axes.append(axis if before == after else plain(after))
    return tuple(axes)


def _selected(tracer: Tracer, call: Call) -> Any:
    """One index of an axis: picking one step of a stream is how a time loop begins."""
    named, out = call.named(), call.run()
    info = _layout_if(tracer, named["self"])
    dim = int(named.get("dim", 0)) % named["self"].dim()
    layout = info.layout
    if layout is not None:
        if is_labelled(layout[dim]) and not all(isinstance(label, Steps) for _, label in layout[dim]):
            raise AxisLost
        layout = tuple(axis for place, axis in enumerate(layout) if place != dim)
    for tensor in tensors_of(out):
        tracer.know(tensor, replace(info, layout=layout, pads=(), origin=0))
    return out


def _expanded(tracer: Tracer, call: Call) -> Any:
    out, info = call.run(), _layout_if(tracer, _first(call))
    layout = None if info.layout is None else broadcast([info.layout], out.shape)
    tracer.know(out, replace(info, layout=layout, pads=()))
    return out


def _joined(tracer: Tracer, call: Call) -> Any:
    """Join signals: the pieces' common layout; as many pieces as steps, stacked or one long, are a stream again.

    Zeros joined to one signal are padding.
    """
    named, out = call.named(), call.run()
    pieces, dim = list(named["tensors"]), int(named.get("dim", 0)) % out.dim()
    dynamic = [place for place, one in enumerate(pieces) if tracer.is_dynamic(one)]
    zeros = not any(bool(one.any()) for place, one in enumerate(pieces) if place not in dynamic)
    if call.name != "stack" and len(dynamic) == 1 < len(pieces) and dim > 1 and zeros:
        lengths, pads = [one.shape[dim] for one in pieces], [(0, 0)] * out.dim()
        pads[dim] = (sum(lengths[: dynamic[0]]), sum(lengths[dynamic[0] + 1 :]))
        _surround(tracer, pieces[dynamic[0]], out, pads)
        return out
    known = [tracer.info(pieces[place]) for place in dynamic]
    if any(info.layout is None for info in known) and tracer.batch == 1 and not tracer.ledger.steps:
        tracer.know(out, Info(None))
        return out
    if any(info.layout is None or info.padded_steps for info in known):
        raise AxisLost
    layouts = [info.layout for info in known if info.layout is not None]
    if call.name == "stack":
        steps = tracer.ledger.steps
        new = ((steps, Steps(steps)),) if len(pieces) == steps else plain(out.shape[dim])
        layouts = [(*layout[:dim], new, *layout[dim:]) for layout in layouts]
    else:
        if any(is_labelled(layout[dim]) for layout in layouts):
            raise AxisLost
        steps = tracer.ledger.steps
        looped = len(pieces) == steps == out.shape[dim] and all(step_axis(layout) is None for layout in layouts)
        new = ((steps, Steps(steps)),) if looped else plain(out.shape[dim])
        layouts = [(*layout[:dim], new, *layout[dim + 1 :]) for layout in layouts]
    codes = {info.codes for info in known}
    tracer.know(out, Info(broadcast(layouts, out.shape), codes.pop() if len(codes) == 1 else None))
    return out


def _padded(tracer: Tracer, call: Call) -> Any:
    """Zeros around a signal are remembered, so that the convolution that reads them can tell padding from signal."""
    named, out = call.named(), call.run()
    source, amounts = named["self"], [int(amount) for amount in named["pad"]]
    info = _layout_if(tracer, source)
    if named.get("mode", "constant") != "constant" or named.get("value") not in (None, 0, 0.0) or min(amounts) < 0:
        tracer.know(out, replace(info, layout=_resized(info.layout, source, out), pads=()))
        return out
    pads = [(0, 0)] * source.dim()
    for place in range(len(amounts) // 2):
        pads[-1 - place] = (amounts[2 * place], amounts[2 * place + 1])
    _surround(tracer, source, out, pads)
    return out


def _surround(tracer: Tracer, source: Tensor, out: Tensor, pads: list[tuple[int, int]]) -> None:
    info = _layout_if(tracer, source)
    before = info.pads or ((0, 0),) * source.dim()
    total: Pads = tuple((a + c, b + d) for (a, b), (c, d) in zip(before, pads, strict=True))
    tracer.know(out, replace(info, layout=_grown(info.layout, out), pads=total))
    surround(tracer, unpadded(tracer, source) if info.pads else source, out)


def _grown(layout: Layout | None, out: Tensor) -> Layout | None:
    if layout is None:
        return None
    return tuple(
        axis if any(label for _, label in axis) else plain(size) for axis, size in zip(layout, out.shape, strict=True)
    )


def _unfolded(tracer: Tracer, call: Call) -> Any:
    """Windows along an axis; along the steps of a stream each waits for its last step, the others in a ring buffer."""
    named, out, source = call.named(), call.run(), call.named()["self"]
    info = _layout_if(tracer, source)
    dim, layout = int(named["dimension"]) % source.dim(), info.layout
    after = replace(info, layout=None, pads=(), producer=None, origin=0)
    if layout is not None:
        steps, sliding = steps_of(layout[dim]), Sliding(int(named["size"]), int(named["step"]))
        if steps is None:
            kept = (*drop(layout, [dim], keep=1), plain(sliding.taps))
            after = replace(after, layout=(*kept[:dim], plain(out.shape[dim]), *kept[dim + 1 :]))
        else:
            axis = ((out.shape[dim], slid_axis(layout[dim], sliding)),)
            after = replace(after, layout=(*layout[:dim], axis, *layout[dim + 1 :], plain(sliding.taps)))
            keep_window(tracer, tracer.label("unfold"), (source, info), sliding, after)
    tracer.know(out, after)
    return out


def _copied(tracer: Tracer, call: Call) -> Any:
    named, out = call.named(), call.run()
    if tracer.is_dynamic(named["src"]) and named["src"].shape == out.shape:
        tracer.know(out, replace(_layout_if(tracer, named["src"]), producer=None, origin=0))
    return out


def rules() -> dict[str, Rule]:
    """Return the rules of all free operations, by name."""
    groups: list[tuple[tuple[str, ...], Rule]] = [
        (SAME, _same),
        (RESHAPED, _reshaped),
        (PERMUTED, _permuted),
        (PIECES, _pieces),
        (("select", "unbind"), _selected),
        (("expand", "expand_as", "broadcast_to"), _expanded),
        (("cat", "concat", "stack"), _joined),
        (PADDED, _padded),
        (("unfold",), _unfolded),
        (("copy",), _copied),
    ]
    return {name: moving(by_shape(even_when_silent(rule))) for names, rule in groups for name in names}
