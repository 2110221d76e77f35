"""Cues from a stimulus channel, whether codes are pulses or held, rise or fall."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy_models.errors import DataError, unknown_name

USUAL = ("STI101", "STI 014", "STI014")  # the summed trigger channels of MNE-Python's readers
HELD_S = 0.1
EVENT_BITS_OF_BIOSEMI = 0xFFFF  # the bits above are the amplifier's own state


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch in which a stimulus channel keeps one value: first sample, the one after the last, value."""

    start: int
    stop: int
    code: int

    @property
    def steps(self) -> int:
        """Its samples."""
        return self.stop - self.start


def stimulus_channels(raw: Any, named: str) -> list[str]:
    """Return the channel of a name, or else the summed trigger channel, or else every stimulus channel.

    Raises
    ------
    DataError
        If there is no channel of that name.
    """
    names = [str(name) for name in raw.ch_names]
    if named and named not in names:
        raise DataError(f"there is no stimulus channel {named!r}", remedy=unknown_name("channels", named, names))
    if named:
        return [named]
    present = [name for name, kind in zip(names, raw.get_channel_types(), strict=True) if kind == "stim"]
    return [name for name in USUAL if name in present][:1] or present


def runs(values: NDArray[np.float64], mask: int) -> tuple[Run, ...]:
    """Return the runs of one stimulus channel, shape (samples,); `mask` keeps some of the bits of its codes.

    Raises
    ------
    DataError
        If a value is no number.
    """
    if not np.isfinite(values).all():
        raise DataError("the stimulus channel holds values that are no numbers", remedy="Take cues from annotations.")
    codes = np.abs(np.rint(values)).astype(np.int64) & mask
    edges = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
    return tuple(Run(start, stop, int(codes[start])) for start, stop in itertools.pairwise(edges))


def cues(found: Sequence[Run], asked: Collection[int], rate_hz: float) -> tuple[tuple[int, int], ...]:
    """Return (sample, code) of every cue of the codes asked for.

    - A change to a code asked for is a cue if the channel had a lower value before, zero or another code: pulses and
      held codes alike. The value at the first sample is none, since nobody knows when it began.
    - A step down to a code asked for is a cue if that code is held: for 0.1 s, or for half of the shorter one of the
      values before and after. So codes that follow each other without a return to zero are all found, and a value
      that is passed on the way down is not.
    - A step down from a value not asked for that returns to it is a cue however short: a channel that rests high.
    - One sample whose bits lie between those of its neighbours is no value of its own: lines that switch one after
      another.

    Parameters
    ----------
    found : sequence of Run
        Runs of one channel.
    asked : collection of int
    rate_hz : float
        Sampling rate [Hz].
    """
    result: list[tuple[int, int]] = []
    before = found[0]
    for number, run in enumerate(found[1:], start=1):
        after = found[number + 1] if number + 1 < len(found) else None
        if not _stands(before, run, after, asked, rate_hz):
            continue  # passed over: the next value follows on the one before
        if run.code in asked and run.code != before.code:
            result.append((run.start, run.code))
        before = run
    return tuple(result)


def _stands(before: Run, run: Run, after: Run | None, asked: Collection[int], rate_hz: float) -> bool:
    """Return whether a run is a value of its own, and not one on the way from the value before to the one after."""
    if after is None or run.code == 0:
        return True
    both, either = before.code & after.code, before.code | after.code
    if run.steps == 1 and before.code != after.code and not run.code & ~either and not both & ~run.code:
        return False
    if run.code > before.code:
        return True
    if after.code == before.code and before.code not in asked:
        return True
    return run.steps >= HELD_S * rate_hz or 2 * run.steps >= min(before.steps, after.steps)
