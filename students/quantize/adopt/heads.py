"""Torch's multi-head attention, written out as linear layers, products of signals and a softmax."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

PARTS = ("query", "key", "value")
NAMES = (*PARTS, "key_padding_mask", "need_weights", "attn_mask")
MASKS = ("key_padding_mask", "attn_mask", "is_causal")


def write_out_heads(module: fx.GraphModule) -> None:
    """Replace each ``nn.MultiheadAttention`` of which the outputs are read only.

    One with a mask, with examples in the second axis, with keys of another width, or whose weights are read, stays as
    it is.
    """
    graph = module.graph
    for node in list(graph.nodes):
        layer: Any = module.get_submodule(str(node.target)) if node.op == "call_module" else None
        if type(layer) is not nn.MultiheadAttention:
            continue
        given: dict[str, Any] = {**dict(zip(NAMES, node.args, strict=False)), **node.kwargs}
        users: list[Any] = list(node.users)
        read_only = all(user.target is operator.getitem and (user.args[1] == 0 or not user.users) for user in users)
        if not read_only or not _is_plain(layer) or any(given.get(name) for name in MASKS):
            continue
        found = _written_out(module, node, layer, given)
        for user in users:
            user.replace_all_uses_with(found)
            graph.erase_node(user)
        graph.erase_node(node)


def _is_plain(layer: Any) -> bool:
    """Return whether examples come first, and keys, values and queries have one width and nothing added."""
    return bool(
        layer.batch_first and layer.in_proj_weight is not None and layer.bias_k is None and not layer.add_zero_attn
    )


def _written_out(module: fx.GraphModule, node: fx.Node, layer: Any, given: dict[str, Any]) -> fx.Node:
    graph, width, heads = module.graph, layer.embed_dim, layer.num_heads
    base, biases = str(node.target).replace(".", "_"), layer.in_proj_bias
    for place, part in enumerate(PARTS):
        rows = slice(place * width, (place + 1) * width)
        bias = None if biases is None else biases[rows]
        setattr(module, f"{base}_{part}", _linear(layer.in_proj_weight[rows], bias))
    setattr(module, f"{base}_out", _linear(layer.out_proj.weight, layer.out_proj.bias))
    with graph.inserting_before(node):
        query, key, value = (
            graph.call_method(
                "transpose",
                (graph.call_method("unflatten", (graph.call_module(f"{base}_{part}", (given[part],)), -1,
                                                 (heads, width // heads))), 1, 2),
            )
            for part in PARTS
        )  # fmt: skip
        scores = graph.call_method("matmul", (query, graph.call_method("transpose", (key, -2, -1))))
        scaled = graph.call_method("mul", (scores, (width // heads) ** -0.5))
        mixed = graph.call_method("matmul", (graph.call_function(functional.softmax, (scaled, -1)), value))
        together = graph.call_method("flatten", (graph.call_method("transpose", (mixed, 1, 2)), 2))
        return graph.call_module(f"{base}_out", (together,))


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """Return a linear layer of copies, without a draw of random numbers."""
    outputs, inputs = weight.shape
    layer: Any = nn.utils.skip_init(nn.Linear, inputs, outputs, bias=bias is not None, device=weight.device)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(bias)
    return layer
