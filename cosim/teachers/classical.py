"""A classical decoder teaches: whatever `cosim.baselines` has that gives logits or trajectories.

It is of another kind than the students and may need fewer labels, or know more of the signal, than they do. It reads
the recordings as their pipeline leaves them, not as the students see them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy import optimize as _optimize  # pyright: ignore[reportMissingTypeStubs]
from torch import Tensor
from torch.nn import functional

from cosim.baselines.registry import BASELINES, load_baseline, run_baseline
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold
from cosim.teachers.teacher import Answers, Teacher, TeacherOptions, TeacherSetting
from energy_models.errors import CosimError, StudentError
from students.spec import Scalar
from students.training import OUTPUTS

optimize: Any = _optimize  # scipy has no type stubs
LARGEST_SCALE = 100.0  # of logits; few validation examples that are all right would ask for an infinite one


class Options(TeacherOptions):
    """Which decoder, and how its logits are scaled.

    Parameters
    ----------
    baseline : str
        A name of `cosim.baselines`, or ``module:object``.
    options : dict
        The decoder's own.
    calibration : {'none', 'temperature'}
        ``temperature``: logits are multiplied by the one number that gives the least cross-entropy on the validation
        part (Guo et al. 2017, arXiv 1706.04599), for decoders whose margins are no probabilities. Classification.
    """

    baseline: str
    options: dict[str, Scalar] = Field(default_factory=dict[str, Scalar])
    calibration: Literal["none", "temperature"] = "none"

    @model_validator(mode="after")
    def _exists(self) -> Self:
        try:
            load_baseline(self.baseline).Options.model_validate(self.options)
        except CosimError as error:
            raise ValueError(str(error)) from error
        return self


def fit(options: Options, setting: TeacherSetting) -> Answers:
    """Return the decoder fitted on the training part, what it chooses chosen on the validation part.

    Raises
    ------
    StudyError
        If the decoder's options are refused.
    DataError
        If it cannot serve these recordings.
    StudentError
        If it keeps no decoder of the training part alone, or logits are to be scaled in a regression.
    """
    dataset, fold = setting.dataset, setting.fold
    where = f"teacher 'classical', baseline {options.baseline!r}"
    if options.calibration == "temperature" and dataset.task == "regression":
        raise StudentError("a temperature is of classes, and this is a regression", where=where,
                           remedy='Write calibration = "none"')  # fmt: skip
    found = run_baseline(options.baseline, dataset, fold, options.options)
    decoder = found.trained
    if decoder is None:
        raise StudentError("it keeps no decoder fitted on the training part alone", where=where,
                           remedy="Give the baseline's result its decoder as 'trained'")  # fmt: skip
    scale = 1.0 if options.calibration == "none" else fitted_scale(dataset, fold, found.outputs_validation)

    def answers(other: Dataset, indices: NDArray[np.int64]) -> dict[str, Tensor]:
        return {OUTPUTS: torch.as_tensor(scale * decoder.decode(other, indices).outputs, dtype=torch.float32)}

    return answers


def fitted_scale(dataset: Dataset, fold: Fold, logits: NDArray[np.float64]) -> float:
    """Return the factor of logits, up to `LARGEST_SCALE`, with the least cross-entropy on the validation part.

    Parameters
    ----------
    dataset : Dataset
    fold : Fold
    logits : ndarray, shape (validation examples, classes)
    """
    given, labels = torch.as_tensor(logits), torch.as_tensor(dataset.targets[fold.validation])

    def loss(log_scale: float) -> float:
        return float(functional.cross_entropy(math.exp(log_scale) * given, labels))

    largest = math.log(LARGEST_SCALE)
    return math.exp(float(optimize.minimize_scalar(loss, bounds=(-largest, largest), method="bounded").x))


def title(options: Options) -> str:
    """Return the decoder's name in legends."""
    return load_baseline(options.baseline).title


def plugins(options: Options) -> Iterable[str]:
    """Return the decoder's module."""
    return (BASELINES.module(options.baseline),)


TEACHER = Teacher(Options, title=title, fit=fit, plugins=plugins)
