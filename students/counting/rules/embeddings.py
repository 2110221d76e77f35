"""Embeddings: rows read from a stored table, by the operation of that name or by indexing.

A row read is one look-up an output element; a bag of k rows adds k - 1 additions an output element, and a division
where it averages (compares where it takes the largest). Weights of single rows are one multiplication a row element.
A one-hot code is written, not computed; a matrix multiplied with it is counted as any other matrix.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from students.counting.axes import Axes, BatchAxisError, broadcast, drop, plain, reshape
from students.counting.calls import Call, Rule, moving, sizing, tensors_of
from students.counting.dispatch import Info, Tracer, known_move
from students.counting.records import table_codes
from students.counting.rules.charges import Signal, charged_work
from students.counting.rules.products import element_bits
from students.counting.rules.reductions import average
from students.layers.grid import SPIKES

SUM, MEAN, LARGEST = 0, 1, 2


def _record(
    tracer: Tracer, call: Call, signals: tuple[Signal, Signal], weight: Tensor, operations: dict[str, int]
) -> None:
    """Record a table that is read, with its storage."""
    work = charged_work(tracer, "embedding", signals, operations)
    known = tracer.constants.find(weight)
    stored = replace(
        work,
        weights=weight.numel(),
        weights_nonzero=int(weight.count_nonzero()),
        weights_key=tracer.weights_key(weight) or tracer.parameter_names.derived(tracer.label(call.name), weight),
        weight_bits=known.constant.bits if known else element_bits(weight),
    )
    tracer.record(tracer.label("embedding", weight), stored)
    tracer.set_info(signals[1].values, signals[1].info)


def _embedding(tracer: Tracer, call: Call) -> Any:
    named, out = call.named(), call.run()
    weight, rows = named["weight"], named["indices"]
    if tracer.is_dynamic(weight):  # rows of a signal at fixed places
        info = known_move(tracer, call, out, [weight])
        tracer.set_info(out, info)
        return out
    info = tracer.read(rows)
    known = tracer.constants.find(weight)
    codes = None if known is None else table_codes(known.constant)
    after = Info(None if info.axes is None else (*info.axes, plain(weight.shape[1])), codes)
    _record(tracer, call, (Signal(rows, info), Signal(out, after)), weight, {"lookup": out.numel()})
    return out


def _bag(tracer: Tracer, call: Call) -> Any:
    """Bags of equal size, one after another."""
    named, out = call.named(), call.run()
    weight, rows, offsets = named["weight"], named["indices"], named["offsets"]
    result = tensors_of(out)[0]
    bags, mode, scales = result.shape[0], int(named["mode"]), named.get("per_sample_weights")
    size = rows.numel() // bags
    even = not tracer.is_dynamic(offsets) and offsets.tolist()[:bags] == list(range(0, size * bags, size or 1))
    if tracer.is_dynamic(weight) or named.get("padding_idx", -1) not in {-1, None} or not (even and size):
        raise BatchAxisError
    info = tracer.read(rows)
    axes = info.axes
    if axes is not None:
        axes = (*drop(reshape(axes, (bags, size)), [1]), plain(weight.shape[1]))
    gathered = result.numel() * (size - 1)
    operations = {"lookup": result.numel() * size, "compare" if mode == LARGEST else "add": gathered}
    operations |= average(result.numel(), size) if mode == MEAN else {}
    if scales is not None:
        operations["multiply"] = result.numel() * size
    _record(tracer, call, (Signal(rows, info), Signal(result, Info(axes))), weight, operations)
    return out


def places_of(call: Call, name: str) -> list[Tensor]:
    """Return the tensors that say where to read, in the order of their axes."""
    return tensors_of(call.named().get(name))


def read_table(tracer: Tracer, call: Call, places: list[Tensor]) -> Any:
    """Count a constant table read at places the input says, as an embedding: one look-up an output element."""
    named, out = call.named(), call.run()
    table, infos = named["self"], [tracer.read(one) if tracer.is_dynamic(one) else None for one in places]
    axes = _axes_read(call, table, [(one, info) for one, info in zip(places, infos, strict=True)])
    rows, info = next((one, info) for one, info in zip(places, infos, strict=True) if info is not None)
    known = tracer.constants.find(table)
    after = Info(axes, None if known is None else table_codes(known.constant))
    if tracer.contexts[-1].silent:
        tracer.set_info(out, after)
    else:
        _record(tracer, call, (Signal(rows, info), Signal(out, after)), table, {"lookup": out.numel()})
    return out


def _axes_read(call: Call, table: Tensor, places: list[tuple[Tensor, Info | None]]) -> Axes | None:
    """Return the axes of the rows read: those of the indices, in place of the axes they index."""
    shape = torch.broadcast_shapes(*(one.shape for one, _ in places))
    known_axes = [info.axes for _, info in places if info is not None and info.axes is not None]
    if len(known_axes) < sum(info is not None for _, info in places):
        return None
    read = broadcast(known_axes, shape)
    if call.name in {"gather", "take"}:
        return read
    table_axes = tuple(plain(size) for size in table.shape)
    if call.name == "index_select":
        first = int(call.named()["dim"]) % table.dim()
        return (*table_axes[:first], *read, *table_axes[first + 1 :])
    given = [place for place, one in enumerate(call.named()["indices"]) if one is not None]
    together = given[-1] - given[0] + 1 == len(given)
    first = given[0] if together else 0
    kept = [axis for place, axis in enumerate(table_axes) if place not in given]
    return (*kept[:first], *read, *kept[first:])


def _one_hot(tracer: Tracer, call: Call) -> Any:
    named, out = call.named(), call.run()
    info = tracer.read(named["self"])
    axes = None if info.axes is None else (*info.axes, plain(out.shape[-1]))
    tracer.set_info(out, Info(axes, SPIKES))
    return out


def rules() -> dict[str, Rule]:
    """Return the rules of tables read by index, by operation name."""
    bags = dict.fromkeys(("_embedding_bag", "_embedding_bag_forward_only"), sizing("weight")(_bag))
    return {"embedding": sizing("weight")(moving(_embedding)), **bags, "one_hot": _one_hot}
