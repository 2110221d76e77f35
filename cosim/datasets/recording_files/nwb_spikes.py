"""Spike counts of the units of an NWB file, in bins, with the movement that goes with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.files import reading
from cosim.datasets.recording_files.nwb_tables import (
    REMEDY,
    SAID,
    chosen_series,
    invalid_times,
    open_nwb,
    table_of,
    text_column,
    time_column,
    times_of,
)
from energy_models.errors import DataError

Floats = NDArray[np.float64]
OUTSIDE = "outside of trials"
ROUNDING = 1e-9  # of a bin


@dataclass(frozen=True, slots=True)
class Bins:
    """Bins of one length behind each other: begin of the first [s], bins per second [Hz], and how many."""

    begin_s: float
    rate_hz: float
    count: int

    def begun(self, times_s: Any) -> Any:
        """Return the number of the bin that each time lies in."""
        return np.floor((np.asarray(times_s) - self.begin_s) * self.rate_hz + ROUNDING).astype(np.int64)

    def ended(self, times_s: Any) -> Any:
        """Return the number of the first bin that begins at each time or later."""
        return np.ceil((np.asarray(times_s) - self.begin_s) * self.rate_hz - ROUNDING).astype(np.int64)

    def within(self, start_s: float, stop_s: float) -> slice:
        """Return the bins that lie wholly between two times."""
        return slice(max(int(self.ended(start_s)), 0), max(int(self.begun(stop_s)), 0))


def read_spikes(
    path: Path, targets: str, *, rate_hz: float, labels: Sequence[str] = ()
) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
    """Return counts (bins, units), targets (bins, outputs) and labels of each bin, and notes.

    Bins cover the time of the targets. A target is the mean of the samples in its bin. It is nan, no target, where
    there is no sample, where a unit was not observed (``obs_intervals``), in invalid times, and, if labels are asked
    for, outside of trials.

    Parameters
    ----------
    path : Path
    targets : str
        Name or path of a series, such as ``behavior/hand``.
    rate_hz : float
        Bins per second [Hz].
    labels : sequence of str
        Columns of the table ``trials``; ``trial`` is the number of each.

    Raises
    ------
    DataError
        If a package is missing, the file is damaged, or there are no units, targets or labels of such names.
    """
    nwb = open_nwb(path)
    series = chosen_series(nwb, targets, "SpatialSeries", path)
    if nwb.units is None or len(nwb.units) < 1 or "spike_times" not in nwb.units.colnames:
        raise DataError("it holds no units with spike times", where=str(path), remedy="Name another file.")
    line = times_of(series, path, None)
    times_s = line.times_s()
    with reading(path, SAID, remedy=REMEDY):
        offset = float(getattr(series, "offset", 0.0) or 0.0)
        values = np.asarray(series.data[:], dtype=np.float64) * float(series.conversion) + offset
        spikes = [np.asarray(nwb.units["spike_times"][unit], dtype=np.float64) for unit in range(len(nwb.units))]
    values = values.reshape(len(values), -1)
    begin_s = float(times_s[0])
    bins = Bins(begin_s, rate_hz, int((float(times_s[-1]) - begin_s + line.distances_s[-1]) * rate_hz + ROUNDING))
    if bins.count < 1:
        raise DataError(f"series {series.name!r} is shorter than a bin", where=str(path),
                        remedy="Choose a higher rate_hz.")
    counts = np.stack([_counts(own, bins) for own in spikes], axis=1)
    found = _means(times_s, values, bins)
    notes = list(line.notes)
    for said, masked in (
        ("where a unit was not observed", _unobserved(nwb, bins)),
        ("in invalid times", ~_outside(invalid_times(nwb, path), bins)),
    ):
        if number := int(masked.sum()):
            notes.append(f"{path.name}: {number} bins lie {said} and have no target")
            found[masked] = np.nan
    arrays: dict[str, NDArray[Any]] = {"inputs": counts, "targets": found}
    if labels:
        own, within = _labels(nwb, labels, bins, path)
        arrays |= own
        found[~within] = np.nan
    return arrays, tuple(notes)


def _counts(spikes_s: Floats, bins: Bins) -> Floats:
    """Return the spikes in each bin, shape (bins,)."""
    own = bins.begun(spikes_s)
    return np.bincount(own[(own >= 0) & (own < bins.count)], minlength=bins.count).astype(np.float64)


def _means(times_s: Floats, values: Floats, bins: Bins) -> Floats:
    """Return the mean of the samples in each bin, shape (bins, outputs); nan where there is none."""
    own = bins.begun(times_s)
    inside = (own >= 0) & (own < bins.count)
    number = np.bincount(own[inside], minlength=bins.count).astype(np.float64)
    sums = np.stack([np.bincount(own[inside], weights=one[inside], minlength=bins.count) for one in values.T], axis=1)
    with np.errstate(invalid="ignore"):
        return sums / np.where(number > 0, number, np.nan)[:, None]


def _outside(intervals: Sequence[tuple[float, float]], bins: Bins) -> NDArray[np.bool_]:
    """Return which bins touch none of the intervals, shape (bins,)."""
    result = np.ones(bins.count, dtype=np.bool_)
    for start_s, stop_s in intervals:
        touched = slice(max(int(bins.begun(start_s)), 0), max(int(bins.ended(stop_s)), 0))
        result[touched] = False
    return result


def _unobserved(nwb: Any, bins: Bins) -> NDArray[np.bool_]:
    """Return which bins do not lie wholly in an interval in which every unit was observed."""
    result = np.zeros(bins.count, dtype=np.bool_)
    if "obs_intervals" not in nwb.units.colnames:
        return result
    for unit in range(len(nwb.units)):
        seen = np.zeros(bins.count, dtype=np.bool_)
        for start_s, stop_s in np.asarray(nwb.units["obs_intervals"][unit], dtype=np.float64).reshape(-1, 2).tolist():
            seen[bins.within(start_s, stop_s)] = True
        result |= ~seen
    return result


def _labels(
    nwb: Any, labels: Sequence[str], bins: Bins, path: Path
) -> tuple[dict[str, NDArray[Any]], NDArray[np.bool_]]:
    """Return the labels of each bin by its trial, and which bins lie wholly in one."""
    table = table_of(nwb, "trials", path)
    starts, stops = (time_column(table, name, path) for name in ("start_time", "stop_time"))
    texts = {name: [str(number) for number in range(len(table))] if name == "trial" else text_column(table, name, path)
             for name in labels}  # fmt: skip
    found = {name: np.full(bins.count, OUTSIDE, dtype=object) for name in labels}
    within = np.zeros(bins.count, dtype=np.bool_)
    for row in np.flatnonzero(np.isfinite(starts) & np.isfinite(stops)).tolist():
        own = bins.within(float(starts[row]), float(stops[row]))
        within[own] = True
        for name in labels:
            found[name][own] = texts[name][row]
    return {name: own.astype(np.str_) for name, own in found.items()}, within
