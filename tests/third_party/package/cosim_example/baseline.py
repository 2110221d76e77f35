"""A baseline: the loudest channel is the class."""

from __future__ import annotations

import numpy as np

from cosim.baselines.numerics.work import stage_row
from cosim.baselines.types import Baseline, BaselineResult, Options
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold


def _logits(dataset: Dataset, indices: np.ndarray) -> np.ndarray:
    return dataset.windows.inputs(indices).astype(np.float64).var(axis=2)[:, : len(dataset.output_names)]


def run(dataset: Dataset, fold: Fold, options: Options) -> BaselineResult:
    """Return the power of each channel as logits."""
    samples = len(dataset.windows.channels) * dataset.windows.steps
    row = stage_row(
        "example_loudest.power", {"multiply": samples, "add": 2 * samples}, inputs=samples,
        outputs=len(dataset.windows.channels), decodes=len(fold.test), arithmetic="float",
    )  # fmt: skip
    return BaselineResult(
        name="example_loudest", label="Loudest channel", outputs_test=_logits(dataset, fold.test),
        outputs_validation=_logits(dataset, fold.validation), layers=(row,), decodes=len(fold.test), mode="window",
        parameters=0, weight_bits=32, activation_bits=32, chosen={},
    )  # fmt: skip


BASELINE = Baseline("Loudest channel", ("classification",), Options, run)
