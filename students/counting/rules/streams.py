"""Streams: convolutions and windows per new step, and the ring buffers that keep the steps before it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from energy_models.workload import Kind
from students.counting.axes import (
    AHEAD,
    Axes,
    Axis,
    BatchAxisError,
    Geometry,
    Steps,
    check_cut,
    conventions,
    per_decode,
    plain,
    step_axis,
    steps_of,
    taps,
)
from students.counting.dispatch import Info, Tracer, nonzero
from students.counting.records import Key, Work
from students.counting.rules.products import Operand, masks, record_product, remembered

EARLY = "in a stream its first outputs would see zeros only: put no more zeros before it than it spans"
_CONVOLVE = (functional.conv1d, functional.conv2d, functional.conv3d)


@dataclass(frozen=True, slots=True)
class Sliding:
    """A window that slides along the steps of a stream: `taps` steps, `dilation` apart, moved on by `stride`."""

    taps: int
    stride: int = 1
    dilation: int = 1

    @property
    def span(self) -> int:
        """Elements kept before the newest one."""
        return self.dilation * (self.taps - 1)

    def fresh(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the new elements of one call, from that of one step."""
        return shape if self.stride == 1 else (*shape, self.stride)


def slid(steps: Steps, sliding: Sliding, pads: tuple[int, int]) -> Steps:
    """Return the steps at which the values of a sliding window exist.

    With as many zeros as it spans on both sides the values after the last step are there to be cut off.

    Parameters
    ----------
    pads : zeros before the first and after the last element

    Raises
    ------
    BatchAxisError
        The window would look ahead, or lie before the first step.
    """
    if pads[1] and pads != (sliding.span, sliding.span):
        raise BatchAxisError(AHEAD)
    if pads[0] > sliding.span:
        raise BatchAxisError(EARLY)
    return steps.windowed(sliding.span, sliding.stride, padded=pads[0])


def slid_axis(axis: Axis, sliding: Sliding, pads: tuple[int, int] = (0, 0)) -> Steps:
    """Return the steps at which values exist that are made by sliding along an axis.

    Raises
    ------
    BatchAxisError
        The axis holds more than the steps of a stream, or see `slid`.
    """
    check_cut(axis)
    steps = steps_of(axis)
    if steps is None or len(axis) > 1:
        raise BatchAxisError
    return slid(steps, sliding, pads)


def add_ring_buffer(tracer: Tracer, key: Key, operand: tuple[Tensor, Info], width: int, sliding: Sliding) -> None:
    """Add to a layer the ring buffer of the signal it slides over; the first reader of a signal stores it for all.

    The buffer holds ``width * span`` words; a call reads all taps but the newest, and each new step is written once.

    Parameters
    ----------
    width : int
        Elements of one step.
    """
    signal, info = operand
    if sliding.span == 0:
        return
    place = step_axis(info.axes or ())
    steps = None if info.axes is None or place is None else steps_of(info.axes[place])
    if steps is not None:
        tracer.recorder.saw_halo(steps.windowed(sliding.span).halo)
    rings, bits = tracer.rings, info.bits(signal)
    first, span = rings.get(info.origin, (key, 0))
    rings[info.origin] = (first, max(span, sliding.span))
    tracer.recorder.add_state(key, bits, reads=width * (sliding.taps - 1))
    tracer.recorder.add_state(first, bits, elements=width * (max(span, sliding.span) - span))
    if not span:
        tracer.recorder.add_state(first, bits, writes=width * sliding.stride)


def record_window(tracer: Tracer, name: str, operand: tuple[Tensor, Info], sliding: Sliding, after: Info) -> None:
    """Record the ring buffer of a window that is only cut out here, as a layer that computes nothing."""
    signal, info = operand
    if sliding.span == 0 or tracer.contexts[-1].silent:
        return
    width = math.prod(tracer.shape(signal, info))
    shape, bits = (width, sliding.taps), info.bits(signal)
    work = Work(
        kind="elementwise",
        arithmetic=info.arithmetic,
        input_shape=(width,),
        output_shape=shape,
        counts={"op:add": 0},
        when=tracer.when(after),
        activation_bits=bits,
        output_bits=bits,
    )
    add_ring_buffer(tracer, tracer.record(name, work), operand, width, sliding)


def cut_steps(axes: Axes, dim: int, source: Tensor, piece: Tensor) -> Axes:
    """Return the axes of a slice along the steps of a stream: again steps of that stream.

    Raises
    ------
    BatchAxisError
        It moves the steps to other places, or the axis holds more than steps.
    """
    steps, stride = steps_of(axes[dim]), source.stride(dim)
    if steps is None or len(axes[dim]) > 1 or not stride or 0 in piece.shape or not _same_storage(source, piece):
        raise BatchAxisError
    start = (int(piece.storage_offset()) - int(source.storage_offset())) // stride
    jump = piece.stride(dim) // stride if piece.shape[dim] > 1 else 1
    cut = replace(steps, first=steps.first + start * steps.every, every=steps.every * jump)
    return (*axes[:dim], ((piece.shape[dim], cut),), *axes[dim + 1 :])


def _same_storage(one: Tensor, other: Tensor) -> bool:
    return one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()


