"""Logarithm of the power of 16-bit signals, from a table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cosim.baselines.numerics.fixed_point import Grid, saturated

LOG_STEP = 2.0**-10


def log_power(signals: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return logarithms of summed squares, in steps of the table; a silent signal reads as a power of one.

    Parameters
    ----------
    signals : ndarray of int64, shape (examples, steps, signals)
    """
    power = saturated((signals.astype(np.float64) ** 2).sum(axis=1))
    return Grid(np.asarray(LOG_STEP)).integers(np.log(np.maximum(power, 1.0)))
