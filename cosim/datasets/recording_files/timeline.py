"""Time stamps of samples: the rate they run at, the gaps between them, and the sample at a time."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.mne_files.record_times import Stretch
from cosim.datasets.recording_files.regular_losses import steps_in_periods, too_coarse
from energy_models.errors import DataError

Times = NDArray[np.float64]
Indices = NDArray[np.int64]
MOST_RATE_ERROR = 0.01  # of a stated rate; clocks of amplifiers are off by less than a thousandth
NEAR_WHOLE = 1e-3  # a measured rate this close to a whole number is that number
WINDOW_S, FEWEST_OF_WINDOW = 0.5, 32  # samples on both sides of a gap that tell whether the time after it stays behind
FAR_WINDOWS = 8  # windows after which samples that came late must have caught up
BLOCK, BLOCKS = 1000, 8  # samples over which a rate is measured; or an eighth of the file
FEWEST = 3
MOST_S = 1e12  # 30,000 years, since whenever a clock counts
LOST = 0.6  # samples; a step in time less than that is none
SPREADS_OF_GAP = 1.5  # a gap is more than this times the spread of the stamps around their line
WANDER = (16, 256)  # samples; by chance, the error over the longer distance is 4 times that over the shorter one
MOST_JITTER_S, MOST_JITTER = 0.1, 3.0  # of a stream at a constant rate [s, samples]: the larger one
MOST_DISTANCES = 10  # median distances that are read between, of samples at no constant rate
ROUNDING = 1e-6  # samples
IRREGULAR = "Set irregular = 'resample' and rate_hz to read it between its samples."
REMEDY = "Cut the file there, or repair its clock."


@dataclass(frozen=True, slots=True)
class Timeline:
    """Where the samples of a stream lie in time.

    Parameters
    ----------
    rate_hz : float
        Samples per second [Hz].
    stretches : tuple of Stretch
        Stretches whose samples follow on.
    begins_s : tuple of float
        Time of the first sample of each stretch, by the line through its time stamps [s].
    distances_s : tuple of float
        From one sample to the next one in each stretch, by that line: clocks drift [s].
    notes : tuple of str
        What is to be said about gaps and time stamps.
    """

    rate_hz: float
    stretches: tuple[Stretch, ...]
    begins_s: tuple[float, ...]
    distances_s: tuple[float, ...]
    notes: tuple[str, ...] = ()

    def times_s(self) -> Times:
        """Return the time of every sample, shape (samples,) [s]."""
        parts = [begin + np.arange(one.stop - one.start, dtype=np.float64) * distance
                 for one, begin, distance in zip(self.stretches, self.begins_s, self.distances_s, strict=True)]
        return np.asarray(np.concatenate(parts), dtype=np.float64)

    def samples_at(self, times_s: Times) -> tuple[Indices, NDArray[np.bool_]]:
        """Return the sample of each time, and whether one was recorded then.

        A time before the first sample or after the last one has a number outside of the file; one in a gap has that of
        the first sample after it.
        """
        last = len(self.stretches) - 1
        times = np.asarray(times_s, dtype=np.float64)
        begins, distances = np.asarray(self.begins_s), np.asarray(self.distances_s)
        own = np.clip(np.searchsorted(begins - distances / 2, times, side="right") - 1, 0, last)
        starts = np.asarray([one.start for one in self.stretches])
        stops = np.asarray([one.stop for one in self.stretches])
        found = starts[own] + np.rint((times - begins[own]) / distances[own]).astype(np.int64)
        inside: NDArray[np.bool_] = np.asarray((found < stops[own]) | (own == last))
        return np.where(inside, found, stops[own]), inside


def steady(steps: int, rate_hz: float, begin_s: float = 0.0) -> Timeline:
    """Return the timeline of samples that follow on at a rate."""
    return Timeline(rate_hz, (Stretch(0, steps, 0),), (begin_s,), (1 / rate_hz,))


def timeline(times_s: Times, path: Path, *, rate_hz: float | None = None) -> Timeline:
    """Return where samples with these time stamps lie.

    A gap is a step in time that stays: samples that only arrive late catch up. Stamps may be those of chunks, equal for
    several samples.

    Parameters
    ----------
    times_s : ndarray of float64, shape (samples,)
        [s]
    path : Path
        For messages.
    rate_hz : float or None
        The rate that is stated [Hz]; None: measured.

    Raises
    ------
    DataError
        If time stamps are not finite, jump back, run at another rate than stated, or at none that is constant.
    """
    bad = int((~(np.abs(times_s) < MOST_S)).sum())
    if len(times_s) < FEWEST or bad:
        raise DataError(f"{bad} of {len(times_s)} time stamps are no numbers, or there are too few", where=str(path),
                        remedy="Leave the file out, or state its rate (option rate_hz) and drop its times.")
    measured, counts, told = _measured(times_s, path, rate_hz)
    rate = measured if rate_hz is None else rate_hz
    if abs(measured / rate - 1) > MOST_RATE_ERROR:
        raise DataError(f"its rate is stated as {rate:g} Hz, but its time stamps run at {measured:.5g} Hz",
                        where=str(path), remedy="State the true rate with the option rate_hz.")
    if counts is None and _wanders(times_s, rate):
        raise DataError("its samples come at no constant rate: the time between them varies by chance",
                        where=str(path), remedy=IRREGULAR)
    breaks = _breaks(times_s, rate, path) if counts is None else (np.flatnonzero(counts > 1) + 1).tolist()
    edges = [0, *breaks, len(times_s)]
    stretches: list[Stretch] = []
    lines: list[tuple[float, float]] = []
    for start, stop in itertools.pairwise(edges):
        lines.append(_line(times_s[start:stop], rate))
        first = round((lines[-1][0] - lines[0][0]) * rate)
        if stretches:  # the lines through two noisy stretches must not let them overlap
            first = max(first, stretches[-1].first_step + stretches[-1].stop - stretches[-1].start + 1)
        stretches.append(Stretch(start, stop, first))
    _check_constant(times_s, stretches, rate, path)
    begins, distances = zip(*lines, strict=True)
    return Timeline(rate, tuple(stretches), begins, distances,
                    (*told, *_notes(times_s, stretches, rate, path.name)))  # fmt: skip


def _measured(times_s: Times, path: Path, rate_hz: float | None) -> tuple[float, Indices | None, tuple[str, ...]]:
    """Return the rate [Hz], the periods between samples where many are lost and the stamps show which, and notes."""
    measured = measured_rate(times_s, path)
    counts = steps_in_periods(times_s)
    if counts is None:
        return measured, None, ()
    counted = measured_rate(times_s, path, np.concatenate(([0], np.cumsum(counts))))
    if counted / measured < 1 + NEAR_WHOLE:  # few are lost
        return measured, None, ()
    stated = rate_hz is not None and abs(counted / rate_hz - 1) <= MOST_RATE_ERROR
    if stated or not too_coarse(times_s):
        return counted, counts, ()
    if rate_hz is not None:
        return measured, None, ()
    told = (f"{path.name}: its time stamps are too coarse to tell {measured:.5g} Hz from {counted:.5g} Hz with "
            f"{int((counts - 1).sum())} samples lost; the former is taken. Option rate_hz states the rate")
    return measured, None, (told,)


def _line(times_s: Times, rate_hz: float) -> tuple[float, float]:
    """Return begin and distance of the line through the time stamps of a stretch [s]; a short one has no own slope."""
    steps = np.arange(len(times_s), dtype=np.float64)
    if len(times_s) < BLOCK:
        return float(np.median(times_s - steps / rate_hz)), 1 / rate_hz
    return _fitted(times_s)


def _fitted(times_s: Times) -> tuple[float, float]:
    """Return begin and slope of the line of least squares through time stamps [s]."""
    off = np.arange(len(times_s), dtype=np.float64) - (len(times_s) - 1) / 2
    slope = float(((times_s - times_s[0]) * off).sum() / (off * off).sum())
    return float(times_s[0]) + float((times_s - times_s[0]).mean()) + slope * float(off[0]), slope


def measured_rate(times_s: Times, path: Path, places: Indices | None = None) -> float:
    """Return the median slope over blocks of samples [Hz]; few gaps, and stamps of chunks, do not move it.

    Parameters
    ----------
    times_s : ndarray of float64, shape (samples,)
        [s]
    path : Path
        For messages.
    places : ndarray of int64, shape (samples,), or None
        The number of each sample, those that are lost counted; None: none is lost.

    Raises
    ------
    DataError
        If the time stamps do not go on.
    """
    size = min(BLOCK, max(FEWEST_OF_WINDOW, len(times_s) // BLOCKS), len(times_s))
    count = len(times_s) // size
    blocks = times_s[: count * size].reshape(count, size)
    numbers = np.arange(size)[None] if places is None else places[: count * size].reshape(count, size)
    steps = numbers - numbers.mean(axis=1, keepdims=True)
    slopes: Times = np.asarray(((blocks - blocks[:, :1]) * steps).sum(axis=1) / (steps * steps).sum(axis=1),
                               dtype=np.float64)
    passed_s = float(np.median(slopes))
    if passed_s <= 0:
        raise DataError("its time stamps do not go on in time", where=str(path), remedy=REMEDY)
    rate_hz = 1 / passed_s
    whole = max(round(rate_hz), 1)
    return float(whole) if abs(rate_hz / whole - 1) < NEAR_WHOLE else rate_hz


def _breaks(times_s: Times, rate_hz: float, path: Path) -> list[int]:
    """Return the first sample after each gap, in order."""
    late = times_s - times_s[0] - np.arange(len(times_s)) / rate_hz
    window = max(FEWEST_OF_WINDOW, round(WINDOW_S * rate_hz))
    least_s = max(LOST / rate_hz, SPREADS_OF_GAP * _spread(late, window))
    steps = np.diff(late)
    places = np.flatnonzero((np.abs(steps) >= LOST / rate_hz) & (np.abs(_moves(late, window)) >= least_s / 3))
    found: list[int] = []
    for place in places[np.argsort(-np.abs(steps[places]), kind="stable")].tolist():
        after = place + 1
        low = max([0, after - window, *(one for one in found if one < after)])
        high = min([len(late), *(one for one in found if one > after)])
        if after in found or low >= after or high <= after:
            continue
        before_s = float(np.median(late[low:after]))
        stays_s = float(np.median(late[after : min(high, after + window)])) - before_s
        if stays_s <= -max(least_s, MOST_JITTER_S) and steps[place] <= -MOST_JITTER_S:
            raise DataError(f"its clock jumps back by {-stays_s:.4g} s after sample {place}", where=str(path),
                            remedy=REMEDY)
        if high - after >= 2 * window:
            stays_s = min(stays_s, float(np.median(late[after + window : min(high, after + FAR_WINDOWS * window)]))
                          - before_s)  # fmt: skip
        if stays_s >= least_s and steps[place] > 0:
            found.append(after)
    return sorted(found)


def _spread(late: Times, window: int) -> float:
    """Return the median over windows of the standard deviation of stamps around their line [s]."""
    size = min(window, len(late))
    blocks = late[: len(late) // size * size].reshape(-1, size)
    return float(np.median(blocks.std(axis=1)))


def _moves(late: Times, window: int) -> Times:
    """Return how much the mean of a window after each step is above that of the one before, shape (samples - 1,)."""
    sums = np.concatenate(([0.0], np.cumsum(late)))
    after = np.arange(1, len(late))
    low, high = np.maximum(after - window, 0), np.minimum(after + window, len(late))
    return (sums[high] - sums[after]) / (high - after) - (sums[after] - sums[low]) / (after - low)


def _check_constant(times_s: Times, stretches: Sequence[Stretch], rate_hz: float, path: Path) -> None:
    """Raise a `DataError` where the samples of a stretch do not come at a constant rate."""
    most_s = max(MOST_JITTER_S, MOST_JITTER / rate_hz)
    for one in stretches:
        own = times_s[one.start : one.stop]
        steps = np.arange(len(own), dtype=np.float64)
        if len(own) < FEWEST:
            continue
        begin, slope = _fitted(own)
        off_s = float(np.quantile(np.abs(own - begin - slope * steps), 0.95))
        if off_s > most_s:
            raise DataError(f"its samples come at no constant rate: 5 % of the time stamps lie more than {off_s:.3g} s "
                            f"off the line at {1 / slope:.5g} Hz", where=str(path),
                            remedy=IRREGULAR)


def _wanders(times_s: Times, rate_hz: float) -> bool:
    """Return whether the error of a distance of stamps grows with the distance; that of jitter does not."""
    short, long = WANDER
    if len(times_s) < 4 * long:
        return False
    off = [times_s[lag:] - times_s[:-lag] for lag in WANDER]
    near, far = (float(np.median(np.abs(one - np.median(one)))) for one in off)
    return far > LOST / rate_hz and far > near * np.sqrt(long / short) / 2


def _notes(times_s: Times, stretches: Sequence[Stretch], rate_hz: float, name: str) -> tuple[str, ...]:
    """Return what is to be said about gaps and time stamps."""
    notes: list[str] = []
    if len(stretches) > 1:
        lost = stretches[-1].first_step + stretches[-1].stop - stretches[-1].start - len(times_s)
        longest = max(later.first_step - former.first_step - former.stop + former.start
                      for former, later in itertools.pairwise(stretches))
        notes.append(f"{name}: {lost} samples are lost in {len(stretches) - 1} gap(s), the longest of "
                     f"{longest / rate_hz:.3g} s")
    distances = np.diff(times_s)
    if backwards := int((distances < 0).sum()):
        notes.append(f"{name}: {backwards} time stamps lie before the one of the sample before")
    if equal := int((distances == 0).sum()):
        notes.append(f"{name}: {equal} of {len(times_s)} time stamps equal the one of the sample before")
    return tuple(notes)


def interpolated(
    times_s: Times, samples: NDArray[np.float64], path: Path, *, rate_hz: float
) -> tuple[NDArray[np.float64], Timeline]:
    """Return samples read linearly between those given, at a constant rate, and where they lie.

    Nothing is read across a distance of more than ten times the median one: it is a gap.

    Parameters
    ----------
    times_s : ndarray of float64, shape (samples,)
        Increasing [s].
    samples : ndarray, shape (channels, samples)
    path : Path
        For messages.
    rate_hz : float
        [Hz]

    Raises
    ------
    DataError
        If times are not finite or do not increase.
    """
    distances = np.diff(times_s)
    if len(times_s) < FEWEST or not np.isfinite(times_s).all() or not (distances > 0).all():
        wrong = int((~(distances > 0)).sum())
        raise DataError(f"{wrong} of {len(times_s)} time stamps do not come after the one before", where=str(path),
                        remedy=REMEDY)
    breaks = (np.flatnonzero(distances > MOST_DISTANCES * np.median(distances)) + 1).tolist()
    stretches: list[Stretch] = []
    begins: list[float] = []
    parts: list[NDArray[np.float64]] = []
    stop_step = 0
    for start, stop in itertools.pairwise([0, *breaks, len(times_s)]):
        own = times_s[start:stop]
        first = max(int(np.ceil((own[0] - times_s[0]) * rate_hz - ROUNDING)), stop_step)
        count = int(np.floor((own[-1] - times_s[0]) * rate_hz + ROUNDING)) - first + 1
        if count < 1:
            continue
        grid_s = times_s[0] + np.arange(first, first + count) / rate_hz
        values = np.empty((len(samples), count))
        for row, one in enumerate(samples[:, start:stop]):
            values[row] = np.interp(grid_s, own, one)
        parts.append(values)
        begin = stretches[-1].stop if stretches else 0
        stretches.append(Stretch(begin, begin + count, first))
        begins.append(float(grid_s[0]))
        stop_step = first + count
    notes = [f"{path.name}: its samples come at no constant rate; they were read linearly between, at {rate_hz:g} Hz"]
    if len(stretches) > 1:
        notes.append(f"{path.name}: nothing was recorded in {len(stretches) - 1} gap(s), the longest of "
                     f"{float(distances.max()):.3g} s")
    line = Timeline(rate_hz, tuple(stretches), tuple(begins), (1 / rate_hz,) * len(begins), tuple(notes))
    return np.concatenate(parts, axis=1), line
