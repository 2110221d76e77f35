"""Reads a NIR file into nodes in the order they run, with the edges that carry a value to the next step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from energy_models.errors import StudentError
from students.interchange.extras import optional_package
from students.interchange.nir_neurons import GRAPH, NEURONS, infer_shapes, unchecked

PRODUCTS = frozenset(("Affine", "Linear", "Conv1d", "Conv2d"))
ENDS = frozenset(("Input", "Output"))

Edge = tuple[str, str]

LARGEST_BYTES = 1 << 31
"""Of one stored array."""
UNREADABLE = (
    OSError, KeyError, ValueError, TypeError, AssertionError, AttributeError, IndexError, RuntimeError, MemoryError,
    OverflowError,
)
"""What h5py and nir raise on damaged files; groups that hold themselves end in a RecursionError, a RuntimeError."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """A flat network.

    Parameters
    ----------
    nodes : mapping of name to node of the package `nir`
        In an order in which every value of the same step is there before it is read.
    sources : mapping of name to tuple of (name, whether the value is that of the step before)
    input, output : str
    step_s : float or None
        Length of one step as the file says it [s].
    source : str
        The file, for error messages.
    """

    nodes: Mapping[str, Any]
    sources: Mapping[str, tuple[tuple[str, bool], ...]]
    input: str
    output: str
    step_s: float | None
    source: str


def read_wiring(path: Path) -> Wiring:
    """Return the network of a NIR file, its graphs within graphs written out.

    Raises
    ------
    StudentError
        A missing package, a file that is damaged or no NIR file, several inputs or outputs, a loop without a neuron.
    """
    graph = _load(path)
    nodes, edges = _flat(graph, "")
    ends = {kind: [name for name, node in nodes.items() if type(node).__name__ == kind] for kind in sorted(ENDS)}
    for kind, names in ends.items():
        if len(names) != 1:
            raise _refused(path, f"a network of one {kind} node can be read; this has {len(names)}: {names}")
    late = _late_edges(nodes, edges, ends["Input"][0], path)
    order = _order(nodes, [edge for edge in edges if edge not in late])
    sources = {name: tuple((a, (a, b) in late) for a, b in edges if b == name) for name in order}
    unfed = [name for name in order if not sources[name] and name != ends["Input"][0]]
    if unfed:
        raise _refused(path, f"nothing leads into: {', '.join(unfed)}")
    step = _step(nodes, graph, path)
    return Wiring(
        {name: nodes[name] for name in order}, sources, ends["Input"][0], ends["Output"][0], step, str(path)
    )


def _refused(path: Path, what: str, remedy: str = "Export the network again") -> StudentError:
    return StudentError(what, where=str(path), remedy=remedy)


def _load(path: Path) -> Any:
    nir = optional_package("nir", "reading a NIR file")
    h5py = optional_package("h5py", "reading a NIR file")
    if not path.is_file():
        raise _refused(path, "there is no such file", "Check the path")
    try:
        with h5py.File(path, "r") as file:
            outside = _outside(h5py, file)
            if outside:
                raise _refused(path, f"{outside!r} leads to another file", "Store all of it in one file")
            tree = unchecked(nir.serialization.hdf2dict(file["node"]))
        graph = nir.dict2NIRNode(tree)
        if type(graph).__name__ == GRAPH:
            infer_shapes(graph)
    except UNREADABLE as error:
        raise _refused(path, f"it is damaged, or no NIR file ({type(error).__name__}: {error})") from error
    if type(graph).__name__ != GRAPH:
        raise _refused(path, f"it holds a single {type(graph).__name__}, no graph")
    return graph


def _outside(h5py: Any, group: Any) -> str:
    """Return the first link, or array stored elsewhere, that leads out of a file; empty where all it says is in it.

    An array may lie in raw files (external storage) or be put together of other files' arrays (a virtual dataset), and
    HDF5 opens these wherever they are.
    """
    for name in group:
        if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
            return f"{group.name}/{name}"
        child = group[name]
        if isinstance(child, h5py.Dataset) and (child.external or child.is_virtual):
            return str(child.name)
        if isinstance(child, h5py.Dataset) and child.nbytes > LARGEST_BYTES:
            raise ValueError(f"{child.name} has {child.nbytes:.3g} bytes")
        if isinstance(child, h5py.Group):
            found = _outside(h5py, child)
            if found:
                return found
    return ""


def _flat(graph: Any, prefix: str) -> tuple[dict[str, Any], list[Edge]]:
    """Return nodes and edges with the graphs inside a graph written out; their ends are passed through."""
    nodes: dict[str, Any] = {}
    enters: dict[str, str] = {}
    leaves: dict[str, str] = {}
    edges: list[Edge] = []
    for name, node in graph.nodes.items():
        full = prefix + name
        if type(node).__name__ != "NIRGraph":
            nodes[full] = node
            enters[full] = leaves[full] = full
            continue
        inner, inner_edges = _flat(node, f"{full}/")
        first, last = (
            [one for one, other in inner.items() if type(other).__name__ == kind and "/" not in one[len(full) + 1 :]]
            for kind in ("Input", "Output")
        )
        enters[full], leaves[full] = first[0], last[0]
        edges += inner_edges
        nodes |= {one: _Pass() if one in (first[0], last[0]) else other for one, other in inner.items()}
    edges += [(leaves[prefix + a], enters[prefix + b]) for a, b in graph.edges]
    return nodes, list(dict.fromkeys(edges))


class _Pass:
    """The input or output of a graph inside a graph: passes its value through."""

    metadata: Mapping[str, Any] = {}


def _late_edges(nodes: Mapping[str, Any], edges: Iterable[Edge], start: str, path: Path) -> set[Edge]:
    """Return the edges that close a loop, which carry the value of the step before.

    A loop is cut where it returns to a node it has passed, seen from the input, and the cut is moved back in front of
    the last weights: the value kept for the next step is then spikes, not the current they cause.
    """
    after: dict[str, list[str]] = {name: [] for name in nodes}
    before: dict[str, list[str]] = {name: [] for name in nodes}
    for a, b in edges:
        after[a].append(b)
        before[b].append(a)
    late: set[Edge] = set()
    for edge in _closing(after, [start, *nodes]):
        _check_loop(nodes, after, edge, path)
        late.add(_moved_back(nodes, (after, before), edge, path))
    return late


def _closing(after: Mapping[str, list[str]], starts: Iterable[str]) -> list[Edge]:
    """Return the edges that lead back to a node on the way from a start, found depth first."""
    done: set[str] = set()
    found: list[Edge] = []
    for start in starts:
        if start in done:
            continue
        way, pending = [start], {start: list(after[start])}
        while way:
            here = way[-1]
            if not pending[here]:
                done.add(way.pop())
                continue
            there = pending[here].pop(0)
            if there in way:
                found.append((here, there))
            elif there not in done:
                way.append(there)
                pending[there] = list(after[there])
    return found


def _check_loop(nodes: Mapping[str, Any], after: Mapping[str, list[str]], edge: Edge, path: Path) -> None:
    """Refuse a loop that a value could run round within one step."""
    reached, pending = {edge[1]}, [edge[1]]
    while pending:
        here = pending.pop()
        if type(nodes[here]).__name__ in NEURONS:
            continue
        if here == edge[0]:
            raise _refused(path, f"a loop through {here!r} and {edge[1]!r} passes no neuron", "Put a neuron into it")
        fresh = [one for one in after[here] if one not in reached]
        reached.update(fresh)
        pending += fresh


def _moved_back(
    nodes: Mapping[str, Any], links: tuple[Mapping[str, list[str]], Mapping[str, list[str]]], edge: Edge, path: Path
) -> Edge:
    """Return the edge in front of the weights through which a loop closes."""
    after, before = links
    source = edge[0]
    kind = type(nodes[source]).__name__
    if kind in NEURONS or len(after[source]) != 1 or len(before[source]) != 1:
        if type(nodes[edge[1]]).__name__ in PRODUCTS:
            return edge
        raise _refused(
            path, f"the loop from {source!r} to {edge[1]!r} has no weights of its own", "Put a Linear node between them"
        )
    earlier = (before[source][0], source)
    return earlier if kind in PRODUCTS else _moved_back(nodes, links, earlier, path)


def _order(nodes: Mapping[str, Any], edges: list[Edge]) -> list[str]:
    """Return the names so that edges point forward; nothing loops any more."""
    waiting = {name: sum(b == name for _, b in edges) for name in nodes}
    ready = [name for name in nodes if not waiting[name]]
    order: list[str] = []
    while ready:
        here = ready.pop(0)
        order.append(here)
        for a, b in edges:
            if a == here:
                waiting[b] -= 1
                if not waiting[b]:
                    ready.append(b)
    return order


def _step(nodes: Mapping[str, Any], graph: Any, path: Path) -> float | None:
    """Return the one step length that the file's metadata name as ``dt`` [s]; None where they name none."""
    holders = [graph, *nodes.values()]
    found = {float(one.metadata["dt"]) for one in holders if isinstance(one.metadata, Mapping) and "dt" in one.metadata}
    if len(found) > 1:
        raise _refused(path, f"its nodes have different steps: dt = {sorted(found)} s")
    return found.pop() if found else None
