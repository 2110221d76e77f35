"""The work of one call, and the layer of a workload made from the work of many."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from torch import Tensor

from energy_models.workload import CONVENTIONS, Arithmetic, Conventions, Count, Kind, LayerWork, Products, WeightForm
from students.counting.axes import Steps
from students.counting.records.measure import Measure

EXACT_INT64 = 2.0**62
"""Sums of whole numbers up to this are exact in int64, with room for the rounding of the bound itself."""

When = tuple[Steps, int] | Literal["loop"]
"""In a stream: steps at which a call works and how many they are, or one step of a loop that makes the others."""


@dataclass(frozen=True, slots=True)
class Work:
    """One call of one layer, in figures of one decode.

    `counts` holds, by name, an int where every decode does the same, or an int64 tensor of shape (decodes,) or
    (decodes, steps); either holds in the decodes of `when`, the others have none. Names: ``dense_full.mac``,
    ``dense_full.ac`` and so on; ``op:`` and an operation; ``input_events``, ``output_events``, ``input_units``,
    ``output_units``, ``active``, ``idle``.
    A `Measure`, under any name, stands for the counts it will give: it lets later calls of the same layer be counted in
    bulk, which a tensor does not.
    """

    kind: Kind
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    counts: Mapping[str, int | Tensor | Measure]
    arithmetic: Arithmetic = "float"
    calls: int = 1
    when: When | None = None  # stream only; None: in every decode
    reduction: int = 0
    weights: int = 0
    weights_nonzero: int = 0
    biases: int = 0
    weights_key: str = ""
    weight_bits: int = 0
    activation_bits: int = 32
    output_bits: int = 32
    accumulator_bits: int = 0
    bias_bits: int = 0
    state_bits: int = 0
    state_elements: int = 0
    state_reads: int = 0
    state_writes: int = 0
    weight_form: WeightForm = "graded"
    constants: int = 0
    constant_bits: int = 0
    kernel: tuple[int, ...] = ()

    @property
    def inputs(self) -> int:
        """Input elements of one decode over this call."""
        return math.prod(self.input_shape) * self.calls

    @property
    def outputs(self) -> int:
        """Output elements of one decode over this call."""
        return math.prod(self.output_shape) * self.calls


def count_of(per_decode: int | Tensor, first: int, steps: int, decodes: int) -> Count:
    """Return exact Python integers of `steps` steps from `first` on; int64 per decode, or (decodes, all steps)."""
    if isinstance(per_decode, int):
        return Count.constant(per_decode, decodes)
    chosen = per_decode if per_decode.dim() < 2 else per_decode[:, first : first + steps]
    numbers = chosen.flatten().numpy()
    if numbers.size and float(np.abs(numbers).max()) ** 2 * numbers.size < EXACT_INT64:
        return Count(int(numbers.sum()), int(numbers @ numbers), numbers.size)
    return Count.of([int(number) for number in numbers.tolist()])


def conventions_of(counts: Mapping[str, Count], decodes: int) -> Conventions:
    """Return the four conventions from counts by name; what is absent is exactly zero."""
    nothing = Count(0, 0, decodes)
    return Conventions(
        *(Products(counts.get(f"{rule}.mac", nothing), counts.get(f"{rule}.ac", nothing)) for rule in CONVENTIONS)
    )


def layer_of(name: str, work: Work, calls: int, counts: Mapping[str, Count], of: tuple[int, int]) -> LayerWork:
    """Return a layer from its work in one call, calls in one decode, counts, and the decodes, in all and a call."""
    decodes, every = of
    full = {what: count + Count(0, 0, decodes - count.decodes) for what, count in counts.items()}
    repeat = calls // work.calls
    return LayerWork(
        name=name,
        kind=work.kind,
        arithmetic=work.arithmetic,
        calls=calls,
        input_shape=work.input_shape,
        output_shape=work.output_shape,
        inputs=work.inputs * repeat,
        outputs=work.outputs * repeat,
        reduction=work.reduction,
        products=conventions_of(full, decodes) if "dense_full.mac" in full else None,
        operations={what[3:]: full[what] for what in sorted(full) if what.startswith("op:") and full[what].total},
        weights=work.weights,
        weights_nonzero=work.weights_nonzero,
        biases=work.biases,
        weights_key=work.weights_key,
        weight_bits=work.weight_bits,
        activation_bits=work.activation_bits,
        output_bits=work.output_bits,
        accumulator_bits=work.accumulator_bits,
        bias_bits=work.bias_bits,
        state_bits=work.state_bits,
        input_events=full.get("input_events"),
        output_events=full.get("output_events"),
        input_units=full.get("input_units"),
        output_units=full.get("output_units"),
        state_elements=work.state_elements,
        state_reads=work.state_reads,
        state_writes=work.state_writes,
        updates_active=full.get("active"),
        updates_idle=full.get("idle"),
        decodes_per_call=every,
        weight_form=work.weight_form,
        constants=work.constants,
        constant_bits=work.constant_bits,
        kernel=work.kernel,
    )


def with_words(work: Work, words: Mapping[int, int]) -> tuple[Work, Mapping[int, int]]:
    """Return a layer's work with further stored constants, by width, and those of other widths than its own."""
    if not words:
        return work, {}
    bits = work.constant_bits if work.constants else max(words, key=lambda width: words[width])
    work = replace(work, constants=work.constants + words.get(bits, 0), constant_bits=bits)
    return work, {width: number for width, number in words.items() if width != bits}


def stored_layer(name: str, words: int, bits: int) -> LayerWork:
    """Return a layer that computes nothing and holds constants; its signals are empty, as wide as these."""
    return LayerWork(
        name=name,
        kind="elementwise",
        arithmetic="float",
        calls=1,
        input_shape=(0,),
        output_shape=(0,),
        inputs=0,
        outputs=0,
        activation_bits=bits,
        output_bits=bits,
        constants=words,
        constant_bits=bits if words else 0,
    )


def state_layer(name: str, words: int, bits: int, accesses: int) -> LayerWork:
    """Return a layer that computes nothing and carries state, each word read and written `accesses` times in all."""
    return replace(
        stored_layer(name, 0, bits),
        state_elements=words,
        state_bits=bits,
        state_reads=accesses,
        state_writes=accesses,
    )
