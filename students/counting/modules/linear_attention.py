"""Causal linear attention: one recurrence a step, counted from what the layer says of one step."""

from __future__ import annotations

from torch import Tensor

from students.counting.axes import BatchAxisError, is_labelled, plain, steps_of
from students.counting.calls import tensors_of
from students.counting.dispatch import Info, Tracer
from students.counting.records import FLOAT_ACCUMULATOR_BITS, Work
from students.counting.rules import element_bits
from students.layers.linear_attention import LinearAttention


def count_linear_attention(tracer: Tracer, module: LinearAttention, signal: Tensor, output: object) -> None:
    """Count the steps of a layer; queries and keys that the ReLU makes zero are what effective counts leave out.

    The state counts as non-zero: a word of it is zero only where no key has ever answered.
    """
    info, width = tracer.read(signal), module.width
    axes = info.axes
    stepped = axes is not None and steps_of(axes[2]) is not None
    if (axes is not None and is_labelled(axes[2]) and not stepped) or (axes is None and tracer.batch > 1):
        raise BatchAxisError
    steps = 1 if stepped else signal.shape[2]
    sites, bits = module.sites_per_step * steps, element_bits(signal)
    query, key, value = (part.detach() for part in module.parts(signal))
    asked, kept, stored = ((part != 0).sum(dim=1, keepdim=True) for part in (query, key, value))
    summed = None if axes is None else (axes[0], plain(1), axes[2])
    counts = {
        "dense_full.mac": sites,
        "dense_valid.mac": sites,
        "effective_input.mac": tracer.sums(asked * (width + 1) + kept * width, summed),
        "effective.mac": tracer.sums(asked * (width + 1) + kept * stored, summed),
        "input_events": tracer.sums(signal != 0, axes),
        **{f"{rule}.ac": 0 for rule in ("dense_full", "dense_valid", "effective_input", "effective")},
        **{f"op:{name}": number * steps for name, number in module.operations_per_step.items()},
    }
    work = Work(
        kind="recurrent", input_shape=(3 * width,), output_shape=(width,), calls=steps, when=tracer.when(info),
        counts=counts, reduction=width, activation_bits=bits, output_bits=FLOAT_ACCUMULATOR_BITS,
        accumulator_bits=FLOAT_ACCUMULATOR_BITS, state_bits=bits, state_elements=module.state_words,
        state_reads=module.state_words * steps, state_writes=module.state_words * steps,
    )  # fmt: skip
    tracer.record(tracer.path, work)
    after = None if axes is None else (axes[0], plain(width), axes[2])
    tracer.set_info(tensors_of(output)[0], Info(after))
