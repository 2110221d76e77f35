"""The integer reference: a deployed graph executed in int64, with every stated width checked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from energy_models.errors import DataError, StudentError
from students.deploy.attention import LinearAttention, run_attention
from students.deploy.cells import Neurons, Recurrent, accumulators, run_cell
from students.deploy.codes import Coder
from students.deploy.delay_lines import PastSums
from students.deploy.graph import (
    INPUT,
    Add,
    Delay,
    DeployedGraph,
    Integers,
    Join,
    Linear,
    Move,
    Multiply,
    Node,
    Part,
    Pool,
    Product,
    Range,
    Requantise,
    Steps,
    Table,
    sources_of,
)
from students.deploy.rows import MatMul, Norm, Softmax, run_matmul, run_norm, run_softmax


def execute(graph: DeployedGraph, codes: Integers) -> dict[str, Integers]:
    """Return every signal of a graph by its node's name, and the codes as ``input``; the last one is the output.

    Parameters
    ----------
    graph : DeployedGraph
    codes : ndarray of integers, shape (examples, channels, ...)
        Converter codes; of any number of steps where the graph `takes_any_length`.

    Raises
    ------
    DataError
        Numbers that are no codes of the converter, or of another shape.
    StudentError
        A number that its stated width does not hold: the graph was changed, or its input has no such range.
    """
    signals = {INPUT: checked_codes(graph, codes)}
    for node in graph.nodes:
        signals[node.name] = run_node(node, signals)
    return signals


def decide(graph: DeployedGraph, codes: Integers) -> Integers:
    """Return the classes ``(examples,)``, or the estimates ``(examples, steps, outputs)`` in the output's fixed point.

    The first of equal logits decides.

    Parameters
    ----------
    graph : DeployedGraph
    codes : ndarray of integers, shape (examples, channels, ...)

    Raises
    ------
    CosimError
        As `execute`.
    """
    outputs = execute(graph, codes)[graph.nodes[-1].name]
    return outputs.argmax(axis=1) if graph.task == "classification" else outputs.swapaxes(1, 2)


def checked_codes(graph: DeployedGraph, codes: Integers) -> Integers:
    """Return codes as int64.

    Raises
    ------
    DataError
        As `execute`.
    """
    kept = 1 if graph.takes_any_length else 2
    fits = codes.ndim == 3 and codes.shape[1 : 1 + kept] == graph.input.shape[:kept]
    if not fits or not np.issubdtype(codes.dtype, np.integer):
        raise DataError(
            f"an input of {codes.dtype} and shape {codes.shape}, expected integers of shape (examples, "
            f"{', '.join(map(str, graph.input.shape))})", where="codes", remedy="Give what the converter puts out",
        )
    if codes.size and not graph.input.lowest <= int(codes.min()) <= int(codes.max()) <= graph.input.highest:
        raise DataError(
            f"codes from {codes.min()} to {codes.max()}, where the converter has {graph.codes.bits} bits: "
            f"{graph.input.lowest} to {graph.input.highest}", where="codes",
            remedy="Give what the converter puts out, or lower the network for a wider one",
        )
    return codes.astype(np.int64)


def _within(found: Integers, stated: Range, name: str) -> Integers:
    if found.size and not stated.lowest <= int(found.min()) <= int(found.max()) <= stated.highest:
        raise StudentError(
            f"numbers from {found.min()} to {found.max()} in a signal of {stated.lowest} to {stated.highest}",
            where=f"deployed node {name!r}", remedy="Lower the network again from the student",
        )
    return found


def run_node(node: Node, signals: Mapping[str, Integers]) -> Integers:
    """Return what a node makes of its source.

    Raises
    ------
    StudentError
        A number that its stated width does not hold.
    """
    return _within(_run(node, signals), node.result, node.name)


def _run(node: Node, signals: Mapping[str, Integers]) -> Integers:
    signal = signals[node.source]
    if isinstance(node, Product):
        return _product(node, signal)
    if isinstance(node, Linear):
        sums = signal @ node.weights.T
        return sums if node.bias is None else sums + node.bias
    if isinstance(node, Requantise):
        return np.clip(node.constants.apply(signal), node.result.lowest, node.result.highest)
    if isinstance(node, Table):
        return node.entries[np.broadcast_to(node.rows, signal.shape), signal - node.first]
    if isinstance(node, Steps):
        return _steps(node, signal)
    if isinstance(node, Delay | PastSums):
        return node.run(signal)
    if isinstance(node, Coder):
        return node.run(signal, node.first_state(len(signal)))[0]
    if isinstance(node, Add):
        return signal + signals[node.other]
    if isinstance(node, Multiply):
        return signal * signals[node.other]
    if isinstance(node, MatMul):
        return run_matmul(signal, signals[node.other])
    if isinstance(node, Softmax):
        return run_softmax(node, signal)
    if isinstance(node, Norm):
        return run_norm(node, signal)
    if isinstance(node, Part):
        return signal[:, node.first : node.first + node.result.shape[0]]
    if isinstance(node, LinearAttention):
        operands = signal, signals[node.key], signals[node.value]
        found, (sums, totals, _) = run_attention(node, operands, node.first_state(len(signal)))
        _within(sums, node.sums, node.name)
        _within(totals, node.totals, node.name)
        return found
    if isinstance(node, Join):
        return np.concatenate([signals[name] for name in sources_of(node)], axis=node.axis + 1)
    if isinstance(node, Recurrent | Neurons):
        found = run_cell(node, signal, node.first_state(len(signal)))[0]
        if isinstance(node, Recurrent):
            _within(accumulators(node, found[..., :-1].swapaxes(1, 2)), node.sums, node.name)
        elif node.feedback is not None:
            _within(node.feedback.accumulators(found[..., :-1].swapaxes(1, 2)), node.feedback.sums, node.name)
        return found
    flat = signal.reshape(len(signal), -1)
    return _pool(node, flat) if isinstance(node, Pool) else _move(node, flat)


def _product(node: Product, signal: Integers) -> Integers:
    """Return a convolution, tap by tap."""
    axes = node.weights.ndim - 2
    padded = np.pad(signal, ((0, 0), (0, 0), *node.pads))
    outputs, inputs, *taps = node.weights.shape
    steps = [
        (length - dilation * (tap - 1) - 1) // stride + 1
        for length, tap, stride, dilation in zip(padded.shape[2:], taps, node.stride, node.dilation, strict=True)
    ]
    groups = node.groups
    sums = np.zeros((len(signal), groups, outputs // groups, int(np.prod(steps))), dtype=np.int64)
    for tap in np.ndindex(*taps):
        window = tuple(
            slice(tap[axis] * node.dilation[axis], None, node.stride[axis]) for axis in range(axes)
        )
        seen = padded[(slice(None), slice(None), *window)][(..., *(slice(length) for length in steps))]
        seen = seen.reshape(len(signal), groups, inputs, -1)
        weights = node.weights[(slice(None), slice(None), *tap)].reshape(groups, outputs // groups, inputs)
        if inputs == 1:
            sums += weights * seen
        else:
            sums += weights @ seen
    if node.bias is not None:
        sums += node.bias.reshape(1, groups, -1, 1)
    return sums.reshape(len(signal), outputs, *steps)


def _steps(node: Steps, signal: Integers) -> Integers:
    rows = np.broadcast_to(node.rows, signal.shape)
    found = np.empty_like(signal)
    for row, (edges, codes) in enumerate(zip(node.edges, node.codes, strict=True)):
        places = rows == row
        found[places] = codes[np.searchsorted(edges, signal[places], side="right")]
    return found


def _pool(node: Pool, flat: Integers) -> Integers:
    inside = node.windows >= 0
    seen = flat[:, np.where(inside, node.windows, 0)]
    if node.kind == "sum":
        pooled = np.where(inside, seen, 0).sum(axis=-1)
    else:
        pooled = np.where(inside, seen, np.iinfo(np.int64).min).max(axis=-1)
    return pooled.reshape(len(flat), *node.result.shape)


def _move(node: Move, flat: Integers) -> Integers:
    moved = np.where(node.places >= 0, flat[:, np.maximum(node.places, 0)], 0)
    return moved.reshape(len(flat), *node.result.shape)
