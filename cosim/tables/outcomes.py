"""What stands behind a score: confusions, scores by group, a trajectory, learning curves; one small file a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.types import Dataset
from cosim.engine.files import read_json, write_atomically
from cosim.engine.points import Point
from cosim.engine.prediction_file import Curve, read_curve
from cosim.engine.stage import with_ancestors
from cosim.engine.store import Store
from cosim.evaluation.held_out import SeedTable
from cosim.evaluation.predictions import Predictions, Provenance, contiguous, resampling_units
from cosim.evaluation.scores import primary_metric, score

OUTCOMES = "outcomes.json"
MOST_STEPS = 300       # of a trajectory
MOST_TRAJECTORIES = 24  # decoders, in the run's order
TRAINING = ("undistilled", "distilled", "quantised")
DIGITS = 4


def write_outcomes(
    path: Path, provenance: Provenance, predictions: Mapping[str, SeedTable], *, output_names: Sequence[str],
    curves: Mapping[str, Mapping[str, object]],
) -> None:
    """Write what pages show behind the scores.

    The file holds ``output_names``; ``groups``: ``over`` (``subjects``, ``sessions``, ``runs``, ``recordings``, or
    ``folds``), ``names`` and ``scores`` by decoder id, a mean over seeds for each group, null where a group alone has
    no score; ``confusion`` by decoder id: examples of each true class (rows) that were given each class (columns),
    summed over seeds; ``trajectory``: ``times_s``, ``target`` and ``estimates`` by decoder id, shape (axes, steps), the
    start of the longest contiguous segment that is held out, of the first seed; ``curves``.

    Parameters
    ----------
    path : Path
    provenance : Provenance
    predictions : mapping of str to mapping
        Pooled predictions by decoder id and seed.
    output_names : sequence of str
    curves : mapping of str to mapping
        Of `learning_curves`.
    """
    found: dict[str, object] = {
        "output_names": list(output_names), "groups": _groups(provenance, predictions), "curves": dict(curves),
    }
    if provenance.task == "classification":
        found["confusion"] = {
            name: _confusion(provenance, list(seeds.values()), len(output_names)).tolist()
            for name, seeds in predictions.items()
        }
    else:
        found["trajectory"] = _trajectory(provenance, predictions)
    write_atomically(path, json.dumps(found, sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n")


def read_outcomes(path: Path) -> dict[str, Any]:
    """Return what `write_outcomes` wrote; empty where a run was made before it was kept.

    Raises
    ------
    CosimError
        If the file is not JSON.
    """
    return cast("dict[str, Any]", read_json(path)) if path.is_file() else {}


def learning_curves(store: Store, points: Sequence[Point]) -> dict[str, dict[str, object]]:
    """Return the losses of every trained decoder by its id: ``train``, ``validation``, ``runs``, ``kept_epoch``.

    A mean over folds and seeds; a training that stopped earlier counts with its last losses. ``kept_epoch`` is the
    median of the epochs whose weights were kept.
    """
    curves: dict[str, list[Curve]] = {}
    for point in points:
        trained = [stage for stage in with_ancestors(point.result) if stage.kind in TRAINING]
        curve = read_curve(store.folder(trained[-1].key)) if trained and point.decoder.role == "student" else None
        if curve is not None and curve.train:
            curves.setdefault(point.decoder.id, []).append(curve)
    return {
        name: {
            "train": _mean_of([one.train for one in found]), "validation": _mean_of([one.validation for one in found]),
            "runs": len(found), "kept_epoch": float(np.median([one.best_epoch for one in found])),
        }
        for name, found in curves.items()
    }  # fmt: skip


def output_names(dataset: Dataset) -> tuple[str, ...]:
    """Return the names of classes or kinematic axes as texts."""
    return tuple(str(name) for name in dataset.output_names)


def _mean_of(series: Sequence[Sequence[float]]) -> list[float]:
    longest = max(map(len, series))
    padded = np.array([[*one, *[one[-1]] * (longest - len(one))] for one in series])
    return _rounded(padded.mean(axis=0))


def _groups(provenance: Provenance, predictions: Mapping[str, SeedTable]) -> dict[str, object]:
    tables = {name: list(seeds.values()) for name, seeds in predictions.items()}
    everything = np.unique(np.concatenate([one.examples for found in tables.values() for one in found]))
    over = resampling_units(provenance, everything).name
    known = provenance.groups.get(over.removesuffix("s"))
    labels = {
        name: [one.folds if known is None else known[one.examples] for one in found] for name, found in tables.items()
    }
    names = sorted({str(label) for found in labels.values() for one in found for label in np.unique(one)})
    scores = {
        name: [_group_score(provenance, found, labels[name], group) for group in names]
        for name, found in tables.items()
    }
    return {"over": "folds" if known is None else over, "names": names, "scores": scores}


def _group_score(
    provenance: Provenance, tables: Sequence[Predictions], labels: Sequence[NDArray[np.str_]], group: str
) -> float | None:
    """Return the mean over seeds of a group's own score; None where some seed has none."""
    found: list[float] = []
    for table, label in zip(tables, labels, strict=True):
        rows = np.flatnonzero(label == group)
        targets = provenance.targets[table.examples[rows]]
        if not len(rows) or not _varies(provenance, targets):
            return None
        value = score(provenance.task, targets, table.outputs[rows]).get(primary_metric(provenance.task))
        if value is None:
            return None
        found.append(value)
    return float(f"{np.mean(found):.{DIGITS}f}")


