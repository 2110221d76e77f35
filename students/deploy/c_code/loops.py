"""C text of one loop: the sum, maximum or copy of its first node, then the functions of each number behind it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np

from students.deploy.attention import LinearAttention
from students.deploy.c_code.attention import write_attention
from students.deploy.c_code.cells import Text, write_recurrent
from students.deploy.c_code.codes import write_code
from students.deploy.c_code.delays import write_delay, write_past_sums
from students.deploy.c_code.neurons import write_neurons
from students.deploy.c_code.plan import Loop, Plan
from students.deploy.c_code.rows import write_matmul, write_norm, write_softmax
from students.deploy.c_code.text import PACKED, Weights, array, identifier, packed, sum_type, type_for
from students.deploy.codes import Coder
from students.deploy.delay_lines import PastSums
from students.deploy.graph import (
    INPUT,
    Add,
    Delay,
    Integers,
    Join,
    Linear,
    Move,
    Multiply,
    Neurons,
    Part,
    Pool,
    Product,
    Recurrent,
    Requantise,
    Steps,
    Table,
    sources_of,
)
from students.deploy.rows import MatMul, Norm, Softmax

INDENT = "    "

OWN_WRITERS: Mapping[type, Callable[[Text, Loop, Any], None]] = {
    Recurrent: write_recurrent, Neurons: write_neurons, Delay: write_delay, MatMul: write_matmul,
    Softmax: write_softmax, Norm: write_norm, LinearAttention: write_attention, PastSums: write_past_sums,
    **dict.fromkeys(get_args(Coder), write_code),
}  # fmt: skip
"""Of nodes whose text is in a file of its own."""


@dataclass(slots=True)
class Constants:
    """Constant arrays by name: what both entry points use is stored once.

    Parameters
    ----------
    arrays : mapping of str to (format, numbers)
    """

    arrays: dict[str, tuple[str, Integers]] = field(default_factory=dict[str, tuple[str, Integers]])

    def add(self, name: str, numbers: Integers, kind: str = "") -> str:
        """Keep numbers in the narrowest format, or a given one, and return the name of the array.

        Names that C cannot tell apart (``a.b`` and ``a_b``) get a number.
        """
        values = np.asarray(numbers).ravel()
        label, number = name, 1
        while label in self.arrays and not np.array_equal(self.arrays[label][1], values):
            number += 1
            label = f"{name}_{number}"
        self.arrays[label] = kind or type_for(int(values.min()), int(values.max())), values
        return label

    def text(self) -> str:
        """Return all definitions."""
        return "\n".join(array(kind, name, values) for name, (kind, values) in self.arrays.items())


@dataclass(frozen=True, slots=True)
class History:
    """Numbers that stay from step to step: past inputs of a causal product, the newest last in each channel, or states.

    Parameters
    ----------
    name, kind : str
    channels, length : int
    """

    name: str
    kind: str
    channels: int
    length: int


@dataclass(frozen=True, slots=True)
class Stage:
    """One loop as a function of C.

    Parameters
    ----------
    function : str
    nodes : tuple of (name, kind)
        Those that it runs, in order; it writes the last one's signal.
    lines : tuple of str
    """

    function: str
    nodes: tuple[tuple[str, str], ...]
    lines: tuple[str, ...]

    @property
    def reads_input(self) -> bool:
        """True where it is given the codes."""
        return any(re.search(r"\bcodes\[", line) for line in self.lines)


@dataclass(slots=True)
class Writer:
    """Writes the loops of one entry point.

    Parameters
    ----------
    plan : Plan
    prefix : str
        Of every name that the C code shares with others.
    constants : Constants
    weights : {'bytes', 'packed'}
        How weights of at most 4 bits are stored.
    histories : list of History
    stages : list of Stage
    lines : list of str
        Of the loop that is being written.
    """

    plan: Plan
    prefix: str
    constants: Constants
    weights: Weights
    histories: list[History] = field(default_factory=list[History])
    stages: list[Stage] = field(default_factory=list[Stage])
    lines: list[str] = field(default_factory=list[str])

    def write(self, loop: Loop) -> None:
        """Add the function of one loop."""
        self.lines = []
        self._write(loop)
        function = f"{self.prefix}_{len(self.stages)}_{identifier(loop.name)[2:]}"
        nodes = tuple((one.name, _kind(one)) for one in (loop.head, *loop.tail))
        self.stages.append(Stage(function, nodes, tuple(self.lines)))

    def _write(self, loop: Loop) -> None:
        head = loop.head
        if isinstance(head, Product):
            self._product(loop, head)
        elif isinstance(head, Linear):
            self._linear(loop, head)
        elif isinstance(head, Pool):
            self._pool(loop, head)
        elif isinstance(head, Move):
            self._move(loop, head)
        elif isinstance(head, Join):
            self._join(loop, head)
        elif type(head) in OWN_WRITERS:
            OWN_WRITERS[type(head)](self, loop, head)
        else:
            self._elementwise(loop)

    def constant(self, name: str, numbers: Integers, kind: str = "") -> str:
        """Keep numbers, in the narrowest format or a given one, and return the name of their array."""
        return self.constants.add(name, numbers, kind)

    def weight_of(self, name: str, numbers: Integers, bits: int) -> Callable[[str], str]:
        """Keep the weights of a node and return what reads the one at a place."""
        width = next((one for one in PACKED if bits <= one), 8)
        if self.weights == "bytes" or width == 8:
            stored = self.constants.add(f"{name}_w", numbers)
            return lambda place: f"{stored}[{place}]"
        array_name = self.constants.add(f"{name}_w", packed(numbers, width), "uint8_t")
        return lambda place: f"{self.prefix}_packed({array_name}, {place}, {width})"

    def keep(self, name: str, kind: str, size: int) -> str:
        """Return the name of numbers that stay until they are forgotten."""
        self.histories.append(History(f"{name}_{len(self.histories)}", kind, size, 1))
        return self.histories[-1].name

    def signal(self, name: str) -> str:
        """Return the C name of a signal."""
        return "codes" if name == INPUT else self.plan.place[name]

    def _product(self, loop: Loop, node: Product) -> None:
        outputs, inputs, *taps = node.weights.shape
        source = self.plan.ranges[node.source]
        largest = int(np.abs(node.weights).max()) * max(abs(source.lowest), abs(source.highest))
        weight = self.weight_of(identifier(node.name), node.weights, node.weight_bits)
        kind = sum_type(node.result, largest)
        signal, lengths, pads = self.signal(node.source), list(source.shape[1:]), node.pads
        if self.plan.entry == "step" and (past := (taps[-1] - 1) * node.dilation[-1]):
            signal, lengths, pads = self._history(node, past + 1), [past + 1], ((0, 0),)
        self._open(loop.result.shape)
        group = f"(i0 / {outputs // node.groups}) * {inputs}" if node.groups > 1 else "0"
        body = [f"{kind} sum = {self._bias(node)};"]
        for axis in range(len(taps)):
            body += _taps_inside(node, axis, lengths[axis], pads[axis])
        body.append(f"for (int in = 0; in < {inputs}; in++) {{")
        at, weight_at, depth = f"({group} + in)", f"(i0 * {inputs} + in)", 1
        for axis, tap in enumerate(taps):
            ends = (f"first{axis}", f"after{axis}") if any(pads[axis]) else ("0", str(tap))
            body.append(INDENT * depth + f"for (int t{axis} = {ends[0]}; t{axis} < {ends[1]}; t{axis}++) {{")
            depth += 1
            at = f"({at} * {lengths[axis]} + from{axis} + t{axis} * {node.dilation[axis]})"
            weight_at = f"({weight_at} * {tap} + t{axis})"
        body.append(INDENT * depth + f"sum += ({kind}){weight(weight_at)} * {signal}[{at}];")
        body += [INDENT * one + "}" for one in range(depth - 1, -1, -1)]
        self._close(loop, body, "sum")

    def _history(self, node: Product, length: int) -> str:
        """Move the past of every channel on by one step, put the new one behind it, and return where it is."""
        source = self.plan.ranges[node.source]
        name, kind = f"past_{len(self.histories)}_{identifier(node.name)}", type_for(source.lowest, source.highest)
        kept = History(name, kind, source.shape[0], length)
        self.histories.append(kept)
        self.lines += [
            f"{INDENT}for (int c = 0; c < {kept.channels}; c++) {{",
            f"{INDENT * 2}for (int t = 1; t < {length}; t++) "
            f"{kept.name}[c * {length} + t - 1] = {kept.name}[c * {length} + t];",
            f"{INDENT * 2}{kept.name}[c * {length} + {length - 1}] = {self.signal(node.source)}[c];",
            f"{INDENT}}}",
        ]
        return kept.name

    def _bias(self, node: Product | Linear) -> str:
        if node.bias is None:
            return "0"
        index = "i0" if isinstance(node, Product) else f"i{len(node.result.shape) - 1}"
        return f"{self.constants.add(f'{identifier(node.name)}_b', node.bias)}[{index}]"

    def _linear(self, loop: Loop, node: Linear) -> None:
        _, inputs = node.weights.shape
        source = self.plan.ranges[node.source]
        largest = int(np.abs(node.weights).max()) * max(abs(source.lowest), abs(source.highest))
        weight = self.weight_of(identifier(node.name), node.weights, node.weight_bits)
        kind = sum_type(node.result, largest)
        axes = len(node.result.shape)
        row = "0"
        for axis, length in enumerate(node.result.shape[:-1]):
            row = f"({row} * {length} + i{axis})" if axis else "i0"
        self._open(loop.result.shape)
        body = [
            f"{kind} sum = {self._bias(node)};",
            f"for (int in = 0; in < {inputs}; in++)",
            f"{INDENT}sum += ({kind}){weight(f'i{axes - 1} * {inputs} + in')} * "
            f"{self.signal(node.source)}[{row} * {inputs} + in];",
        ]
        self._close(loop, body, "sum")

    def _pool(self, loop: Loop, node: Pool) -> None:
        size = node.windows.shape[1]
        source = self.plan.ranges[node.source]
        kind = type_for(min(node.result.lowest, -1, source.lowest), max(node.result.highest, source.highest))
        kind = "int64_t" if kind == "int64_t" else "int32_t"
        at, padded = self._window(node)
        value = f"{self.signal(node.source)}[{at}]"
        skip = f"if ({at} < 0) continue; " if padded else ""
        self._open(loop.result.shape)
        if node.kind == "sum":
            body = [f"{kind} sum = 0;", f"for (int w = 0; w < {size}; w++) {{ {skip}sum += {value}; }}"]
        else:
            lowest = "INT64_MIN" if kind == "int64_t" else "INT32_MIN"
            body = [
                f"{kind} sum = {lowest};",
                f"for (int w = 0; w < {size}; w++) {{ {skip}if ({value} > sum) sum = {value}; }}",
            ]
        self._close(loop, body, "sum")

    def _window(self, node: Pool) -> tuple[str, bool]:
        """Return where place `w` of a window is in the signal: a formula if there is one, else a table."""
        inside = bool((node.windows >= 0).all())
        base = node.windows[:, 0]
        steps = node.windows - base[:, None]
        factors = _factors(base.reshape(node.result.shape)) if inside and bool((steps == steps[0]).all()) else None
        even = np.unique(np.diff(steps[0]))
        if factors is None or len(even) > 1:
            name = self.constants.add(f"{identifier(node.name)}_at", node.windows)
            return f"{name}[place * {node.windows.shape[1]} + w]", not inside
        start = " + ".join(f"i{axis} * {factor}" for axis, factor in enumerate(factors[1:]) if factor) or "0"
        return f"{start} + {factors[0]} + w * {int(even[0]) if len(even) else 0}", False

    def _move(self, loop: Loop, node: Move) -> None:
        name = self.constants.add(f"{identifier(node.name)}_at", node.places)
        self._open(loop.result.shape)
        value = f"{self.signal(node.source)}[{name}[place]]"
        padded = bool((node.places < 0).any())
        self._close(loop, [], f"({name}[place] < 0 ? 0 : {value})" if padded else value)

    def _join(self, loop: Loop, node: Join) -> None:
        target = self.signal(loop.name)
        before = int(np.prod(node.result.shape[: node.axis]))
        whole = int(np.prod(node.result.shape[node.axis :]))
        start = 0
        for name in sources_of(node):
            part = int(np.prod(self.plan.ranges[name].shape[node.axis :]))
            self.lines += [
                f"{INDENT}for (int o = 0; o < {before}; o++)",
                f"{INDENT * 2}for (int i = 0; i < {part}; i++)",
                f"{INDENT * 3}{target}[o * {whole} + {start} + i] = {self.signal(name)}[o * {part} + i];",
            ]
            start += part

    def _elementwise(self, loop: Loop) -> None:
        head = loop.head
        self._open(loop.result.shape)
        if isinstance(head, Add | Multiply):
            kind, sign = "int64_t" if head.result.bits > 31 else "int32_t", "+" if isinstance(head, Add) else "*"
            value = f"({kind}){self.signal(head.source)}[place] {sign} {self.signal(head.other)}[place]"
            self._close(loop, [f"const {kind} sum = {value};"], "sum")
        elif isinstance(head, Part):
            first = head.first * int(np.prod(loop.result.shape[1:]))
            self._close(loop, [], f"{self.signal(head.source)}[place + {first}]")
        elif isinstance(head, Requantise | Table | Steps):
            self._close(Loop(head, (head, *loop.tail)), [], f"{self.signal(head.source)}[place]")

    def _open(self, shape: tuple[int, ...]) -> None:
        self.lines += [f"{INDENT}{{", f"{INDENT}int place = 0;"]
        for axis, length in enumerate(shape):
            self.lines.append(f"{INDENT}for (int i{axis} = 0; i{axis} < {length}; i{axis}++)")
        self.lines[-1] += " {"

    def _close(self, loop: Loop, body: list[str], value: str) -> None:
        """Add the body, the functions of the number, and where it goes."""
        self.lines += [INDENT * 2 + line for line in (*body, *self.stored(loop, value), "place++;")]
        self.lines += [f"{INDENT}}}", f"{INDENT}}}"]

    def stored(self, loop: Loop, value: str) -> list[str]:
        """Return the lines that put a number through what follows it and into its place."""
        for node in loop.tail:
            value = self._function(node, value)
        kind = type_for(loop.result.lowest, loop.result.highest)
        return [f"{self.signal(loop.name)}[place] = ({kind}){value};"]

    def _function(self, node: Requantise | Table | Steps, value: str) -> str:
        name, shape = identifier(node.name), self.plan.ranges[node.name].shape
        if isinstance(node, Requantise):
            found = node.constants
            names = {"m": found.multiplier, "o": found.offset, "s": found.shift, "g": found.guard}
            given = [self.place_constant(f"{name}_{one}", numbers, shape) for one, numbers in names.items()]
            return f"{self.prefix}_requantise({value}, {', '.join(given)}, {node.result.lowest}, {node.result.highest})"
        row = self.place_constant(f"{name}_row", node.rows, shape)
        if isinstance(node, Table):
            entries = self.constants.add(f"{name}_entry", node.entries)
            return f"{entries}[{row} * {node.entries.shape[1]} + {value} - ({node.first})]"
        starts = np.cumsum([0, *(len(one) for one in node.edges)])
        edges = self.constants.add(f"{name}_edge", np.concatenate([*node.edges, [0]]), "int32_t")
        codes = self.constants.add(f"{name}_code", np.concatenate(node.codes), "int32_t")
        first = self.constants.add(f"{name}_first", starts, "int32_t")
        return f"{self.prefix}_step_of({value}, {edges}, {codes}, {first}, {row})"

    def place_constant(self, name: str, numbers: Integers, shape: tuple[int, ...]) -> str:
        """Return a constant of a place: written out, one for each entry of the first axis, or one for each place."""
        if numbers.size == 1:
            number = int(numbers.item())
            return str(number) if abs(number) < 2**31 else f"INT64_C({number})"
        full = numbers.reshape((1,) * (len(shape) - numbers.ndim) + numbers.shape)
        if full.shape[1:] == (1,) * (len(shape) - 1):
            return f"{self.constants.add(name, full)}[i0]"
        return f"{self.constants.add(name, np.broadcast_to(full, shape))}[place]"


def _taps_inside(node: Product, axis: int, length: int, pads: tuple[int, int]) -> list[str]:
    """Return where a window begins along an axis, and which of its taps lie on the signal, where padding is around."""
    taps, stride, dilation = node.weights.shape[axis + 2], node.stride[axis], node.dilation[axis]
    start = f"const int from{axis} = i{axis + 1} * {stride} - {pads[0]};"
    if not any(pads):
        return [start]
    reach = f"({length - 1 + dilation} - from{axis}) / {dilation}"
    return [
        start,
        f"const int first{axis} = from{axis} < 0 ? (-from{axis} + {dilation - 1}) / {dilation} : 0;",
        f"const int after{axis} = from{axis} + {(taps - 1) * dilation} < {length} ? {taps} : {reach};",
    ]


def _kind(node: object) -> str:
    return type(node).__name__.lower()


def _factors(places: Integers) -> tuple[int, ...] | None:
    """Return start and step of each axis of an arithmetic grid of places; None if it is none."""
    start = int(places.flat[0])
    steps = [int(places.take([1], axis=axis).flat[0]) - start if length > 1 else 0
             for axis, length in enumerate(places.shape)]  # fmt: skip
    grid = sum(np.arange(length).reshape(-1, *[1] * (places.ndim - axis - 1)) * step
               for axis, (length, step) in enumerate(zip(places.shape, steps, strict=True)))  # fmt: skip
    return (start, *steps) if np.array_equal(np.broadcast_to(grid, places.shape) + start, places) else None


