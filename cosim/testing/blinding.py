"""Datasets whose test labels are wrong, to show that a plug-in does not read them."""

from __future__ import annotations

import dataclasses

from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold


def with_other_test_labels(dataset: Dataset, fold: Fold) -> Dataset:
    """Return the dataset with other targets in the test part: other ones for an example, and another mean of them all.

    Classification: each test example has the class after that of the first test example. Regression: the targets in
    reverse order, plus one.
    """
    values = dataset.target_values.copy()
    if dataset.task == "classification":
        values[fold.test] = (values[fold.test][0] + 1) % len(dataset.output_names)
    else:
        values[fold.test] = values[fold.test][::-1] + 1
    return dataclasses.replace(dataset, target_values=values)
