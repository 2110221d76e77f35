"""Attention that is called as one operation, written out as the products and the softmax that it is made of."""

from __future__ import annotations

from typing import Any

from torch import fx
from torch.nn import functional

from students.quantize.adopt.operations import SCALED_ATTENTION
from students.quantize.adopt.traced import AXES

NAMES = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa")


def write_out_attention(graph: fx.Graph) -> None:
    """Replace calls of scaled dot-product attention by ``softmax(query @ key^T * scale) @ value``.

    One with a mask, or with fewer heads of keys than of queries, stays as it is.
    """
    for node in list(graph.nodes):
        if node.op != "call_function" or node.target not in SCALED_ATTENTION:
            continue
        given: dict[str, Any] = {**dict(zip(NAMES, node.args, strict=False)), **node.kwargs}
        masked = given.get("attn_mask") is not None or given.get("is_causal") or given.get("enable_gqa")
        query: Any = given.get("query")
        key, value = given.get("key"), given.get("value")
        if masked or not all(isinstance(one, fx.Node) for one in (query, key, value)):
            continue
        scale = given.get("scale")
        with graph.inserting_before(node):
            turned = graph.call_method("transpose", (key, -2, -1))
            scores = graph.call_method("matmul", (query, turned))
            scaled = graph.call_method("mul", (scores, query.meta[AXES][-1] ** -0.5 if scale is None else scale))
            weights = graph.call_function(functional.softmax, (scaled, -1))
            found = graph.call_method("matmul", (weights, value))
        node.replace_all_uses_with(found)
        graph.erase_node(node)
