"""A teacher: distance to the mean training window of each class, on the recordings as they are."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cosim.teachers.targets import PARTS, TeacherTargets
from cosim.teachers.teacher import Teacher, TeacherOptions, TeacherSetting
from students.training import OUTPUTS


class Options(TeacherOptions):
    """Scale of the logits."""

    scale: float = 1.0


def _power(inputs: np.ndarray) -> np.ndarray:
    return np.log(inputs.var(axis=2) + 1e-12)


def targets(options: Options, setting: TeacherSetting) -> TeacherTargets:
    """Return minus the squared distance of log power to each class's mean, and the power itself as features."""
    dataset, fold = setting.dataset, setting.fold
    power = {part: _power(dataset.windows.inputs(getattr(fold, part))) for part in PARTS}
    labels = dataset.targets[fold.train]
    means = np.stack([power["train"][labels == label].mean(axis=0) for label in range(setting.shape.outputs)])

    def named(rows: np.ndarray) -> dict[str, Tensor]:
        distance = ((rows[:, None] - means[None]) ** 2).sum(axis=2)
        return {OUTPUTS: torch.as_tensor(-options.scale * distance).float(), "power": torch.as_tensor(rows).float()}

    return TeacherTargets(*(named(power[part]) for part in PARTS))


TEACHER = Teacher(Options, title=lambda options: "class means", targets=targets)
