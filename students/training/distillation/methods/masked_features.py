"""Distillation by features of which a part is hidden: what the student shows has to tell all of the teacher's."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from students.training.distillation.feature_rows import feature_rows, row_width
from students.training.distillation.losses import blend
from students.training.distillation.method import LossInputs, LossSetting, Method, Needs, TaughtOptions, stand_in

MASKS = 64
"""Masks drawn when the loss is made; an example meets another one in each epoch."""


class MaskedFeaturesOptions(TaughtOptions):
    """Which module of the student predicts which of the teacher's tensors, and how much of it is hidden.

    Parameters
    ----------
    student : str
        Name of a module of the student, such as a layer of neurons.
    teacher : str
        Name of one of the teacher's targets.
    weight : float
        Of the features' loss; ``1 - weight`` of the labels'.
    masked : float
        Share of the student's features that is hidden.
    """

    student: str = Field(min_length=1)
    teacher: str = Field(min_length=1)
    masked: float = Field(default=0.5, gt=0, lt=1)


class MaskedFeaturesLoss(nn.Module):
    """``(1 - weight) task + weight MSE(G(mask z_student), z_teacher)``, G two learned maps with a ReLU between.

    Masked generative distillation is Yang et al. 2022 (arXiv 2205.01529, section 3.1), whose masks hide positions of
    a feature map and whose G are two convolutions. Ours: masks hide numbers of a window's, or in a regression of a
    step's, row of features; G are linear maps; masks are drawn when the loss is made, so that a loss draws nothing.
    """

    masks: Tensor

    def __init__(self, options: MaskedFeaturesOptions, setting: LossSetting) -> None:
        super().__init__()
        self.options, self.warmup_steps = options, setting.warmup_steps
        self.steps = None if setting.scale is None else setting.shape.steps
        mine = row_width(setting.student[options.student], self.steps, options.student)
        given = row_width(setting.teacher[options.teacher], self.steps, options.teacher)
        kept = max(1, mine - math.ceil(options.masked * mine))
        order = torch.rand(MASKS, mine).argsort(dim=1)
        self.register_buffer("masks", (order < kept).to(torch.get_default_dtype()))
        self.generator = nn.Sequential(nn.Linear(mine, given), nn.ReLU(), nn.Linear(given, given))

    def forward(self, batch: LossInputs) -> Tensor:
        """Return the loss, shape ()."""
        student = feature_rows(batch.student[self.options.student], self.steps, self.warmup_steps)
        teacher = feature_rows(batch.teacher[self.options.teacher], self.steps, self.warmup_steps)
        masks = self.masks[(batch.rows + batch.epoch) % MASKS]
        shown = student * masks.repeat_interleave(len(student) // len(masks), dim=0)
        return blend(batch.task, functional.mse_loss(self.generator(shown), teacher), self.options.weight)


def _needs(options: MaskedFeaturesOptions) -> Needs:
    return Needs({options.teacher: stand_in(options.teacher, options.student)}, (options.student,), view=options.view)


METHOD = Method(
    title="Teacher's features from a part of the student's",
    reference="Yang, Li, Shao, Shi, Yuan and Yuan 2022, arXiv 2205.01529, section 3.1",
    options=MaskedFeaturesOptions,
    needs=_needs,
    make=MaskedFeaturesLoss,
)
