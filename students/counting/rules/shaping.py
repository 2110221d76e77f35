"""Operations that only move numbers: they cost nothing; what they do to the axes is tracked.

The list is explicit. Anything absent is either counted elsewhere or listed as uncounted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from students.counting.axes import (
    Axes,
    Axis,
    BatchAxisError,
    Steps,
    broadcast,
    drop,
    is_labelled,
    plain,
    reshape,
    step_axis,
    steps_of,
)
from students.counting.calls import Call, Rule, by_shape, even_when_silent, moving, tensors_of
from students.counting.dispatch import Info, Pads, Tracer, surround, unpadded
from students.counting.rules.streams import Sliding, cut_steps, record_window, slid_axis

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


def _unpadded_info(tracer: Tracer, tensor: Tensor) -> Info:
    info = tracer.info(tensor)
    if info.padded_steps:
        raise BatchAxisError
    return info


def _same(tracer: Tracer, call: Call) -> Any:
    info = tracer.info(_first(call))
    out = call.run()
    for tensor in tensors_of(out)[:1]:
        tracer.set_info(tensor, info)
    return out


def _reshaped(tracer: Tracer, call: Call) -> Any:
    """Cutting the steps of a stream into blocks keeps each block until its last step has come."""
    source = _first(call)
    out, info = call.run(), _unpadded_info(tracer, source)
    if out.dtype != source.dtype:
        tracer.mark_uncounted(call.name, "it reads a number's bits as another number")
        return out
    axes = None if info.axes is None else reshape(info.axes, out.shape)
    after = replace(info, axes=axes, pads=())
    before, blocks = _steps(info.axes), _steps(axes)
    if before is not None and blocks is not None and blocks != before:
        size = blocks.every // before.every
        record_window(tracer, tracer.label("blocks"), (source, info), Sliding(size, size), after)
        after = replace(after, origin=0)
    tracer.set_info(out, after)
    return out


def _steps(axes: Axes | None) -> Steps | None:
    place = None if axes is None else step_axis(axes)
    return None if axes is None or place is None else steps_of(axes[place])


def _permuted(tracer: Tracer, call: Call) -> Any:
    out, source = call.run(), _first(call)
    info = tracer.info(source)
    # Distinct sizes on a tensor without storage show where each axis went.
    probe = torch.empty([place + 2 for place in range(source.dim())], device="meta")
    order = [size - 2 for size in call.function(probe, *call.args[1:], **call.kwargs).shape]
    axes = None if info.axes is None else tuple(info.axes[place] for place in order)
    pads = tuple(info.pads[place] for place in order) if info.pads else ()
    tracer.set_info(out, replace(info, axes=axes, pads=pads))
    return out


def _pieces(tracer: Tracer, call: Call) -> Any:
    named, out, source = call.named(), call.run(), _first(call)
    info = _unpadded_info(tracer, source)
    axes, dim = info.axes, int(named.get("dim") or 0)
    moved = named.get("dims") or ()
    if axes is not None and any(steps_of(axes[place]) for place in ([moved] if isinstance(moved, int) else moved)):
        raise BatchAxisError("it moves the steps of a stream to other places")
    along = axes is not None and not moved and steps_of(axes[dim]) is not None
    for tensor in tensors_of(out):
        after = cut_steps(axes, dim, source, tensor) if along and axes else _resized(axes, source, tensor)
        steps, cut = _steps(axes), _steps(after)
        same = along and steps is not None and cut is not None and steps.every == cut.every
        tracer.set_info(tensor, replace(info, axes=after, pads=(), origin=info.origin if same else 0))
    return out


def _resized(axes: Axes | None, source: Tensor, piece: Tensor) -> Axes | None:
    """Return the axes of a piece; cutting through decodes raises BatchAxisError."""
    if axes is None:
        return None
    resized: list[Axis] = []
    for axis, before, after in zip(axes, source.shape, piece.shape, strict=True):
        if before != after and is_labelled(axis):
            raise BatchAxisError
        resized.append(axis if before == after else plain(after))
    return tuple(resized)


def _selected(tracer: Tracer, call: Call) -> Any:
    """One index of an axis: picking one step of a stream is how a time loop begins."""
    named, out = call.named(), call.run()
    info = _unpadded_info(tracer, named["self"])
    dim = int(named.get("dim", 0)) % named["self"].dim()
    axes = info.axes
    if axes is not None:
        if is_labelled(axes[dim]) and not all(isinstance(label, Steps) for _, label in axes[dim]):
            raise BatchAxisError
        axes = tuple(axis for place, axis in enumerate(axes) if place != dim)
    for tensor in tensors_of(out):
        tracer.set_info(tensor, replace(info, axes=axes, pads=(), origin=0))
    return out


def _expanded(tracer: Tracer, call: Call) -> Any:
    out, info = call.run(), _unpadded_info(tracer, _first(call))
    axes = None if info.axes is None else broadcast([info.axes], out.shape)
    tracer.set_info(out, replace(info, axes=axes, pads=()))
    return out


def _joined(tracer: Tracer, call: Call) -> Any:
    """Join signals: the pieces' common axes; as many pieces as steps, stacked or one long, are a stream again.

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
    known = list({id(info): info for info in (tracer.info(pieces[place]) for place in dynamic)}.values())
    if any(info.axes is None for info in known) and tracer.batch == 1 and not tracer.recorder.steps:
        tracer.set_info(out, Info(None))
        return out
    if any(info.axes is None or info.padded_steps for info in known):
        raise BatchAxisError
    known_axes = [info.axes for info in known if info.axes is not None]
    if call.name == "stack":
        steps = tracer.recorder.steps
        new = ((steps, Steps(steps)),) if len(pieces) == steps else plain(out.shape[dim])
        known_axes = [(*axes[:dim], new, *axes[dim:]) for axes in known_axes]
    else:
        if any(is_labelled(axes[dim]) for axes in known_axes):
            raise BatchAxisError
        steps = tracer.recorder.steps
        looped = len(pieces) == steps == out.shape[dim] and all(step_axis(axes) is None for axes in known_axes)
        new = ((steps, Steps(steps)),) if looped else plain(out.shape[dim])
        known_axes = [(*axes[:dim], new, *axes[dim + 1 :]) for axes in known_axes]
    codes = {info.codes for info in known}
    tracer.set_info(out, Info(broadcast(known_axes, out.shape), codes.pop() if len(codes) == 1 else None))
    return out


