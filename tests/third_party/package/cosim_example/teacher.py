"""A teacher: distance to the mean training window of each class, on the recordings as they are."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cosim.datasets.types import Dataset
from cosim.teachers.teacher import Answers, Teacher, TeacherOptions, TeacherSetting
from students.training import OUTPUTS


class Options(TeacherOptions):
    """Scale of the logits."""

    scale: float = 1.0


def _power(inputs: np.ndarray) -> np.ndarray:
    return np.log(inputs.var(axis=2) + 1e-12)


def fit(options: Options, setting: TeacherSetting) -> Answers:
    """Return minus the squared distance of log power to each class's mean, and the power itself as features."""
    dataset, fold = setting.dataset, setting.fold
    labels, power = dataset.targets[fold.train], _power(dataset.windows.inputs(fold.train))
    means = np.stack([power[labels == label].mean(axis=0) for label in range(setting.shape.outputs)])

    def answers(dataset: Dataset, examples: NDArray[np.int64]) -> dict[str, Tensor]:
        rows = _power(dataset.windows.inputs(examples))
        distance = ((rows[:, None] - means[None]) ** 2).sum(axis=2)
        return {OUTPUTS: torch.as_tensor(-options.scale * distance).float(), "power": torch.as_tensor(rows).float()}

    return answers


TEACHER = Teacher(Options, title=lambda options: "class means", fit=fit)
