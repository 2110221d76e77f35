"""Integer grids, in words that need no quantisation library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from energy_models.workload import WeightForm

LEARNED_THRESHOLD = "scaling_impl.value"
"""How the names of learned clipping thresholds, kept as base-two logarithms, end in a quantised student."""

_direct: ContextVar[bool] = ContextVar("direct", default=False)


@contextmanager
def direct_evaluation() -> Iterator[None]:
    """Let quantised students be evaluated as they are trained, past the quantisation library: the same bits, sooner."""
    token = _direct.set(True)
    try:
        yield
    finally:
        _direct.reset(token)


def evaluates_directly() -> bool:
    """Return whether this runs inside `direct_evaluation`."""
    return _direct.get()


@dataclass(frozen=True, slots=True)
class Grid:
    """The integers a signal takes: value = (code - `zero_point`) * `scale`.

    Parameters
    ----------
    bits : int
        Width of a code.
    scale : float
    signed : bool
        Whether codes are two's complement. One signed bit holds -1 or 1.
    zero_point : int
        The code that stands for zero.
    span : {'narrow', 'full'}
        ``narrow``: signed codes are symmetric, -(2^(b-1) - 1) .. 2^(b-1) - 1; ``full``: every code occurs.
    meaning : {'numbers', 'events'}
        ``events``: a code says how often a neuron fired in a step, so that it may be sent as so many spikes.
    """

    bits: int
    scale: float
    signed: bool
    zero_point: int = 0
    span: Literal["narrow", "full"] = "narrow"
    meaning: Literal["numbers", "events"] = "numbers"

    @property
    def lowest(self) -> int:
        """Smallest value, in steps of `scale`: the least code minus the zero point."""
        if not self.signed:
            return -self.zero_point
        if self.bits == 1:
            return -1
        return -(2 ** (self.bits - 1)) + (self.span == "narrow") - self.zero_point

    @property
    def highest(self) -> int:
        """Largest value, in steps of `scale`: the greatest code minus the zero point."""
        if not self.signed:
            return 2**self.bits - 1 - self.zero_point
        if self.bits == 1:
            return 1
        return 2 ** (self.bits - 1) - 1 - self.zero_point

    @classmethod
    def holding(cls, lowest: int, highest: int, scale: float) -> Grid:
        """Return the narrowest grid without an offset that holds values from `lowest` to `highest` steps."""
        if lowest >= 0:
            return cls(max(highest.bit_length(), 1), scale, signed=False)
        span = "narrow" if -lowest <= highest else "full"
        return cls(signed_bits(lowest, highest), scale, signed=True, span=span)


def signed_bits(lowest: int, highest: int) -> int:
    """Return the two's complement width that holds every integer from `lowest` to `highest` [bits]."""
    return max((-lowest - 1).bit_length() if lowest < 0 else 0, max(highest, 0).bit_length()) + 1


SPIKES = Grid(bits=1, scale=1.0, signed=False)
"""The grid of a signal of zeros and ones."""


def event_grid(most: int) -> Grid:
    """Return the grid of neurons that fire up to `most` times in a step."""
    return SPIKES if most == 1 else Grid(most.bit_length(), 1.0, signed=False, meaning="events")


@dataclass(frozen=True, slots=True)
class Constant:
    """The integers of a stored weight or bias.

    Parameters
    ----------
    values : Tensor of int64
        Value = integer * `scale`; any zero point is already subtracted.
    bits : int
        Width of one stored code.
    scale : Tensor, broadcastable to `values`
    form : {'graded', 'ternary', 'binary'}
        By format, not by what happens to be stored: -1 or 1; or -1, 0 or 1.
    """

    values: Tensor
    bits: int
    scale: Tensor
    form: WeightForm


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
