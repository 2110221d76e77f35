"""Weight-times-activation products: linear layers and matrix products."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from energy_models.workload import CONVENTIONS, Kind
from students.counting.axes import (
    Axes,
    Axis,
    BatchAxisError,
    conventions,
    is_labelled,
    per_decode,
    plain,
    plain_size,
    steps_of,
)
from students.counting.calls import Call, Rule, even_when_silent, repeating, sizing
from students.counting.dispatch import Info, Tracer, needs_multiplier, nonzero
from students.counting.records import (
    FLOAT_ACCUMULATOR_BITS,
    Fan,
    Measure,
    When,
    Work,
    event_units,
    fanned_out,
    nonzero_sums,
    product_format,
    same_numbers,
    signal_accumulator_bits,
)
from students.layers.grid import Grid

CONVOLUTIONS: frozenset[Kind] = frozenset({"conv", "depthwise", "pointwise"})
"""Kinds whose weights have an axis for outputs, one for inputs and one for each axis of the kernel."""


@dataclass(frozen=True, slots=True)
class Operand:
    """A product's signal with its info, and its weight."""

    signal: Tensor
    info: Info
    weight: Tensor
    bias: Tensor | None


def element_bits(tensor: Tensor) -> int:
    """Return the width of one element as stored here [bits]."""
    return tensor.element_size() * 8


def record_product(
    tracer: Tracer,
    name: str,
    kind: Kind,
    operand: Operand,
    counts: Mapping[str, int | Tensor | Measure],
    *,
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    full: int | Tensor,
    reduction: int,
    state: Mapping[str, int] | None = None,
    calls: int = 1,
    extra: Mapping[str, int | Tensor] | None = None,
    when: When | None = None,
    transposed_groups: int = 0,
) -> Info:
    """Record a product with its widths and stored weights; return the info of its output.

    It works when its signal exists, or at the steps `when`; the weight of a transposed product is in groups.
    """
    weight, bias, info = operand.weight, operand.bias, operand.info
    numbers = product_format(tracer, weight, bias, info.codes, transposed_groups)
    operations = dict(extra or {})
    outputs = full // reduction if reduction else math.prod(shapes[1]) * calls
    if numbers.form != "graded":
        counts = sign_adds(counts)
        if numbers.arithmetic == "float":  # the signs are added up first, then scaled
            operations["op:multiply"] = operations.get("op:multiply", 0) + outputs
    if bias is not None:
        operations["op:add"] = operations.get("op:add", 0) + outputs
    bits, again = info.bits(operand.signal), tracer.stored.repeats(weight)
    feedback = tracer.contexts[-1].feedback
    if feedback:
        kind, state = "recurrent", {"state_elements": feedback, "state_reads": feedback, "state_writes": feedback}
    work = Work(
        kind=kind,
        arithmetic=numbers.arithmetic,
        calls=calls,
        when=when or tracer.when(info),
        input_shape=shapes[0],
        output_shape=shapes[1],
        counts={**counts, **operations},
        reduction=reduction,
        weights=weight.numel() // again,
        weights_nonzero=remembered(tracer, "nonzero", weight, lambda: int(weight.count_nonzero())) // again,
        biases=0 if bias is None else bias.numel(),
        weights_key=tracer.weights_key(weight) or tracer.parameter_names.derived(name, weight),
        weight_bits=numbers.weight_bits,
        activation_bits=bits,
        output_bits=numbers.accumulator_bits,
        accumulator_bits=numbers.accumulator_bits,
        bias_bits=numbers.bias_bits,
        weight_form=numbers.form,
        state_bits=bits if state else 0,
        kernel=tuple(weight.shape[2:]) if kind in CONVOLUTIONS else (),
        **(state or {}),
    )
    word = numbers.accumulator_bits if numbers.arithmetic == "integer" else 0
    return Info(None, producer=(tracer.record(name, work), 0), word=word, scales=numbers.scales)


