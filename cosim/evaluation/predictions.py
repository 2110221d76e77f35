"""Predictions of held-out examples: pooled over folds, and grouped into what counts as an independent repetition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.evaluation.scores import Task
from energy_models.errors import DataError

Indices = NDArray[np.int64]
LEVELS = ("subject", "session", "run", "recording")  # highest first
MOST_SEGMENTS = 20  # of one recording: long enough for each to outlast what a neighbour shares with it


@dataclass(frozen=True, slots=True, eq=False)
class Provenance:
    """Where the examples of a dataset come from, as far as scores need to know; every array has one entry an example.

    Parameters
    ----------
    task : {'classification', 'regression'}
    targets : ndarray
        As `cosim.datasets.types.Dataset` holds them.
    groups : mapping of str to ndarray, shape (examples,)
        Labels by name: ``subject``, ``session``, ``run``, ``recording`` where they exist.
    starts : ndarray of int64, shape (examples,)
        First step of each example within its recording.
    steps : int
        Length of an example.
    step_rate_hz : float
        Steps per second [Hz].
    sources : ndarray of int64, shape (examples,), or None
        Which recording each start is counted in (`cosim.datasets.windows.Windows.sources`); None: as the group
        ``recording`` says.
    held_out : tuple of str
        Groups that the split keeps together, if not of `LEVELS`: what a user names a day is one for intervals, too.
    """

    task: Task
    targets: NDArray[Any]
    groups: Mapping[str, NDArray[np.str_]]
    starts: Indices
    steps: int
    step_rate_hz: float
    sources: Indices | None = None
    held_out: tuple[str, ...] = ()

    @property
    def levels(self) -> tuple[str, ...]:
        """The groups there are whose members may be alike, in the order in which they are tried."""
        return tuple(level for level in dict.fromkeys((*LEVELS, *self.held_out)) if level in self.groups)


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What one decoder trained with one seed gave for held-out examples, of one fold or of several.

    Parameters
    ----------
    examples : ndarray of int64, shape (rows,)
        Index of each example within its dataset.
    outputs : ndarray
        Logits, shape (rows, classes), or estimates, shape (rows, steps, outputs).
    folds : ndarray of str, shape (rows,)
        In which fold the example was held out.
    """

    examples: Indices
    outputs: NDArray[Any]
    folds: NDArray[np.str_]


def pool(parts: Sequence[Predictions]) -> Predictions:
    """Return the predictions of all folds as one set, in the order of the examples.

    Every example is predicted by the network that did not see it, so the set is scored once: a score of a fold whose
    test part lacks a class says nothing, and a mean over such folds puts a constant decoder above chance.

    Raises
    ------
    DataError
        If there is no part, or an example is held out in two folds and would count twice.
    """
    if not parts:
        raise DataError("there are no predictions", where="pooled predictions", remedy="Let a fold finish first.")
    examples = np.concatenate([part.examples for part in parts])
    order = np.argsort(examples, kind="stable")
    again = examples[order][1:][np.diff(examples[order]) == 0]
    if again.size:
        raise DataError(f"example {int(again[0])} is held out in more than one fold", where="pooled predictions",
                        remedy="Use a split whose test parts share no example.")  # fmt: skip
    outputs, folds = (np.concatenate([getattr(part, name) for part in parts]) for name in ("outputs", "folds"))
    return Predictions(examples[order], outputs[order], folds[order])


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """What is taken as an independent repetition: a name in the plural, and each example's unit, numbered from 0."""

    name: str
    labels: Indices

    @property
    def count(self) -> int:
        """Number of units."""
        return int(self.labels.max()) + 1


def resampling_units(provenance: Provenance, examples: Indices) -> Units:
    """Return the units of the highest grouping level that the examples differ in.

    Subjects before sessions, runs and recordings: what two sessions of a subject share would make an interval over
    sessions too narrow for a new subject. A level is passed over for one that joins whole groups of it, such as runs
    for recordings of several runs. Where all come from one recording, or each is a recording of its own, units
    are single trials; examples that follow each other without a gap are taken together as segments, at most
    `MOST_SEGMENTS` of one length, because neighbours are not independent.
    """
    found: Units | None = None
    for level in provenance.levels:
        labels = np.unique(provenance.groups[level][examples], return_inverse=True)[1].astype(np.int64)
        units = Units(f"{level}s", labels)
        if 1 < units.count < len(examples) and (found is None or _joins(labels, found)):
            found = units
    if found is not None:
        return found
    segments = contiguous(provenance, examples)
    if len(segments) == len(examples):
        return Units("trials", np.arange(len(examples), dtype=np.int64))
    length = max(1, -(-len(examples) // MOST_SEGMENTS))
    labels = np.empty(len(examples), dtype=np.int64)
    number = 0
    for segment in segments:
        for piece in np.array_split(segment, max(1, round(len(segment) / length))):
            labels[piece] = number
            number += 1
    return Units("segments", labels)


def _joins(labels: Indices, finer: Units) -> bool:
    """Return whether labels are fewer than units, and all examples of each unit have one label."""
    pairs = np.unique(np.stack([finer.labels, labels]), axis=1)
    return int(labels.max()) + 1 < finer.count == pairs.shape[1]


def contiguous(provenance: Provenance, examples: Indices) -> list[Indices]:
    """Return positions within `examples`, in time order, cut wherever the next example leaves a gap."""
    recordings = np.unique(provenance.groups["recording"][examples], return_inverse=True)[1]
    sources = recordings if provenance.sources is None else provenance.sources[examples]
    starts = provenance.starts[examples]
    order = np.lexsort((starts, recordings, sources)).astype(np.int64)
    apart = (np.diff(sources[order]) != 0) | (np.diff(recordings[order]) != 0)
    apart |= np.diff(starts[order]) > provenance.steps
    return np.split(order, np.flatnonzero(apart) + 1)


def exchangeable_strata(provenance: Provenance, examples: Indices) -> Indices:
    """Return the number of the run each example belongs to: trials of one run, not of two, may change places.

    Runs are told apart by every level (`Provenance.levels`) that leaves more than one example in some stratum.
    """
    strata = np.zeros(len(examples), dtype=np.int64)
    for level in provenance.levels:
        labels = np.unique(provenance.groups[level][examples], return_inverse=True)[1].astype(np.int64)
        finer = np.unique(strata * (int(labels.max()) + 1) + labels, return_inverse=True)[1].astype(np.int64)
        if int(finer.max()) + 1 < len(examples):
            strata = finer
    return strata
