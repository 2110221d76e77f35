"""Input codes counted whole, from what they say of one channel and step."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from students.counting.axes import plain
from students.counting.calls import tensors_of
from students.counting.dispatch import Info, Tracer
from students.counting.modules.delay_lines import delayed
from students.counting.records import Work
from students.neurons.input_codes import ON_GRID, CodeState, Envelopes, RandomRateCode, RateCode
from students.neurons.lock_in import LockIn


def count_code(
    tracer: Tracer, module: RateCode | RandomRateCode | Envelopes | LockIn, signal: Tensor, output: Any
) -> None:
    """Count a code: the signal put on its grid, the same operations in every step, and those of the events it sends."""
    info, coded = tracer.read(signal), tensors_of(output)[0]
    channels, work = signal.shape[1], module.work
    axes, calls = delayed(tracer, info, work.span, signal.shape[2])
    axes = axes and (axes[0], plain(coded.shape[1]), *axes[2:])
    sites, bits, integer = channels * calls, info.bits(signal), info.arithmetic == "integer"
    sent = tracer.sums(coded != 0, axes)
    counts: dict[str, Any] = {}
    given = ((ON_GRID, sites), (work.operations, sites), (work.shared_operations or {}, calls),
             (work.event_operations or {}, sent))  # fmt: skip
    for operations, times in given:
        for name, number in operations.items():
            counts[f"op:{name}"] = counts.get(f"op:{name}", 0) + number * times
    made = work.output_bits if integer else bits
    first, *others = (_Kept.of(state, channels, calls, state.bits if integer else bits) for state in work.states)
    tracer.record(
        tracer.path,
        Work(
            kind="elementwise",
            arithmetic=info.arithmetic,
            input_shape=(channels,),
            output_shape=(channels * work.signals,),
            counts={**counts, "input_events": tracer.sums(signal != 0, info.axes), "output_events": sent},
            calls=calls,
            when=tracer.when(info),
            activation_bits=bits,
            output_bits=made,
            state_bits=first.bits,
            state_elements=first.elements,
            state_reads=first.reads,
            state_writes=first.writes,
            constants=work.constants + work.own_constants * channels,
            constant_bits=work.constant_bits,
        ),
    )
    for one in others:
        kept = Work(
            kind="elementwise", arithmetic=info.arithmetic, input_shape=(0,), output_shape=(0,), counts={}, calls=calls,
            when=tracer.when(info), activation_bits=one.bits, output_bits=one.bits, state_bits=one.bits,
            state_elements=one.elements, state_reads=one.reads, state_writes=one.writes,
        )  # fmt: skip
        tracer.record(f"{tracer.path}.{one.name}", kept)
    tracer.set_info(coded, Info(axes, word=made if integer else 0))


class _Kept(NamedTuple):
    """Words of one width that wait, of all channels and in all steps of a decode."""

    name: str
    bits: int
    elements: int
    reads: int
    writes: int

    @classmethod
    def of(cls, state: CodeState, channels: int, calls: int, bits: int) -> _Kept:
        """Return the words of a code's state, so many bits wide."""
        many = 1 if state.shared else channels
        return cls(state.name, bits, state.words * many, state.reads * many * calls, state.writes * many * calls)