def sign_adds(counts: Mapping[str, int | Tensor | Measure]) -> dict[str, int | Tensor | Measure]:
    """Return counts of a product whose weights are -1, 0 or 1: no site needs a multiplier."""
    return _added(counts) if "dense_full.mac" in counts else {
        what: Measure(one.tensors, lambda tensors, lead, one=one: _added(one.count(tensors, lead)))
        if isinstance(one, Measure) else one
        for what, one in counts.items()
    }  # fmt: skip


def _added(counts: Mapping[str, Any]) -> dict[str, Any]:
    added = dict(counts)
    for rule in CONVENTIONS:
        added[f"{rule}.ac"] = counts[f"{rule}.mac"] + counts[f"{rule}.ac"]
        added[f"{rule}.mac"] = 0 * counts[f"{rule}.mac"]
    return added


def remembered(tracer: Tracer, what: object, weight: Tensor, compute: Callable[[], Any]) -> Any:
    """Return a figure of constant weights, computed once where the weights have a name to remember it by."""
    name = tracer.weights_key(weight)
    if not name:
        return compute()
    key = what, name, tuple(weight.shape), weight.stride()  # a transposed view of a weight has its name
    if key not in tracer.cache:
        tracer.cache[key] = compute()
    return tracer.cache[key]


def masks(operand: Operand) -> tuple[Tensor, Tensor]:
    """Return where the signal is non-zero, and where it needs a multiplier, on its own grid."""
    codes = operand.info.codes
    return nonzero(operand.signal, codes), needs_multiplier(operand.signal, codes)


def linear_counts(tracer: Tracer, operand: Operand, axes: Axes | None) -> dict[str, int | Tensor | Measure]:
    """Return the conventions of ``signal (..., inputs) @ weight.T (inputs, outputs)`` per decode."""
    signal, weight, codes, decodes = operand.signal, operand.weight, operand.info.codes, tracer.batch
    if axes is not None and is_labelled(axes[-1]):
        raise BatchAxisError
    if axes is None and decodes != 1:
        raise BatchAxisError
    outputs, inputs = weight.shape
    full = signal.numel() * outputs // decodes_in(tracer, operand.info)

    def of_weights() -> tuple[Fan, ...]:
        columns = (weight != 0).sum(0)
        each = Fan.ones([inputs])
        return (each,) if bool((columns == outputs).all()) else (each, Fan.of(columns))

    fans = remembered(tracer, "columns", weight, of_weights)

    def count(tensors: Sequence[Tensor], lead: Axis) -> dict[str, Tensor]:
        rows = None if axes is None else (lead, *axes[:-1])
        values = tensors[0] if rows is not None else tensors[0].flatten(1, -2).unsqueeze(1).flatten(1, 2)
        fed, hard, *weighted = fanned_out(values, codes, rows, decodes, fans)
        dense = fed * outputs, hard * outputs
        sites = full * plain_size(lead)
        sparse = (weighted[0], weighted[1]) if weighted else dense
        units = event_units(values, codes, rows, decodes)
        return {**conventions(sites, sites, dense, sparse), "input_events": fed, **units}

    return {"sites": Measure((signal,), count)}


def decodes_in(tracer: Tracer, info: Info) -> int:
    """Return how many decodes a tensor holds."""
    when = tracer.when(info)
    return tracer.batch * (when[1] if isinstance(when, tuple) else 1)


def events(tracer: Tracer, operand: Operand) -> Tensor:
    """Return non-zero inputs per decode."""
    return nonzero_sums(operand.signal, operand.info.codes, operand.info.axes, tracer.batch)


def _linear(tracer: Tracer, call: Call) -> Any:
    named, out = call.named(), call.run()
    weight = named["weight"]
    if tracer.is_dynamic(weight):
        raise BatchAxisError
    _record_linear(tracer, call, Operand(named["input"], tracer.read(named["input"]), weight, named.get("bias")), out)
    return out


