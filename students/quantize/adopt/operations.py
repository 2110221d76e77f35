"""Which operations of a network have an integer form, by what they do to a signal."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from students.layers import modules as layers
from students.quantize import functions

PRODUCTS = (nn.Linear, nn.Conv1d, nn.Conv2d)
"""Layers that multiply a signal by stored weights; exactly these, as what is derived from them may do otherwise."""

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)

ACTIVATIONS: Mapping[type[nn.Module], bool] = {
    nn.ReLU: True, nn.ReLU6: True, nn.Sigmoid: True, nn.Softplus: True, nn.Hardsigmoid: True, nn.LeakyReLU: False,
    nn.ELU: False, nn.SELU: False, nn.GELU: False, nn.SiLU: False, nn.Tanh: False, nn.Mish: False, nn.Hardswish: False,
    nn.Hardtanh: False, functions.Square: True, functions.Exponential: True, functions.SquareRoot: True,
    functions.Absolute: True, functions.Logarithm: False,
}  # fmt: skip
"""Functions of one number, and whether what they give is never negative."""

ACTIVATION_CALLS: Mapping[Any, type[nn.Module]] = {
    torch.relu: nn.ReLU, functional.relu: nn.ReLU, "relu": nn.ReLU, "relu_": nn.ReLU, functional.relu6: nn.ReLU6,
    torch.sigmoid: nn.Sigmoid, functional.sigmoid: nn.Sigmoid, "sigmoid": nn.Sigmoid, torch.tanh: nn.Tanh,
    functional.tanh: nn.Tanh, "tanh": nn.Tanh, functional.leaky_relu: nn.LeakyReLU, functional.elu: nn.ELU,
    functional.selu: nn.SELU, functional.gelu: nn.GELU, functional.silu: nn.SiLU, functional.mish: nn.Mish,
    functional.hardswish: nn.Hardswish, functional.hardsigmoid: nn.Hardsigmoid, functional.hardtanh: nn.Hardtanh,
    functional.softplus: nn.Softplus, torch.square: functions.Square, "square": functions.Square,
    torch.log: functions.Logarithm, "log": functions.Logarithm, torch.exp: functions.Exponential,
    "exp": functions.Exponential, torch.sqrt: functions.SquareRoot, "sqrt": functions.SquareRoot,
    torch.abs: functions.Absolute, "abs": functions.Absolute, operator.abs: functions.Absolute,
}  # fmt: skip
"""The same functions as they are called in a forward pass."""

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d)
DROPOUT_CALLS: Mapping[Any, type[nn.Module]] = {
    functional.dropout: nn.Dropout, functional.dropout1d: nn.Dropout1d, functional.dropout2d: nn.Dropout2d,
}  # fmt: skip

PADDINGS = (nn.ZeroPad1d, nn.ZeroPad2d)
KEPT = (
    nn.Identity, *DROPOUTS, nn.Flatten, nn.Unflatten, nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveMaxPool1d,
    nn.AdaptiveMaxPool2d, *PADDINGS,
)  # fmt: skip
"""Layers whose outputs are some of their inputs, or zero: what was on a grid stays on it."""

KEPT_CALLS = frozenset({
    torch.flatten, torch.reshape, torch.squeeze, torch.unsqueeze, torch.transpose, torch.permute, torch.movedim,
    torch.swapaxes, torch.narrow, torch.unflatten, torch.amax, functional.max_pool1d, functional.max_pool2d,
    functional.adaptive_max_pool1d, functional.adaptive_max_pool2d, operator.getitem,
    "flatten", "reshape", "view", "squeeze", "unsqueeze", "transpose", "permute", "movedim", "swapaxes", "contiguous",
    "narrow", "unflatten", "expand", "amax", "clone", torch.flip, "flip", torch.roll, "roll", torch.select, "select",
    torch.repeat_interleave, "repeat_interleave",
})  # fmt: skip

AVERAGES = (nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, layers.AveragePool1d)
AVERAGE_CALLS = frozenset({
    torch.mean, "mean", torch.sum, "sum", functional.avg_pool1d, functional.avg_pool2d, torch.avg_pool1d,
    functional.adaptive_avg_pool1d, functional.adaptive_avg_pool2d,
})  # fmt: skip
"""Sums and means over parts of a signal: they are requantised before the next product."""

ADDITIONS = frozenset({operator.add, operator.iadd, torch.add, "add", "add_"})
JOINS = frozenset({torch.cat, torch.concat, torch.concatenate})
TIMES = frozenset({operator.mul, operator.imul, torch.mul, "mul"})
SCALINGS = TIMES | frozenset({
    operator.truediv, operator.sub, operator.neg, torch.div, torch.sub, torch.neg, "div", "sub", "neg",
})  # fmt: skip
"""Of a signal and a written number: they are part of the multiplier and offset of the requantisation that follows."""

POWERS = frozenset({operator.pow, torch.pow, "pow"})
LIMITS = frozenset({
    torch.clamp, torch.clip, torch.clamp_min, torch.clamp_max, "clamp", "clip", "clamp_min", "clamp_max",
})  # fmt: skip
"""Comparisons of a signal with written numbers."""

LAST_ONLY = (nn.Softmax, nn.LogSoftmax)
SOFTMAX_CALLS = frozenset({torch.softmax, functional.softmax, "softmax"})
LAST_ONLY_CALLS = SOFTMAX_CALLS | frozenset({torch.log_softmax, functional.log_softmax, "log_softmax"})
"""What may only stand behind the last product: it changes no decision, and is counted as it is, in float."""

SIZES = frozenset({"size", "numel"})
"""Calls that read a signal's lengths, where these may differ from call to call."""

PADS = frozenset({functional.pad, torch.nn.functional.pad})

MATMULS = frozenset({torch.matmul, operator.matmul, torch.bmm, "matmul", "bmm"})
"""Products over the last two axes; of two signals they have an integer form."""

SCALED_ATTENTION = frozenset({functional.scaled_dot_product_attention})

BY_HAND = frozenset({
    torch.conv1d, torch.conv2d, functional.linear, torch.matmul, operator.matmul, torch.bmm, torch.einsum, torch.mm,
    torch.baddbmm, torch.tensordot, functional.conv1d, functional.conv2d, functional.bilinear,
    functional.scaled_dot_product_attention, "matmul", "bmm", "mm", "dot", torch.dot, torch.inner, torch.outer,
})  # fmt: skip
"""Products that are no layer."""

RECURRENT = (nn.RNNBase, nn.RNNCellBase)
ATTENTION = (
    nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerDecoderLayer, nn.TransformerEncoder,
    nn.TransformerDecoder, nn.Transformer,
)  # fmt: skip


def makes_activation(target: Callable[..., Any] | str) -> type[nn.Module] | None:
    """Return the layer of a called activation function; None for any other call."""
    return ACTIVATION_CALLS.get(target)


def pads_with_own(kwargs: Mapping[str, object], args: tuple[object, ...]) -> bool:
    """Return whether arguments behind signal and widths say padding with zeros, or with numbers of the signal."""
    mode = kwargs.get("mode", args[0] if args else "constant")
    value = kwargs.get("value", args[1] if len(args) > 1 else None)
    if mode in {"reflect", "replicate", "circular"}:
        return True
    return mode == "constant" and (value is None or (isinstance(value, int | float) and math.isclose(value, 0)))
