"""The decoder that never looks at its input: what any other must beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.baselines.fitting import deployed
from cosim.baselines.numerics.fixed_point import WIDTH_BITS
from cosim.baselines.types import Baseline, BaselineResult, Decoded, Floats, Indices, Options
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold


class MajorityOptions(Options):
    """There is nothing to choose."""


@dataclass(frozen=True, slots=True)
class Constant:
    """The same output for every example, shape (classes,) or (steps, outputs)."""

    output: Floats

    def decode(self, dataset: Dataset, examples: Indices) -> Decoded:
        """Return the output once for each example; nothing is done for it."""
        return Decoded(np.repeat(self.output[None], len(examples), axis=0), (), 1, self.output.shape[-1])


def fit(dataset: Dataset, examples: Indices) -> Constant:
    """Return the logarithm of the classes' shares, or the mean of the kinematics."""
    targets = dataset.masked_targets[examples]
    if dataset.task == "classification":
        # One is added to each class so that a class absent from training keeps a finite logit.
        counts = np.bincount(targets.astype(np.int64), minlength=len(dataset.output_names)) + 1
        return Constant(np.log(counts / counts.sum()))
    return Constant(np.tile(np.nanmean(targets.astype(np.float64), axis=(0, 1)), (targets.shape[1], 1)))


def run(dataset: Dataset, fold: Fold, options: MajorityOptions) -> BaselineResult:
    """Return what the fold's training part suggests without any input."""
    label = "majority" if dataset.task == "classification" else "training mean"
    return deployed("majority", label, dataset, fold, lambda examples: fit(dataset, examples), width_bits=WIDTH_BITS)


BASELINE = Baseline("majority", ("classification", "regression"), MajorityOptions, run)
