"""Metrics of detection: one class is the event, and what counts is what is found, how soon, and how often in vain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.evaluation.predictions import Indices, Predictions, Provenance, contiguous
from cosim.evaluation.scores import sklearn_metrics
from energy_models.errors import DataError
from energy_models.quantities import HOUR_S

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Detection:
    """How well one class is detected; None is a value that cannot be given, with its reason.

    Parameters
    ----------
    auroc : float or None
        Area under the receiver operating characteristic of the event's logit above the best other one; the mean over
        folds, because outputs of two networks have no common scale.
    sensitivity, specificity : float or None
        Shares of event examples and of other examples that are answered right.
    false_alarms_per_hour : float or None
        Unbroken runs of alarms that touch no event, per hour without event [1/h].
    latency_s : float or None
        Median over the events found, from the begin of an event's first example to the end of the first alarm [s]; of
        events that other examples lead up to, since one that a recording starts in has begun before.
    events, events_found : int
        Unbroken runs of event examples, and how many of them hold an alarm.
    reasons : mapping of str to str
        Why a value is None.
    """

    auroc: float | None
    sensitivity: float | None
    specificity: float | None
    false_alarms_per_hour: float | None
    latency_s: float | None
    events: int
    events_found: int
    reasons: Mapping[str, str]


def detection(provenance: Provenance, predictions: Predictions, *, positive: int) -> Detection:
    """Return the detection metrics of predictions pooled over folds; every example whose answer is the class alarms.

    Parameters
    ----------
    provenance : Provenance
        Of a classification.
    predictions : Predictions
    positive : int
        Class of the event.

    Raises
    ------
    DataError
        If the task is a regression or there is no such class.
    """
    if provenance.task != "classification" or not 0 <= positive < predictions.outputs.shape[1]:
        raise DataError(f"class {positive} cannot be detected in a {provenance.task}", where="detection",
                        remedy="Name one of the classes as the positive one.")  # fmt: skip
    event = provenance.targets[predictions.examples] == positive
    alarm = predictions.outputs.argmax(axis=1) == positive
    segments = contiguous(provenance, predictions.examples)
    reasons: dict[str, str] = {}
    runs = [run for segment in segments for run in _runs(segment, event)]
    begun = [run for segment in segments for run in _runs(segment, event) if run[0] != segment[0]]
    if not event.any():
        reasons["sensitivity"] = "no example is of the event's class"
    if event.all():
        reasons["specificity"] = reasons["false_alarms_per_hour"] = "every example is of the event's class"
    return Detection(
        auroc=_auroc(event, predictions, positive, reasons),
        sensitivity=float(alarm[event].mean()) if event.any() else None,
        specificity=float((~alarm[~event]).mean()) if not event.all() else None,
        false_alarms_per_hour=_false_alarms(provenance, predictions.examples, segments, event, alarm),
        latency_s=_latency(provenance, predictions.examples, begun, alarm, reasons),
        events=len(runs),
        events_found=sum(bool(alarm[run].any()) for run in runs),
        reasons=reasons,
    )


def _auroc(event: Flags, predictions: Predictions, positive: int, reasons: dict[str, str]) -> float | None:

    metrics = sklearn_metrics()
    margin = predictions.outputs[:, positive] - np.delete(predictions.outputs, positive, axis=1).max(axis=1)
    areas: list[float] = []
    for fold in np.unique(predictions.folds):
        rows = predictions.folds == fold
        if len(np.unique(event[rows])) < 2:
            reasons["auroc"] = f"the test part of fold {fold} lacks the event or everything else"
            return None
        areas.append(float(metrics.roc_auc_score(event[rows], margin[rows])))
    return float(np.mean(areas))


def _runs(segment: Indices, flags: Flags) -> list[Indices]:
    """Return the unbroken runs of flagged rows of one segment."""
    marked = flags[segment]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(np.int8)))
    return [segment[begin:end] for begin, end in zip(edges[::2], edges[1::2], strict=True)]


def _false_alarms(
    provenance: Provenance, examples: Indices, segments: list[Indices], event: Flags, alarm: Flags
) -> float | None:
    quiet_s = sum(_covered_steps(provenance, examples[rows]) for segment in segments for rows in _runs(segment, ~event))
    if quiet_s == 0:
        return None
    false = sum(not event[run].any() for segment in segments for run in _runs(segment, alarm))
    return false / (quiet_s / provenance.step_rate_hz / HOUR_S)


def _covered_steps(provenance: Provenance, examples: Indices) -> int:
    """Return how many steps examples in time order cover, shared ones once."""
    between = np.diff(provenance.starts[examples])
    return provenance.steps + int(np.minimum(between, provenance.steps).sum())


def _latency(
    provenance: Provenance, examples: Indices, runs: list[Indices], alarm: Flags, reasons: dict[str, str]
) -> float | None:
    found = [run for run in runs if alarm[run].any()]
    if not runs:
        reasons["latency_s"] = "no other example leads up to an event, so its begin is unknown"
        return None
    if not found:
        reasons["latency_s"] = "no event whose begin is known was found"
        return None
    starts = provenance.starts[examples]
    waits = [int(starts[run[np.argmax(alarm[run])]] - starts[run[0]]) + provenance.steps for run in found]
    return float(np.median(waits)) / provenance.step_rate_hz
