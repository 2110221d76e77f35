"""Datasets whose test labels, and labels that are withheld, are wrong, to show that a plug-in does not read them."""

from __future__ import annotations

import dataclasses

from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold


def with_other_test_labels(dataset: Dataset, fold: Fold) -> Dataset:
    """Return the dataset with other targets in the test part: other ones for an example, and another mean of them all.

    Classification: each test example has the class after that of the first test example. Regression: the targets in
    reverse order, plus one. So have the unlabelled training examples.
    """
    values = dataset.target_values.copy()
    for part in (fold.test, fold.unlabelled):
        if dataset.task == "classification":
            values[part] = (values[part][:1] + 1) % len(dataset.output_names)
        else:
            values[part] = values[part][::-1] + 1
    return dataclasses.replace(dataset, target_values=values)