def _record_linear(tracer: Tracer, call: Call, operand: Operand, out: Tensor) -> None:
    counts = linear_counts(tracer, operand, operand.info.axes)
    axes = operand.info.axes
    output = None if axes is None else (*axes[:-1], plain(out.shape[-1]))
    after = Info(output)
    shapes = tracer.shape(operand.signal, operand.info), tracer.shape(out, after)
    full = out.numel() // decodes_in(tracer, operand.info) * operand.weight.shape[1]
    name = tracer.label("linear" if call.name == "linear" else call.name, operand.weight)
    done = record_product(
        tracer, name, "linear", operand, counts, shapes=shapes, full=full, reduction=operand.weight.shape[1]
    )
    tracer.set_info(out, replace(done, axes=output))


def matrix_product(tracer: Tracer, call: Call) -> Any:
    """Count a product of matrices, one of which may be stored."""
    named, out = call.named(), call.run()
    left = named["self"]
    right = next(named[name] for name in ("other", "mat2", "vec") if name in named)
    if tracer.is_dynamic(left) and not tracer.is_dynamic(right) and right.dim() == 2:
        _record_linear(tracer, call, Operand(left, tracer.read(left), right.t(), None), out)
    else:
        record_matmul(tracer, call, left, right, out)
    return out


def add_product(tracer: Tracer, call: Call) -> Any:
    """Count ``bias + signal @ weights`` with stored weights and bias: a linear layer."""
    named, out = call.named(), call.run()
    operand = Operand(named["mat1"], tracer.read(named["mat1"]), named["mat2"].t(), named["self"])
    _record_linear(tracer, call, operand, out)
    return out


Hits = tuple[Tensor, Tensor]
"""For each column of a left operand, how many numbers are not zero and how many need a multiplier."""


def record_matmul(
    tracer: Tracer, call: Call, left: Tensor, right: Tensor, out: Tensor, *, hits: Hits | None = None
) -> None:
    """Two signals, or a batch of constant matrices: the left operand is the activation, the right one the weight.

    A constant left operand is transposed: ``(L R)^T = R^T L^T``. A site needs a multiplier if both signals do. Where
    the `hits` of the left operand are known, its numbers are not read, and those of `out` never are.
    """
    if left.dim() < 2 or right.dim() < 2:
        raise BatchAxisError
    turned = not tracer.is_dynamic(left)
    if turned:
        info, other = _turned(tracer.read(right)), None
        left, right = right.mT, left.mT
    else:
        info, other = tracer.read(left), tracer.read(right) if tracer.is_dynamic(right) else None
    rows = leading((info, other), torch.broadcast_shapes(left.shape[:-2], right.shape[:-2]))
    full = out.numel() * left.shape[-1] // decodes_in(tracer, info)
    lead = torch.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    found = _hits(left, info.codes) if hits is None else hits
    fed, graded = (one.expand(*lead, -1) for one in found)
    counts = _matmul_counts(tracer, (fed, graded), (right, other), rows, full)
    after = Info(None if rows is None else (*rows, plain(out.shape[-2]), plain(out.shape[-1])))
    shapes = tracer.shape(left, info), tracer.shape(out, after)
    name = tracer.label(call.name)
    if other is None:
        operand = Operand(left, info, stored_once(right, rows), None)
        record_product(tracer, name, "matmul", operand, counts, shapes=shapes, full=full, reduction=left.shape[-1])
    else:
        bits = info.bits(left)
        accumulator = signal_accumulator_bits(info.codes, other.codes, left.shape[-1])
        work = Work(
            kind="attention",
            arithmetic="integer" if accumulator else "float",
            input_shape=shapes[0],
            output_shape=shapes[1],
            counts=counts,
            when=tracer.when(info),
            reduction=left.shape[-1],
            activation_bits=bits,
            weight_bits=0,
            output_bits=accumulator or element_bits(out),
            accumulator_bits=accumulator or FLOAT_ACCUMULATOR_BITS,
        )
        tracer.record(name, work)
        after = replace(after, word=accumulator)
    tracer.set_info(out, after)


