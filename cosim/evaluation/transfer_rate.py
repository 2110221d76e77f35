"""Information transfer rate of cued classification."""

from __future__ import annotations

import math

from energy_models.errors import DataError
from energy_models.quantities.units import MINUTE_S


def information_transfer_bits(accuracy: float, classes: int) -> float:
    """Return Wolpaw's bits per decision; 0 at or below chance, where his formula would rise again.

    log2 N + P log2 P + (1 - P) log2((1 - P) / (N - 1)), for equally likely classes and errors spread evenly:
    Wolpaw et al. 2002, Clin. Neurophysiol. 113, doi 10.1016/S1388-2457(02)00057-3.

    Raises
    ------
    DataError
        If `accuracy` is no probability or there are fewer than two classes.
    """
    if not 0 <= accuracy <= 1 or classes < 2:
        raise DataError(f"accuracy {accuracy} over {classes} classes has no rate", where="information transfer",
                        remedy="Give a probability and at least two classes.")  # fmt: skip
    if accuracy <= 1 / classes:
        return 0.0
    wrong = 1 - accuracy
    lost = wrong * math.log2(wrong / (classes - 1)) if wrong > 0 else 0.0
    return math.log2(classes) + accuracy * math.log2(accuracy) + lost


def information_transfer_rate(accuracy: float, classes: int, *, window_s: float, decode_rate_hz: float) -> float:
    """Return the information transfer rate [bits/min].

    A selection takes a whole window, or the time between two decisions where that is longer: windows that overlap
    share their evidence and are no further selections. Pauses between cues are not counted.

    Parameters
    ----------
    accuracy : float
        Share of right selections; of balanced classes, so that Wolpaw's formula holds.
    classes : int
    window_s : float
        Length of a window [s].
    decode_rate_hz : float
        Decisions per second [Hz].

    Raises
    ------
    DataError
        As `information_transfer_bits`, and where the window or the rate is not above zero.
    """
    if window_s <= 0 or decode_rate_hz <= 0:
        raise DataError(f"a window of {window_s:g} s at {decode_rate_hz:g} Hz", where="information transfer",
                        remedy="Give a window and a decode rate above zero.")  # fmt: skip
    return information_transfer_bits(accuracy, classes) * MINUTE_S / max(window_s, 1 / decode_rate_hz)
