"""Integer grids, in words that need no quantisation library."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

LEARNED_THRESHOLD = "scaling_impl.value"
"""How the names of learned clipping thresholds, kept as base-two logarithms, end in a quantised student."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The integers a signal takes: value = integer * `scale`, `bits` wide."""

    bits: int
    scale: float
    signed: bool

    @property
    def largest(self) -> int:
        """Largest magnitude of an integer on a symmetric signed, or an unsigned, grid."""
        return 2 ** (self.bits - 1) - 1 if self.signed else 2**self.bits - 1


SPIKES = Grid(bits=1, scale=1.0, signed=False)
"""The grid of a signal of zeros and ones."""


@dataclass(frozen=True, slots=True)
class LayerQuantisation:
    """The integers of one product.

    Parameters
    ----------
    weights : Tensor of int64, shape of the layer's weight
        Value = integer * `weight_scale`.
    weight_bits : int
    weight_scale : Tensor, broadcastable to `weights`
        One per output channel, or a single one.
    bias : Tensor of int64, shape (outputs,), or None
        On the accumulator's grid: value = integer * input scale * weight scale. None where the layer has no bias.
    bias_bits : int
        0 where the layer has no bias.
    input_grid : Grid
        Of the input in the layer's last forward pass.
    """

    weights: Tensor
    weight_bits: int
    weight_scale: Tensor
    bias: Tensor | None
    bias_bits: int
    input_grid: Grid
