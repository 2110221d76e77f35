"""Losses by the steps between time stamps, where the stamps are fine enough to count them one by one.

A rate measured over many samples takes samples that are lost regularly for a lower rate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CLOSE, MOST_APART = 0.99, 0.1  # of the steps at least; periods that they lie off a whole number of them at most
MOST_ROUNDED, ROUNDING = 0.4, 1e-3  # periods; of the place of the last decimal
COARSEST = 0.75  # periods; by coarser stamps a step of two periods cannot be told from one that was rounded
FEWEST_DECIMALS, DECIMALS = 3, 9  # clocks that count milliseconds are common, coarser ones are not
LOOKED_AT = 20_000  # stamps
OFF_DECIMAL = 1e-3  # of the last decimal


def steps_in_periods(times_s: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """Return how many periods lie between neighbouring samples; None where stamps do not show it, or all are one.

    Parameters
    ----------
    times_s : ndarray of float64, shape (samples,)
        [s]

    Returns
    -------
    ndarray of int64, shape (samples - 1,), or None
    """
    steps = np.diff(times_s)
    period_s = float(np.median(steps))
    if period_s <= 0 or (steps < period_s / 2).any():  # stamps of chunks, or of a clock that was set
        return None
    counts = np.rint(steps / period_s)
    apart_s = np.abs(steps - counts * period_s)
    close = apart_s <= min(max(MOST_APART * period_s, resolution_s(times_s) * (1 + ROUNDING)), MOST_ROUNDED * period_s)
    lost = counts > 1
    if not lost.any() or min(float(close.mean()), float(close[lost].mean())) < CLOSE:
        return None
    return counts.astype(np.int64)


def too_coarse(times_s: NDArray[np.float64]) -> bool:
    """Return whether the stamps are rounded to so much of a period that no loss of one sample can be told."""
    return resolution_s(times_s) > COARSEST * float(np.median(np.diff(times_s)))


def resolution_s(times_s: NDArray[np.float64]) -> float:
    """Return what the stamps are rounded to, a millisecond or a decimal place below it [s]."""
    looked = times_s[:LOOKED_AT]
    spacing = float(np.spacing(np.abs(looked).max()))
    for decimals in range(FEWEST_DECIMALS, DECIMALS):
        scaled = looked * 10.0**decimals
        if (np.abs(scaled - np.rint(scaled)) <= max(OFF_DECIMAL, spacing * 10.0**decimals)).all():
            return float(10.0**-decimals)
    return float(10.0**-DECIMALS)
