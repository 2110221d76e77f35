"""Channels that stay at one end of their range: an amplifier or converter at its limit, or an electrode off."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.mne_files import Continuous

MOST_AT_LIMIT = 0.01  # of the samples of a channel; an amplifier in range reaches its limits less often
FEWEST_AT_LIMIT = 5  # samples in a row at one value
LONGEST_S = 0.25  # at one value, however little that is of the recording; below it, peaks of slow signals
BLOCK = 1 << 16  # samples read at once


class _Limit:
    """How often and how long in a row each channel was at the highest value seen so far (of the negative: the lowest).

    Parameters
    ----------
    count : int
        Channels.
    """

    def __init__(self, count: int) -> None:
        self.value = np.full(count, -np.inf)
        self.there = np.zeros(count, dtype=np.int64)
        self.longest = np.zeros(count, dtype=np.int64)
        self._last = np.zeros(count, dtype=np.int64)  # in a row, up to the end of the last block

    def look(self, block: NDArray[np.float64]) -> None:
        """Add the next samples, shape (channels, samples)."""
        highest = np.fmax.reduce(block, axis=1)
        higher = highest > self.value
        self.value = np.where(higher, highest, self.value)
        for counts in (self.there, self.longest, self._last):
            counts[higher] = 0
        at = block == self.value[:, None]
        self.there += at.sum(axis=1)
        for row in np.flatnonzero(at.any(axis=1)).tolist():
            edges = np.flatnonzero(np.diff(at[row], prepend=False, append=False))
            starts, stops = edges[::2], edges[1::2]
            lengths = stops - starts
            lengths[0] += self._last[row] if starts[0] == 0 else 0
            self.longest[row] = max(int(self.longest[row]), int(lengths.max()))
            self._last[row] = lengths[-1] if stops[-1] == at.shape[1] else 0
        self._last[~at[:, -1]] = 0


def with_saturation(path: Path, read: Continuous) -> Continuous:
    """Return a recording whose notes name the channels that are at their highest or lowest value for a while.

    That is for at least five samples in a row, and for 1 % of the samples or 0.25 s in a row. A channel that never
    changes is told elsewhere, and bad ones are known. All samples are read, a block at a time.
    """
    high, low = _Limit(len(read.channels)), _Limit(len(read.channels))
    for start in range(0, read.steps, BLOCK):
        block = np.asarray(read.read(start, min(read.steps, start + BLOCK)), dtype=np.float64)
        high.look(block)
        low.look(-block)
    found = [
        f"{channel.name} ({100 * limit.there[row] / read.steps:.2g}% of its samples are {sign * limit.value[row]:.6g} "
        f"{channel.unit}, {int(limit.longest[row])} in a row)"
        for row, channel in enumerate(read.channels) if channel.name not in read.bad_channels
        for sign, limit in ((1.0, high), (-1.0, low))
        if _is_held(int(limit.there[row]), int(limit.longest[row]), read)
    ]  # fmt: skip
    if not found:
        return read
    return dataclasses.replace(read, notes=(*read.notes, f"{path.name}: saturated or off: channel {', '.join(found)}"))


def _is_held(there: int, longest: int, read: Continuous) -> bool:
    """Return whether a value was there for a while, but not all the time."""
    if longest < FEWEST_AT_LIMIT or there == read.steps:
        return False
    return there >= MOST_AT_LIMIT * read.steps or longest >= LONGEST_S * read.rate_hz
