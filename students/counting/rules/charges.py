"""Layers without products: work recorded from an input, a result and the operations between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from energy_models.workload import Kind
from students.counting.calls import Call
from students.counting.dispatch import Info, Tracer
from students.counting.records import Work
from students.counting.rules.products import decodes_in


@dataclass(frozen=True, slots=True)
class Signal:
    """A tensor with its info."""

    values: Tensor
    info: Info


def charge(
    tracer: Tracer, call: Call, kind: Kind, signals: tuple[Signal, Signal], operations: Mapping[str, int]
) -> Work:
    """Record a layer without products from its input and output; return its work.

    `operations` are those of the whole call, all decodes together. Without operations no layer is recorded.
    """
    work = charged_work(tracer, kind, signals, operations)
    source = signals[0].info
    if source.codes is not None and operations.keys() == {"lookup"}:  # of a signal on a grid: a table of all its codes
        work = replace(work, constants=2**source.codes.bits, constant_bits=work.output_bits)
    if any(operations.values()):
        tracer.record(tracer.label(call.base_name), work)
    return work


def charged_work(tracer: Tracer, kind: Kind, signals: tuple[Signal, Signal], operations: Mapping[str, int]) -> Work:
    """Return the work of a layer without products, not yet recorded."""
    source, result = signals
    decodes = decodes_in(tracer, source.info)
    return Work(
        kind=kind,
        input_shape=tracer.shape(source.values, source.info),
        output_shape=tracer.shape(result.values, result.info),
        counts={f"op:{name}": number // decodes for name, number in operations.items()},
        when=tracer.when(source.info),
        arithmetic=source.info.arithmetic,
        activation_bits=source.info.bits(source.values),
        output_bits=result.info.bits(result.values),
    )
