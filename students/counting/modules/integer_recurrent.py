"""A GRU or LSTM in integers: two products, their requantisations, tables, gate arithmetic and state, apart by width.

Of one step and H units, in the equations of ``docs/concepts/quantised_recurrent.md``:

    GRU:  add 3H and multiply H at 16 bits, add 2H and multiply H at the state's; 3H look-ups
    LSTM: add 5H and multiply 2H at 16 bits, multiply H at the state's; 5H look-ups

Each accumulator, each address of a table and each product of gates is one requantisation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from energy_models.workload import Kind
from students.counting.axes import BatchAxisError, is_labelled, plain, steps_of
from students.counting.calls import tensors_of
from students.counting.dispatch import Info, Tracer
from students.counting.modules.neuron_products import requantised
from students.counting.modules.neurons import ModuleCounter
from students.counting.records import Work
from students.counting.rules import Operand, record_product
from students.counting.rules.products import linear_counts
from students.kernels.recurrent_grid import ADDRESS_BITS, CELL_BITS, ENTRIES, GATE_BITS, PREACTIVATION_BITS, STATE_BITS


@dataclass(frozen=True, slots=True)
class _Part:
    """Operations of one width, in one step and unit.

    Parameters
    ----------
    operations : mapping of name to count
    bits : (in, out)
    other_bits : int
        Of a multiplication's second operand.
    entries : int
        Of the table that is read.
    """

    operations: Mapping[str, int]
    bits: tuple[int, int]
    other_bits: int = 0
    entries: int = 0
    kind: Kind = "recurrent"


def _table(reads: int) -> _Part:
    return _Part({"lookup": reads}, (ADDRESS_BITS, STATE_BITS), entries=ENTRIES, kind="activation")


def _addresses(number: int) -> _Part:
    return _Part({"requantise": number}, (PREACTIVATION_BITS + 1, ADDRESS_BITS), kind="quantise")


_FINE = (PREACTIVATION_BITS, PREACTIVATION_BITS)
PARTS: Mapping[str, Mapping[str, _Part]] = {
    "gru": {
        "gates": _Part({"add": 3, "multiply": 1, "requantise": 1}, _FINE, GATE_BITS),
        "address": _addresses(3),
        "sigmoid": _table(2),
        "tanh": _table(1),
        "update": _Part({"add": 2, "multiply": 1, "requantise": 1}, (STATE_BITS + 1, STATE_BITS), GATE_BITS),
    },
    "lstm": {
        "gates": _Part({"add": 5, "multiply": 2, "requantise": 1}, _FINE, GATE_BITS),
        "address": _addresses(5),
        "sigmoid": _table(3),
        "tanh": _table(2),
        "update": _Part({"multiply": 1, "requantise": 1}, (STATE_BITS, STATE_BITS), GATE_BITS),
    },
}
STATES: Mapping[str, Mapping[str, int]] = {
    "gru": {"hidden_state": STATE_BITS},
    "lstm": {"hidden_state": STATE_BITS, "cell_state": CELL_BITS},
}


def recurrent_counter(reading: Any) -> ModuleCounter:
    """Return how an integer GRU or LSTM is counted whole."""

    def count(tracer: Tracer, module: nn.Module, signal: Tensor, output: Any) -> None:
        _count(tracer, reading, module, signal, tensors_of(output)[0])

    return count


def _count(tracer: Tracer, reading: Any, module: Any, signal: Tensor, output: Tensor) -> None:
    info, path = tracer.read(signal), tracer.path
    axes = info.axes
    stepped = axes is not None and steps_of(axes[2]) is not None
    if (axes is not None and is_labelled(axes[2]) and not stepped) or (axes is None and tracer.batch > 1):
        raise BatchAxisError
    steps = 1 if stepped else signal.shape[2]
    ordered = None if axes is None else (axes[0], axes[2], axes[1])
    units = None if axes is None else (axes[0], axes[2], plain(module.units))
    products = {
        "input": Operand(signal.mT, replace(info, axes=ordered), module.input.quant_weight().value, module.input.bias),
        "hidden": Operand(
            module.operands(output).mT, replace(info, axes=units, codes=module.operand_grid),
            module.hidden.quant_weight().value, module.hidden.bias,
        ),
    }  # fmt: skip
    for name, operand in products.items():
        _product(tracer, f"{path}.{name}", operand, steps)
    writer = _Writer(tracer, path, module.units, steps, info)
    if module.operand_grid.bits < STATE_BITS:
        writer.write("operand", _Part({"requantise": 1}, (STATE_BITS, module.operand_grid.bits), kind="quantise"))
    for name, part in PARTS[module.kind].items():
        writer.write(name, part)
    for name, bits in STATES[module.kind].items():
        writer.state(name, bits)
    after = None if axes is None else (axes[0], plain(module.units), axes[2])
    tracer.set_info(output, Info(after, reading.STATE_GRID))


def _product(tracer: Tracer, name: str, operand: Operand, steps: int) -> None:
    """Write one product of a step and the requantisation of its accumulators to the pre-activations' grid."""
    rows, inputs = operand.weight.shape
    done = record_product(
        tracer, name, "recurrent", operand, linear_counts(tracer, operand, operand.info.axes),
        shapes=((inputs,), (rows,)), full=rows * inputs * steps, reduction=inputs, calls=steps,
    )  # fmt: skip
    sums = replace(done, axes=operand.info.axes)
    requantised(tracer, f"{name}.quantise", sums, (rows, steps), PREACTIVATION_BITS)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Records what follows the products, for all units and the steps of one decode."""

    tracer: Tracer
    path: str
    units: int
    steps: int
    info: Info

    def write(self, name: str, part: _Part) -> None:
        work = Work(
            kind=part.kind, arithmetic="integer", input_shape=(self.units,), output_shape=(self.units,),
            calls=self.steps, when=self.tracer.when(self.info),
            counts={f"op:{what}": each * self.units * self.steps for what, each in part.operations.items()},
            activation_bits=part.bits[0], output_bits=part.bits[1], weight_bits=part.other_bits,
            constants=part.entries, constant_bits=part.bits[1] if part.entries else 0,
        )  # fmt: skip
        self.tracer.record(f"{self.path}.{name}", work)

    def state(self, name: str, bits: int) -> None:
        words = self.units * self.steps
        work = Work(
            kind="recurrent", arithmetic="integer", input_shape=(0,), output_shape=(0,), counts={}, calls=self.steps,
            when=self.tracer.when(self.info), activation_bits=bits, output_bits=bits, state_bits=bits,
            state_elements=self.units, state_reads=words, state_writes=words,
        )  # fmt: skip
        self.tracer.record(f"{self.path}.{name}", work)
