"""Which nodes run as one loop, and where their signals lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from energy_models.errors import StudentError
from students.deploy.c_code.text import BYTES, type_for
from students.deploy.graph import (
    INPUT,
    DeployedGraph,
    Join,
    Move,
    Node,
    Product,
    Range,
    Requantise,
    Steps,
    Table,
    sources_of,
)

TAILS = (Requantise, Table, Steps)
Entry = Literal["window", "step"]


@dataclass(frozen=True, slots=True)
class Loop:
    """One node, and the functions of each number that follow it, without a buffer between them.

    Parameters
    ----------
    head : Node
    tail : tuple of Requantise, Table or Steps
    """

    head: Node
    tail: tuple[Requantise | Table | Steps, ...]

    @property
    def result(self) -> Range:
        """Of what is written."""
        return self.tail[-1].result if self.tail else self.head.result

    @property
    def name(self) -> str:
        """Of the node whose signal is written."""
        return self.tail[-1].name if self.tail else self.head.name


@dataclass(frozen=True, slots=True)
class Buffer:
    """Where a signal lies in the memory that signals share; none lies where another is still needed.

    Parameters
    ----------
    name : str
        Of the union's member.
    node : str
        Whose signal it is.
    kind : str
        Format of C.
    elements : int
    first : int
        Offset [bytes].
    """

    name: str
    node: str
    kind: str
    elements: int
    first: int

    @property
    def after(self) -> int:
        """Offset behind the last element [bytes]."""
        return self.first + BYTES[self.kind] * self.elements


@dataclass(frozen=True, slots=True)
class Plan:
    """The loops of an entry point in order, and the place of every signal.

    Parameters
    ----------
    entry : {'window', 'step'}
    loops : tuple of Loop
    place : mapping of str to str
        A signal's buffer, by node; the input's is the argument.
    buffers : tuple of Buffer
    ranges : mapping of str to Range
        Of signals as this entry point has them: one step has shape (channels, 1).
    """

    entry: Entry
    loops: tuple[Loop, ...]
    place: Mapping[str, str]
    buffers: tuple[Buffer, ...]
    ranges: Mapping[str, Range]


def plan_of(graph: DeployedGraph, entry: Entry) -> Plan:
    """Return the plan of an entry point.

    Raises
    ------
    StudentError
        A step of a network that does not run step by step.
    """
    nodes = graph.nodes
    source = graph.input
    if entry == "step":
        _check_steps(graph)
        nodes = tuple(replace(node, result=_one_step(node.result)) for node in nodes)
        source = _one_step(source)
    loops = _loops(nodes)
    aliases = _aliases(loops)
    loops = tuple(loop for loop in loops if loop.name not in aliases)
    place, buffers = _buffers(loops, aliases, nodes[-1].name)
    ranges = {INPUT: source, **{node.name: node.result for node in nodes}}
    return Plan(entry, loops, place, buffers, ranges)


def _one_step(found: Range) -> Range:
    return replace(found, shape=(found.shape[0], 1))


def _check_steps(graph: DeployedGraph) -> None:
    """Raise where an output depends on steps that are still to come, or only some steps have one."""
    for node in graph.nodes:
        if isinstance(node, Product):
            past = (node.weights.shape[-1] - 1) * node.dilation[-1]
            if node.pads != ((past, 0),) or node.stride != (1,):
                raise StudentError(
                    f"{node.name!r} looks ahead, or has a stride", where="C code, step by step",
                    remedy="Pad causal convolutions before the signal only, or export the whole window",
                )


def _loops(nodes: tuple[Node, ...]) -> tuple[Loop, ...]:
    """Return loops: a function of each number joins the node before it, if nobody else takes that node's signal."""
    users: dict[str, int] = {}
    for node in nodes:
        for name in sources_of(node):
            users[name] = users.get(name, 0) + 1
    found: list[Loop] = []
    for node in nodes:
        before = found[-1] if found else None
        follows = before is not None and node.source == before.name and users[node.source] == 1
        if isinstance(node, TAILS) and before is not None and follows and not isinstance(before.head, Move | Join):
            found[-1] = Loop(before.head, (*before.tail, node))
        else:
            found.append(Loop(node, ()))
    return tuple(found)


def _aliases(loops: tuple[Loop, ...]) -> dict[str, str]:
    """Return moves that leave every number where it is, and whose signal theirs is."""
    found: dict[str, str] = {}
    for loop in loops:
        if isinstance(loop.head, Move) and loop.head.is_reshape and not loop.tail and loop.head.source != INPUT:
            found[loop.name] = found.get(loop.head.source, loop.head.source)
    return found


def _buffers(
    loops: tuple[Loop, ...], aliases: Mapping[str, str], output: str
) -> tuple[dict[str, str], tuple[Buffer, ...]]:
    """Return the place of every signal, from when it is written to the last loop that reads it.

    The largest signal comes first, each as far down as no other is in its way while it is needed.
    """
    last = {aliases.get(name, name): number for number, loop in enumerate(loops) for name in sources_of(loop.head)}
    last[aliases.get(output, output)] = len(loops)
    spans = {loop.name: (number, last.get(loop.name, number)) for number, loop in enumerate(loops)}
    kinds = {loop.name: type_for(loop.result.lowest, loop.result.highest) for loop in loops}
    sizes = {loop.name: _elements(loop.result) for loop in loops}
    placed: list[Buffer] = []
    for node in sorted(spans, key=lambda one: -sizes[one] * BYTES[kinds[one]]):
        begin, end = spans[node]
        others = [one for one in placed if spans[one.node][0] <= end and begin <= spans[one.node][1]]
        placed.append(_lowest(Buffer(f"s{begin}", node, kinds[node], sizes[node], 0), others))
    place = {one.node: f"memory.{one.name}.x" for one in placed}
    place |= {name: place[source] for name, source in aliases.items()}
    return place, tuple(sorted(placed, key=lambda one: spans[one.node]))


def _lowest(buffer: Buffer, others: Sequence[Buffer]) -> Buffer:
    """Return a buffer at the lowest offset, a multiple of its elements' size, at which it meets none of the others."""
    size = BYTES[buffer.kind]
    offsets = sorted(-(-one // size) * size for one in (0, *(one.after for one in others)))
    moved = (replace(buffer, first=first) for first in offsets)  # the last one is behind all others
    return next(one for one in moved if all(one.after <= other.first or other.after <= one.first for other in others))


def _elements(found: Range) -> int:
    size = 1
    for length in found.shape:
        size *= length
    return size
