"""GRU, LSTM and plain recurrent layers, fused or cell by cell, every layer and direction.

A fused layer is run one layer and direction at a time, so that the state each product reads is known exactly.
Gate arithmetic of one step of H units, as torch defines the cells:

    GRU:  3H look-ups, multiply H (reset * candidate) + H (update), add 3H (input + hidden) + H (subtract) + H
    LSTM: 5H look-ups, multiply 3H, add 4H (input + hidden) + H
    RNN:  H look-ups (tanh) or compares (ReLU), add H
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from students.counting.layout import AxisLost, Layout, is_labelled, plain, step_axis, steps_of
from students.counting.operands import Info
from students.counting.products import Operand, book_product, linear_counts
from students.counting.tracer import Call, Rule, Tracer

GATES: Mapping[str, Mapping[str, int]] = {
    "gru": {"op:lookup": 3, "op:multiply": 2, "op:add": 5},
    "lstm": {"op:lookup": 5, "op:multiply": 3, "op:add": 5},
    "rnn_tanh": {"op:lookup": 1, "op:add": 1},
    "rnn_relu": {"op:compare": 1, "op:add": 1},
}
STATES = {"gru": 1, "lstm": 2, "rnn_tanh": 1, "rnn_relu": 1}


def _book(tracer: Tracer, kind: str, name: str, x: Operand, h: Operand, *, steps: int) -> None:
    """Write the input and hidden products of one layer and direction, gates with the latter; `steps` in one decode."""
    units = h.weight.shape[1]
    for suffix, operand, gates in (("input", x, {}), ("hidden", h, GATES[kind])):
        rows = operand.weight.shape[0]
        counts = linear_counts(tracer, operand, operand.info.layout)
        state = {}
        if gates:
            words = units * STATES[kind]
            state = {"state_elements": words, "state_reads": words * steps, "state_writes": words * steps}
        extra = {what: number * units * steps for what, number in gates.items()}
        book_product(
            tracer,
            f"{name}.{suffix}",
            "recurrent",
            operand,
            counts,
            shapes=((operand.weight.shape[1],), (rows,)),
            full=rows * operand.weight.shape[1] * steps,
            reduction=operand.weight.shape[1],
            state=state or None,
            calls=steps,
            extra=extra,
        )


def _fused(tracer: Tracer, call: Call) -> Any:
    named = call.named()
    if "batch_sizes" in named:
        raise AxisLost
    kind = call.name
    states = list(named["hx"]) if kind == "lstm" else [named["hx"]]
    weights, per = list(named["params"]), 4 if named["has_biases"] else 2
    directions = 2 if named["bidirectional"] else 1
    info = tracer.read(named["input"])
    signal, finals = named["input"], []
    for level in range(int(named["num_layers"])):
        outputs = []
        for way in range(directions):
            place = level * directions + way
            mine = weights[place * per : (place + 1) * per]
            hx = [state[place : place + 1] for state in states]
            single = (kind, mine, hx, bool(named["batch_first"]), way)
            out, last = _layer(tracer, call, single, signal, info)
            outputs.append(out)
            finals.append(last)
        signal = outputs[0] if directions == 1 else torch.cat(outputs, dim=2)
        info = _after(info, signal.shape[2])
    tracer.know(signal, info)
    joined = tuple(torch.cat([final[place] for final in finals]) for place in range(len(states)))
    layout = info.layout
    batch = (
        None
        if layout is None
        else (plain(joined[0].shape[0]), layout[0 if named["batch_first"] else 1], plain(joined[0].shape[2]))
    )
    for state in joined:
        tracer.know(state, Info(batch))
    return (signal, *joined)


def _after(info: Info, features: int) -> Info:
    return Info(None if info.layout is None else (*info.layout[:2], plain(features)))


def _layer(tracer: Tracer, call: Call, single: Any, signal: Tensor, info: Info) -> tuple[Tensor, list[Tensor]]:
    """Run and count one layer in one direction; return its outputs and final states."""
    kind, weights, hx, batch_first, way = single
    time = 1 if batch_first else 0
    stepped = info.layout is not None and steps_of(info.layout[time]) is not None
    if (way and stepped) or (info.layout is not None and is_labelled(info.layout[time]) and not stepped):
        raise AxisLost
    ordered = signal.flip(time) if way else signal
    state: Any = list(hx) if kind == "lstm" else hx[0]
    out, *last = call.function(ordered, state, weights, len(weights) == 4, 1, 0.0, False, False, batch_first)
    before = hx[0].transpose(0, 1) if batch_first else hx[0]
    previous = torch.cat((before, out.narrow(time, 0, out.shape[time] - 1)), dim=time)
    key = tracer.weights_key(weights[0])
    name = key.rsplit(".weight_ih", 1)[0] if ".weight_ih" in key else tracer.label(kind)
    suffix = key.rsplit("weight_ih", 1)[-1]
    name = name if suffix in {"_l0", ""} else f"{name}{suffix}"
    bias = weights[2:] if len(weights) == 4 else [None, None]
    steps = 1 if stepped else signal.shape[time]
    x = Operand(ordered, info, weights[0], bias[0])
    h = Operand(previous, _after(info, out.shape[2]), weights[1], bias[1])
    _book(tracer, kind, name, x, h, steps=steps)
    return out.flip(time) if way else out, last


def _cell(tracer: Tracer, call: Call) -> Any:
    named, out = call.named(), call.run()
    kind = call.name.removesuffix("_cell")
    hx = named["hx"][0] if kind == "lstm" else named["hx"]
    info = tracer.read(named["input"])
    if info.layout is not None and step_axis(info.layout) is not None:
        raise AxisLost
    hidden = tracer.info(hx) if tracer.is_dynamic(hx) else Info(info.layout)
    layout: Layout | None = None if info.layout is None else (*info.layout[:-1], plain(hx.shape[-1]))
    x = Operand(named["input"], info, named["w_ih"], named.get("b_ih"))
    h = Operand(hx, replace(hidden, layout=layout), named["w_hh"], named.get("b_hh"))
    _book(tracer, kind, tracer.label(kind), x, h, steps=1)
    for tensor in out if isinstance(out, tuple) else (out,):
        tracer.know(tensor, Info(layout))
    return out


def rules() -> dict[str, Rule]:
    """Return the rules of recurrent layers, by operation name."""
    return {**dict.fromkeys(GATES, _fused), **{f"{kind}_cell": _cell for kind in GATES}}
