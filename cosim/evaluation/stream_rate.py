"""A decoder of a stream decides once a step, no more and no less often."""

from __future__ import annotations

import math

from energy_models.errors import StudyError

SAME_RATE = 1e-3  # relative; rates are typed in to a few digits, and a price that far off is within any bound


def check_stream_rate(decode_rate_hz: float, step_rate_hz: float, *, where: str) -> None:
    """Raise where a decoder of a stream is asked for another number of decisions than it has steps.

    Parameters
    ----------
    decode_rate_hz, step_rate_hz : float
        Decisions and steps per second [Hz].
    where : str
        Field or option that asks.

    Raises
    ------
    StudyError
        Naming both rates.
    """
    if not math.isclose(decode_rate_hz, step_rate_hz, rel_tol=SAME_RATE):
        raise StudyError(
            f"{decode_rate_hz:g} decisions a second are asked for, but a streaming decoder decides once a step and the "
            f"recording has {step_rate_hz:g} steps a second",
            where=where, remedy=f"Write {where} = {step_rate_hz!r}, or bin the recording at the rate you need",
        )
