"""Tells where a split tests on groups that are not trained on, and chooses on groups that are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold

LEVELS = ("subject", "session")
"""Groups that are looked at beside those that a split names."""


def known_group(dataset: Dataset, folds: Sequence[Fold], named: Iterable[str]) -> str:
    """Return a group that the test part has members of its own of, and the validation part has none; empty without one.

    What is chosen on such a validation part is chosen for known members: a decoder is better there than on new ones,
    and one kind of decoder more than another. A group of which the training part has one member alone does not count:
    no other validation part could be cut from it.

    Parameters
    ----------
    dataset : Dataset
    folds : sequence of Fold
        Of one split and seed.
    named : iterable of str
        Groups that the split names.
    """
    groups = dict.fromkeys((*reversed(tuple(named)), *LEVELS))
    there = [one for one in groups if one in dataset.groups]
    return next((one for one in there if all(_known(dataset, fold, one) for fold in folds)), "")


def _known(dataset: Dataset, fold: Fold, group: str) -> bool:
    labels = dataset.groups[group]
    train, validation, test = (np.unique(labels[rows]) for rows in (fold.train, fold.validation, fold.test))
    return len(train) > 1 and not np.isin(test, train).any() and bool(np.isin(validation, train).all())
