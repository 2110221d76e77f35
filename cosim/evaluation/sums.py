"""Sums that a primary metric is a function of, so that thousands of resamples cost one matrix product."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.evaluation.predictions import Indices, Predictions, Provenance
from cosim.evaluation.scores import Task
from energy_models.errors import DataError

Floats = NDArray[np.float64]


def unit_sums(provenance: Provenance, predictions: Predictions, units: Indices, count: int) -> Floats:
    """Return per unit what `metric_of_sums` needs, shape (units, columns).

    Classification: correct answers, then examples, of each class. Regression, of each axis: squared errors, targets,
    squared targets, and known steps, targets being taken about their mean.

    Parameters
    ----------
    provenance : Provenance
    predictions : Predictions
    units : ndarray of int64, shape (rows of the predictions,)
    count : int
        Number of units.
    """
    targets = provenance.targets[predictions.examples]
    columns = (
        _class_columns(targets, predictions.outputs)
        if provenance.task == "classification"
        else _axis_columns(targets.astype(np.float64), predictions.outputs.astype(np.float64))
    )
    sums = np.zeros((count, columns.shape[1]))
    np.add.at(sums, units, columns)
    return sums


def _class_columns(targets: NDArray[Any], logits: NDArray[Any]) -> Floats:
    present = np.eye(logits.shape[1])[targets]
    correct = (logits.argmax(axis=1) == targets)[:, None]
    return np.concatenate([present * correct, present], axis=1)


def _axis_columns(targets: Floats, outputs: Floats) -> Floats:
    known: NDArray[np.bool_] = np.asarray(np.isfinite(targets).all(axis=-1))
    if not known.any():
        raise DataError("no step has a known target", where="score", remedy="Look at the masks of the recording.")
    centred = np.where(known[:, :, None], targets - targets[known].mean(axis=0), 0.0)
    squared_error = np.where(known[:, :, None], (targets - outputs) ** 2, 0.0).sum(axis=1)
    steps = np.broadcast_to(known[:, :, None], targets.shape).sum(axis=1)
    return np.concatenate([squared_error, centred.sum(axis=1), (centred**2).sum(axis=1), steps], axis=1)


def metric_of_sums(task: Task, sums: Floats) -> Floats:
    """Return the primary metric of sums over examples, shape (...) for sums of shape (..., columns).

    It is nan where a class has no example, or no target varies.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        if task == "classification":
            correct, present = np.split(sums, 2, axis=-1)
            return np.asarray((correct / present).mean(axis=-1))
        error, total, squares, steps = np.split(sums, 4, axis=-1)
        spread = squares - total**2 / steps
        return np.asarray(np.where(spread > 0, 1 - error / spread, np.nan).mean(axis=-1))
