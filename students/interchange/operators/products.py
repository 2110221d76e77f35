"""Matrix products and normalisations."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from students.interchange.graph import Builder, Node, Run


def _general_product(node: Node) -> Run:
    alpha, beta = node.attribute("alpha", 1.0), node.attribute("beta", 1.0)
    turned, weight_turned = node.attribute("transA", 0), node.attribute("transB", 0)

    def run(left: Tensor, right: Tensor, offset: Tensor | None = None) -> Tensor:
        signal = left.t() if turned else left
        weight = right if weight_turned else right.t()
        weight = weight if alpha == 1.0 else weight * alpha
        offset = offset if offset is None or beta == 1.0 else offset * beta
        if offset is None or offset.numel() == weight.shape[0] == offset.shape[-1]:
            return functional.linear(signal, weight, None if offset is None else offset.reshape(-1))
        return functional.linear(signal, weight) + offset

    return run


def _matrix_product(_: Node) -> Run:
    def run(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return the product; `bias` is an addition that `rewrite` found right behind it."""
        return torch.matmul(left, right) if bias is None else functional.linear(left, right.t(), bias)

    return run


def _einsum(node: Node) -> Run:
    equation = node.attribute("equation", "")
    return lambda *values: torch.einsum(equation, *values)


def _batch_norm(node: Node) -> Run:
    node.expect("training_mode", 0)
    node.expect("spatial", 1)  # until version 7, `is_test` of 0 meant training, which further outputs would show
    node.only_output()
    epsilon = node.attribute("epsilon", 1e-5)

    def run(signal: Tensor, scale: Tensor, offset: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        return functional.batch_norm(signal, mean, variance, scale, offset, False, 0.0, epsilon)

    return run


def _instance_norm(node: Node) -> Run:
    epsilon = node.attribute("epsilon", 1e-5)

    def run(signal: Tensor, scale: Tensor, offset: Tensor) -> Tensor:
        return functional.instance_norm(signal, weight=scale, bias=offset, eps=epsilon)

    return run


def _layer_norm(node: Node) -> Run:
    node.only_output()
    axis, epsilon = node.attribute("axis", -1), node.attribute("epsilon", 1e-5)

    def run(signal: Tensor, scale: Tensor, offset: Tensor | None = None) -> Tensor:
        return functional.layer_norm(signal, list(signal.shape[axis:]), scale, offset, epsilon)

    return run


def _group_norm(node: Node) -> Run:
    groups, epsilon = node.attribute("num_groups", 1), node.attribute("epsilon", 1e-5)

    def run(signal: Tensor, scale: Tensor, offset: Tensor) -> Tensor:
        repeats = signal.shape[1] // scale.numel()  # until version 21 there was one scale a group
        if repeats > 1:
            scale, offset = scale.repeat_interleave(repeats), offset.repeat_interleave(repeats)
        return functional.group_norm(signal, groups, scale, offset, epsilon)

    return run


def builders() -> dict[str, Builder]:
    """Return the builders by operator."""
    return {
        "Gemm": _general_product,
        "MatMul": _matrix_product,
        "Einsum": _einsum,
        "BatchNormalization": _batch_norm,
        "InstanceNormalization": _instance_norm,
        "LayerNormalization": _layer_norm,
        "GroupNormalization": _group_norm,
    }
