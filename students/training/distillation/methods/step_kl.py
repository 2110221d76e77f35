"""Distillation step by step: a network learns the teacher's classes in each step of a window, not in the mean alone."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.training.distillation.losses import blend, hinton_kl
from students.training.distillation.method import (
    LossInputs,
    LossSetting,
    Method,
    Needs,
    TaughtOptions,
    refuse_regression,
    stand_in,
)
from students.training.examples import OUTPUTS


class StepKLOptions(TaughtOptions):
    """Which of the student's tensors are logits of each step.

    Parameters
    ----------
    student : str
        Name of a module whose outputs are logits of each step, ``(classes, steps)`` or ``(steps, classes)``: of a
        spiking network, the membranes that are read out.
    teacher : str
        Name of one of the teacher's targets: logits of the window, which every step learns from, or of each step.
    weight : float
        Of the distance; ``1 - weight`` of the labels' loss.
    temperature : float
    """

    student: str = Field(min_length=1)
    teacher: str = Field(default=OUTPUTS, min_length=1)
    temperature: float = Field(default=2.0, gt=0)


class StepKLLoss(nn.Module):
    """``(1 - weight) task + weight mean_t T^2 KL(teacher_T || student_T[t])``.

    The mean over steps of Hinton's term (2015, section 2), in place of the term of the mean over steps, which is `kl`:
    KL is convex, so that it is no smaller, and a network that agrees in the mean only is not done. That a teacher of
    windows stands for each of their steps is ours.
    """

    def __init__(self, options: StepKLOptions, setting: LossSetting) -> None:
        super().__init__()
        self.options, self.classes = options, setting.shape.outputs
        self._check(setting.student[options.student], options.student)
        self._check(setting.teacher[options.teacher], options.teacher)
        counts = [self._steps(given[name]) for given, name in (
            (setting.student, options.student), (setting.teacher, options.teacher))]  # fmt: skip
        if counts[1] not in (1, counts[0]):
            raise StudentError(
                f"{counts[0]} steps of {options.student!r} and {counts[1]} of the teacher's {options.teacher!r}",
                where="options of step_kl", remedy="Name a target of the window, or one of as many steps",
            )

    def forward(self, batch: LossInputs) -> Tensor:
        """Return the loss, shape ()."""
        student = self._logits(batch.student[self.options.student])
        teacher = self._logits(batch.teacher[self.options.teacher]).expand_as(student)
        distance = hinton_kl(student.flatten(0, 1), teacher.flatten(0, 1), self.options.temperature)
        return blend(batch.task, distance, self.options.weight)

    def _check(self, shape: tuple[int, ...], name: str) -> None:
        if len(shape) > 2 or self.classes not in shape:
            raise StudentError(
                f"{name!r} of shape {shape} holds no logits of {self.classes} classes in each step",
                where="options of step_kl", remedy="Name the module in front of the mean over steps",
            )

    def _steps(self, shape: tuple[int, ...]) -> int:
        return 1 if len(shape) == 1 else shape[1] if shape[0] == self.classes else shape[0]

    def _logits(self, tensor: Tensor) -> Tensor:
        """Return logits of each step, shape (batch, steps, classes)."""
        if tensor.ndim == 2:
            return tensor[:, None]
        return tensor.transpose(1, 2) if tensor.shape[1] == self.classes else tensor


def _needs(options: StepKLOptions) -> Needs:
    given = {options.teacher: stand_in(options.teacher, options.student)}
    return Needs(given, (options.student,), view=options.view)


def _make(options: StepKLOptions, setting: LossSetting) -> nn.Module:
    refuse_regression(setting, "classes of each step", where="method step_kl",
                      remedy="Take kl, which compares a trajectory step by step")  # fmt: skip
    return StepKLLoss(options, setting)


METHOD = Method(
    title="Teacher's outputs in every step",
    reference="Hinton, Vinyals and Dean 2015, arXiv 1503.02531, section 2, for each step (ours)",
    options=StepKLOptions,
    needs=_needs,
    make=_make,
)
