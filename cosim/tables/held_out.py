"""The predictions of a run's finished points, pooled over folds, one set a decoder and seed."""

from __future__ import annotations

from collections.abc import Sequence

from cosim.datasets.types import Dataset
from cosim.engine.points import Point
from cosim.engine.prediction_file import read_predictions
from cosim.engine.store import Store
from cosim.evaluation.held_out import SeedTable
from cosim.evaluation.predictions import Predictions, Provenance, pool
from cosim.splits.schemes import SplitSpec


def provenance_of(dataset: Dataset, split: SplitSpec) -> Provenance:
    """Return where the examples of a dataset come from, as far as scores need to know."""
    windows = dataset.windows
    return Provenance(
        dataset.task, dataset.masked_targets, dataset.groups, windows.starts, windows.steps, dataset.step_rate_hz,
        windows.sources, split.kept_whole(),
    )


def pooled_predictions(store: Store, points: Sequence[Point]) -> dict[str, SeedTable]:
    """Return the pooled predictions of every decoder, by its id and its seeds.

    Raises
    ------
    CosimError
        If a point keeps no predictions, or an example is held out in two folds.
    """
    parts: dict[str, dict[int, list[Predictions]]] = {}
    for point in points:
        found = read_predictions(store.folder(point.result.key), point.fold)
        parts.setdefault(point.decoder.id, {}).setdefault(point.seed, []).append(found)
    return {name: {seed: pool(folds) for seed, folds in seeds.items()} for name, seeds in parts.items()}
