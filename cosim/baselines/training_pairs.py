"""Inputs beside targets of a regression, cut where either was not recorded."""

from __future__ import annotations

import numpy as np

from cosim.baselines.types import Floats, Indices
from cosim.datasets.contiguous_segments import contiguous_segments, joined_inputs, joined_targets
from cosim.datasets.types import Dataset
from energy_models.errors import DataError

Pair = tuple[Floats, Floats]


def training_pairs(dataset: Dataset, examples: Indices) -> list[Pair]:
    """Return (inputs, targets) of every run of steps whose targets are all known.

    Parameters
    ----------
    dataset : Dataset
        A regression; a target that is nan or masked is unknown.
    examples : ndarray of int64

    Returns
    -------
    list of (inputs, targets)
        Shapes (steps, channels) and (steps, outputs).

    Raises
    ------
    DataError
        If there is no such step.
    """
    pairs: list[Pair] = []
    for part in contiguous_segments(dataset, examples):
        inputs, targets = joined_inputs(dataset, part), joined_targets(dataset, part)
        known = np.isfinite(targets).all(axis=1)
        edges = np.flatnonzero(np.diff(known.astype(np.int64), prepend=0, append=0))
        pairs += [(inputs[start:stop], targets[start:stop]) for start, stop in edges.reshape(-1, 2)]
    if not pairs:
        raise DataError("no training step has a known target", where=f"dataset {dataset.name!r}",
                        remedy="Choose folds whose training part holds movement.")  # fmt: skip
    return pairs
