"""Nodes that need more than one number of a signal, or two signals: products of signals, softmax and norms.

Their constants and equations are those of ``docs/concepts/quantised_attention.md``; here they are computed in int64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from students.deploy.fixed_point import shifted
from students.deploy.ranges import Integers, Range

DIVISOR_BITS, RECIPROCAL_BITS = 16, 31
"""Width of a row's divisor; its reciprocal is ``2^31 / divisor`` [bits]."""

NORM_BITS, SPREAD_BITS = 12, 12
"""Fractional bits of a norm's results, and of its squared deviation."""

NORM_SHIFT = RECIPROCAL_BITS - NORM_BITS - SPREAD_BITS // 2


@dataclass(frozen=True, slots=True)
class MatMul:
    """The product of two signals over their last two axes, ``source @ other``, as it stands in the accumulator.

    Parameters
    ----------
    name, source, other : str
    result : Range
        Shape (..., rows, columns) of (..., rows, inner) and (..., inner, columns).
    inner : int
        Products that an output sums.
    """

    name: str
    source: str
    other: str
    result: Range
    inner: int


@dataclass(frozen=True, slots=True)
class Softmax:
    """The softmax of each row, along the last axis.

    With ``e = entries[min(largest of the row - score, last)]``, their sum S, ``t = bits of S - 16`` and
    ``r = round(2^31 / (S >> t))``: ``min(round(e r / 2^(31 + t - bits)), 2^bits - 1)``.

    Parameters
    ----------
    name, source : str
        Scores in steps of 2^-6.
    result : Range
        In steps of ``2^-bits``.
    entries : ndarray of int64, shape (512,)
        Exponentials, ``2^15 exp(-k / 64)``.
    bits : int
    """

    name: str
    source: str
    result: Range
    entries: Integers
    bits: int


@dataclass(frozen=True, slots=True)
class Norm:
    """Rows less their mean over their deviation, in steps of 2^-12; its factor and offset are in the next multiplier.

    With n numbers x a row, their sum T (0 where it is not `centred`) and
    ``W = max(2^12 (n sum x^2 - T^2) + smallest, 2^12)``, ``p = (bits of W + 1) // 2 - 16``,
    ``d = floor(sqrt(W / 4^p))`` and ``r = round(2^31 / d)``: ``clip(round((n x - T) r / 2^(13 + p)))``.

    Parameters
    ----------
    name, source : str
    result : Range
    length : int
        Numbers of a row, which lie one behind the other in memory.
    smallest : int
    centred : bool
    """

    name: str
    source: str
    result: Range
    length: int
    smallest: int
    centred: bool


def run_matmul(left: Integers, right: Integers) -> Integers:
    """Return the sums of products."""
    return left @ right


def run_softmax(node: Softmax, scores: Integers) -> Integers:
    """Return the weights of scores of shape (examples, ..., row)."""
    below = np.minimum(scores.max(axis=-1, keepdims=True) - scores, len(node.entries) - 1)
    exponentials = node.entries[below]
    total = exponentials.sum(axis=-1, keepdims=True)
    spare = bit_length(total) - DIVISOR_BITS
    weights = shifted(exponentials * reciprocal(total >> spare), RECIPROCAL_BITS + spare - node.bits)
    return np.minimum(weights, 2**node.bits - 1)


def run_norm(node: Norm, signal: Integers) -> Integers:
    """Return the normalised rows, in the signal's shape."""
    rows = signal.reshape(-1, node.length)
    total = rows.sum(axis=1, keepdims=True) if node.centred else np.zeros((len(rows), 1), dtype=np.int64)
    spread = (node.length * (rows * rows).sum(axis=1, keepdims=True) - total * total << SPREAD_BITS) + node.smallest
    spread = np.maximum(spread, 2**SPREAD_BITS)
    pairs = (bit_length(spread) + 1) // 2 - DIVISOR_BITS
    scaled = np.where(pairs >= 0, spread >> np.maximum(2 * pairs, 0), spread << np.maximum(-2 * pairs, 0))
    root = np.sqrt(scaled.astype(np.float64)).astype(np.int64)  # exact: the square has 32 bits
    centred = node.length * rows - total
    found = shifted(centred * reciprocal(root), NORM_SHIFT + pairs)
    return np.clip(found, node.result.lowest, node.result.highest).reshape(signal.shape)


def reciprocal(divisor: Integers) -> Integers:
    """Return ``2^31 / divisor``, rounded."""
    return (2**RECIPROCAL_BITS + (divisor >> 1)) // divisor


def bit_length(values: Integers) -> NDArray[np.int64]:
    """Return the number of bits of positive integers below 2^53."""
    return np.frexp(values.astype(np.float64))[1].astype(np.int64)
