"""What weights become: integers of a width, or {-1, 0, 1} or {-1, 1}, times a scale a channel or one for all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from brevitas.core.quant import BinaryQuant, TernaryQuant
from brevitas.inject import ExtendedInjector
from brevitas.inject.enum import RestrictValueType, ScalingImplType, ScalingPerOutputType
from brevitas.quant import Int32Bias
from brevitas.quant.base import NarrowIntQuant
from brevitas.quant.solver.weight import WeightQuantSolver
from torch import Tensor

from students.spec.form import Weight, bits_of_weight

ScaleKind = Literal["float", "power_of_two"]
RESTRICTIONS = {"float": RestrictValueType.LOG_FP, "power_of_two": RestrictValueType.POWER_OF_TWO}
DEAD_ZONE = 0.5
"""Of ternary weights, in scales: those nearer to zero become zero. It is where the error of rounding is least."""


@dataclass(frozen=True, slots=True)
class WeightGrid:
    """The grid of a product's weights.

    Parameters
    ----------
    weight : int, 'ternary' or 'binary'
    per : {'channel', 'tensor'}
        What has a scale of its own.
    scale : {'float', 'power_of_two'}
    """

    weight: Weight
    per: Literal["channel", "tensor"] = "channel"
    scale: ScaleKind = "float"

    @property
    def bits(self) -> int:
        """Stored width [bits]."""
        return bits_of_weight(self.weight)

    def settings(self) -> dict[str, Any]:
        """Return the Brevitas arguments of a product, its 32-bit bias included."""
        grid = {"ternary": TernaryWeight, "binary": BinaryWeight}.get(str(self.weight), IntegerWeight)
        return {
            "weight_quant": grid,
            "weight_bit_width": self.bits,
            "weight_scaling_per_output_type": ScalingPerOutputType[self.per.upper()],
            "weight_restrict_scaling_type": RESTRICTIONS[self.scale],
            "bias_quant": Int32Bias,
        }


class LearnedScale(ExtendedInjector):
    """What all grids share. The threshold is unknown (nan) until it is calibrated or loaded."""

    scaling_impl_type = ScalingImplType.PARAMETER
    scaling_init = math.nan


class StraightTernary(TernaryQuant):
    """Brevitas's ternary quantiser whose gradient reaches every weight: those in the dead zone can leave it."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return values, scale, zero point and width."""
        scale = self.scaling_impl(x)
        levels = (x.abs() > self.threshold * scale).to(x.dtype) * x.sign()
        return _straight(x, levels, scale), scale, self.zero_point(), self.bit_width()


class StraightBinary(BinaryQuant):
    """Brevitas's binary quantiser with the gradient of a weight as it is, not times the scale."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return values, scale, zero point and width."""
        scale = self.scaling_impl(x)
        levels = (x >= 0).to(x.dtype) * 2 - 1
        return _straight(x, levels, scale), scale, self.zero_point(), self.bit_width()


def _straight(weight: Tensor, levels: Tensor, scale: Tensor) -> Tensor:
    """Return ``levels * scale``, with the gradient of the weight straight through and of the scale by the levels."""
    return levels * scale + (weight - weight.detach())


class IntegerWeight(LearnedScale, NarrowIntQuant, WeightQuantSolver):
    """Integers, symmetric about zero."""


class TernaryWeight(LearnedScale, NarrowIntQuant, WeightQuantSolver):
    """-1, 0 and 1."""

    tensor_quant = StraightTernary  # type: ignore[assignment]
    threshold = DEAD_ZONE


class BinaryWeight(LearnedScale, NarrowIntQuant, WeightQuantSolver):
    """-1 and 1."""

    tensor_quant = StraightBinary  # type: ignore[assignment]
