"""Distillation by outputs: a student learns the teacher's logits, or its trajectory, beside the labels."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn

from students.training.distillation.losses import blend, hinton_kl, scaled_mse
from students.training.distillation.method import LossInputs, LossSetting, Method, MethodOptions, Needs
from students.training.examples import OUTPUTS


class LogitsOptions(MethodOptions):
    """``(1 - weight)`` of the labels' loss and ``weight`` of the teacher's; the temperature is for classes only."""

    temperature: float = Field(default=2.0, gt=0)
    weight: float = Field(default=0.5, ge=0, le=1)


class LogitsLoss(nn.Module):
    """Classification: ``(1 - weight) task + weight T^2 KL(teacher_T || student_T)``."""

    def __init__(self, options: LogitsOptions) -> None:
        super().__init__()
        self.options = options

    def forward(self, batch: LossInputs) -> Tensor:
        """Return the blended loss, shape ()."""
        distance = hinton_kl(batch.outputs, batch.teacher[OUTPUTS], self.options.temperature)
        return blend(batch.task, distance, self.options.weight)


class TrajectoryLoss(nn.Module):
    """Regression: ``(1 - weight) task + weight MSE(teacher)``, each axis over its training deviation."""

    scale: Tensor

    def __init__(self, options: LogitsOptions, scale: Tensor, warmup_steps: int) -> None:
        super().__init__()
        self.options, self.warmup_steps = options, warmup_steps
        self.register_buffer("scale", scale, persistent=False)

    def forward(self, batch: LossInputs) -> Tensor:
        """Return the blended loss, shape ()."""
        outputs, teacher = (tensor[:, self.warmup_steps :] for tensor in (batch.outputs, batch.teacher[OUTPUTS]))
        return blend(batch.task, scaled_mse(outputs, teacher, self.scale), self.options.weight)


def _needs(options: LogitsOptions) -> Needs:
    return Needs(teacher={OUTPUTS: OUTPUTS})


def _make(options: LogitsOptions, setting: LossSetting) -> nn.Module:
    if setting.scale is None:
        return LogitsLoss(options)
    return TrajectoryLoss(options, setting.scale, setting.warmup_steps)


METHOD = Method(
    title="Teacher's outputs",
    reference="Hinton, Vinyals and Dean 2015, arXiv 1503.02531, section 2",
    options=LogitsOptions,
    needs=_needs,
    make=_make,
)
