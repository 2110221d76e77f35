"""What a deployed graph stores and computes, read off its nodes: the dense conventions of `docs/counting.md`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from students.deploy.attention import LinearAttention
from students.deploy.cells import Feedback, Neurons, Recurrent
from students.deploy.codes import Coder
from students.deploy.delay_lines import PastSums
from students.deploy.graph import INPUT, Delay, DeployedGraph, Linear, Product, Range
from students.deploy.rows import MatMul


@dataclass(frozen=True, slots=True)
class LayerCount:
    """One product of a deployed graph, for one decode: a window, or one step of a stream.

    Parameters
    ----------
    name : str
    dense_full, dense_valid : int
        Products, padding taps included and excluded; a stream's past inputs are no padding.
    weights, weight_bits : int
    activation_bits, accumulator_bits : int
    state_elements : int
        Past inputs that a stream keeps, ``(taps - 1) * dilation`` a channel; 0 for a window.
    """

    name: str
    dense_full: int
    dense_valid: int
    weights: int
    weight_bits: int
    activation_bits: int
    accumulator_bits: int
    state_elements: int


@dataclass(frozen=True, slots=True)
class StateCount:
    """Numbers of one format that a cell keeps from step to step.

    Parameters
    ----------
    name : str
    elements, bits : int
    """

    name: str
    elements: int
    bits: int


def static_counts(graph: DeployedGraph) -> tuple[LayerCount, ...]:
    """Return the products of a graph in the order in which they run.

    Parameters
    ----------
    graph : DeployedGraph
    """
    ranges = {INPUT: graph.input, **{node.name: node.result for node in graph.nodes}}
    found: list[LayerCount] = []
    for node in graph.nodes:
        if isinstance(node, Product | Linear):
            found.append(_count(graph, node, ranges[node.source]))
        elif isinstance(node, MatMul):
            found.append(_of_signals(node, ranges[node.source]))
        elif isinstance(node, Recurrent):
            found.append(_hidden(graph, node))
        elif isinstance(node, LinearAttention):
            found += _attention(graph, node, ranges)
        elif isinstance(node, Neurons) and node.feedback is not None:
            found.append(_fed_back(graph, node, node.feedback))
    return tuple(found)


def state_counts(graph: DeployedGraph) -> tuple[StateCount, ...]:
    """Return the state that cells, delays and input codes keep, by layer as `students.counting.observe` names it.

    Parameters
    ----------
    graph : DeployedGraph
    """
    found: list[StateCount] = []
    for node in graph.nodes:
        if isinstance(node, Neurons):
            words = 1 if node.current_decay is None else 2
            found.append(StateCount(node.name, words * node.units, node.membrane.signed_bits))
            if node.adaptation is not None:
                found.append(StateCount(f"{node.name}.adaptation", node.units, node.adaptation.bits))
        elif isinstance(node, Delay) and node.longest:
            found.append(StateCount(node.name, int(node.steps.sum()), node.result.bits))
        elif isinstance(node, PastSums) and node.words:
            found.append(StateCount(node.name, node.words * node.channels, node.result.bits))
        elif isinstance(node, LinearAttention):
            found.append(StateCount(f"{node.name}.sums", node.width**2, node.sums.signed_bits))
            found.append(StateCount(f"{node.name}.totals", node.width, node.totals.bits))
        elif isinstance(node, Coder):
            kept = node.kept()
            found += [StateCount(f"{node.name}.{name}".rstrip("."), many, bits) for name, many, bits in kept]
        elif isinstance(node, Recurrent):
            names = zip(("hidden_state", "cell_state"), node.state_bits, strict=False)
            found += [StateCount(f"{node.name}.{name}", node.units, bits) for name, bits in names]
    return tuple(found)


def _hidden(graph: DeployedGraph, node: Recurrent) -> LayerCount:
    """Return the recurrent product of a cell, whose past is counted with its state."""
    products = node.weights.size * (1 if graph.task == "regression" else node.result.shape[1])
    return LayerCount(
        f"{node.name}.hidden", products, products, node.weights.size, node.weight_bits, node.operand_bits,
        node.sums.signed_bits, 0,
    )  # fmt: skip


def _fed_back(graph: DeployedGraph, node: Neurons, feedback: Feedback) -> LayerCount:
    """Return the recurrent product of neurons, which keep the spikes of a step for the next."""
    products = feedback.weights.size * (1 if graph.task == "regression" else node.result.shape[1])
    return LayerCount(
        f"{node.name}.recurrent", products, products, feedback.weights.size, feedback.weight_bits, 1,
        feedback.sums.signed_bits, node.units,
    )  # fmt: skip


def _attention(graph: DeployedGraph, node: LinearAttention, ranges: Mapping[str, Range]) -> tuple[LayerCount, ...]:
    """Return the products of keys and values, and those of both sums with the queries."""
    steps, width = 1 if graph.task == "regression" else node.result.shape[1], node.width
    given, read = width**2 * steps, (width + 1) * width * steps
    operand, sums = ranges[node.key].bits, node.sums.signed_bits
    return (
        LayerCount(f"{node.name}.update", given, given, 0, 0, operand, sums, 0),
        LayerCount(f"{node.name}.read", read, read, 0, 0, sums, node.numerators.signed_bits, 0),
    )


def _of_signals(node: MatMul, source: Range) -> LayerCount:
    """Return a product of two signals, which stores no weights."""
    products = math.prod(node.result.shape) * node.inner
    return LayerCount(node.name, products, products, 0, 0, source.bits, node.result.signed_bits, 0)


def _count(graph: DeployedGraph, node: Product | Linear, source: Range) -> LayerCount:
    if graph.task == "regression":
        full = valid = node.weights.size
        state = 0
        if isinstance(node, Product):
            state = source.shape[0] * (node.weights.shape[-1] - 1) * node.dilation[-1]
    else:
        full, state = math.prod(node.result.shape) * math.prod(node.weights.shape[1:]), 0
        valid = full
        if isinstance(node, Product):
            taps = zip(source.shape[1:], node.weights.shape[2:], strict=True)
            inside = math.prod(_inside(length, count, node, axis) for axis, (length, count) in enumerate(taps))
            valid = node.weights.shape[0] * node.weights.shape[1] * inside
    return LayerCount(
        node.name, full, valid, node.weights.size, node.weight_bits, source.bits, node.result.signed_bits, state
    )  # fmt: skip


def _inside(length: int, taps: int, node: Product, axis: int) -> int:
    """Return how many taps of all outputs along one axis lie on the signal, not on its padding."""
    before = node.pads[axis][0]
    outputs = node.result.shape[axis + 1]
    first = [place * node.stride[axis] - before for place in range(outputs)]
    return sum(0 <= start + tap * node.dilation[axis] < length for start in first for tap in range(taps))
