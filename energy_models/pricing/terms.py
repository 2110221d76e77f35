"""Prices as sums of terms: a count times constants, over constants. The only place that multiplies a count by a cost.

A term names its constants by path and holds no value, so one sum gives the nominal price, its guaranteed bounds, a
hundred thousand sampled hardware points at once, and the list of constants it rests on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from energy_models.quantities import Band, Number

Array = NDArray[np.float64]
Value = TypeVar("Value", float, Array)


@dataclass(frozen=True, slots=True)
class Term:
    """``count`` times the constants at the paths `over`, divided by those at the paths `under`.

    The count is one machine's, or an array of very many. Where a sum `share` is given, times that share of the time
    [1], never more than all of it.
    """

    count: Number
    over: tuple[str, ...] = ()
    under: tuple[str, ...] = ()
    share: tuple[Term, ...] = ()

    def times(self, factor: Number) -> Term:
        """Return the term with its count multiplied."""
        return Term(self.count * factor, self.over, self.under, self.share)

    def priced(self, *over: str, under: tuple[str, ...] = ()) -> Term:
        """Return the term times further constants, over further constants."""
        return Term(self.count, (*self.over, *over), (*self.under, *under), self.share)


Terms = tuple[Term, ...]


def scaled(terms: Iterable[Term], factor: Number) -> Terms:
    """Return every term multiplied by an exact factor."""
    return tuple(term.times(factor) for term in terms)


def merged(terms: Iterable[Term]) -> Terms:
    """Return the same sum with terms of the same constants, and of the same share, added up."""
    found: dict[tuple[tuple[str, ...], tuple[str, ...], int], Term] = {}
    for term in terms:
        over, under = tuple(sorted(term.over)), tuple(sorted(term.under))
        key = over, under, id(term.share)
        before = found[key].count if key in found else 0.0
        found[key] = Term(before + term.count, over, under, term.share)
    return tuple(found.values())


def paths(terms: Iterable[Term]) -> frozenset[str]:
    """Return the paths of all constants in a sum."""
    return frozenset(path for term in terms for path in (*term.over, *term.under, *paths(term.share)))


def band(terms: Iterable[Term], bands: Mapping[str, Band]) -> Band:
    """Return the value of a sum with guaranteed bounds: every constant at the end that makes it least, or most."""
    low = nominal = high = 0.0
    for term in terms:
        least = most = middle = float(term.count)
        for path in term.over:
            one = bands[path]
            least, middle, most = least * one.low, middle * one.nominal, most * one.high
        for path in term.under:
            one = bands[path]
            least, middle, most = least / one.high, middle / one.nominal, most / one.low
        if term.share:
            part = band(term.share, bands)
            least, middle, most = least * min(1, part.low), middle * min(1, part.nominal), most * min(1, part.high)
        low, nominal, high = low + least, nominal + middle, high + most
    return Band(low, nominal, high)


def evaluate(terms: Iterable[Term], values: Mapping[str, Value], start: Value) -> Value:
    """Return the value of a sum with every constant at a given value, or at an array of points.

    Parameters
    ----------
    terms : iterable of Term
    values : mapping of path to float or array, shape (points,)
    start : float or array, shape (points,)
        Zero, in the form of the result.
    """
    whole = start
    for term in terms:
        one = cast(Value, start + term.count)
        for path in term.over:
            one = one * values[path]
        for path in term.under:
            one = one / values[path]
        if term.share:
            one = one * cast(Value, np.minimum(evaluate(term.share, values, start), 1.0))
        whole = whole + one
    return whole
