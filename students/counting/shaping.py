"""Operations that only move numbers: free, and their effect on which axis tells decodes apart.

The list is explicit. Anything absent is either counted elsewhere or listed as uncounted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from students.counting.layout import STEP, AxisLost, Layout, broadcast, drop, is_labelled, plain, reshape
from students.counting.operands import Info, Pads
from students.counting.tracer import Call, Rule, Tracer, even_when_silent, tensors_of

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
        if _first(call).is_floating_point() and not tensor.is_floating_point():
            tracer.refuse(call.name, "a conversion from float to integer rounds")
    return out


def _reshaped(tracer: Tracer, call: Call) -> Any:
    out, info = call.run(), _layout_if(tracer, _first(call))
    layout = None if info.layout is None else reshape(info.layout, out.shape)
    tracer.know(out, replace(info, layout=layout, pads=()))
    return out


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
    out, source = call.run(), _first(call)
    info = _layout_if(tracer, source)
    for tensor in tensors_of(out):
        tracer.know(tensor, replace(info, layout=_resized(info.layout, source, tensor), pads=()))
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
        if is_labelled(layout[dim]) and not all(label == STEP for _, label in layout[dim]):
            raise AxisLost
        layout = tuple(axis for place, axis in enumerate(layout) if place != dim)
    for tensor in tensors_of(out):
        tracer.know(tensor, replace(info, layout=layout, pads=()))
    return out


def _expanded(tracer: Tracer, call: Call) -> Any:
    out, info = call.run(), _layout_if(tracer, _first(call))
    layout = None if info.layout is None else broadcast([info.layout], out.shape)
    tracer.know(out, replace(info, layout=layout, pads=()))
    return out


def _joined(tracer: Tracer, call: Call) -> Any:
    """Join signals: the pieces' common layout; as many pieces as steps, stacked, are a stream again."""
    named, out = call.named(), call.run()
    known = [tracer.info(one) for one in named["tensors"] if tracer.is_dynamic(one)]
    dim = int(named.get("dim", 0)) % out.dim()
    if any(info.layout is None or info.padded_steps for info in known):
        raise AxisLost
    layouts = [info.layout for info in known if info.layout is not None]
    if call.name == "stack":
        new = (
            ((len(named["tensors"]), STEP),) if len(named["tensors"]) == tracer.ledger.steps else plain(out.shape[dim])
        )
        layouts = [(*layout[:dim], new, *layout[dim:]) for layout in layouts]
    else:
        if any(is_labelled(layout[dim]) for layout in layouts):
            raise AxisLost
        layouts = [(*layout[:dim], plain(out.shape[dim]), *layout[dim + 1 :]) for layout in layouts]
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
    before = info.pads or ((0, 0),) * source.dim()
    total: Pads = tuple((a + c, b + d) for (a, b), (c, d) in zip(before, pads, strict=True))
    tracer.know(out, replace(info, layout=_grown(info.layout, out), pads=total))
    return out


def _grown(layout: Layout | None, out: Tensor) -> Layout | None:
    if layout is None:
        return None
    return tuple(
        axis if any(label for _, label in axis) else plain(size) for axis, size in zip(layout, out.shape, strict=True)
    )


def _unfolded(tracer: Tracer, call: Call) -> Any:
    named, out = call.named(), call.run()
    info = _layout_if(tracer, named["self"])
    dim = int(named["dimension"]) % named["self"].dim()
    layout = info.layout
    if layout is not None:
        layout = (*drop(layout, [dim]), plain(int(named["size"])))
        layout = (*layout[:dim], plain(out.shape[dim]), *layout[dim:])
    tracer.know(out, replace(info, layout=layout, pads=(), producer=None))
    return out


def _copied(tracer: Tracer, call: Call) -> Any:
    named, out = call.named(), call.run()
    if tracer.is_dynamic(named["src"]) and named["src"].shape == out.shape:
        tracer.know(out, replace(_layout_if(tracer, named["src"]), producer=None))
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
    return {name: even_when_silent(rule) for names, rule in groups for name in names}
