"""Which nodes run as one loop, and where their signals lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from energy_models.errors import StudentError
from students.deploy.c_code.text import type_for
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
    """Static memory that signals of one format share, none of which is needed while another is.

    Parameters
    ----------
    name : str
    kind : str
        Format of C.
    elements : int
    """

    name: str
    kind: str
    elements: int


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
    """Return the buffer of every signal; one is used again when the last loop that reads it has run."""
    last = {aliases.get(name, name): number for number, loop in enumerate(loops) for name in sources_of(loop.head)}
    last[aliases.get(output, output)] = len(loops)
    place: dict[str, str] = {}
    kinds: list[str] = []
    sizes: list[int] = []
    free_from: list[int] = []
    for number, loop in enumerate(loops):
        kind = type_for(loop.result.lowest, loop.result.highest)
        elements = _elements(loop.result)
        fitting = [one for one, held in enumerate(kinds) if held == kind and free_from[one] < number]
        if fitting:
            chosen = max(fitting, key=lambda one: (sizes[one] >= elements, -abs(sizes[one] - elements)))
        else:
            chosen = len(kinds)
            kinds.append(kind)
            sizes.append(0)
            free_from.append(-1)
        sizes[chosen] = max(sizes[chosen], elements)
        free_from[chosen] = last.get(loop.name, number)
        place[loop.name] = f"buffer_{chosen}"
    place |= {name: place[source] for name, source in aliases.items()}
    buffers = tuple(
        Buffer(f"buffer_{one}", kind, size) for one, (kind, size) in enumerate(zip(kinds, sizes, strict=True))
    )
    return place, buffers


def _elements(found: Range) -> int:
    size = 1
    for length in found.shape:
        size *= length
    return size
