"""Sequences of unequal length, packed: each decode is charged its own steps, not those of the longest.

A packed sequence holds the rows of all decodes that are still running, one step after another, longest first. `Rows`
holds the decode of each row. Shapes, calls and state words are those of the padded length; products, gates and
biases are those of each decode's true length.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from students.counting.axes import DECODE, BatchAxisError, conventions, plain
from students.counting.calls import Call, Rule, even_when_silent, sizing
from students.counting.dispatch import BOOKKEEPING, Info, Rows, Tracer
from students.counting.rules.products import Operand, masks, record_product
from students.counting.rules.recurrent import GATE_ROWS, GATES, STATES, fused, layer_name, projected_states


def _pack(tracer: Tracer, call: Call) -> Any:
    named, (data, sizes) = call.named(), call.run()
    if tracer.recorder.steps:
        raise BatchAxisError
    info = tracer.read(named["input"])
    batch_axis = 0 if named["batch_first"] else 1
    padded = named["input"].shape[1 - batch_axis]
    if info.rows is not None and info.rows.axis == batch_axis:
        order = info.rows.decodes
    elif tracer.batch == 1:
        order = (0,) * named["input"].shape[batch_axis]
    elif info.axes is not None and info.axes[batch_axis] == ((tracer.batch, DECODE),):
        order = tuple(range(tracer.batch))
    else:
        raise BatchAxisError
    rows = tuple(order[place] for size in sizes.tolist() for place in range(size))
    tracer.set_info(data, replace(info, axes=None, pads=(), producer=None, rows=Rows(0, rows, padded)))
    tracer.set_info(sizes, Info(None, rows=BOOKKEEPING))
    return data, sizes


def _in_order(tracer: Tracer, shape: torch.Size, axis: int, order: tuple[int, ...]) -> Info:
    """Return the info of a tensor with one decode per index of an axis, in a given order."""
    if order != tuple(range(tracer.batch)):
        return Info(None, rows=Rows(axis, order))
    return Info(tuple(((size, DECODE),) if place == axis else plain(size) for place, size in enumerate(shape)))


def _unpack(tracer: Tracer, call: Call) -> Any:
    """Zeros are put behind shorter sequences: free."""
    named, (out, lengths) = call.named(), call.run()
    info = tracer.read(named["data"])
    if info.rows is None:
        raise BatchAxisError
    order = info.rows.decodes[: int(named["batch_sizes"][0])]
    axis = 0 if named["batch_first"] else 1
    tracer.set_info(out, replace(_in_order(tracer, out.shape, axis, order), codes=info.codes))
    tracer.set_info(lengths, _in_order(tracer, lengths.shape, 0, order))
    return out, lengths


def _recurrent(tracer: Tracer, call: Call) -> Any:
    named = call.named()
    if "batch_sizes" not in named:
        return fused(tracer, call)
    info, sizes = tracer.read(named["data"]), [int(size) for size in named["batch_sizes"]]
    for state in filter(tracer.is_dynamic, named["hx"]):
        tracer.read(state)
    if info.rows is None:
        raise BatchAxisError
    kind, weights = call.name, list(named["params"])
    states = list(named["hx"]) if kind == "lstm" else [named["hx"]]
    directions = 2 if named["bidirectional"] else 1
    per = len(weights) // (directions * int(named["num_layers"]))
    signal, finals = named["data"], []
    for level in range(int(named["num_layers"])):
        outputs = []
        for way in range(directions):
            place = level * directions + way
            hx = [state[place : place + 1] for state in states]
            single = (weights[place * per : (place + 1) * per], hx, sizes, way)
            out, last = _layer(tracer, call, single, signal, info)
            outputs.append(out)
            finals.append(last)
        signal = outputs[0] if directions == 1 else torch.cat(outputs, dim=1)
        info = Info(None, rows=info.rows)
    tracer.set_info(signal, info)
    joined = tuple(torch.cat([final[place] for final in finals]) for place in range(len(states)))
    order = info.rows.decodes[: sizes[0]] if info.rows else ()
    for state in joined:
        tracer.set_info(state, _in_order(tracer, state.shape, 1, order))
    return (signal, *joined)


def _places(sizes: list[int]) -> tuple[list[int], list[int], list[int]]:
    """Return for every packed row: its sequence, its row one step before (-1: none), its row in reversed time."""
    starts = [sum(sizes[:step]) for step in range(len(sizes))]
    lengths = [sum(size > place for size in sizes) for place in range(sizes[0])]
    rows = [(step, place) for step, size in enumerate(sizes) for place in range(size)]
    before = [starts[step - 1] + place if step else -1 for step, place in rows]
    backwards = [starts[lengths[place] - 1 - step] + place for step, place in rows]
    return [place for _, place in rows], before, backwards


def _layer(tracer: Tracer, call: Call, single: Any, signal: Tensor, info: Info) -> tuple[Tensor, list[Tensor]]:
    """Run and count one layer in one direction; return its packed outputs and final states."""
    weights, hx, sizes, way = single
    sequence, before, backwards = _places(sizes)
    ordered = signal[backwards] if way else signal
    state: Any = list(hx) if call.name == "lstm" else hx[0]
    out, *last = call.function(ordered, torch.tensor(sizes), state, weights, len(weights) >= 4, 1, 0.0, False, False)
    earlier = torch.where(torch.tensor(before).unsqueeze(1).to(out) < 0, hx[0][0][sequence], out[before])
    name, bias = layer_name(tracer, call.name, weights[0]), weights[2:4] if len(weights) >= 4 else [None, None]
    hidden = Info(None, rows=info.rows)
    _record(tracer, call.name, f"{name}.input", Operand(ordered, info, weights[0], bias[0]), units=0)
    units = weights[1].shape[0] // GATE_ROWS[call.name]
    _record(tracer, call.name, f"{name}.hidden", Operand(earlier, hidden, weights[1], bias[1]), units=units)
    if len(weights) % 2:
        cells = _cells(ordered, earlier, hx[1][0], weights, sizes)
        _record(tracer, call.name, f"{name}.projection", Operand(cells, hidden, weights[-1], None), units=0)
    return out[backwards] if way else out, last


def _cells(signal: Tensor, earlier: Tensor, cell: Tensor, weights: list[Tensor], sizes: list[int]) -> Tensor:
    """Return what the projection reads, packed: every sequence on its own, as if it went on to the end."""
    steps = len(sizes)
    padded = [signal.new_zeros(steps, sizes[0], one.shape[1]) for one in (signal, earlier)]
    starts = [sum(sizes[:step]) for step in range(steps)]
    for full, rows in zip(padded, (signal, earlier), strict=True):
        for step, (start, size) in enumerate(zip(starts, sizes, strict=True)):
            full[step, :size] = rows[start : start + size]
    found = projected_states(padded[0], padded[1], cell, weights)
    return torch.cat([found[step, :size] for step, size in enumerate(sizes)])


def _record(tracer: Tracer, kind: str, name: str, operand: Operand, *, units: int) -> None:
    """Write one product of packed rows, with the gates of `units` units where it is the hidden one."""
    weight, rows = operand.weight, operand.info.rows
    if rows is None:
        raise BatchAxisError
    decodes = torch.tensor(rows.decodes)

    def total(per_row: Tensor) -> Tensor:
        return torch.zeros(tracer.batch, dtype=torch.int64).index_add(0, decodes, per_row.cpu().to(torch.int64))

    lengths = total(torch.ones(len(rows.decodes)))
    nonzero_weights, full = (weight != 0).sum(0).double(), lengths * weight.numel()
    fed, graded = masks(operand)
    dense = total(fed.sum(-1)) * weight.shape[0], total(graded.sum(-1)) * weight.shape[0]
    sparse = total(fed.double() @ nonzero_weights), total(graded.double() @ nonzero_weights)
    counts = conventions(full, full, dense, sparse)
    words = weight.shape[1] + units * (STATES[kind] - 1)
    state = {"state_elements": words, "state_reads": words * rows.steps, "state_writes": words * rows.steps}
    record_product(
        tracer,
        name,
        "recurrent",
        operand,
        {**counts, "input_events": total(fed.sum(-1))},
        shapes=((weight.shape[1],), (weight.shape[0],)),
        full=full,
        reduction=weight.shape[1],
        state=state if units else None,
        calls=rows.steps,
        extra={what: number * units * lengths for what, number in GATES[kind].items()} if units else None,
    )


def rules() -> dict[str, Rule]:
    """Return the rules of packed sequences and of recurrent layers over them, by operation name."""
    free = {"_pack_padded_sequence": _pack, "_pad_packed_sequence": _unpack}
    layers = dict.fromkeys(GATES, sizing("params")(_recurrent))
    return {**layers, **{name: even_when_silent(rule) for name, rule in free.items()}}