def _padded(tracer: Tracer, call: Call) -> Any:
    """Zeros around a signal are remembered, so that the convolution that reads them can tell padding from signal."""
    named, out = call.named(), call.run()
    source, amounts = named["self"], [int(amount) for amount in named["pad"]]
    info = _unpadded_info(tracer, source)
    if named.get("mode", "constant") != "constant" or named.get("value") not in (None, 0, 0.0) or min(amounts) < 0:
        tracer.set_info(out, replace(info, axes=_resized(info.axes, source, out), pads=()))
        return out
    pads = [(0, 0)] * source.dim()
    for place in range(len(amounts) // 2):
        pads[-1 - place] = (amounts[2 * place], amounts[2 * place + 1])
    _surround(tracer, source, out, pads)
    return out


def _surround(tracer: Tracer, source: Tensor, out: Tensor, pads: list[tuple[int, int]]) -> None:
    info = _unpadded_info(tracer, source)
    before = info.pads or ((0, 0),) * source.dim()
    total: Pads = tuple((a + c, b + d) for (a, b), (c, d) in zip(before, pads, strict=True))
    tracer.set_info(out, replace(info, axes=_grown(info.axes, out), pads=total))
    surround(tracer, unpadded(tracer, source) if info.pads else source, out)


def _grown(axes: Axes | None, out: Tensor) -> Axes | None:
    if axes is None:
        return None
    return tuple(
        axis if any(label for _, label in axis) else plain(size) for axis, size in zip(axes, out.shape, strict=True)
    )


def _unfolded(tracer: Tracer, call: Call) -> Any:
    """Windows along an axis; along a stream each exists at its last step, and a ring buffer keeps the others."""
    named, out, source = call.named(), call.run(), call.named()["self"]
    info = _unpadded_info(tracer, source)
    dim, axes = int(named["dimension"]) % source.dim(), info.axes
    after = replace(info, axes=None, pads=(), producer=None, origin=0)
    if axes is not None:
        steps, sliding = steps_of(axes[dim]), Sliding(int(named["size"]), int(named["step"]))
        if steps is None:
            kept = (*drop(axes, [dim], keep=1), plain(sliding.taps))
            after = replace(after, axes=(*kept[:dim], plain(out.shape[dim]), *kept[dim + 1 :]))
        else:
            axis = ((out.shape[dim], slid_axis(axes[dim], sliding)),)
            after = replace(after, axes=(*axes[:dim], axis, *axes[dim + 1 :], plain(sliding.taps)))
            record_window(tracer, tracer.label("unfold"), (source, info), sliding, after)
    tracer.set_info(out, after)
    return out


def _copied(tracer: Tracer, call: Call) -> Any:
    """Numbers written over others; a signal written into zeros leaves zeros around it, as padding does."""
    named, out = call.named(), call.run()
    around = _zeros_around(tracer, named["src"], out)
    if around is not None:
        _surround(tracer, named["src"], *around)
        tracer.starts.forget(out)
    elif tracer.is_dynamic(named["src"]) and named["src"].shape == out.shape:
        tracer.set_info(out, replace(_unpadded_info(tracer, named["src"]), producer=None, origin=0))
    return out


def _zeros_around(tracer: Tracer, source: Tensor, view: Tensor) -> tuple[Tensor, list[tuple[int, int]]] | None:
    """Return the zeros that a signal was written into, and how many are left before and after it along each axis."""
    whole = tracer.starts.whole(view)
    if whole is None or whole is view or source.shape != view.shape or not tracer.is_dynamic(source):
        return None
    if not whole.is_contiguous() or view.stride() != whole.stride() or not tracer.starts.holds(view):
        return None
    rest, pads = int(view.storage_offset()) - int(whole.storage_offset()), list[tuple[int, int]]()
    for size, stride, length in zip(whole.shape, whole.stride(), view.shape, strict=True):
        before, rest = divmod(rest, int(stride))
        pads.append((before, size - before - length))
    between = tuple(slice(a, size - b) for size, (a, b) in zip(whole.shape, pads, strict=True))
    left = whole.count_nonzero() - whole[between].count_nonzero()
    return None if bool(left) or any(map(any, pads[:2])) else (whole, pads)


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
