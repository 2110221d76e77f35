"""The decoder that never looks at its input: what any other must beat."""

from __future__ import annotations

import numpy as np

from cosim.baselines.types import Baseline, BaselineResult, Options, fitting_examples
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold


class MajorityOptions(Options):
    """There is nothing to choose."""


def run(dataset: Dataset, fold: Fold, options: MajorityOptions) -> BaselineResult:
    """Return the logarithm of the training classes' shares, or the training mean of the kinematics."""
    targets = dataset.targets[fitting_examples(fold)]
    if dataset.task == "classification":
        # One is added to each class so that a class absent from training keeps a finite logit.
        counts = np.bincount(targets.astype(np.int64), minlength=len(dataset.output_names)) + 1
        outputs = np.tile(np.log(counts / counts.sum()), (len(fold.test), 1))
    else:
        mean = targets.astype(np.float64).mean(axis=(0, 1))
        outputs = np.tile(mean, (len(fold.test), targets.shape[1], 1))
    return BaselineResult(
        name="majority", label="majority" if dataset.task == "classification" else "training mean",
        outputs_test=outputs, layers=(), decodes=1, mode="window" if dataset.task == "classification" else "stream",
        parameters=outputs.shape[-1], weight_bits=16, activation_bits=16,
    )  # fmt: skip


BASELINE = Baseline("majority", ("classification", "regression"), MajorityOptions, run)
