"""Convolutions of other kinds: transposed, of two signals, without a batch axis.

A transposed convolution multiplies every input element by every tap of its weights and adds the result to one output.
`dense_full` counts all these pairs. `dense_valid` counts those whose output is kept: `padding` crops outputs, and
zeros put around the signal beforehand are padding too. `output_padding` adds outputs: pairs that land there are kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from students.counting.axes import DECODE, Axes, BatchAxisError, conventions, is_labelled, per_decode, plain
from students.counting.calls import Call, Rule, even_when_silent, sizing
from students.counting.dispatch import Info, Tracer, needs_multiplier, nonzero
from students.counting.records import FLOAT_ACCUMULATOR_BITS, Work
from students.counting.rules.convolution import convolution, sizes_of
from students.counting.rules.products import (
    Operand,
    decodes_in,
    element_bits,
    events,
    masks,
    record_product,
    remembered,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Spread:
    """Along one axis of a transposed convolution: lengths, stride, dilation, outputs cropped in front."""

    length: int
    kernel: int
    stride: int
    dilation: int
    cropped: int
    output: int

    def kept(self) -> Tensor:
        """Return where (input position, tap) lands on an output that is kept, shape (length, kernel), float64."""
        starts = torch.arange(self.length).unsqueeze(1) * self.stride - self.cropped
        places = starts + torch.arange(self.kernel) * self.dilation
        return ((places >= 0) & (places < self.output)).to(torch.float64)


def kept_fanout(spreads: Sequence[Spread], weights: Tensor) -> Tensor:
    """Return kept pairs per input element, shape (channels, *lengths), float64 whole numbers.

    Parameters
    ----------
    spreads : one per spatial axis
    weights : Tensor, shape (channels, *kernel)
        Weights counted at each tap.
    """
    fan = weights
    for spread in spreads:
        fan = fan.movedim(1, -1) @ spread.kept().T.to(fan)  # the first tap axis becomes the last length axis
    return fan


def _any_convolution(tracer: Tracer, call: Call) -> Any:
    named = call.named()
    signal, weight = named["input"], named["weight"]
    if signal.dim() == weight.dim() - 1:
        return _unbatched(tracer, call, signal)
    if named.get("transposed"):
        return _transposed(tracer, call)
    return _two_signals(tracer, call) if tracer.is_dynamic(weight) else convolution(tracer, call)


def _unbatched(tracer: Tracer, call: Call, signal: Tensor) -> Any:
    """One example without a batch axis."""
    single = signal.unsqueeze(0)
    if tracer.is_dynamic(signal):
        info = tracer.info(signal)
        axes = None if info.axes is None else (plain(1), *info.axes)
        tracer.set_info(single, replace(info, axes=axes, pads=((0, 0), *info.pads) if info.pads else ()))
    out = _any_convolution(tracer, Call(call.function, call.name, (single, *call.args[1:]), call.kwargs))
    info, only = tracer.info(out), out[0]
    tracer.set_info(only, replace(info, axes=None if info.axes is None else info.axes[1:]))
    return only


def _spreads(named: dict[str, Any], signal: Tensor, out: Tensor, kernel: tuple[int, ...]) -> list[Spread]:
    count = len(kernel)
    stride, dilation, padding = (sizes_of(named[name], count) for name in ("stride", "dilation", "padding"))
    axes = zip(signal.shape[2:], kernel, stride, dilation, padding, out.shape[2:], strict=True)
    return [Spread(*axis) for axis in axes]


def _transposed(tracer: Tracer, call: Call) -> Any:
    """Count a transposed convolution; its weights are (inputs, outputs / groups, *kernel)."""
    named, out = call.named(), call.run()
    signal, weight, bias = named["input"], named["weight"], named.get("bias")
    info = tracer.info(signal)
    axes = info.axes
    if tracer.is_dynamic(weight) or info.padded_steps or (axes and any(map(is_labelled, axes[1:]))):
        raise BatchAxisError  # a stream would have to keep outputs that later steps still add to
    if info.producer is not None:
        tracer.recorder.use(info.producer)
    operand, spreads = Operand(signal, info, weight, bias), _spreads(named, signal, out, tuple(weight.shape[2:]))
    decodes = decodes_in(tracer, info)
    full = signal.numel() * math.prod(weight.shape[1:]) // decodes
    counts = _transposed_counts(tracer, operand, spreads, full)
    rows = None if axes is None else (axes[0],)
    after = Info(None if rows is None else (*rows, *(plain(size) for size in out.shape[1:])))
    taps = weight.shape[0] // int(named["groups"]) * math.prod(weight.shape[2:])
    done = record_product(
        tracer,
        tracer.label("conv_transpose", weight),
        "conv",
        operand,
        counts,
        shapes=(tracer.shape(signal, info), tracer.shape(out, after)),
        full=out.numel() // decodes * taps,
        reduction=taps,
        transposed_groups=int(named["groups"]),
    )
    tracer.set_info(out, replace(done, axes=after.axes))
    return out


def _transposed_counts(
    tracer: Tracer, operand: Operand, spreads: Sequence[Spread], full: int
) -> dict[str, int | Tensor]:
    signal, weight, info = operand.signal, operand.weight, operand.info

    def fans() -> tuple[Tensor, Tensor]:
        present = (weight != 0).sum(1).double()
        return kept_fanout(spreads, torch.full_like(present, weight.shape[1])), kept_fanout(spreads, present)

    dense, sparse = remembered(tracer, ("kept", *spreads), weight, fans)
    rows = None if info.axes is None else info.axes[:1]
    sums = [
        tuple(per_decode(mask.flatten(1).double() @ fan.flatten(), rows, tracer.batch) for fan in (dense, sparse))
        for mask in masks(operand)
    ]
    pads = info.pads[2:] or ((0, 0),) * len(spreads)
    inside = tuple(slice(a, size - b) for size, (a, b) in zip(signal.shape[2:], pads, strict=True))
    valid = int(dense[(slice(None), *inside)].sum()) * signal.shape[0] // decodes_in(tracer, info)
    counts = conventions(full, valid, (sums[0][0], sums[1][0]), (sums[0][1], sums[1][1]))
    # A cropped output is computed from a real number all the same, so it may need a multiplier.
    graded = per_decode(masks(operand)[1], info.axes, tracer.batch) * math.prod(weight.shape[1:])
    every = {"dense_full.mac": graded, "dense_full.ac": full - graded}
    return {**counts, **every, "input_events": events(tracer, operand)}


def _two_signals(tracer: Tracer, call: Call) -> Any:
    """A convolution whose weights depend on the input: as in attention, a site is a MAC only if both need one."""
    named, out = call.named(), call.run()
    signal, weight = named["input"], named["weight"]
    info, other = tracer.read(signal) if tracer.is_dynamic(signal) else Info(None), tracer.read(weight)
    if not tracer.is_dynamic(signal) and tracer.batch > 1:
        raise BatchAxisError
    axes = _grouped_axes(tracer, (info, other), named, out)
    options = {name: named[name] for name in ("stride", "padding", "dilation", "groups")}
    spread = (functional.conv1d, functional.conv2d, functional.conv3d)[weight.dim() - 3]

    def pairs(left: Tensor, right: Tensor) -> Tensor:
        return per_decode(spread(left.double(), right.double(), **options).round(), axes, tracer.batch)

    fed, hard = nonzero(signal, info.codes), needs_multiplier(signal, info.codes)
    present, graded = nonzero(weight, other.codes), needs_multiplier(weight, other.codes)
    decodes = decodes_in(tracer, info)
    reduction = math.prod(weight.shape[1:])
    full = out.numel() * reduction // decodes
    mac = pairs(hard, graded)
    valid = int(spread(torch.ones_like(fed).double(), torch.ones_like(present).double(), **options).sum()) // decodes
    counts = conventions(full, valid, (pairs(fed, torch.ones_like(present)), mac), (pairs(fed, present), mac))
    after = Info(axes)
    work = Work(
        kind="attention",
        input_shape=tracer.shape(signal, info),
        output_shape=tracer.shape(out, after),
        counts=counts,
        reduction=reduction,
        activation_bits=info.bits(signal),
        output_bits=element_bits(out),
        accumulator_bits=FLOAT_ACCUMULATOR_BITS,
    )
    tracer.record(tracer.label(call.name), work)
    tracer.set_info(out, after)
    return out


def _grouped_axes(tracer: Tracer, infos: tuple[Info, Info], named: dict[str, Any], out: Tensor) -> Axes | None:
    """Return the output's axes where decodes stand as groups, each with weights of its own.

    Raises
    ------
    BatchAxisError
        Decodes share weights that depend on them, or a stream.
    """
    if tracer.batch == 1 and not tracer.recorder.steps:
        return None
    axes, weights = infos[0].axes, infos[1].axes
    own = (tracer.batch, DECODE)
    if axes is None or weights is None or axes[1][0] != own or weights[0][0] != own or tracer.recorder.steps:
        raise BatchAxisError
    if int(named["groups"]) % tracer.batch or named.get("bias") is not None:
        raise BatchAxisError
    return (plain(out.shape[0]), (own, (out.shape[1] // tracer.batch, "")), *(plain(size) for size in out.shape[2:]))


def rules() -> dict[str, Rule]:
    """Return the rules of all convolutions, by operation name; they also count inside integer products."""
    names = ("conv1d", "conv2d", "conv3d", "convolution", "_convolution")
    return dict.fromkeys(names, sizing("weight", "bias")(even_when_silent(_any_convolution)))
