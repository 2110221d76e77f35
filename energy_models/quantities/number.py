"""One formula for one machine and for very many: numbers that are floats, or arrays of points."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import reduce
from typing import cast

import numpy as np
from numpy.typing import NDArray

Number = float | NDArray[np.float64]
"""A float, or an array whose shape broadcasts against those it meets: one axis a free choice of a machine."""


def ceiling(value: Number) -> Number:
    """Return the least whole number that is not below a value."""
    return np.ceil(value) if isinstance(value, np.ndarray) else float(math.ceil(value))


def smaller(first: Number, second: Number) -> Number:
    """Return the smaller of two numbers, point by point."""
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return np.minimum(first, second)
    return min(first, second)


def larger(first: Number, second: Number) -> Number:
    """Return the larger of two numbers, point by point."""
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return np.maximum(first, second)
    return max(first, second)


def largest(values: Iterable[Number]) -> Number:
    """Return the largest of some numbers from 0 up, point by point; 0 of none."""
    return reduce(larger, values, 0.0)


def where_at_most(value: Number, bound: Number, inside: Number, beyond: Number) -> Number:
    """Return `inside` where ``value <= bound``, else `beyond`, point by point."""
    at_most = value <= bound
    if isinstance(at_most, np.ndarray):
        return cast(NDArray[np.float64], np.where(at_most, inside, beyond))
    return inside if at_most else beyond


def logarithm2(value: Number) -> Number:
    """Return the logarithm to base 2; that of a power of two is exact."""
    return np.log2(value) if isinstance(value, np.ndarray) else math.log2(value)


def is_zero(value: Number) -> bool:
    """Return whether a number is zero at every point."""
    return not np.any(value) if isinstance(value, np.ndarray) else value == 0
