"""Slopes that stand for the derivative of a spike in the backward pass.

With ``x = U - threshold``, as in ``snntorch.surrogate``:

    arctangent     steepness/2 / (1 + (pi/2 steepness x)^2)       Fang et al. 2021, arXiv 2007.05785
    fast sigmoid   1 / (1 + steepness |x|)^2                      Zenke and Ganguli 2018, doi 10.1162/neco_a_01086
    sigmoid        steepness e / (1 + e)^2,  e = exp(-steepness |x|)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from energy_models.errors import StudentError

SurrogateKind = Literal["arctangent", "fast sigmoid", "sigmoid"]


@dataclass(frozen=True, slots=True)
class Surrogate:
    """One slope.

    Parameters
    ----------
    kind : {'arctangent', 'fast sigmoid', 'sigmoid'}
    steepness : float
        Positive; snnTorch's own are 2 (arctangent) and 25 (both others).

    Raises
    ------
    StudentError
        Another kind, or a steepness that is not positive.
    """

    kind: SurrogateKind = "arctangent"
    steepness: float = 2.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(SurrogateKind):
            raise StudentError(
                f"there is no surrogate {self.kind!r}", where="surrogate",
                remedy=f"Use one of {', '.join(get_args(SurrogateKind))}",
            )
        if not 0.0 < self.steepness < math.inf:
            raise StudentError(
                f"the steepness of a surrogate must be positive, found {self.steepness}", where="surrogate",
                remedy="Use for example 2",
            )

    def slope(self, distance: Tensor) -> Tensor:
        """Return dS/dU at ``distance = U - threshold``, any shape."""
        if self.kind == "arctangent":
            scaled = distance * (math.pi / 2.0 * self.steepness)
            return (self.steepness / 2.0) / scaled.square_().add_(1.0)
        scaled = distance.abs().mul_(self.steepness)
        if self.kind == "fast sigmoid":
            return scaled.add_(1.0).square_().reciprocal_()
        falling = scaled.neg_().exp_()
        return self.steepness * falling / (1.0 + falling).square_()

    @property
    def constants(self) -> tuple[float, float, float]:
        """Return kind, factor on the distance and height as numbers, for compiled loops."""
        if self.kind == "arctangent":
            return 0.0, math.pi / 2.0 * self.steepness, self.steepness / 2.0
        return (1.0, self.steepness, 1.0) if self.kind == "fast sigmoid" else (2.0, self.steepness, self.steepness)


ARCTANGENT = Surrogate()
"""The slope of snnTorch's neurons where none is given."""


def spike(distance: Tensor, surrogate: Surrogate) -> Tensor:
    """Return 1 where a distance from the threshold is above zero, else 0, with the surrogate's slope as gradient."""
    spikes: Tensor = _Spike.apply(distance, surrogate)  # pyright: ignore[reportAssignmentType]
    return spikes


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, *given: Any) -> Tensor:
        distance, context.surrogate = given
        context.save_for_backward(distance)
        return (distance > 0).to(distance.dtype)

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (distance,) = context.saved_tensors
        return context.surrogate.slope(distance) * gradients[0], None
