"""Calls that are written out as the operations that they are made of: attention, gates, pieces of a signal."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from students.quantize.adopt.operations import SCALED_ATTENTION
from students.quantize.adopt.traced import AXES

ATTENTION_NAMES = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa")
CHUNKS, SPLITS = frozenset({torch.chunk, "chunk"}), frozenset({torch.split, "split"})
UNBINDS, STACKS = frozenset({torch.unbind, "unbind"}), frozenset({torch.stack})
DIFFERENCES = frozenset({operator.sub, operator.isub, torch.sub, "sub"})


def write_out(module: fx.GraphModule) -> None:
    """Replace calls by what they are made of, where that has an integer form; others stay as they are.

    ``scaled_dot_product_attention`` without a mask becomes products and a softmax, ``glu`` a product with a sigmoid, a
    difference of two signals the sum with the negative, ``chunk``, ``split`` and ``unbind`` one narrowing a piece,
    ``stack`` a join.
    """
    graph = module.graph
    for node in list(graph.nodes):
        found = _written_out(graph, node, module)
        if found is not None:
            if AXES in node.meta:
                found.meta[AXES] = node.meta[AXES]
            node.replace_all_uses_with(found)
            graph.erase_node(node)
    graph.eliminate_dead_code()


def _written_out(graph: fx.Graph, node: fx.Node, module: fx.GraphModule) -> fx.Node | None:
    """Return what takes a node's place; None where it stays."""
    target: Any = node.target
    if node.op == "call_module":
        layer = module.get_submodule(str(target))
        return _gate(graph, node, layer.dim) if type(layer) is nn.GLU else None
    if node.op not in {"call_function", "call_method"}:
        return None
    rules: Mapping[Any, Callable[[fx.Graph, fx.Node], fx.Node | None]] = {
        **dict.fromkeys(SCALED_ATTENTION, _attention), **dict.fromkeys(DIFFERENCES, _difference),
        **dict.fromkeys(STACKS, _stack), operator.getitem: _piece,
        functional.glu: lambda graph, node: _gate(graph, node, _axis(node, -1)),
    }  # fmt: skip
    rule = rules.get(target)
    return None if rule is None else rule(graph, node)


def _attention(graph: fx.Graph, node: fx.Node) -> fx.Node | None:
    given: dict[str, Any] = {**dict(zip(ATTENTION_NAMES, node.args, strict=False)), **node.kwargs}
    masked = given.get("attn_mask") is not None or given.get("is_causal") or given.get("enable_gqa")
    query: Any = given.get("query")
    key, value, scale = given.get("key"), given.get("value"), given.get("scale")
    if masked or not all(isinstance(one, fx.Node) for one in (query, key, value)):
        return None
    with graph.inserting_before(node):
        turned = graph.call_method("transpose", (key, -2, -1))
        scores = graph.call_method("matmul", (query, turned))
        scaled = graph.call_method("mul", (scores, query.meta[AXES][-1] ** -0.5 if scale is None else scale))
        weights = graph.call_function(functional.softmax, (scaled, -1))
        return graph.call_method("matmul", (weights, value))


def _gate(graph: fx.Graph, node: fx.Node, axis: int) -> fx.Node | None:
    source = node.all_input_nodes[0]
    length = _length(source, axis)
    if length is None:
        return None
    with graph.inserting_before(node):
        first = graph.call_method("narrow", (source, axis, 0, length // 2))
        second = graph.call_method("narrow", (source, axis, length // 2, length // 2))
        return graph.call_function(operator.mul, (first, graph.call_function(torch.sigmoid, (second,))))


def _difference(graph: fx.Graph, node: fx.Node) -> fx.Node | None:
    if node.kwargs or not all(isinstance(one, fx.Node) and AXES in one.meta for one in node.args):
        return None
    with graph.inserting_before(node):
        negative = graph.call_function(operator.neg, (node.args[1],))
        return graph.call_function(operator.add, (node.args[0], negative))


def _stack(graph: fx.Graph, node: fx.Node) -> fx.Node | None:
    axis, parts = _axis(node, 0), node.args[0]
    if not isinstance(parts, list | tuple):
        return None
    with graph.inserting_before(node):
        longer = [graph.call_method("unsqueeze", (one, axis)) for one in parts]
        return graph.call_function(torch.cat, (longer, axis))


def _piece(graph: fx.Graph, node: fx.Node) -> fx.Node | None:
    """Return one of the pieces into which a signal was cut, as a narrowing."""
    cut, number = node.args
    if not isinstance(cut, fx.Node) or not isinstance(number, int) or cut.op not in {"call_function", "call_method"}:
        return None
    target: Any = cut.target
    axis = _axis(cut, 0, place=1 if target in UNBINDS else 2)
    source = cut.all_input_nodes[0] if cut.all_input_nodes else cut
    length = _length(source, axis)
    if target not in CHUNKS | SPLITS | UNBINDS or length is None:
        return None
    sizes = _sizes(cut, length)
    if sizes is None or not -len(sizes) <= number < len(sizes):
        return None
    number %= len(sizes)
    with graph.inserting_before(node):
        piece = graph.call_method("narrow", (source, axis, sum(sizes[:number]), sizes[number]))
        return graph.call_method("squeeze", (piece, axis)) if target in UNBINDS else piece


def _sizes(cut: fx.Node, length: int) -> list[int] | None:
    target: Any = cut.target
    if target in UNBINDS:
        return [1] * length
    names = ("chunks", "split_size", "split_size_or_sections")
    given = cut.args[1] if len(cut.args) > 1 else next((cut.kwargs[name] for name in names if name in cut.kwargs), None)
    if isinstance(given, list | tuple) and target in SPLITS:
        return [int(one) for one in given if isinstance(one, int)]
    if not isinstance(given, int):
        return None
    each = -(-length // given) if target in CHUNKS else given
    return [min(each, length - start) for start in range(0, length, each)]


def _axis(node: fx.Node, default: int, place: int = 1) -> int:
    found = node.kwargs.get("dim", node.args[place] if len(node.args) > place else default)
    return found if isinstance(found, int) else default


def _length(node: fx.Node, axis: int) -> int | None:
    """Return how long an axis of a signal is; None where that is not known, or differs from call to call."""
    axes = node.meta.get(AXES)
    return None if axes is None or not -len(axes) <= axis < len(axes) else axes[axis]
