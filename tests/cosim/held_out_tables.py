"""Small tables of predictions with known scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.evaluation.predictions import Predictions, Provenance


def provenance(
    targets: Sequence[int] | NDArray[np.int64], groups: Mapping[str, Sequence[str]] | None = None, *,
    starts: Sequence[int] | None = None, steps: int = 10,
) -> Provenance:
    """Return a classification's provenance; without groups and starts each example is a recording of its own."""
    count = len(targets)
    labels = {name: np.asarray(values, dtype=np.str_) for name, values in (groups or {}).items()}
    labels.setdefault("recording", np.asarray([f"r{n}" for n in range(count)], dtype=np.str_))
    begins = np.zeros(count, np.int64) if starts is None else np.asarray(starts, np.int64)
    return Provenance("classification", np.asarray(targets, np.int64), labels, begins, steps, 10.0)


def answers(
    classes: Sequence[int] | NDArray[np.int64], *, folds: Sequence[str] | None = None, of: int = 2
) -> Predictions:
    """Return predictions of the examples 0, 1, 2 ... that answer these classes."""
    names = ["one"] * len(classes) if folds is None else folds
    return Predictions(np.arange(len(classes)), np.eye(of)[np.asarray(classes)], np.asarray(names, np.str_))


def session_answers(accuracies: Sequence[float], trials: int = 20) -> tuple[Provenance, Predictions]:
    """Return as many sessions of two equal classes, each answered with its accuracy in both classes."""
    targets, given, sessions = [], [], []
    for number, accuracy in enumerate(accuracies):
        for label in (0, 1):
            right = round(accuracy * trials)
            targets += [label] * trials
            given += [label] * right + [1 - label] * (trials - right)
            sessions += [f"s{number}"] * trials
    return provenance(targets, {"session": sessions}), answers(given, folds=sessions)
