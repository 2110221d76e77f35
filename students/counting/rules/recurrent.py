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
from torch.nn import functional

from students.counting.axes import Axes, BatchAxisError, is_labelled, plain, step_axis, steps_of
from students.counting.calls import Call, Rule, sizing
from students.counting.dispatch import Info, Tracer
from students.counting.rules.products import Operand, linear_counts, record_product

GATES: Mapping[str, Mapping[str, int]] = {
    "gru": {"op:lookup": 3, "op:multiply": 2, "op:add": 5},
    "lstm": {"op:lookup": 5, "op:multiply": 3, "op:add": 5},
    "rnn_tanh": {"op:lookup": 1, "op:add": 1},
    "rnn_relu": {"op:compare": 1, "op:add": 1},
}
GATE_ROWS = {"gru": 3, "lstm": 4, "rnn_tanh": 1, "rnn_relu": 1}
STATES = {"gru": 1, "lstm": 2, "rnn_tanh": 1, "rnn_relu": 1}


def _record(tracer: Tracer, kind: str, name: str, x: Operand, h: Operand, *, steps: int) -> None:
    """Write the input and hidden products of one layer and direction, gates with the latter; `steps` in one decode."""
    units, outputs = h.weight.shape[0] // GATE_ROWS[kind], h.weight.shape[1]
    for suffix, operand, gates in (("input", x, {}), ("hidden", h, GATES[kind])):
        rows = operand.weight.shape[0]
        counts = linear_counts(tracer, operand, operand.info.axes)
        state = {}
        if gates:
            words = outputs + units * (STATES[kind] - 1)  # a projected state is smaller than its cell
            state = {"state_elements": words, "state_reads": words * steps, "state_writes": words * steps}
        extra = {what: number * units * steps for what, number in gates.items()}
        record_product(
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


def fused(tracer: Tracer, call: Call) -> Any:
    """Count a recurrent layer of all steps at once."""
    named = call.named()
    kind = call.name
    states = list(named["hx"]) if kind == "lstm" else [named["hx"]]
    directions = 2 if named["bidirectional"] else 1
    weights = list(named["params"])
    per = len(weights) // (directions * int(named["num_layers"]))
    info = tracer.read(named["input"])
    for state in filter(tracer.is_dynamic, states):
        tracer.read(state)
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
    tracer.set_info(signal, info)
    joined = tuple(torch.cat([final[place] for final in finals]) for place in range(len(states)))
    axes = info.axes
    for state in joined:
        ends = plain(state.shape[0]), plain(state.shape[2])
        batch = None if axes is None else (ends[0], axes[0 if named["batch_first"] else 1], ends[1])
        tracer.set_info(state, Info(batch))
    return (signal, *joined)


def _after(info: Info, features: int) -> Info:
    return Info(None if info.axes is None else (*info.axes[:2], plain(features)))


def _layer(tracer: Tracer, call: Call, single: Any, signal: Tensor, info: Info) -> tuple[Tensor, list[Tensor]]:
    """Run and count one layer in one direction; return its outputs and final states."""
    kind, weights, hx, batch_first, way = single
    time = 1 if batch_first else 0
    stepped = info.axes is not None and steps_of(info.axes[time]) is not None
    if (way and stepped) or (info.axes is not None and is_labelled(info.axes[time]) and not stepped):
        raise BatchAxisError
    ordered = signal.flip(time) if way else signal
    state: Any = list(hx) if kind == "lstm" else hx[0]
    out, *last = call.function(ordered, state, weights, len(weights) >= 4, 1, 0.0, False, False, batch_first)
    before = hx[0].transpose(0, 1) if batch_first else hx[0]
    previous = torch.cat((before, out.narrow(time, 0, out.shape[time] - 1)), dim=time)
    name = layer_name(tracer, kind, weights[0])
    bias = weights[2:4] if len(weights) >= 4 else [None, None]
    steps = 1 if stepped else signal.shape[time]
    x = Operand(ordered, info, weights[0], bias[0])
    h = Operand(previous, _after(info, out.shape[2]), weights[1], bias[1])
    _record(tracer, kind, name, x, h, steps=steps)
    if len(weights) % 2:
        cells = projected_states(ordered.movedim(time, 0), previous.movedim(time, 0), hx[1][0], weights)
        inner = Operand(cells.movedim(0, time), _after(info, cells.shape[2]), weights[-1], None)
        _record_projection(tracer, name, inner, steps)
    return out.flip(time) if way else out, last


def layer_name(tracer: Tracer, kind: str, weight: Tensor) -> str:
    """Return the name of one layer and direction, from the parameter its input weights are stored in."""
    key = tracer.weights_key(weight)
    name = key.rsplit(".weight_ih", 1)[0] if ".weight_ih" in key else tracer.label(kind)
    suffix = key.rsplit("weight_ih", 1)[-1]
    return name if suffix in {"_l0", ""} else f"{name}{suffix}"


def projected_states(signal: Tensor, previous: Tensor, cell: Tensor, weights: list[Tensor]) -> Tensor:
    """Return what the projection of an LSTM reads: ``o * tanh(c)``, shape (steps, batch, units).

    Parameters
    ----------
    signal : Tensor, shape (steps, batch, inputs)
    previous : Tensor, shape (steps, batch, outputs)
        The projected state before each step.
    cell : Tensor, shape (batch, units)
    weights : input, hidden (and the biases of both), projection
    """
    bias = weights[2:4] if len(weights) == 5 else [None, None]
    before = [functional.linear(one, weights[k], bias[k]) for k, one in enumerate((signal, previous))]
    states = []
    for gates in before[0] + before[1]:
        enter, forget, candidate, leave = gates.chunk(4, dim=-1)
        cell = forget.sigmoid() * cell + enter.sigmoid() * candidate.tanh()
        states.append(leave.sigmoid() * cell.tanh())
    return torch.stack(states)


def _record_projection(tracer: Tracer, name: str, operand: Operand, steps: int) -> None:
    """Write the product that makes an LSTM's output smaller than its cell."""
    outputs, units = operand.weight.shape
    record_product(
        tracer,
        f"{name}.projection",
        "recurrent",
        operand,
        linear_counts(tracer, operand, operand.info.axes),
        shapes=((units,), (outputs,)),
        full=outputs * units * steps,
        reduction=units,
        calls=steps,
    )


def _cell(tracer: Tracer, call: Call) -> Any:
    named, out = call.named(), call.run()
    kind = call.name.removesuffix("_cell")
    hx = named["hx"][0] if kind == "lstm" else named["hx"]
    info = tracer.read(named["input"])
    if info.axes is not None and step_axis(info.axes) is not None:
        raise BatchAxisError
    hidden = tracer.read(hx) if tracer.is_dynamic(hx) else Info(info.axes)
    axes: Axes | None = None if info.axes is None else (*info.axes[:-1], plain(hx.shape[-1]))
    x = Operand(named["input"], info, named["w_ih"], named.get("b_ih"))
    h = Operand(hx, replace(hidden, axes=axes), named["w_hh"], named.get("b_hh"))
    _record(tracer, kind, tracer.label(kind), x, h, steps=1)
    for tensor in out if isinstance(out, tuple) else (out,):
        tracer.set_info(tensor, Info(axes))
    return out


def rules() -> dict[str, Rule]:
    """Return the rules of recurrent layers without packing, by operation name."""
    cell = sizing("w_ih", "w_hh", "b_ih", "b_hh")(_cell)
    return {**dict.fromkeys(GATES, sizing("params")(fused)), **{f"{kind}_cell": cell for kind in GATES}}
