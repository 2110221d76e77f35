"""Convolutions of a whole window at once; those along the steps of a stream are counted in `streams`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from energy_models.workload import Kind
from students.counting.fanout import Geometry, conventions, dense_fanout, taps, valid_sites, weighted_fanout
from students.counting.layout import Layout, is_labelled, per_decode, plain, plain_size, steps_of
from students.counting.operands import Info
from students.counting.products import Operand, book_product, decodes_in, events, masks, remembered
from students.counting.streams import stream_convolution
from students.counting.tracer import Call, Tracer


def sizes_of(value: Any, count: int) -> tuple[int, ...]:
    """Return one size per spatial axis."""
    sizes = [value] * count if isinstance(value, int) else list(value)
    return tuple(int(size) for size in (sizes * count if len(sizes) == 1 else sizes))


def _geometry(named: Mapping[str, Any], signal: Tensor, weight: Tensor) -> Geometry:
    count = weight.dim() - 2
    kernel, dilation = tuple(weight.shape[2:]), sizes_of(named["dilation"], count)
    padding = named["padding"]
    if isinstance(padding, str):
        spans = [d * (k - 1) if padding == "same" else 0 for d, k in zip(dilation, kernel, strict=True)]
        pads = tuple((span // 2, span - span // 2) for span in spans)
    else:
        pads = tuple((size, size) for size in sizes_of(padding, count))
    return Geometry(
        tuple(signal.shape[2:]), kernel, sizes_of(named["stride"], count), dilation, pads, int(named["groups"])
    )


def _conv_kind(geometry: Geometry, weight: Tensor) -> Kind:
    if geometry.groups > 1 and weight.shape[1] == 1:
        return "depthwise"
    return "pointwise" if max(geometry.kernel) == 1 else "conv"


def convolution(tracer: Tracer, call: Call) -> Any:
    """Count a convolution of a batch of signals with stored weights."""
    named, out = call.named(), call.run()
    signal, weight, bias = named["input"], named["weight"], named.get("bias")
    info = tracer.info(signal)
    if info.producer is not None:
        tracer.ledger.use(info.producer)
    operand, geometry = Operand(signal, info, weight, bias), _geometry(named, signal, weight)
    layout = info.layout
    name, kind = tracer.label(call.name, weight), _conv_kind(geometry, weight)
    if layout is not None and any(is_labelled(axis) or steps_of(axis) for axis in layout[1:]):
        stream_convolution(tracer, (name, kind), operand, geometry, out)
        return out
    counts = _window_counts(tracer, operand, geometry)
    rows = None if layout is None else (layout[0],)
    after = Info(None if rows is None else (*rows, *(plain(size) for size in out.shape[1:])))
    inside = tuple(slice(a, size - b) for size, (a, b) in zip(signal.shape, info.pads, strict=False))
    shapes = tracer.shape(signal[inside], replace(info, layout=_unpadded(info))), tracer.shape(out, after)
    full = out.numel() * taps(weight) // decodes_in(tracer, info)
    done = book_product(tracer, name, kind, operand, counts, shapes=shapes, full=full, reduction=taps(weight))
    tracer.know(out, replace(done, layout=after.layout))
    return out


def _unpadded(info: Info) -> Layout | None:
    """Return the layout without the zeros that were put around an unlabelled axis."""
    if info.layout is None or not info.pads:
        return info.layout
    return tuple(
        plain(plain_size(axis) - before - after) if before + after else axis
        for axis, (before, after) in zip(info.layout, info.pads, strict=True)
    )


def _window_counts(tracer: Tracer, operand: Operand, geometry: Geometry) -> dict[str, int | Tensor]:
    signal, weight, info = operand.signal, operand.weight, operand.info
    per_group = weight.shape[0] // geometry.groups

    def fans() -> tuple[Tensor, Tensor | None]:
        sparse = None if bool((weight != 0).all()) else weighted_fanout(geometry, weight).flatten()
        return dense_fanout(geometry).flatten() * per_group, sparse

    dense, sparse = remembered(tracer, ("fanout", geometry), weight, fans)
    rows = None if info.layout is None else info.layout[:1]
    sums: list[tuple[Tensor, Tensor]] = []
    for mask in masks(operand):
        plainly = per_decode(mask.sum(1).flatten(1).double() @ dense, rows, tracer.batch)
        weighted = plainly if sparse is None else per_decode(mask.flatten(1).double() @ sparse, rows, tracer.batch)
        sums.append((plainly, weighted))
    examples = signal.shape[0] * signal.shape[1] // decodes_in(tracer, info)
    extra = info.pads[2:] or ((0, 0),) * len(geometry.lengths)
    valid = valid_sites(geometry, extra, examples, per_group)
    full = examples * per_group
    for axis, size in enumerate(geometry.outputs):
        full *= size * geometry.kernel[axis]
    counts = conventions(full, valid, (sums[0][0], sums[1][0]), (sums[0][1], sums[1][1]))
    return {**counts, "input_events": events(tracer, operand)}


