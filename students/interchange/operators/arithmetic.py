"""Elementwise operators and softmax."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from students.interchange.graph import Builder, Node, Run, UnsupportedVariant

BROADCASTS = 7
"""Version from which operands broadcast as numpy's do."""
SELU = (1.6732632423543772, 1.0507009873554805)
"""Alpha and gamma of the self-normalising unit as torch has them."""


def _plain(function: Callable[..., Any]) -> Builder:
    """Return the builder of an operator without attributes."""
    return lambda _: function


def _scalar(node: Node, place: int) -> float | int | bool | None:
    """Return a stored constant of one element as a number, by which counting knows powers of two and squares."""
    constant = node.constant(place)
    return constant.item() if constant is not None and constant.numel() == 1 and constant.dim() < 2 else None


def _binary(function: Callable[..., Tensor]) -> Builder:
    def build(node: Node) -> Run:
        number, along = _scalar(node, 1), _along(node)

        def run(left: Tensor, right: Tensor) -> Tensor:
            return function(left, along(left, right) if number is None or not left.dim() else number)

        return run

    return build


def _along(node: Node) -> Callable[[Tensor, Tensor], Tensor]:
    """Return how the second operand is shaped for the first: until version 7 its axes began at the attribute `axis`."""
    axis = node.attribute("axis", None)
    if node.version >= BROADCASTS or axis is None:
        return lambda _, right: right
    return lambda left, right: right.reshape(*right.shape, *[1] * (left.dim() - axis % left.dim() - right.dim()))


def _compared(function: Callable[..., Any]) -> Builder:
    def build(node: Node) -> Run:
        along = _along(node)
        return lambda left, right: function(left, along(left, right))

    return build


def _divide(left: Tensor, right: Any) -> Tensor:
    """Return the quotient; of integers, the whole part towards zero."""
    return torch.div(left, right, rounding_mode=None if left.is_floating_point() else "trunc")


def _power(left: Tensor, right: Any) -> Tensor:
    return torch.pow(left, right).to(left.dtype)


def _modulo(node: Node) -> Run:
    return torch.fmod if node.attribute("fmod", 0) else torch.remainder


def _folded(function: Callable[[Tensor, Tensor], Tensor]) -> Builder:
    return lambda _: lambda *values: reduce(function, values)


def _mean(node: Node) -> Run:
    return lambda *values: reduce(torch.add, values) / len(values)


