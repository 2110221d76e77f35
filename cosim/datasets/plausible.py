"""Whether stored amplitudes can be those of an electrode: a wrong or missing unit is off by a factor of 1,000 or more.

The spread of a channel is 1.4826 times the median distance from the median, the standard deviation of normal noise,
within stretches of 2 s; the median over stretches spread evenly over the recording. Offsets of electrodes, slow
drift and short artefacts do not move it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.recordings import Recording
from energy_models.errors import DataError

KINDS = frozenset({"", "eeg", "ecog", "seeg", "dbs"})
COMPARED = KINDS | {"mag", "grad"}  # between recordings
MICROVOLTS = {"µV": 1.0, "uV": 1.0, "microvolts": 1.0, "mV": 1e3, "V": 1e6, "nV": 1e-3}
# Assumed limits. Below: EEG amplifiers add noise of some 0.5 µV RMS (recalled, not looked up); narrow bands hold
# less of it. Above: seizures in ECoG spread over less than 1 mV (847 µV is the largest of the 78 channels of MNE's
# sample_ecog.edf).
LEAST_UV, MOST_UV = 0.1, 3000.0
# Subjects and amplifiers differ by a factor of up to about 10; units differ by 1,000: halfway in decades.
MOST_RATIO = 100.0
FEWEST_COMPARED = 3  # channels of one recording below which nobody knows which one is wrong
STRETCHES, STRETCH_S = 8, 2.0
NORMAL_PER_MEDIAN_DISTANCE = 1.4826


def spreads(recording: Recording) -> NDArray[np.float64]:
    """Return the spread of every channel in its own unit, shape (channels,); not a number where it never changes.

    At most 16 s of the recording are read. Where more than half of a stretch is one value, its standard deviation is
    taken instead, so that sparse events on a constant background are seen.
    """
    steps = min(recording.steps, max(2, round(STRETCH_S * recording.rate_hz)))
    count = max(1, min(STRETCHES, recording.steps // steps))
    starts = np.linspace(0, recording.steps - steps, count).astype(np.int64)
    found = np.full((count, len(recording.channels)), np.nan)
    for row, start in enumerate(starts.tolist()):
        samples = np.asarray(recording.read(start, start + steps), dtype=np.float64)
        middle = np.median(samples, axis=1, keepdims=True)
        spread = NORMAL_PER_MEDIAN_DISTANCE * np.median(np.abs(samples - middle), axis=1)
        spread = np.where(spread > 0, spread, samples.std(axis=1))
        found[row] = np.where(spread > 0, spread, np.nan)
    changing = np.isfinite(found).any(axis=0)
    result = np.full(found.shape[1], np.nan)
    result[changing] = np.nanmedian(found[:, changing], axis=0)
    return result


def check_amplitudes(recordings: Sequence[Recording], *, remedy: str, skipped: Iterable[str] = ()) -> None:
    """Raise a `DataError` that names recording and channel where an amplitude cannot be that of an electrode.

    Channels with a unit of volts must spread over 0.1 to 3,000 µV, and by a factor of 100 at most from the median of
    their recording; and one channel's spread may differ between two recordings by that factor, whatever its unit.

    Parameters
    ----------
    recordings : sequence of Recording
    remedy : str
        How the user states the unit, or that the numbers are right.
    skipped : iterable of str
        Channels that are not checked, such as those the user knows to be bad.
    """
    leave = frozenset(skipped)
    seen: dict[tuple[str, str], tuple[float, str, float, str]] = {}
    for one in recordings:
        found = {channel: spread for channel, spread in zip(one.channels, spreads(one).tolist(), strict=True)
                 if channel.name not in leave and channel.kind in COMPARED and np.isfinite(spread)}
        in_uv = {channel.name: spread * MICROVOLTS[channel.unit] for channel, spread in found.items()
                 if channel.unit in MICROVOLTS}
        _check_range(one.name, in_uv, remedy=remedy)
        _check_alike(one.name, in_uv, remedy=remedy)
        for channel, spread in found.items():
            low, low_name, high, high_name = seen.get(
                (channel.name, channel.unit), (spread, one.name, spread, one.name))
            if spread < low:
                low, low_name = spread, one.name
            if spread > high:
                high, high_name = spread, one.name
            seen[channel.name, channel.unit] = (low, low_name, high, high_name)
    _check_ratio(seen, remedy=remedy)


def _check_range(name: str, in_uv: Mapping[str, float], *, remedy: str) -> None:
    """Raise a `DataError` where the spread of a channel is outside of the limits."""
    outside = {channel: spread for channel, spread in in_uv.items() if not LEAST_UV <= spread <= MOST_UV}
    if outside:
        said = ", ".join(f"{channel} by {spread:.3g} µV" for channel, spread in list(outside.items())[:8])
        more = f" and {len(outside) - 8} more" if len(outside) > 8 else ""
        raise DataError(f"amplitudes no electrode gives ({LEAST_UV:g} to {MOST_UV:g} µV): channel {said}{more}; the "
                        "file states another unit than it was written in, or none", where=name, remedy=remedy)


def _check_alike(name: str, in_uv: Mapping[str, float], *, remedy: str) -> None:
    """Raise a `DataError` where one channel of a recording spreads far more, or less, than its others."""
    if len(in_uv) < FEWEST_COMPARED:
        return
    middle = float(np.median(list(in_uv.values())))
    for channel, spread in in_uv.items():
        if not middle / MOST_RATIO <= spread <= middle * MOST_RATIO:
            raise DataError(f"channel {channel} varies by {spread:.3g} µV, the channels of its recording by "
                            f"{middle:.3g} µV (median): it is in another unit, or its electrode was off", where=name,
                            remedy=f"Mark the channel as bad, or leave it out. {remedy}")


def _check_ratio(seen: Mapping[tuple[str, str], tuple[float, str, float, str]], *, remedy: str) -> None:
    """Raise a `DataError` where the spread of a channel differs too much between recordings."""
    for (channel, unit), (low, low_name, high, high_name) in seen.items():
        if high > MOST_RATIO * low:
            raise DataError(f"channel {channel} varies by {high:.3g} {unit} in {high_name}, but by {low:.3g} {unit} in "
                            f"{low_name}: the two are not in one unit", where=high_name, remedy=remedy)
