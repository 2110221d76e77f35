"""C text of gated recurrent layers, and what the writer of a loop offers to the nodes that keep a state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from students.deploy.c_code.plan import Loop, Plan
from students.deploy.c_code.text import identifier, indented, sum_type
from students.deploy.cells import (
    CELL_BITS,
    ENTRIES,
    FINE_BITS,
    GATE_BITS,
    PREACTIVATION_HIGHEST,
    SIGMOID_SHIFT,
    STATE_BITS,
    TANH_SHIFT,
    Recurrent,
)
from students.deploy.graph import Integers

FINER = FINE_BITS - STATE_BITS + 1
"""Bits from the steps of a gate times a candidate to those of a forget gate times a cell."""


class Text(Protocol):
    """What the writer of a loop offers."""

    plan: Plan
    prefix: str
    lines: list[str]

    def signal(self, name: str) -> str:
        """Return the C name of a signal."""
        ...

    def constant(self, name: str, numbers: Integers, kind: str = "") -> str:
        """Keep numbers and return the name of their array."""
        ...

    def weight_of(self, name: str, numbers: Integers, bits: int) -> Callable[[str], str]:
        """Keep the weights of a node and return what reads the one at a place."""
        ...

    def keep(self, name: str, kind: str, size: int) -> str:
        """Return the name of numbers that stay until they are forgotten."""
        ...

    def stored(self, loop: Loop, value: str) -> list[str]:
        """Return the lines that put a number through what follows it and into its place."""
        ...

    def place_constant(self, name: str, numbers: Integers, shape: tuple[int, ...]) -> str:
        """Return a constant of a place."""
        ...


def write_recurrent(text: Text, loop: Loop, node: Recurrent) -> None:
    """Add the loop of a gated layer: step by step, the recurrent product of all rows, then unit by unit."""
    name, units, rows, steps = identifier(node.name), node.units, len(node.weights), loop.result.shape[1]
    state = text.keep(f"state_{name}", "int8_t", units)
    cell = text.keep(f"cell_{name}", f"int{CELL_BITS}_t", units) if node.kind == "lstm" else ""
    operand = text.keep(f"operand_{name}", "int8_t", units)
    hidden = text.keep(f"hidden_{name}", "int16_t", rows)
    forgotten = [f"{one}[i0] = 0;" for one in (state, cell) if one]
    fresh = [] if text.plan.entry == "step" else repeated("i0", units, forgotten)
    highest = 2 ** (node.operand_bits - 1) - 1
    read = f"{text.prefix}_shifted({state}[i0], {STATE_BITS - node.operand_bits})"
    kind = sum_type(node.sums, int(np.abs(node.weights).max(initial=0)) * highest)
    weight, bias = text.weight_of(name, node.weights, node.weight_bits), text.constant(f"{name}_b", node.bias)
    found = node.constants
    factors = {"m": found.multiplier, "o": found.offset, "s": found.shift, "g": found.guard}
    given = ", ".join(text.place_constant(f"{name}_{one}", numbers, (rows,)) for one, numbers in factors.items())
    product = [
        f"{kind} sum = {bias}[i0];",
        f"for (int u = 0; u < {units}; u++) sum += ({kind}){weight(f'i0 * {units} + u')} * {operand}[u];",
        f"{hidden}[i0] = (int16_t){text.prefix}_requantise(sum, {given}, -{PREACTIVATION_HIGHEST}, "
        f"{PREACTIVATION_HIGHEST});",
    ]
    unit = _gru(text, node, state, hidden, steps) if cell == "" else _lstm(text, node, (state, cell), hidden, steps)
    text.lines += indented([
        "{", *fresh, f"for (int i1 = 0; i1 < {steps}; i1++) {{",
        *repeated("i0", units, [f"{operand}[i0] = (int8_t){text.prefix}_within({read}, -{highest}, {highest});"]),
        *repeated("i0", rows, product),
        *repeated("i0", units, [*unit, f"const int place = i0 * {steps} + i1;", *text.stored(loop, f"{state}[i0]")]),
        "}", "}",
    ])  # fmt: skip


def _gru(text: Text, node: Recurrent, state: str, hidden: str, steps: int) -> list[str]:
    look_up, drive, recurrent = _tables(text, node), _drive(text, node, steps), _row(node, hidden)
    return [
        f"const int32_t reset = {look_up('sigmoid', f'{drive(0)} + {recurrent(0)}')};",
        f"const int32_t update = {look_up('sigmoid', f'{drive(1)} + {recurrent(1)}')};",
        f"const int32_t past = {text.prefix}_shifted(reset * {recurrent(2)}, {GATE_BITS});",
        f"const int32_t candidate = {look_up('tanh', f'{drive(2)} + past')};",
        f"{state}[i0] = (int8_t)(candidate + {text.prefix}_shifted(update * ({state}[i0] - candidate), {GATE_BITS}));",
    ]


def _lstm(text: Text, node: Recurrent, kept: tuple[str, str], hidden: str, steps: int) -> list[str]:
    look_up, drive, recurrent = _tables(text, node), _drive(text, node, steps), _row(node, hidden)
    state, cell = kept
    gates = [
        f"const int32_t {gate} = {look_up(table, f'{drive(row)} + {recurrent(row)}')};"
        for row, (gate, table) in enumerate(
            (("enter", "sigmoid"), ("forget", "sigmoid"), ("candidate", "tanh"), ("leave", "sigmoid"))
        )
    ]
    most = PREACTIVATION_HIGHEST
    return [
        *gates,
        f"{cell}[i0] = (int16_t){text.prefix}_within({text.prefix}_shifted(forget * {cell}[i0] + enter * candidate * "
        f"{2**FINER}, {GATE_BITS}), -{most}, {most});",
        f"{state}[i0] = (int8_t){text.prefix}_shifted(leave * {look_up('tanh', f'{cell}[i0]')}, {GATE_BITS});",
    ]


def _tables(text: Text, node: Recurrent) -> Callable[[str, str], str]:
    """Return what reads one of the two tables at the address of a pre-activation."""
    half = ENTRIES // 2
    entries = {
        "sigmoid": (text.constant("sigmoid", node.sigmoid), SIGMOID_SHIFT),
        "tanh": (text.constant("tanh", node.tanh), TANH_SHIFT),
    }

    def look_up(table: str, value: str) -> str:
        array, shift = entries[table]
        address = f"{text.prefix}_within({text.prefix}_shifted({value}, {shift}), -{half}, {half - 1}) + {half}"
        return f"{array}[{address}]"

    return look_up


def _drive(text: Text, node: Recurrent, steps: int) -> Callable[[int], str]:
    """Return what names the input's pre-activation of a gate, for the unit and the step at hand."""
    signal = text.signal(node.source)
    return lambda gate: f"{signal}[({gate * node.units} + i0) * {steps} + i1]"


def _row(node: Recurrent, hidden: str) -> Callable[[int], str]:
    """Return what names the recurrent pre-activation of a gate, for the unit at hand."""
    return lambda gate: f"{hidden}[{gate * node.units} + i0]"


def repeated(index: str, count: int, body: list[str]) -> list[str]:
    """Return a loop over so many places."""
    return [f"for (int {index} = 0; {index} < {count}; {index}++) {{", *body, "}"]