def _varies(provenance: Provenance, targets: NDArray[Any]) -> bool:
    """Return whether every axis of a regression's targets takes two values; classes are judged by the score."""
    if provenance.task == "classification":
        return True
    steps: NDArray[Any] = targets.reshape(-1, targets.shape[-1])
    known: NDArray[Any] = steps[~np.isnan(steps).any(axis=1)]
    return len(known) > 1 and bool((np.ptp(known, axis=0) > 0).all())


def _confusion(provenance: Provenance, tables: Sequence[Predictions], classes: int) -> NDArray[np.int64]:
    counts = np.zeros((classes, classes), dtype=np.int64)
    for table in tables:
        np.add.at(counts, (provenance.targets[table.examples], table.outputs.argmax(axis=1)), 1)
    return counts


def _trajectory(provenance: Provenance, predictions: Mapping[str, SeedTable]) -> dict[str, object]:
    tables = {name: seeds[min(seeds)] for name, seeds in list(predictions.items())[:MOST_TRAJECTORIES]}
    first = next(iter(tables.values()))
    segment = max(contiguous(provenance, first.examples), key=len)
    examples = first.examples[segment]
    target, times = _series(provenance, examples, provenance.targets[examples])
    estimates = {
        name: _series(provenance, examples, table.outputs[np.searchsorted(table.examples, examples)])[0]
        for name, table in tables.items() if np.isin(examples, table.examples).all()
    }  # fmt: skip
    return {"times_s": times, "target": target, "estimates": estimates}


def _series(provenance: Provenance, examples: NDArray[np.int64], values: NDArray[Any]) -> tuple[object, object]:
    """Return the steps of successive examples once each, as axes of numbers, null for none; and their times [s]."""
    steps = np.add.outer(provenance.starts[examples], np.arange(len(values[0])))
    order, index = np.unique(steps.astype(np.int64), return_index=True)
    chosen = values.reshape(-1, values.shape[-1])[index][:MOST_STEPS]
    axes = [[None if np.isnan(value) else value for value in _rounded(axis)] for axis in chosen.T]
    return axes, _rounded((order[:MOST_STEPS] - order[0]) / provenance.step_rate_hz)


def _rounded(values: NDArray[Any]) -> list[float]:
    return [float(f"{float(value):.{DIGITS}g}") for value in values]
