"""Rewritings that merge the nodes of one exported quantiser into one node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from students.interchange.graph import Graph, Node
from students.interchange.operators import FUNCTIONS, QONNX_DOMAINS
from students.interchange.rewrite_codes import with_numbers_of_codes
from students.layers.grid import signed_bits

DOMAIN = "qonnx.custom_op.general"
QUANTISERS = frozenset(("Quant", "IntQuant", "QuantisedPair"))


def with_quantisers(graph: Graph) -> Graph:
    """Return the graph with each quantiser in one node.

    ``QuantizeLinear``, perhaps ``Clip``, then ``DequantizeLinear`` of one scale and zero point put a signal on a grid;
    ``DequantizeLinear`` of a constant stands for integer weights; a ReLU, sigmoid or tanh that only a quantiser reads
    is part of it. Codes that are moved first, or that the graph is given or gives, stand for their numbers.
    """
    makers = _Rewriter(graph)
    for build in (makers.weights, makers.pair):
        makers.apply("DequantizeLinear", build)
    makers = _Rewriter(with_numbers_of_codes(makers.graph()))
    makers.apply("DequantizeLinear", makers.pair)
    for operator in sorted(QUANTISERS):
        makers.apply(operator, makers.function)
    return makers.graph()


class _Rewriter:
    """The nodes of a graph while some are replaced."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._nodes = {node.name: node for node in graph.nodes}
        self._reads = Counter((*(name for node in graph.nodes for name in node.inputs), *graph.outputs))
        self._made = {name: node for node in graph.nodes for name in node.outputs}

    def apply(self, operator: str, build: Callable[[Node], tuple[Node, list[Node]] | None]) -> None:
        """Replace each node of an operator by what `build` makes of it and of the nodes it merges."""
        for node in [one for one in self._nodes.values() if one.operator == operator]:
            found = build(node)
            if found is None:
                continue
            new, gone = found
            for one in gone:
                self._nodes.pop(one.name)
            self._nodes[node.name] = new
            self._made.update(dict.fromkeys(new.outputs, new))

    def graph(self) -> Graph:
        """Return the graph as it is now, nodes in their order."""
        return replace(self._graph, nodes=tuple(self._nodes.values()))

    def _before(self, name: str, operator: str) -> Node | None:
        """Return the node of an operator that alone makes a tensor read once."""
        node = self._made.get(name)
        return node if node is not None and node.operator == operator and self._reads[name] == 1 else None

    def pair(self, node: Node) -> tuple[Node, list[Node]] | None:
        """Return ``QuantizeLinear``, ``Clip`` and ``DequantizeLinear`` in one."""
        clip = self._before(node.inputs[0], "Clip")
        first = self._before(clip.inputs[0] if clip else node.inputs[0], "QuantizeLinear")
        if first is None or len(first.inputs) != len(node.inputs) or not _alike(first, node):
            return None
        zero = node.constant(2)
        whole = torch.iinfo(torch.uint8 if zero is None else zero.dtype)
        low, high = (whole.min, whole.max) if clip is None else _limits(clip, (whole.min, whole.max))
        new = self._quantiser("QuantisedPair", node, first.inputs[0], (low, high, whole.min < 0))
        return new, [first, *([clip] if clip else [])]

    def weights(self, node: Node) -> tuple[Node, list[Node]] | None:
        """Return ``DequantizeLinear`` of stored codes, perhaps clipped."""
        clip = self._before(node.inputs[0], "Clip")
        stored = clip.constant(0) if clip else node.constant(0)
        if stored is None or stored.is_floating_point() or node.constant(1) is None:
            return None
        whole = torch.iinfo(stored.dtype)
        low, high = (whole.min, whole.max) if clip is None else _limits(clip, (whole.min, whole.max))
        source = clip.inputs[0] if clip else node.inputs[0]
        return self._quantiser("DequantisedWeights", node, source, (low, high, whole.min < 0)), [clip] if clip else []

    def function(self, node: Node) -> tuple[Node, list[Node]] | None:
        """Return a quantiser with the activation function before it, which a clip at zero stands for in a ReLU."""
        before = self._made.get(node.inputs[0])
        if before is None or before.operator not in FUNCTIONS or self._reads[node.inputs[0]] != 1:
            return None
        if node.domain not in QONNX_DOMAINS or before.domain or "before" in node.attributes:
            return None
        attributes = {**node.attributes, "before": before.operator}
        return replace(node, inputs=(before.inputs[0], *node.inputs[1:]), attributes=attributes), [before]

    def _quantiser(self, operator: str, node: Node, source: str, ends: tuple[int, int, bool]) -> Node:
        """Return a node of our own with the scale and zero point of `node`, shaped for the axis they belong to."""
        low, high, signed = ends
        bits = signed_bits(low, high) if signed else max(high.bit_length(), 1)
        constants = dict(node.constants)
        names = [source]
        for place in (1, 2):
            if not node.has(place):
                continue
            names.append(f"{node.name}.{place}")
            constants[names[-1]] = _along(node, source, node.constants[node.inputs[place]].to(torch.float32))
        attributes = {"low": low, "high": high, "bits": bits, "signed": signed, "rounds_first": 1}
        attributes |= {name: value for name, value in node.attributes.items() if name == "block_size"}
        return replace(
            node, operator=operator, domain=DOMAIN, inputs=tuple(names), attributes=attributes, constants=constants
        )


def _alike(first: Node, second: Node) -> bool:
    """True where both nodes have one stored scale and zero point, for the whole tensor."""
    for place in range(1, len(first.inputs)):
        one, other = first.constant(place), second.constant(place)
        if one is None or other is None or one.numel() != 1 or not torch.equal(one.flatten(), other.flatten()):
            return False
    return True


def _limits(clip: Node, whole: tuple[int, int]) -> tuple[int, int]:
    low, high = clip.constant(1), clip.constant(2)
    return int(whole[0] if low is None else low.item()), int(whole[1] if high is None else high.item())


def _along(node: Node, source: str, values: Tensor) -> Tensor:
    """Return one constant per channel, shaped to broadcast along its axis of the stored weights."""
    weights = node.constants.get(source)
    if values.numel() == 1 or weights is None:
        return values.reshape(()) if values.numel() == 1 else values
    axis = node.attribute("axis", 1)
    if values.dim() > 1 or not -weights.dim() <= axis < weights.dim():
        return values
    shape = [1] * weights.dim()
    shape[axis] = values.numel()
    return values.reshape(shape)
