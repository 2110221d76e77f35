"""Convolutions of a whole window at once; those along the steps of a stream are counted in `streams`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from energy_models.workload import Kind
from students.counting.axes import (
    Axes,
    Axis,
    BatchAxisError,
    Geometry,
    conventions,
    dense_fanout,
    is_labelled,
    plain,
    plain_size,
    steps_of,
    taps,
    valid_sites,
    weighted_fanout,
)
from students.counting.calls import Call
from students.counting.dispatch import Info, Tracer, unpadded
from students.counting.records import Fan, Measure, event_units, fanned_out
from students.counting.rules.products import Operand, decodes_in, record_product, remembered
from students.counting.rules.streams import stream_convolution


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
        tracer.recorder.use(info.producer)
    operand, geometry = Operand(signal, info, weight, bias), _geometry(named, signal, weight)
    axes = info.axes
    name, kind = tracer.label(call.name, weight), _conv_kind(geometry, weight)
    if axes is not None and any(is_labelled(axis) or steps_of(axis) for axis in axes[1:]):
        stream_convolution(tracer, (name, kind), operand, geometry, out)
        return out
    counts = _window_counts(tracer, operand, geometry)
    rows = None if axes is None else (axes[0],)
    after = Info(None if rows is None else (*rows, *(plain(size) for size in out.shape[1:])))
    inside = tuple(slice(a, size - b) for size, (a, b) in zip(signal.shape, info.pads, strict=False))
    shapes = tracer.shape(signal[inside], replace(info, axes=_unpadded(info))), tracer.shape(out, after)
    full = out.numel() * taps(weight) // decodes_in(tracer, info)
    done = record_product(tracer, name, kind, operand, counts, shapes=shapes, full=full, reduction=taps(weight))
    tracer.set_info(out, replace(done, axes=after.axes))
    return out


def _unpadded(info: Info) -> Axes | None:
    """Return the axes without the zeros that were put around an unlabelled axis."""
    if info.axes is None or not info.pads:
        return info.axes
    return tuple(
        plain(plain_size(axis) - before - after) if before + after else axis
        for axis, (before, after) in zip(info.axes, info.pads, strict=True)
    )


def _window_counts(tracer: Tracer, operand: Operand, geometry: Geometry) -> dict[str, int | Tensor | Measure]:
    signal, weight, info, decodes = operand.signal, operand.weight, operand.info, tracer.batch
    per_group, channels = weight.shape[0] // geometry.groups, signal.shape[1]
    extra = info.pads[2:] or ((0, 0),) * len(geometry.lengths)
    # Zeros put around the signal add no effective site: only the signal between them is measured.
    inside = tuple(slice(before, size - after) for size, (before, after) in zip(geometry.lengths, extra, strict=True))

    def of_weights() -> tuple[Fan, ...]:
        dense = (dense_fanout(geometry) * per_group).expand(channels, *geometry.lengths)
        found = [dense] if bool((weight != 0).all()) else [dense, weighted_fanout(geometry, weight)]
        between_zeros = [fan[slice(None), *inside] for fan in found]
        return Fan.ones(between_zeros[0].shape), *(Fan.of(fan) for fan in between_zeros)

    fans = remembered(tracer, ("fanout", geometry, extra), weight, of_weights)
    examples = signal.shape[0] * channels // decodes_in(tracer, info)
    valid = valid_sites(geometry, extra, examples, per_group)
    full = examples * per_group
    for axis, size in enumerate(geometry.outputs):
        full *= size * geometry.kernel[axis]
    axes, codes = info.axes, info.codes
    if axes is None and decodes != 1:
        raise BatchAxisError

    between = unpadded(tracer, signal) if info.pads else signal
    if between is None or between.shape != signal[..., *inside].shape:
        between = signal[..., *inside]

    def count(tensors: Sequence[Tensor], lead: Axis) -> dict[str, Tensor]:
        rows = None if axes is None else (lead, axes[0])
        values = tensors[0]
        fed, _, *weighted = fanned_out(values, codes, rows, decodes, fans)
        calls = plain_size(lead)
        counts = conventions(full * calls, valid * calls, (weighted[0], weighted[1]), (weighted[-2], weighted[-1]))
        return {**counts, "input_events": fed, **event_units(values, codes, rows, decodes)}

    return {"sites": Measure((between,), count)}


