"""The integers of a softmax and of a layer norm, which need a whole row of numbers before the first result.

Scores are 16-bit fixed point with 6 bits behind the point; exponentials are a table of 512 entries of 16 bits, whose
address is how far a score lies below the largest of its row. What a norm gives are 16 bits with 12 behind the point.
Both divide once a row, by a divisor of 16 bits, and multiply each number by that reciprocal. All rounding is half to
even. ``docs/concepts/quantised_attention.md`` has the equations.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

SCORE_BITS, SCORE_STEP = 16, 2.0**-6
"""Of scores on their way into a softmax."""
SCORE_HIGHEST = 2 ** (SCORE_BITS - 1) - 1
EXPONENTIAL_ENTRIES, EXPONENTIAL_BITS = 512, 15
"""Of the table of exponentials; fractional bits of its entries, of which the first is one."""
NORM_BITS, NORM_STEP = 16, 2.0**-12
"""Of a norm's results, before its factor and offset."""
NORM_HIGHEST = 2 ** (NORM_BITS - 1) - 1
SPREAD_BITS = 12
"""Fractional bits of a squared deviation, so that a small epsilon is not rounded to nothing."""
DIVISOR_BITS = 16
"""Width of a divisor whose reciprocal is taken [bits]."""
RECIPROCAL_BITS = 31
"""A reciprocal is ``2^31 / divisor``, of 17 bits at most."""


@cache
def exponential_table() -> Tensor:
    """Return the entries, int64: ``round(2^15 exp(-k / 64))`` for k up to 510, zero at 511 and beyond."""
    steps = torch.arange(EXPONENTIAL_ENTRIES, dtype=torch.float64)
    entries = (2.0**EXPONENTIAL_BITS * torch.exp(-steps * SCORE_STEP)).round().to(torch.int64)
    entries[-1] = 0
    return entries


def softmax_levels(scores: Tensor, bits: int) -> Tensor:
    """Return the softmax of each row in steps of ``2^-bits``, int64, shape of `scores`.

    Parameters
    ----------
    scores : Tensor of int64, shape (..., row)
        In steps of `SCORE_STEP`.
    bits : int
        Of a result; the largest is ``2^bits - 1``.
    """
    below = (scores.amax(-1, keepdim=True) - scores).clamp(max=EXPONENTIAL_ENTRIES - 1)
    exponentials = exponential_table().to(scores.device)[below]
    total = exponentials.sum(-1, keepdim=True)
    spare = _bit_length(total) - DIVISOR_BITS
    reciprocal = _reciprocal(total >> spare)
    return _shifted(exponentials * reciprocal, RECIPROCAL_BITS + spare - bits).clamp(max=2**bits - 1)


def norm_levels(levels: Tensor, smallest: int, *, centred: bool) -> Tensor:
    """Return each row less its mean over its deviation, in steps of `NORM_STEP`, int64, shape of `levels`.

    Parameters
    ----------
    levels : Tensor of int64, shape (..., row)
    smallest : int
        What is added to the squared deviation times the squared length of the row, times 2^12.
    centred : bool
        False: the root of the mean square takes the deviation's place, and no mean is subtracted.
    """
    length = levels.shape[-1]
    total = levels.sum(-1, keepdim=True) if centred else torch.zeros_like(levels[..., :1])
    spread = (length * levels.square().sum(-1, keepdim=True) - total.square() << SPREAD_BITS) + smallest
    spread = spread.clamp(min=2**SPREAD_BITS)  # less has only a row without a spread, whose results are zero
    pairs = (_bit_length(spread) + 1) // 2 - DIVISOR_BITS  # by which four each square is too large
    scaled = torch.where(pairs >= 0, spread >> (2 * pairs).clamp(min=0), spread << (-2 * pairs).clamp(min=0))
    reciprocal = _reciprocal(torch.sqrt(scaled.double()).floor().to(torch.int64))
    shift = RECIPROCAL_BITS + pairs - round(-math.log2(NORM_STEP)) - SPREAD_BITS // 2
    found = _shifted((length * levels - total) * reciprocal, shift)
    return found.clamp(-NORM_HIGHEST, NORM_HIGHEST)


def smallest_spread(epsilon: float, length: int, step: float) -> int:
    """Return a norm's epsilon as `norm_levels` adds it, for rows of that length in steps of `step`."""
    return round(epsilon * (length / step) ** 2 * 2**SPREAD_BITS)


def _bit_length(values: Tensor) -> Tensor:
    """Return the number of bits of positive integers below 2^53."""
    return torch.frexp(values.double()).exponent.to(torch.int64)


def _reciprocal(divisor: Tensor) -> Tensor:
    """Return ``2^31 / divisor``, rounded."""
    return (2**RECIPROCAL_BITS + (divisor >> 1)) // divisor


def _shifted(values: Tensor, bits: Tensor) -> Tensor:
    """Return ``values / 2^bits`` rounded half to even, for one bit and more."""
    even = (values >> bits) & 1
    return (values + (torch.ones_like(bits) << (bits - 1)) - 1 + even) >> bits
