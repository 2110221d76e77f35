"""Recurrent layers that torch quantises while they run: two products of 8 bits a step, gates and state in float.

The input of all steps is quantised at once, the hidden state in every step. Weights have 8 bits; each accumulator
becomes a float by one multiplication, and the gates are those of `students.counting.rules.recurrent`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from students.counting.axes import BatchAxisError, plain
from students.counting.calls import tensors_of
from students.counting.dispatch import Info, Tracer
from students.counting.modules.torch_int8 import found_range, weights_of
from students.counting.records import Work
from students.counting.rules import Operand, linear_counts, record_dequantised, record_product
from students.counting.rules.recurrent import GATES, STATES

_KINDS = {"LSTM": "lstm", "GRU": "gru", "LSTMCell": "lstm", "GRUCell": "gru", "RNNCell": "rnn"}
FLOAT_BITS = 32


@dataclass(frozen=True, slots=True)
class _Weights:
    """Weights and biases of one layer and direction."""

    name: str
    kind: str
    input: Tensor
    hidden: Tensor
    biases: tuple[Tensor | None, Tensor | None]
    reduced: bool

    @property
    def units(self) -> int:
        return self.hidden.shape[1]


def watch_states(tracer: Tracer, module: nn.Module) -> list[Any]:
    """Note the states that a recurrent layer is called with; return the handles to remove."""

    def note(_: nn.Module, args: Any, named: Any) -> None:
        tracer.cache["states of", module] = tensors_of((*args, *named.values()))[1:]

    return [module.register_forward_pre_hook(note, with_kwargs=True)] if is_recurrent(module) else []


def is_recurrent(module: nn.Module) -> bool:
    """True for a recurrent layer, or a cell of one, that torch quantises while it runs."""
    kind = type(module)
    return kind.__module__.startswith("torch.ao.nn.quantized.dynamic.") and kind.__name__ in _KINDS


def count_recurrent(tracer: Tracer, module: Any, signal: Tensor, output: Any) -> None:
    """Count all steps, layers and directions of a recurrent layer, or the step of a cell."""
    states: list[Tensor] = tracer.cache.pop(("states of", module))
    cell = type(module).__name__.endswith("Cell")
    if signal.dim() != 3 - cell:
        raise NotImplementedError(f"an input of {signal.dim()} axes")
    if tracer.recorder.steps:
        raise BatchAxisError("in a stream its steps are not followed")
    info, first = tracer.read(signal), not cell and module.batch_first
    steps = signal.unsqueeze(0) if cell else signal.transpose(0, 1) if first else signal
    tracer.set_info(steps, replace(info, axes=None, producer=None))
    directions = 1 if cell or not module.bidirectional else 2
    for level, layer in enumerate(_layers(tracer, module, directions)):
        outputs = [
            _layer(tracer, weights, steps.flip(0) if way else steps, _first(states, level * directions + way))
            for way, weights in enumerate(layer)
        ]
        steps = torch.cat([one.flip(0) if way else one for way, one in enumerate(outputs)], dim=-1)
        tracer.set_info(steps, Info(None))
    _know(tracer, info, output, 0 if cell or first else 1)


def _know(tracer: Tracer, info: Info, output: Any, batch: int) -> None:
    """Set the info of the outputs, and of the states, whose decodes are on the axis before the last."""
    tensors = tensors_of(output)
    for place, one in enumerate(tensors):
        axes = None
        if info.axes is not None:
            at = batch if place == 0 else one.dim() - 2
            axes = tuple(info.axes[batch] if axis == at else plain(size) for axis, size in enumerate(one.shape))
        tracer.set_info(one, Info(axes))


def _first(states: list[Tensor], place: int) -> list[Tensor]:
    return [one[place] if one.dim() == 3 else one for one in states]


def _layers(tracer: Tracer, module: Any, directions: int) -> Iterator[list[_Weights]]:
    """Yield the weights of each layer, one for each direction."""
    kind, path = _KINDS[type(module).__name__], tracer.path
    if kind == "rnn":
        kind = f"rnn_{module.nonlinearity}"
    if type(module).__name__.endswith("Cell"):
        stored, biases = module.get_weight(), module.get_bias()
        matrices = stored["weight_ih"], stored["weight_hh"]
        yield [_named(tracer, path, kind, matrices, (biases["bias_ih"], biases["bias_hh"]), reduced=False)]
        return
    every = [one.param.__getstate__()[0] for one in module._all_weight_values]
    for level in range(module.num_layers):
        found = list[_Weights]()
        for way in range(directions):
            form, biases, _, reduced, packed = every[level * directions + way]
            if form != "quantized_dynamic":
                raise NotImplementedError(f"weights stored as {form}")
            suffix = f"_l{level}" * (module.num_layers > 1) + "_reverse" * way
            matrices = tuple(torch.ops.quantized.linear_unpack(one)[0] for one in packed)
            found.append(_named(tracer, f"{path}{suffix}", kind, matrices, tuple(biases), reduced=bool(reduced[0])))
        yield found


def _named(tracer: Tracer, name: str, kind: str, matrices: Any, biases: Any, *, reduced: bool) -> _Weights:
    name = name.lstrip(".") or kind
    values = [weights_of(tracer, f"{name}.{part}.weight", one) for part, one in zip(_PARTS, matrices, strict=True)]
    plain_biases = [None if one is None else one.detach() for one in biases]
    return _Weights(name, kind, values[0], values[1], (plain_biases[0], plain_biases[1]), reduced)


_PARTS = "input", "hidden"


def _layer(tracer: Tracer, weights: _Weights, signal: Tensor, states: list[Tensor]) -> Tensor:
    """Count one layer in one direction; return its outputs, shape (steps, 1, units)."""
    tracer.set_info(signal, tracer.info(signal) if tracer.is_dynamic(signal) else Info(None))
    numbers = found_range(tracer, f"{weights.name}.input", signal, bits=7 if weights.reduced else 8)
    zeros = signal.new_zeros(signal.shape[1], weights.units)
    state = [one.detach() for one in states] or [zeros] * STATES[weights.kind]
    outputs = list[Tensor]()
    for step in numbers.unbind(0):
        tracer.set_info(step, tracer.info(numbers))
        hidden = state[0].clone()
        tracer.set_info(hidden, Info(None))
        heard = found_range(tracer, f"{weights.name}.hidden", hidden, bits=7 if weights.reduced else 8)
        sums = [_product(tracer, weights, place, one) for place, one in enumerate((step, heard))]
        state = _gates(weights.kind, sums, state)
        _record_gates(tracer, weights)
        outputs.append(state[0])
    return torch.stack(outputs)


def _product(tracer: Tracer, weights: _Weights, place: int, signal: Tensor) -> Tensor:
    """Count one product of a step, whose accumulators become floats; return these."""
    matrix, bias = (weights.input, weights.hidden)[place], weights.biases[place]
    name, info = f"{weights.name}.{_PARTS[place]}", tracer.info(signal)
    rows, inputs = matrix.shape
    operand = Operand(signal, info, matrix, bias)
    done = record_product(
        tracer, name, "recurrent", operand, linear_counts(tracer, operand, None),
        shapes=((inputs,), (rows,)), full=rows * inputs, reduction=inputs,
    )  # fmt: skip
    made = torch.nn.functional.linear(signal, matrix, bias)
    result = made.clone()
    tracer.set_info(made, done)
    record_dequantised(tracer, f"{name}.dequantise", made, result)
    return result


def _gates(kind: str, sums: list[Tensor], state: list[Tensor]) -> list[Tensor]:
    """Return the states after a step from its two products, as torch defines the cells."""
    if kind == "gru":
        (reset, update, new), (reset_h, update_h, new_h) = (one.chunk(3, -1) for one in sums)
        kept = (update + update_h).sigmoid()
        candidate = (new + (reset + reset_h).sigmoid() * new_h).tanh()
        return [(state[0] - candidate) * kept + candidate]
    if kind == "lstm":
        enter, forget, candidate, leave = (sums[0] + sums[1]).chunk(4, -1)
        cell = forget.sigmoid() * state[1] + enter.sigmoid() * candidate.tanh()
        return [leave.sigmoid() * cell.tanh(), cell]
    total = sums[0] + sums[1]
    return [total.relu() if kind == "rnn_relu" else total.tanh()]


def _record_gates(tracer: Tracer, weights: _Weights) -> None:
    """Record the gates of one step and its state, in float."""
    words = weights.units * STATES[weights.kind]
    work = Work(
        kind="recurrent", arithmetic="float", input_shape=(weights.units,), output_shape=(weights.units,),
        counts={what: number * weights.units for what, number in GATES[weights.kind].items()},
        activation_bits=FLOAT_BITS, output_bits=FLOAT_BITS, state_bits=FLOAT_BITS,
        state_elements=words, state_reads=words, state_writes=words,
    )  # fmt: skip
    tracer.record(f"{weights.name}.gates", work)
