"""Annotations of a recording: which mark bad stretches, and which mark where its samples do not follow on in time."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

BAD = re.compile(r"bad|edge", re.IGNORECASE)  # the words MNE-Python leaves out by
LOST = re.compile(r"bad_acq_skip", re.IGNORECASE)  # the acquisition was paused: MNE fills in zeros
JOIN = re.compile(r"edge|bad[ _]boundary|boundary|new segment", re.IGNORECASE)  # also of EEGLAB and BrainVision
ALMOST_HALF = 0.499


@dataclass(frozen=True, slots=True)
class Annotation:
    """A stretch of a recording with a text.

    Parameters
    ----------
    start : int
        Its first sample, counted from the first sample stored.
    stop : int
        The sample after its last one; equal to `start` where it has no duration.
    text : str
    continued : bool
        Whether it is the rest of one that began before a gap, and so no cue.
    """

    start: int
    stop: int
    text: str
    continued: bool = False

    @property
    def is_join(self) -> bool:
        """Whether the samples before and after its start do not follow on."""
        return JOIN.match(self.text) is not None

    @property
    def is_lost(self) -> bool:
        """Whether nothing was recorded during it."""
        return LOST.match(self.text) is not None

    @property
    def is_bad(self) -> bool:
        """Whether its samples must not be used."""
        return BAD.match(self.text) is not None and (self.stop > self.start or not self.is_join)


def read_annotations(raw: Any, found: Any) -> tuple[Annotation, ...]:
    """Return annotations of an open MNE recording, at the samples `mne.events_from_annotations` gives.

    Parameters
    ----------
    raw : mne.io.BaseRaw
    found : mne.Annotations
        Its own, or those that MNE left out because they lie after the samples it counts.
    """
    texts = [str(text) for text in found.description]
    # without a measurement date MNE counts onsets from the begin of the acquisition, not from the first stored sample
    before = int(raw.first_samp) if found.orig_time is None else 0

    def samples(seconds: Any) -> list[int]:
        numbers = raw.time_as_index(seconds, use_rounding=True, origin=found.orig_time)
        return [int(number) - before for number in numbers]

    starts, stops = samples(found.onset), samples(found.onset + found.duration)
    # EEGLAB puts a boundary between two samples: the first sample after it is the next whole one
    after = samples(found.onset + ALMOST_HALF / float(raw.info["sfreq"]))
    result: list[Annotation] = []
    for start, stop, later, text in zip(starts, stops, after, texts, strict=True):
        one = Annotation(start, max(start, stop), text)
        if one.is_join:  # the duration of a boundary of EEGLAB is that of what was cut out
            one = Annotation(later, max(later, stop) if BAD.match(text) else later, text)
        result.append(one)
    return tuple(result)


def bad_stretches(annotations: Iterable[Annotation]) -> tuple[tuple[int, int], ...]:
    """Return first sample and the one after the last of every stretch that is marked bad, one sample at least."""
    return tuple((one.start, max(one.stop, one.start + 1)) for one in annotations if one.is_bad)


def contiguous_parts(
    parts: Sequence[tuple[int, int]], annotations: Iterable[Annotation]
) -> tuple[tuple[int, int], ...]:
    """Return parts, first sample and the one after the last, cut at every join and without what was not recorded."""
    cuts: list[int] = []
    lost: list[tuple[int, int]] = []
    for one in annotations:
        if one.is_lost:
            cuts += [one.start, one.stop]
            lost.append((one.start, one.stop))
        elif one.is_join:
            cuts.append(one.start)
    found: list[tuple[int, int]] = []
    for start, stop in parts:
        edges = [start, *sorted({cut for cut in cuts if start < cut < stop}), stop]
        found += itertools.pairwise(edges)
    return tuple((start, stop) for start, stop in found if not any(a <= start and stop <= b for a, b in lost))