def _clip(node: Node) -> Run:
    limits = [node.attribute(name, None) for name in ("min", "max")]

    def run(signal: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
        bounds = [
            given if stored is None else stored.item() for given, stored in zip(limits, (low, high), strict=True)
        ]
        return signal if bounds == [None, None] else torch.clamp(signal, *bounds)

    return run


def _leaky_relu(node: Node) -> Run:
    slope = node.attribute("alpha", 0.01)
    return lambda signal: functional.leaky_relu(signal, slope)


def _prelu(node: Node) -> Run:
    """Leaky ReLU with stored slopes: until version 7, those of one axis are those of the channels."""

    def run(signal: Tensor, slope: Tensor) -> Tensor:
        channels, ranks = slope.numel(), {signal.dim() - 1, *([1] if node.version < BROADCASTS else [])}
        if channels == 1 or (signal.dim() > 1 and signal.shape[1] == channels and slope.dim() in ranks):
            return functional.prelu(signal, slope.reshape(-1))
        return torch.where(signal < 0, signal * slope, signal)

    return run


def _elu(node: Node) -> Run:
    alpha = node.attribute("alpha", 1.0)
    return lambda signal: functional.elu(signal, alpha)


def _celu(node: Node) -> Run:
    alpha = node.attribute("alpha", 1.0)
    return lambda signal: functional.celu(signal, alpha)


def _selu(node: Node) -> Run:
    found = node.attribute("alpha", SELU[0]), node.attribute("gamma", SELU[1])
    if any(abs(a - b) > 1e-6 for a, b in zip(found, SELU, strict=True)):
        alpha, gamma = found
        return lambda signal: functional.elu(signal, alpha) * gamma
    return functional.selu


def _hard_sigmoid(node: Node) -> Run:
    alpha, beta = node.attribute("alpha", 0.2), node.attribute("beta", 0.5)
    return lambda signal: torch.clamp(signal * alpha + beta, 0.0, 1.0)


def _gelu(node: Node) -> Run:
    node.expect("approximate", "none", "tanh")
    approximate = node.attribute("approximate", "none")
    return lambda signal: functional.gelu(signal, approximate=approximate)


def _softmax(function: Callable[..., Tensor]) -> Builder:
    def build(node: Node) -> Run:
        if node.version >= 13:
            axis = node.attribute("axis", -1)
            return lambda signal: function(signal, axis)
        first = node.attribute("axis", 1)

        def flat(signal: Tensor) -> Tensor:
            """Until version 13 a softmax ran over all axes from the given one on."""
            return function(signal.flatten(first % signal.dim()), -1).reshape(signal.shape)

        return flat

    return build


def _cast(node: Node) -> Run:
    dtype = node.attribute("dtype", None)
    if dtype is None:
        raise UnsupportedVariant("an element type torch does not have")
    return lambda signal: signal.to(dtype)


def _range(start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    return torch.arange(start.item(), limit.item(), delta.item(), dtype=start.dtype)


def _cumulative_sum(node: Node) -> Run:
    exclusive, reverse = node.attribute("exclusive", 0), node.attribute("reverse", 0)

    def run(signal: Tensor, axis: Tensor) -> Tensor:
        dim = int(axis.item())
        ordered = signal.flip(dim) if reverse else signal
        total = torch.cumsum(ordered, dim, dtype=signal.dtype)
        total = total - ordered if exclusive else total
        return total.flip(dim) if reverse else total

    return run


def builders() -> dict[str, Builder]:
    """Return the builders by operator."""
    unary: dict[str, Callable[..., Any]] = {
        "Relu": torch.relu, "Sigmoid": torch.sigmoid, "Tanh": torch.tanh, "Exp": torch.exp, "Log": torch.log,
        "Erf": torch.erf, "Abs": torch.abs, "Neg": torch.neg, "Sqrt": torch.sqrt, "Reciprocal": torch.reciprocal,
        "Sign": torch.sign, "Floor": torch.floor, "Ceil": torch.ceil, "Round": torch.round, "Sin": torch.sin,
        "Cos": torch.cos, "Tan": torch.tan, "Atan": torch.atan, "Softplus": functional.softplus,
        "Mish": functional.mish, "HardSwish": functional.hardswish, "Softsign": lambda x: x / (x.abs() + 1),
        "Not": torch.logical_not, "Where": torch.where, "Range": _range, "IsNaN": torch.isnan,
    }  # fmt: skip
    binary: dict[str, Callable[..., Tensor]] = {
        "Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": _divide, "Pow": _power,
    }  # fmt: skip
    compared: dict[str, Callable[..., Any]] = {
        "Equal": torch.eq, "Greater": torch.gt, "Less": torch.lt, "GreaterOrEqual": torch.ge, "LessOrEqual": torch.le,
        "And": torch.logical_and, "Or": torch.logical_or, "Xor": torch.logical_xor,
    }  # fmt: skip
    return {
        **{name: _plain(function) for name, function in unary.items()},
        **{name: _compared(function) for name, function in compared.items()},
        **{name: _binary(function) for name, function in binary.items()},
        "PRelu": _prelu,
        "Mod": _modulo,
        "Min": _folded(torch.minimum),
        "Max": _folded(torch.maximum),
        "Sum": _folded(torch.add),
        "Mean": _mean,
        "Clip": _clip,
        "LeakyRelu": _leaky_relu,
        "Elu": _elu,
        "Celu": _celu,
        "Selu": _selu,
        "HardSigmoid": _hard_sigmoid,
        "Gelu": _gelu,
        "Softmax": _softmax(torch.softmax),
        "LogSoftmax": _softmax(torch.log_softmax),
        "Cast": _cast,
        "CastLike": lambda _: lambda signal, like: signal.to(like.dtype),
        "CumSum": _cumulative_sum,
    }
