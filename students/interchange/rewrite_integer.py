"""Integer operators rewritten as float ones between quantisers, which `rewrite_quantised` then merges (QDQ form).

``QLinearConv`` and ``QLinearMatMul`` are a product of dequantised operands, quantised again; ``ConvInteger`` and
``MatMulInteger`` a product of operands whose step is 1.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from students.interchange.graph import DEFAULT_DOMAINS, Graph, Node, UnsupportedVariant

LINEAR = {"QLinearConv": "Conv", "QLinearMatMul": "MatMul"}
INTEGER = {"ConvInteger": "Conv", "MatMulInteger": "MatMul"}
DYNAMIC = "DynamicQuantizeLinear"


def with_float_products(graph: Graph) -> Graph:
    """Return the graph with its integer products written as float ones of dequantised operands.

    Raises
    ------
    UnsupportedVariant
        Scales or zero points of weights that are computed.
    """
    wanted = {*LINEAR, *INTEGER, DYNAMIC}
    if not any(node.operator in wanted and node.domain in DEFAULT_DOMAINS for node in graph.nodes):
        return graph
    return _Writer(graph).graph()


class _Writer:
    """The nodes of a graph as they are written anew, and the constants that this adds."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._constants = dict(graph.constants)
        self._nodes: list[Node] = []
        self._floats: dict[tuple[str, ...], str] = {}
        self._centred: set[str] = set()

    def graph(self) -> Graph:
        """Return the graph written anew."""
        for node in self._graph.nodes:
            if node.domain not in DEFAULT_DOMAINS:
                self._nodes.append(node)
            elif node.operator in LINEAR:
                self._linear(node)
            elif node.operator in INTEGER:
                self._integer(node)
            elif node.operator == DYNAMIC:
                self._dynamic(node)
            else:
                self._nodes.append(node)
        shared = self._constants
        nodes = tuple(replace(node, constants=shared) for node in self._nodes)
        return replace(self._graph, nodes=nodes, constants=shared)

    def _linear(self, node: Node) -> None:
        convolution = node.operator == "QLinearConv"
        signal = self._float(node, node.inputs[:3], axis=1)
        weight = self._float(node, node.inputs[3:6], axis=0 if convolution else 1)
        operands = [signal, weight]
        if convolution and node.has(8):
            bias = f"{node.name}/bias_scale"
            self._constants[bias] = self._stored(node, node.inputs[1]) * self._stored(node, node.inputs[4])
            operands.append(self._float(node, (node.inputs[8], bias), axis=0))
        summed = f"{node.outputs[0]}/sum"
        self._nodes.append(
            replace(node, operator=LINEAR[node.operator], inputs=tuple(operands), outputs=(summed,))
        )
        ends = (summed, *node.inputs[6:8])
        name = f"{node.name}/out"
        self._nodes.append(replace(node, name=name, operator="QuantizeLinear", inputs=ends, attributes={}))

    def _integer(self, node: Node) -> None:
        operands = [self._whole(node, place, node.inputs[place + 2 : place + 3]) for place in (0, 1)]
        self._nodes.append(replace(node, operator=INTEGER[node.operator], inputs=tuple(operands)))

    def _whole(self, node: Node, place: int, zero: tuple[str, ...]) -> str:
        """Return the name of an operand less its zero point, on a grid of step 1."""
        name = node.inputs[place]
        if name in self._centred:  # a dynamic quantiser gives it so
            return name
        step = f"{node.name}/{place}/step"
        self._constants[step] = torch.ones(())
        if zero and zero[0] and zero[0] not in self._constants:
            raise UnsupportedVariant("a zero point that is computed")
        return self._float(node, (name, step, *(one for one in zero if one)), axis=0)

    def _dynamic(self, node: Node) -> None:
        """Write the range found from a signal and its quantiser as two nodes; the codes are given less their zero."""
        codes, scale, zero = node.outputs
        self._nodes.append(replace(node, name=f"{node.name}/range", operator="DynamicRange", outputs=(scale, zero)))
        inputs = (node.inputs[0], scale, zero)
        self._nodes.append(replace(node, operator="DynamicCodes", inputs=inputs, outputs=(codes,)))
        self._centred.add(codes)

    def _float(self, node: Node, parts: tuple[str, ...], axis: int) -> str:
        """Return the name of a tensor dequantised by a scale and zero point, one for all that read it."""
        key = tuple(parts)
        if key not in self._floats:
            made = f"{parts[0]}/float{len(self._floats)}"
            self._nodes.append(
                replace(node, name=f"{node.name}/{made}", operator="DequantizeLinear", inputs=key, outputs=(made,),
                        attributes={"axis": axis})
            )  # fmt: skip
            self._floats[key] = made
        return self._floats[key]

    def _stored(self, node: Node, name: str) -> Tensor:
        if name not in self._constants:
            raise UnsupportedVariant(f"{node.operator} with a scale that is computed")
        return self._constants[name].to(torch.float32).reshape(-1)
