"""The folds of a study: its split, and the labels that are withheld."""

from __future__ import annotations

from cosim.datasets.types import Dataset
from cosim.splits.few_labels import withhold
from cosim.splits.fold import Fold
from cosim.study.schema import Study


def folds_of(study: Study, dataset: Dataset) -> tuple[Fold, ...]:
    """Return every fold, decided by ``fold_seed``.

    Raises
    ------
    SplitError
        As the split's `folds`, and as `cosim.splits.few_labels.withhold`.
    """
    seed = study.study.fold_seed
    folds = study.split.folds(dataset, seed=seed)
    if study.labels is None:
        return folds
    return tuple(withhold(dataset, fold, study.labels, seed=seed) for fold in folds)
