"""Rewritings of a graph that change how it is written, not what it computes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from students.interchange.graph import Graph, Node


def with_biases(graph: Graph) -> Graph:
    """Return the graph with each constant added to a product of stored weights, alone, as that product's bias.

    Exporters write a linear layer on more than two axes as ``MatMul`` and ``Add``.
    """
    reads = Counter((*(name for node in graph.nodes for name in node.inputs), *graph.outputs))
    products = {node.outputs[0]: node for node in graph.nodes if _takes_bias(graph, node)}
    replaced: dict[str, Node] = {}
    gone: set[str] = set()
    for node in graph.nodes:
        if node.operator != "Add" or node.domain:
            continue
        for signal, constant in (node.inputs, node.inputs[::-1]):
            product = products.get(signal)
            if product is None or reads[signal] != 1 or not _fits(graph, product, constant):
                continue
            replaced[product.name] = replace(product, inputs=(*product.inputs, constant), outputs=node.outputs)
            gone.add(node.name)
            break
    nodes = tuple(replaced.get(node.name, node) for node in graph.nodes if node.name not in gone)
    return replace(graph, nodes=nodes)


def _takes_bias(graph: Graph, node: Node) -> bool:
    weight = graph.constants.get(node.inputs[1]) if len(node.inputs) == 2 else None
    return node.operator == "MatMul" and not node.domain and weight is not None and weight.dim() == 2


def _fits(graph: Graph, product: Node, constant: str) -> bool:
    bias = graph.constants.get(constant)
    return bias is not None and tuple(bias.shape) == (graph.constants[product.inputs[1]].shape[1],)
