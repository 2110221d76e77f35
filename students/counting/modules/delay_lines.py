"""Delay lines counted whole: additions of running sums, and the words that wait, are read and are written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from students.counting.axes import Axis, plain, steps_of
from students.counting.calls import tensors_of
from students.counting.dispatch import Info, Tracer, nonzero
from students.counting.records import Work
from students.counting.rules.streams import Sliding, slid_axis
from students.layers.delay_lines import Delays, PastSums
from students.neurons.encoders import LEVEL_BITS, LevelCrossings


def count_past_sums(tracer: Tracer, module: PastSums, signal: Tensor, output: Any) -> None:
    """Count sums of past bins: one new sum a channel and step, the older ones read from where they wait."""
    info, channels, sums = tracer.read(signal), signal.shape[1], tensors_of(output)[0]
    axes, calls = delayed(tracer, info, module.span, signal.shape[2])
    bits = info.bits(signal) + (module.width - 1).bit_length()
    work = Work(
        kind="elementwise",
        arithmetic=info.arithmetic,
        input_shape=(channels,),
        output_shape=(channels, module.blocks),
        counts={"op:add": module.additions * channels * calls, "input_events": tracer.sums(signal != 0, info.axes)},
        calls=calls,
        when=tracer.when(info),
        activation_bits=info.bits(signal),
        output_bits=bits,
        state_bits=bits if module.words else 0,
        state_elements=module.words * channels,
        state_reads=module.reads * channels * calls,
        state_writes=module.writes * channels * calls,
    )
    tracer.record(tracer.path, work)
    known = Info(axes and (*axes[:2], plain(module.blocks), axes[2]), word=bits if info.arithmetic == "integer" else 0)
    tracer.set_info(sums, known)


def count_level_crossings(tracer: Tracer, module: LevelCrossings, signal: Tensor, output: Any) -> None:
    """Count levels crossed: of every new number its level, less the one before, which waits, within two limits.

    The level is held within two limits too, and is a word of 8 bits whatever the width of the signal.
    """
    info, channels, crossed = tracer.read(signal), signal.shape[1], tensors_of(output)[0]
    axes, calls = delayed(tracer, info, 1, signal.shape[2])
    bits, integer = info.bits(signal), info.arithmetic == "integer"
    kept, made = (LEVEL_BITS, module.most.bit_length() + 1) if integer else (bits, bits)
    work = Work(
        kind="elementwise",
        arithmetic=info.arithmetic,
        input_shape=(channels,),
        output_shape=(channels,),
        counts={
            "op:multiply": channels * calls, "op:add": 2 * channels * calls, "op:compare": 4 * channels * calls,
            "input_events": tracer.sums(signal != 0, info.axes),
        },
        calls=calls,
        when=tracer.when(info),
        activation_bits=bits,
        output_bits=made,
        state_bits=kept,
        state_elements=channels,
        state_reads=channels * calls,
        state_writes=channels * calls,
    )  # fmt: skip
    tracer.record(tracer.path, work)
    tracer.set_info(crossed, Info(axes, word=made if integer else 0))


def count_delays(tracer: Tracer, module: Delays, signal: Tensor, output: Any) -> None:
    """Count delays: a word waits for each step of a channel's delay, and one is read and one written in each step."""
    info, late = tracer.read(signal), tensors_of(output)[0]
    steps = module.steps
    axes, calls = delayed(tracer, info, int(steps.max()), signal.shape[2])
    waiting, bits = int((steps > 0).sum()), info.bits(signal)
    work = Work(
        kind="elementwise",
        arithmetic=info.arithmetic,
        input_shape=(module.channels,),
        output_shape=(module.channels,),
        counts={"op:add": 0, "input_events": tracer.sums(nonzero(signal, info.codes), info.axes)},
        calls=calls,
        when=tracer.when(info),
        activation_bits=bits,
        output_bits=bits,
        state_bits=bits if waiting else 0,
        state_elements=int(steps.sum()),
        state_reads=waiting * calls,
        state_writes=waiting * calls,
        constants=module.channels,
        constant_bits=module.most.bit_length(),
    )
    tracer.record(tracer.path, work)
    tracer.set_info(late, replace(info, axes=axes, producer=None, origin=0))


def delayed(tracer: Tracer, info: Info, span: int, steps: int) -> tuple[tuple[Axis, ...] | None, int]:
    """Return the axes of a signal that looks back over `span` steps, and the steps of a call in one decode."""
    if info.axes is None or steps_of(info.axes[2]) is None:
        return info.axes, steps
    after = slid_axis(info.axes[2], Sliding(span + 1), (span, 0))
    tracer.recorder.saw_halo(after.halo)
    return (*info.axes[:2], ((info.axes[2][0][0], after),)), 1
