"""The integers of linear attention: two running sums of fixed width, and one division a step by a reciprocal.

With unsigned queries q and keys k and signed values v of one step: ``S += v k^T``, ``z += k``,
``y = round(2^f (S q) / (z q))``. ``docs/concepts/quantised_attention.md`` has the widths.
"""

from __future__ import annotations

import torch
from torch import Tensor

from energy_models.errors import StudentError
from students.kernels.row_grid import DIVISOR_BITS, RECIPROCAL_BITS

SUM_BITS = 32
"""Widest that a word of S is, in two's complement [bits]."""
NUMERATOR_BITS = 46
"""Magnitude of S q: times a reciprocal of 17 bits it stays within 63 bits [bits]."""
MIXTURE_BITS = 16
"""Of a result, in steps of the values' step times ``2^-fraction`` [bits]."""
MIXTURE_HIGHEST = 2 ** (MIXTURE_BITS - 1) - 1
STEPS_AT_ONCE = 64


def longest_run(width: int, highest: tuple[int, int, int]) -> int:
    """Return the steps, a power of two, after which both sums are halved, so that they stay within their widths.

    Parameters
    ----------
    width : int
    highest : (int, int, int)
        Largest query, key and magnitude of a value.

    Raises
    ------
    StudentError
        Operands so wide that fewer than 128 steps fit.
    """
    query, key, value = highest
    most = min((2 ** (SUM_BITS - 1) - 1) // (key * value), 2**NUMERATOR_BITS // (width * query * key * value))
    if most < 2 * STEPS_AT_ONCE:
        raise StudentError(
            f"sums over {width} features of keys up to {key} and values up to {value} hold {most} steps",
            where="linear attention", remedy="Choose fewer features, or narrower activations",
        )
    return 2 ** (most.bit_length() - 1)


def fraction_bits(value_bits: int) -> int:
    """Return the fractional bits of a result, which is no larger than the largest value [bits]."""
    return MIXTURE_BITS - value_bits


def mixed(query: Tensor, key: Tensor, value: Tensor, *, longest: int, fraction: int) -> Tensor:
    """Return each step's mean of the values, weighted by how keys answer its query, int64, shape of `value`.

    Parameters
    ----------
    query, key, value : Tensor of float64, shape (batch, width, steps)
        Whole numbers; all sums of products are exact, as none passes 2^53.
    longest : int
        Of `longest_run`.
    fraction : int
        Fractional bits of a result.
    """
    sums = value.new_zeros(len(value), value.shape[1], key.shape[1])
    totals = key.new_zeros(len(key), key.shape[1], 1)
    found: list[Tensor] = []
    taken = 0
    for asked, answer, given in zip(*(one.split(STEPS_AT_ONCE, dim=2) for one in (query, key, value)), strict=True):
        scores = torch.triu(answer.mT @ asked)  # of a key with the queries from its step on
        divisor = scores.sum(dim=1, keepdim=True) + totals.mT @ asked
        found.append(_quotients(given @ scores + sums @ asked, divisor, fraction))
        sums, totals, taken = sums + given @ answer.mT, totals + answer.sum(dim=2, keepdim=True), taken + asked.shape[2]
        if taken == longest:
            sums, totals, taken = (sums / 2).round(), (totals / 2).round(), taken // 2
    return torch.cat(found, dim=2)


def _quotients(numerator: Tensor, divisor: Tensor, fraction: int) -> Tensor:
    """Return ``numerator 2^fraction / divisor``, rounded by a reciprocal of the divisor's first 16 bits."""
    whole = divisor.clamp(min=1).to(torch.int64)
    spare = torch.frexp(whole.double()).exponent.to(torch.int64) - DIVISOR_BITS
    first = (whole >> spare.clamp(min=0)) << (-spare).clamp(min=0)
    reciprocal = (2**RECIPROCAL_BITS + (first >> 1)) // first
    shift = RECIPROCAL_BITS + spare - fraction
    product = numerator.to(torch.int64) * reciprocal
    even = (product >> shift) & 1
    rounded = (product + (torch.ones_like(shift) << (shift - 1)) - 1 + even) >> shift
    return rounded.clamp(-MIXTURE_HIGHEST, MIXTURE_HIGHEST)
