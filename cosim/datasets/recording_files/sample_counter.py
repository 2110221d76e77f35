"""Sample numbers that an amplifier sends with every sample: which samples were lost on the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.mne_files.record_times import Stretch

REGULAR = 0.9  # of the steps must be alike: else the numbers do not count samples


@dataclass(frozen=True, slots=True)
class Counted:
    """What sample numbers say.

    Parameters
    ----------
    lost : ndarray of int64, shape (samples - 1,)
        Samples lost after each one; a number of whole turns of the counter more may be.
    turn : int
        Samples in which the counter comes round; 0: it does not.
    """

    lost: NDArray[np.int64]
    turn: int


def counted(numbers: NDArray[np.float64]) -> Counted | None:
    """Return what sample numbers say, shape (samples,); None where they do not count samples.

    Counters of one byte come round from 255 to 0. Some boards send every second number.
    """
    if len(numbers) < 2 or not np.isfinite(numbers).all():
        return None
    steps = np.diff(np.rint(numbers).astype(np.int64))
    forward = steps[steps > 0]
    if not len(forward):
        return None
    values, counts = np.unique(forward, return_counts=True)
    step = int(values[np.argmax(counts)])
    highest, lowest = int(numbers.max()), int(numbers.min())
    period = highest - lowest + step if (steps < 0).any() else 0
    ahead = np.where(steps < 0, steps + period, steps)
    if float((ahead == step).mean()) < REGULAR:
        return None
    return Counted(np.maximum(np.rint(ahead / step).astype(np.int64) - 1, 0), period // step)


def stretches_of(lost: NDArray[np.int64]) -> tuple[Stretch, ...]:
    """Return the stretches between lost samples, from the samples lost after each one but the last."""
    breaks = (np.flatnonzero(lost) + 1).tolist()
    passed = np.concatenate(([0], np.cumsum(lost)))
    return tuple(Stretch(start, stop, start + int(passed[start]))
                 for start, stop in zip([0, *breaks], [*breaks, len(lost) + 1], strict=True))  # fmt: skip
