"""Distillation by features: a module of the student, through a learned projector, predicts a tensor of the teacher."""

from __future__ import annotations

import math

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from students.training.distillation.losses import blend
from students.training.distillation.method import LossInputs, LossSetting, Method, Needs, TaughtOptions, stand_in


class FitNetOptions(TaughtOptions):
    """Which module of the student predicts which of the teacher's tensors.

    Parameters
    ----------
    student : str
        Name of a module of the student.
    teacher : str
        Name of one of the teacher's targets.
    weight : float
        Of the features' loss; ``1 - weight`` of the labels'.
    first_epochs : int
        Epochs that train on features alone, before the labels count (stage 1 of the source).
    """

    student: str = Field(min_length=1)
    teacher: str = Field(min_length=1)
    first_epochs: int = Field(default=0, ge=0)


class FitNetLoss(nn.Module):
    """``(1 - weight) task + weight MSE(projector(student), teacher)``; in the first epochs the last term alone.

    The regression to a teacher's hint is Romero et al. 2015, section 2.2; keeping it beside the labels behind the
    first epochs is ours (weight 0 there gives the two stages of the source). Where both tensors have the same positions
    behind their channels, the projector maps channels at every position (a convolution of width one); otherwise it maps
    everything flattened.
    """

    def __init__(self, options: FitNetOptions, student: tuple[int, ...], teacher: tuple[int, ...]) -> None:
        super().__init__()
        self.options = options
        self.channels_only = student[1:] == teacher[1:]
        sizes = (student[0], teacher[0]) if self.channels_only else (math.prod(student), math.prod(teacher))
        self.projector = nn.Linear(*sizes)

    def forward(self, batch: LossInputs) -> Tensor:
        """Return the loss, shape ()."""
        student, teacher = batch.student[self.options.student], batch.teacher[self.options.teacher]
        distance = functional.mse_loss(self.projector(self._rows(student)), self._rows(teacher))
        if batch.epoch < self.options.first_epochs:
            return distance
        return blend(batch.task, distance, self.options.weight)

    def _rows(self, tensor: Tensor) -> Tensor:
        return tensor.movedim(1, -1) if self.channels_only else tensor.flatten(1)


def _needs(options: FitNetOptions) -> Needs:
    given = {options.teacher: stand_in(options.teacher, options.student)}
    return Needs(given, (options.student,), options.first_epochs, options.view)


def _make(options: FitNetOptions, setting: LossSetting) -> nn.Module:
    return FitNetLoss(options, setting.student[options.student], setting.teacher[options.teacher])


METHOD = Method(
    title="Teacher's features through a linear projector",
    reference="Romero, Ballas, Kahou, Chassang, Gatta and Bengio 2015, arXiv 1412.6550, section 2.2",
    options=FitNetOptions,
    needs=_needs,
    make=_make,
)
