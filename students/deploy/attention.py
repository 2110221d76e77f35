"""Linear attention: the past as two running sums of fixed width, and a division of each step's results by one number.

Its equations are those of ``docs/concepts/quantised_attention.md``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from students.deploy.cells import State
from students.deploy.fixed_point import shifted
from students.deploy.ranges import Integers, Range
from students.deploy.rows import DIVISOR_BITS, RECIPROCAL_BITS, bit_length, reciprocal


@dataclass(frozen=True, slots=True)
class LinearAttention:
    """Causal attention: from queries, keys and values of shape (width, steps) to their mixtures, same shape.

    In each step ``S += v k^T`` and ``z += k``; with ``d = max(z q, 1)``, ``t = bits of d - 16`` and
    ``r = round(2^31 / (d / 2^t))``, the division rounded down: ``clip(round((S q) r / 2^(31 + t - fraction)))``. Every
    time `longest` steps are in both sums, these and the number of steps are halved, half to even.

    Parameters
    ----------
    name, source, key, value : str
        The source is the queries. Queries and keys are not negative.
    result : Range
        In steps of the values' step times ``2^-fraction``.
    sums, totals : Range
        Of S, shape (width, width), rows those of the values, and of z, shape (width,).
    numerators : Range
        Of S q, shape (width,).
    longest : int
        A power of two.
    fraction : int
    """

    name: str
    source: str
    key: str
    value: str
    result: Range
    sums: Range
    totals: Range
    numerators: Range
    longest: int
    fraction: int

    @property
    def width(self) -> int:
        """Features of a query, key or value."""
        return self.totals.shape[0]

    def first_state(self, examples: int) -> State:
        """Return the state before the first step: S, z and the number of steps in them, zeros."""
        shapes = ((self.width, self.width), (self.width,), (1,))
        return tuple(np.zeros((examples, *shape), dtype=np.int64) for shape in shapes)


def run_attention(
    node: LinearAttention, operands: tuple[Integers, Integers, Integers], state: State
) -> tuple[Integers, State]:
    """Return the mixtures of all steps, and the state after the last one.

    Parameters
    ----------
    node : LinearAttention
    operands : tuple of ndarray of int64, each of shape (examples, width, steps)
        Queries, keys, values.
    state : tuple of ndarray
        As `LinearAttention.first_state` makes it.
    """
    (query, key, value), (sums, totals, taken) = operands, state
    found = np.empty_like(value)
    for place in range(query.shape[2]):
        asked, answer, given = (one[:, :, place] for one in (query, key, value))
        sums, totals, taken = sums + given[:, :, None] * answer[:, None, :], totals + answer, taken + 1
        divisor = np.maximum((totals * asked).sum(axis=1, keepdims=True), 1)
        spare = bit_length(divisor) - DIVISOR_BITS
        first = divisor >> np.maximum(spare, 0) << np.maximum(-spare, 0)
        products = (sums @ asked[:, :, None])[:, :, 0] * reciprocal(first)
        mixture = shifted(products, RECIPROCAL_BITS + spare - node.fraction)
        found[:, :, place] = np.clip(mixture, node.result.lowest, node.result.highest)
        if (taken == node.longest).any():  # of all examples at once: streams side by side begin together
            sums, totals, taken = shifted(sums, 1), shifted(totals, 1), taken // 2
    return found, (sums, totals, taken)
