"""Gaps between the records of a file (EDF+D, BDF+D): where stored samples lie in time, and times in the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cosim.datasets.mne_files.annotations import Annotation
from cosim.datasets.mne_files.edf_header import read_header, record_times

HALF_A_SAMPLE = 0.5
WITH_RECORDS = frozenset({".edf", ".bdf"})


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples that follow on in time.

    Parameters
    ----------
    start : int
        Its first sample in the file.
    stop : int
        The sample after its last one in the file.
    first_step : int
        Number of its first sample in time, gaps included.
    """

    start: int
    stop: int
    first_step: int


def stretches(path: Path, steps: int, rate_hz: float) -> tuple[Stretch, ...]:
    """Return the stretches of a file of `steps` samples at `rate_hz`; one for every format that keeps no gaps.

    Raises
    ------
    DataError
        If the records of a discontinuous file do not say in order when they began.
    """
    times_s = record_times(path) if path.suffix.lower() in WITH_RECORDS else None
    if times_s is None:
        return (Stretch(0, steps, 0),)
    width = steps // len(times_s)
    gaps = np.diff(times_s) - read_header(path).record_s
    begins = [0, *(np.flatnonzero(np.abs(gaps) > HALF_A_SAMPLE / rate_hz) + 1).tolist()]
    stops = [*begins[1:], len(times_s)]
    return tuple(Stretch(begin * width, stop * width, round(float(times_s[begin]) * rate_hz))
                 for begin, stop in zip(begins, stops, strict=True))  # fmt: skip


def in_stretches(annotations: Sequence[Annotation], own: Sequence[Stretch]) -> tuple[Annotation, ...]:
    """Return annotations that count samples in time with their samples in the file; those inside a gap are left out."""
    found: list[Annotation] = []
    for one in annotations:
        for stretch in own:
            last_step = stretch.first_step + stretch.stop - stretch.start
            begin, end = max(one.start, stretch.first_step), min(one.stop, last_step)
            to_file = stretch.start - stretch.first_step
            if stretch.first_step <= one.start < last_step:
                found.append(Annotation(one.start + to_file, max(end, one.start) + to_file, one.text))
            elif begin < end:
                found.append(Annotation(begin + to_file, end + to_file, one.text, continued=True))
    return tuple(found)
