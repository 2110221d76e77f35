"""The folds of a study: its split, the labels that are withheld, the unlabelled windows that are added."""

from __future__ import annotations

import dataclasses

from cosim.datasets.types import Dataset
from cosim.splits.few_labels import withhold
from cosim.splits.fold import Fold
from cosim.splits.unlabelled_pool import pool_windows
from cosim.study.schema import Study


def folds_of(study: Study, dataset: Dataset) -> tuple[Fold, ...]:
    """Return every fold, decided by ``fold_seed``.

    Raises
    ------
    SplitError
        As the split's `folds`, `cosim.splits.few_labels.withhold` and `cosim.splits.unlabelled_pool.pool_windows`.
    """
    seed = study.study.fold_seed
    folds = study.split.folds(dataset, seed=seed)
    labels, pool = study.labels, study.unlabelled
    if labels is not None:
        folds = tuple(withhold(dataset, fold, labels, seed=seed) for fold in folds)
    if pool is not None:
        folds = tuple(dataclasses.replace(fold, pool=pool_windows(dataset, fold, pool)) for fold in folds)
    return folds
