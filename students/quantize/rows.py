"""Products of two signals, softmax and layer norms in integers; ``docs/concepts/quantised_attention.md`` has them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from brevitas.quant_tensor import IntQuantTensor, QuantTensor
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from students.kernels.row_grid import (
    NORM_STEP,
    SCORE_HIGHEST,
    SCORE_STEP,
    norm_levels,
    smallest_spread,
    softmax_levels,
)
from students.layers.grid import Grid
from students.quantize.signals import grid_of, on_grid, value_of, with_grid

CENTRED_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d)
ROW_NORMS = (*CENTRED_NORMS, nn.RMSNorm)
"""Norms that divide by a deviation of each example."""


class ExactSums(nn.Module):
    """A product of two signals without the errors of floats: integers, times one scale, rounded once.

    Parameters
    ----------
    operation : callable
        ``torch.matmul`` or ``torch.mul``.
    """

    def __init__(self, operation: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.operation = operation

    def forward(self, product: Tensor, left: IntQuantTensor, right: IntQuantTensor) -> Tensor:
        """Return the product; its gradient goes straight through to the product of floats."""
        with torch.no_grad():
            sums = self.operation((left.value / left.scale).round(), (right.value / right.scale).round())
            exact = sums * (left.scale * right.scale)
        return product + (exact - product).detach()


class IntegerMatMul(nn.Module):
    """The product of two signals on grids, ``left @ right``: accumulators as floats."""

    def __init__(self) -> None:
        super().__init__()
        self.exact = ExactSums(torch.matmul)
        self.grids: tuple[Grid, Grid] | None = None

    def forward(self, left: Tensor | QuantTensor, right: Tensor | QuantTensor) -> Tensor:
        """Return ``(..., rows, columns)`` of ``(..., rows, inner)`` and ``(..., inner, columns)``."""
        first, second = on_grid(left, "matmul"), on_grid(right, "matmul")
        self.grids = _both(first, second)
        return self.exact(first.value @ second.value, first, second)


class IntegerMultiply(nn.Module):
    """The product of two signals on grids, number by number: accumulators as floats."""

    def __init__(self) -> None:
        super().__init__()
        self.exact = ExactSums(torch.mul)
        self.grids: tuple[Grid, Grid] | None = None

    def forward(self, left: Tensor | QuantTensor, right: Tensor | QuantTensor) -> Tensor:
        """Return ``left * right``."""
        first, second = on_grid(left, "multiply"), on_grid(right, "multiply")
        self.grids = _both(first, second)
        return self.exact(first.value * second.value, first, second)


def _both(left: IntQuantTensor, right: IntQuantTensor) -> tuple[Grid, Grid] | None:
    first, second = grid_of(left), grid_of(right)
    return None if first is None or second is None else (first, second)


SIGNAL_PRODUCTS = (IntegerMatMul, IntegerMultiply)


class IntegerSoftmax(nn.Module):
    """A softmax over the last axis whose results are on an unsigned grid of step ``2^-bits``.

    Parameters
    ----------
    bits : int
    """

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.grid = Grid(bits, 2.0**-bits, signed=False)

    def forward(self, scores: Tensor | QuantTensor) -> IntQuantTensor:
        """Return weights of the shape of `scores`."""
        return with_grid(_Softmax.apply(value_of(scores), self.grid.bits), self.grid)  # type: ignore[arg-type]


class _Softmax(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, scores: Tensor, bits: int) -> Tensor:
        levels = (scores.double() / SCORE_STEP).round().clamp(-SCORE_HIGHEST, SCORE_HIGHEST).nan_to_num()
        weights = softmax_levels(levels.to(torch.int64), bits).to(scores.dtype) * 2.0**-bits
        weights += scores * 0.0  # what is no number stays none
        context.save_for_backward(weights)
        return weights

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (weights,) = context.saved_tensors
        total = weights.sum(-1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
        shares = weights / total  # the weights of few bits do not add up to one
        return shares * (gradient - (shares * gradient).sum(-1, keepdim=True)), None


class NormSteps(nn.Module):
    """A signal's rows less their mean over their deviation, multiples of 2^-12."""

    def __init__(self, epsilon: float, *, centred: bool) -> None:
        super().__init__()
        self.epsilon, self.centred = epsilon, centred

    def forward(self, signal: IntQuantTensor, length: int) -> Tensor:
        """Return numbers of the signal's shape, of rows of `length` numbers that lie one behind the other."""
        levels = (signal.value / signal.scale).round().nan_to_num().to(torch.int64)
        smallest = smallest_spread(self.epsilon, length, float(signal.scale))
        found = norm_levels(levels.reshape(-1, length), smallest, centred=self.centred)
        return found.reshape(levels.shape).to(signal.value.dtype) * NORM_STEP + signal.value * 0.0


class IntegerNorm(nn.Module):
    """A norm by each example's own deviation, in integers up to its factor and offset.

    Parameters
    ----------
    layer : nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d or nn.RMSNorm
        Keeps its factor and offset.
    """

    float_names: Mapping[str, str] = {"layer.weight": "weight", "layer.bias": "bias"}

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer
        epsilon = torch.finfo(torch.float32).eps if layer.eps is None else layer.eps
        self.steps = NormSteps(epsilon, centred=isinstance(layer, CENTRED_NORMS))
        self.input_grid: Grid | None = None

    def forward(self, input: Tensor | QuantTensor) -> Tensor:
        """Return the normalised signal, shape of the input, on no grid."""
        signal = on_grid(input, "norm")
        self.input_grid = grid_of(signal)
        with torch.no_grad():
            steps = self.steps(signal, self.length(tuple(signal.value.shape[1:])))
            factor, offset = self.affine(signal.value.ndim - 1)
            exact = steps if factor is None else steps * factor
            exact = exact if offset is None else exact + offset
        if not torch.is_grad_enabled():
            return exact
        plain = self.layer(signal.value)
        return plain + (exact - plain).detach()

    def length(self, shape: tuple[int, ...]) -> int:
        """Return how many numbers of an example of that shape are normalised together."""
        if isinstance(self.layer, nn.LayerNorm | nn.RMSNorm):
            return math.prod(self.layer.normalized_shape)
        rows = self.layer.num_groups if isinstance(self.layer, nn.GroupNorm) else shape[0]
        return math.prod(shape) // rows

    def affine(self, axes: int) -> tuple[Tensor | None, Tensor | None]:
        """Return factor and offset, each broadcastable to an example of so many axes; None where there is none."""
        found = getattr(self.layer, "weight", None), getattr(self.layer, "bias", None)
        if isinstance(self.layer, nn.LayerNorm | nn.RMSNorm):
            return found
        first, second = (None if one is None else one.reshape(-1, *[1] * (axes - 1)) for one in found)
        return first, second
