"""Input codes counted whole, from what they say of one channel and step."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from students.counting.axes import plain
from students.counting.calls import tensors_of
from students.counting.dispatch import Info, Tracer
from students.counting.modules.delay_lines import delayed
from students.counting.records import Work
from students.neurons.input_codes import Envelopes, RandomRateCode, RateCode
from students.neurons.lock_in import LockIn


def count_code(
    tracer: Tracer, module: RateCode | RandomRateCode | Envelopes | LockIn, signal: Tensor, output: Any
) -> None:
    """Count a code: the same operations in every step, and those of the events it sends."""
    info, coded = tracer.read(signal), tensors_of(output)[0]
    channels, work = signal.shape[1], module.work
    axes, calls = delayed(tracer, info, work.span, signal.shape[2])
    axes = axes and (axes[0], plain(coded.shape[1]), *axes[2:])
    sites, bits = channels * calls, info.bits(signal)
    sent = tracer.sums(coded != 0, axes)
    counts: dict[str, Any] = {f"op:{name}": number * sites for name, number in work.operations.items()}
    counts |= {f"op:{name}": number * sent for name, number in work.event_operations.items()}
    made = work.event_bits or bits
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
            state_bits=work.state_bits or bits,
            state_elements=work.state_words * channels,
            state_reads=work.state_reads * sites,
            state_writes=work.state_writes * sites,
            constants=work.constants,
            constant_bits=work.constant_bits,
        ),
    )
    tracer.set_info(coded, Info(axes, word=made if info.arithmetic == "integer" else 0))