def stored_once(weight: Tensor, rows: Axes | None) -> Tensor:
    """Return a batch of constant matrices without its copies: those of an expansion, and one for each decode.

    Parameters
    ----------
    weight : Tensor, shape (..., rows, columns)
    rows : Axes or None
        Of the leading axes of the product, at least as many as the weight's.

    Raises
    ------
    BatchAxisError
        Decodes of a batch are multiplied with different constants.
    """
    count = weight.dim() - 2
    for place in reversed(range(count)):
        axis = () if rows is None else rows[len(rows) - count + place]
        sizes = [size for size, _ in axis]
        if weight.shape[place] > 1 and weight.stride(place) == 0:
            weight = weight.narrow(place, 0, 1)
        elif math.prod(sizes) == weight.shape[place] and is_labelled(axis):
            parts = weight.unflatten(place, sizes)
            for part in (place + at for at, (_, label) in enumerate(axis) if label):
                first = parts.narrow(part, 0, 1)
                if not same_numbers(first.expand_as(parts), parts):
                    raise BatchAxisError
                parts = first
            weight = parts.flatten(place, place + len(sizes) - 1)
    return weight


def _hits(left: Tensor, codes: Grid | None) -> Hits:
    if codes is None and _fractions(left):  # as after a softmax: no masks of a large tensor
        every = left.new_full((*left.shape[:-2], left.shape[-1]), left.shape[-2], dtype=torch.int64)
        return every, every
    return nonzero(left, codes).sum(-2), needs_multiplier(left, codes).sum(-2)


def _matmul_counts(
    tracer: Tracer, hits: Hits, weight: tuple[Tensor, Info | None], rows: Axes | None, full: int
) -> dict[str, int | Tensor]:
    """Return the conventions of ``(..., m, k) @ (..., k, n)``: for each k, hits in its column times hits in its row."""
    (fed, graded), (right, other) = hits, weight
    present = nonzero(right, other.codes if other else None)
    hard = needs_multiplier(right, other.codes) if other else torch.ones_like(present)
    nonzero_weights, graded_weights = (mask.sum(-1).expand_as(fed) for mask in (present, hard))

    def total(products: Tensor) -> Tensor:
        return per_decode(products.sum(-1), rows, tracer.batch)

    dense = total(fed * right.shape[-1]), total(graded * graded_weights)
    sparse = total(fed * nonzero_weights), total(graded * (graded_weights if other else nonzero_weights))
    return {**conventions(full, full, dense, sparse), "input_events": total(fed)}


def _fractions(values: Tensor) -> bool:
    """True where every number lies between 0 and 1, and is neither."""
    if not values.is_floating_point() or not values.numel():
        return False
    low, high = values.aminmax()
    return bool(low > 0) and bool(high < 1)


def _turned(info: Info) -> Info:
    axes = info.axes
    return info if axes is None else replace(info, axes=(*axes[:-2], axes[-1], axes[-2]))


def leading(infos: tuple[Info, Info | None], lead: torch.Size) -> Axes | None:
    """Return the leading axes of a product; decodes on a row, column or contracted axis raise BatchAxisError."""
    count = len(lead)
    result: Axes = tuple(plain(size) for size in lead)
    for info in infos:
        if info is None:
            continue
        if info.axes is None:
            return None
        if any(steps_of(axis) for axis in info.axes[-2:]):
            raise BatchAxisError("over all steps of a stream it keeps every past one, and its work grows with time")
        if any(is_labelled(axis) for axis in info.axes[-2:]):
            raise BatchAxisError
        for place in range(1, len(info.axes) - 1):
            axis = info.axes[-2 - place]
            if any(label for _, label in axis):
                if is_labelled(result[count - place]) and result[count - place] != axis:
                    raise BatchAxisError
                result = (*result[: count - place], axis, *result[count - place + 1 :])
    return result


def rules() -> dict[str, Rule]:
    """Return the rule of linear layers, which also counts inside integer products."""
    return {"linear": sizing("weight", "bias")(even_when_silent(repeating(_linear)))}
