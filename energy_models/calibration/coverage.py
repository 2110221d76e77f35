"""Whether bands hold what they say: every row against the spread of the rows of all other chips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from energy_models.calibration.crossval import CrossValidation, HeldOut

LEVELS = (0.5, 0.8, 0.9, 0.95)
FEWEST_ALIKE = 20
"""Fewer rows of other chips whose library stood alike give no 95 % band alone."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Share of rows inside a band, and the mean of the logarithm of high over low.

    Parameters
    ----------
    level : float
        Share that the band is to hold.
    rows : int
    inside : float
        Share that it holds.
    log_width : float
    """

    level: float
    rows: int
    inside: float
    log_width: float


def band_without(check: CrossValidation, one: HeldOut, level: float) -> float:
    """Return the factor either way that holds a share of the rows of all other chips.

    Of rows whose library was measured on another chip, or not, as this one's was; where these are few, the wider of
    theirs and of that of all.
    """
    others = CrossValidation(tuple(other for other in check.held_out if other.row.chip != one.row.chip))
    alike = others.of_library(one.library)
    if len(alike.held_out) >= FEWEST_ALIKE:
        return alike.spread("either", level)
    found = [some.spread("either", level) for some in (alike, others) if some.held_out]
    return max(found, default=math.nan)


def coverage(check: CrossValidation, levels: Sequence[float] = LEVELS) -> tuple[Coverage, ...]:
    """Return for each level how many rows a band made from the other chips holds, and how wide it is on average."""
    return tuple(_coverage(check, level) for level in levels)


def _coverage(check: CrossValidation, level: float) -> Coverage:
    factors = [math.log(band_without(check, one, level)) for one in check.held_out]
    inside = [abs(one.log) <= factor for one, factor in zip(check.held_out, factors, strict=True)]
    return Coverage(level, len(inside), float(np.mean(inside)), 2.0 * float(np.mean(factors)))
