"""Operators of TensorFlow Lite that keep a state: whole LSTM layers, and one step of an SVDF."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from students.interchange.graph import UnsupportedVariant
from students.interchange.operators.quantised import OWN_DOMAIN
from students.interchange.tflite_file import FlatOperator

LSTM_GATES = (1, 4, 2, 3)
"""Places of the input weights in ONNX's order: input, output, forget, cell."""
TORCH_GATES = (1, 2, 3, 4)
"""The same in torch's order: input, forget, cell, output."""


def lstm(writer: Any, operator: FlatOperator) -> None:
    """A whole layer started from zeros, without peepholes, projection or norms: in float, or all in integers."""
    given = [at for place, at in enumerate(operator.inputs) if at >= 0 and (9 <= place <= 11 or place >= 16)]
    if any(writer.tensor(at).state != "kept" and place_of(operator, at) not in {18, 19} for at in given):
        raise UnsupportedVariant("peepholes, a projection or norms")
    if operator.inputs[1] < 0:
        raise UnsupportedVariant("coupled gates")
    kinds = {writer.tensor(operator.inputs[place]).dtype.kind for place in (1, 5)}
    signal = writer.tensor(operator.inputs[0])
    if signal.dtype.kind == "f" and kinds != {"f"}:
        raise UnsupportedVariant("stored integers on a float signal")
    made = writer.read(operator.inputs[0])
    if not operator.options["TimeMajor"]:
        made = writer.node("Transpose", [made], perm=[1, 0, 2])
    made = _float(writer, operator, made) if signal.dtype.kind == "f" else _integer(writer, operator, made)
    if not operator.options["TimeMajor"]:
        made = writer.node("Transpose", [made], perm=[1, 0, 2])
    moved = None if signal.dtype.kind == "f" else operator.inputs[18]
    writer.write(replace(operator, options={}), made, moved_from=moved)  # its function is inside it


lstm.keeps_state = True  # type: ignore[attr-defined]


def place_of(operator: FlatOperator, tensor: int) -> int:
    """Return at which input of an operator a tensor is."""
    return operator.inputs.index(tensor)


def _float(writer: Any, operator: FlatOperator, signal: str) -> str:
    stacked = [torch.cat([writer.constant(operator, base + gate) for gate in LSTM_GATES]) for base in (0, 4)]
    biases = torch.cat([writer.constant(operator, 11 + gate) for gate in LSTM_GATES])
    named = zip("WR", stacked, strict=True)
    weights = [writer.store(f"{operator.name}/{what}", one.unsqueeze(0)) for what, one in named]
    zeros = torch.cat((biases, torch.zeros_like(biases))).unsqueeze(0)
    bias = writer.store(f"{operator.name}/B", zeros)
    made = writer.node("LSTM", [signal, *weights, bias], hidden_size=stacked[1].shape[1])
    return writer.node("Squeeze", [made, writer.store(f"{made}/axes", torch.tensor([1]))])


def _integer(writer: Any, operator: FlatOperator, signal: str) -> str:
    """All in integers: weights and hidden state of 8 bits, the cell of 16; one scale for each gate's weights."""
    weights = []
    for base, what in ((0, "W"), (4, "R")):
        tensors = [writer.tensor(operator.inputs[base + gate]) for gate in TORCH_GATES]
        if any(
            one.values is None or one.scale is None or one.scale.numel() != 1 or bool(one.zero.any()) for one in tensors
        ):
            raise UnsupportedVariant("weights that are computed, or have several scales in a gate")
        codes = writer.store(f"{operator.name}/{what}", torch.cat([one.values for one in tensors]))
        steps = torch.cat([one.scale.expand(len(one.values)) for one in tensors])
        weights.append(writer.node("DequantizeLinear", [codes, writer.store(f"{codes}/scale", steps)], axis=0))
    scale = writer.tensor(operator.inputs[0]).scale
    biases = [
        writer.constant(operator, 11 + gate) * (scale * writer.tensor(operator.inputs[gate]).scale)
        for gate in TORCH_GATES
    ]
    bias = writer.store(f"{operator.name}/B", torch.cat(biases))
    states = [step for place in (18, 19) for step in _steps(writer, operator, place)]
    bits = [writer.tensor(operator.inputs[place]).dtype.itemsize * 8 for place in (18, 19)]
    return writer.node("SteppedLstm", [signal, *weights, bias, *states], OWN_DOMAIN, bits=bits)


def _steps(writer: Any, operator: FlatOperator, place: int) -> tuple[str, str]:
    """Return the names of a state's scale and zero point."""
    tensor = writer.tensor(operator.inputs[place])
    if tensor.scale is None or tensor.scale.numel() != 1 or tensor.dtype not in (np.int8, np.int16):
        raise UnsupportedVariant("a state without a grid")
    name = f"{operator.name}/state_{place}"
    return writer.store(f"{name}/scale", tensor.scale), writer.store(f"{name}/zero", tensor.zero)


def svdf(writer: Any, operator: FlatOperator) -> None:
    """One step of a low-rank filter over time: features, their last steps kept, a filter of each, sums by rank.

    ``s[f] <- (s[f, 1:], W[f] x)``, ``y[u] = sum over rank r and steps m of V[u r, m] s[u r, m] + b[u]``. The state is a
    further input of the network, and its next value a further output.
    """
    features, filters = writer.constant(operator, 1), writer.constant(operator, 2)
    at, rank = operator.inputs[4], operator.options["Rank"]
    signal, state = writer.tensor(operator.inputs[0]), writer.tensor(at)
    if signal.dtype.kind == "f" and not (features.is_floating_point() and filters.is_floating_point()):
        raise UnsupportedVariant("stored integers on a float signal")
    count, steps = filters.shape
    if count % rank or state.shape[-1] != count * steps:
        raise UnsupportedVariant(
            f"a rank of {rank}, or a state of {state.shape}, of {count} filters over {steps} steps"
        )
    now = writer.node("Gemm", [writer.read(operator.inputs[0]), writer.read(operator.inputs[1])], transB=1)
    now = writer.node("Reshape", [now, writer.store(f"{now}/shape", torch.tensor([-1, count, 1]))])
    axes = None if signal.any_number == "examples" else state.shape[0], count, steps
    before = writer.further_input(at, axes)
    if signal.dtype.kind != "f":
        now, before = writer.on_grid(now, at), writer.known_on_grid(before, at)
    kept = writer.node("Slice", [before], starts=[1], ends=[steps], axes=[2])
    after = writer.node("Concat", [kept, now], axis=2)
    writer.further_output(after, axes)
    shaped = writer.stored(operator.inputs[2], _by_unit(filters, rank), axis=0)
    bias = [writer.read(operator.inputs[3])] if operator.inputs[3] >= 0 else []
    made = writer.node("Conv", [after, shaped, *bias], group=count // rank, kernel_shape=[steps])
    made = writer.node("Squeeze", [made, writer.store(f"{made}/axes", torch.tensor([2]))])
    writer.write(operator, made)


svdf.keeps_state = True  # type: ignore[attr-defined]


def _by_unit(filters: Tensor, rank: int) -> Tensor:
    return filters.reshape(-1, rank, filters.shape[1]).contiguous()
