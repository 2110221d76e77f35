"""Input codes counted whole, from what they say of one channel and step."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from students.counting.axes import step_axis
from students.counting.calls import tensors_of
from students.counting.dispatch import Info, Tracer
from students.counting.records import Work
from students.neurons.input_codes import RandomRateCode, RateCode

EVENT_BITS = 2  # -1, 0 or 1


def count_code(tracer: Tracer, module: RateCode | RandomRateCode, signal: Tensor, output: Any) -> None:
    """Count a code of events: the same operations in every step, and those of the events it sends."""
    info, events = tracer.read(signal), tensors_of(output)[0]
    streamed = info.axes is not None and step_axis(info.axes) is not None
    channels, calls, work = signal.shape[1], 1 if streamed else signal.shape[2], module.work
    sites = channels * calls
    sent = tracer.sums(events != 0, info.axes)
    bits = info.bits(signal)
    counts: dict[str, Any] = {f"op:{name}": number * sites for name, number in work.operations.items()}
    counts |= {f"op:{name}": number * sent for name, number in work.event_operations.items()}
    words = work.state_words * channels
    tracer.record(
        tracer.path,
        Work(
            kind="elementwise",
            arithmetic=info.arithmetic,
            input_shape=(channels,),
            output_shape=(channels,),
            counts={**counts, "input_events": tracer.sums(signal != 0, info.axes), "output_events": sent},
            calls=calls,
            when=tracer.when(info),
            activation_bits=bits,
            output_bits=EVENT_BITS,
            state_bits=work.state_bits or bits,
            state_elements=words,
            state_reads=words * calls,
            state_writes=words * calls,
        ),
    )
    tracer.set_info(events, Info(info.axes, word=EVENT_BITS if info.arithmetic == "integer" else 0))