def stream_convolution(
    tracer: Tracer, layer: tuple[str, Kind], operand: Operand, geometry: Geometry, out: Tensor
) -> None:
    """Count a convolution along the steps of a stream: each output when its last input has arrived.

    Other spatial axes are windowed as usual. A ring buffer is no padding: along the steps every tap is valid.

    Raises
    ------
    BatchAxisError
        Steps run along the channels, or along two axes; or it looks ahead.
    """
    signal, weight, info = operand.signal, operand.weight, operand.info
    axes, axis, steps = _step_axis(info)
    pads = info.pads or ((0, 0),) * signal.dim()
    before, behind = (a + b for a, b in zip(pads[axis + 2], geometry.pads[axis], strict=True))
    sliding = Sliding(geometry.kernel[axis], geometry.stride[axis], geometry.dilation[axis])
    after = slid(steps, sliding, (before, behind))
    count = min(out.shape[axis + 2], after.within)
    counts = _counts(tracer, operand, geometry, axis, (axes[0], ((count, after),)))
    fresh = signal[tuple(slice(a, size - b) for size, (a, b) in zip(signal.shape, pads, strict=True))]
    sizes = zip(axes, fresh.shape, strict=True)
    inside = tuple(one if any(label for _, label in one) else plain(size) for one, size in sizes)
    events = per_decode(nonzero(fresh, info.codes), inside, tracer.batch)
    read, made = ((one.shape[1], *one.shape[2 : axis + 2], *one.shape[axis + 3 :]) for one in (fresh, out))
    done = record_product(
        tracer,
        *layer,
        operand,
        counts,
        shapes=(sliding.fresh(read), made),
        full=out.shape[0] // tracer.batch * math.prod(made) * taps(weight),
        reduction=taps(weight),
        when=(after, count),
    )
    if done.producer is not None:
        tracer.recorder.count(done.producer[0], "input_events", events)
        if info.codes is not None and info.codes.meaning == "events":
            units = (fresh / info.codes.scale).round().to(torch.int64)
            tracer.recorder.count(done.producer[0], "input_units", per_decode(units, inside, tracer.batch))
        add_ring_buffer(tracer, done.producer[0], (signal, info), math.prod(read), sliding)
    spatial = [plain(size) for size in out.shape[2:]]
    spatial[axis] = ((out.shape[axis + 2], after),)
    tracer.set_info(out, replace(done, axes=(axes[0], plain(out.shape[1]), *spatial)))


def _step_axis(info: Info) -> tuple[Axes, int, Steps]:
    """Return a signal's axes, its spatial axis that runs along the steps, and those steps."""
    axes = info.axes or ()
    labelled = [place for place, axis in enumerate(axes) if place and any(label for _, label in axis)]
    steps = steps_of(axes[labelled[0]]) if len(labelled) == 1 else None
    if steps is None or labelled[0] < 2 or len(axes[labelled[0]]) > 1:
        raise BatchAxisError("in a stream a convolution slides along the steps alone, as one of its spatial axes")
    check_cut(axes[labelled[0]])
    return axes, labelled[0] - 2, steps


def _counts(tracer: Tracer, operand: Operand, geometry: Geometry, axis: int, rows: Axes) -> dict[str, Any]:
    """Return the conventions per decode: non-zero inputs in reach of each output, times the weights applied to them."""
    weight, groups, channels, count = operand.weight, geometry.groups, operand.signal.shape[1], rows[1][0][0]
    per_group = weight.shape[0] // groups

    def fans() -> tuple[Tensor, Tensor | None]:
        grouped = (weight != 0).unflatten(0, (groups, per_group)).sum(1)
        nonzero_weights = grouped.reshape(1, channels, *weight.shape[2:]).double()
        dense = bool((nonzero_weights == per_group).all())
        return torch.full_like(nonzero_weights[:, :1], per_group), None if dense else nonzero_weights

    def reach(mask: Tensor, fan: Tensor) -> Tensor:
        """Non-zero inputs in reach of the outputs of each step, weighted by a fan-out."""
        ready = functional.pad(mask.double(), [size for pads in reversed(geometry.pads) for size in pads])
        near = _CONVOLVE[len(geometry.kernel) - 1](ready, fan, stride=geometry.stride, dilation=geometry.dilation)
        by_step = near.squeeze(1).round().movedim(axis + 1, 1)[:, :count]
        return per_decode(by_step.flatten(1).unflatten(1, (count, -1)).sum(2), rows, tracer.batch)

    dense, sparse = remembered(tracer, "reach", weight, fans)
    sums: list[tuple[Tensor, Tensor]] = []
    for mask in masks(operand):
        plainly = reach(mask.sum(1, keepdim=True), dense)
        sums.append((plainly, plainly if sparse is None else reach(mask, sparse)))
    full, valid = (channels * per_group * geometry.kernel[axis] * one for one in _across(operand, geometry, axis))
    made = per_decode(torch.ones((operand.signal.shape[0], count), dtype=torch.int64), rows, tracer.batch)
    return dict(conventions(full * made, valid * made, (sums[0][0], sums[1][0]), (sums[0][1], sums[1][1])))


def _across(operand: Operand, geometry: Geometry, axis: int) -> tuple[int, int]:
    """Return (output, tap) pairs along the axes that are not steps: all of them, and those on the signal."""
    extra = operand.info.pads[2:] or ((0, 0),) * len(geometry.lengths)
    full = valid = 1
    for place, size in enumerate(geometry.outputs):
        if place != axis:
            before, after = extra[place]
            full *= size * geometry.kernel[place]
            valid *= int(geometry.uses(place)[before : geometry.lengths[place] - after].sum())
    return full, valid
