"""Distillation by outputs: a student learns the teacher's logits, or its trajectory, beside the labels."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from students.training.distillation.losses import blend, contrastive, outputs_distance
from students.training.distillation.method import (
    LossInputs,
    LossSetting,
    Method,
    Needs,
    TaughtOptions,
    refuse_regression,
)
from students.training.examples import OUTPUTS


class KLOptions(TaughtOptions):
    """``(1 - weight)`` of the labels' loss and ``weight`` of the teacher's; the temperature is for classes only.

    Parameters
    ----------
    weight, temperature, noise, mixup, unit_drop : float
    labels : {'classes', 'pairs'}
        The labels' loss: the task's own, or the symmetric loss over pairs of a batch (DistilCLIP; classification).
    """

    temperature: float = Field(default=2.0, gt=0)
    labels: Literal["classes", "pairs"] = "classes"

    @model_validator(mode="after")
    def _pairs_of_whole_examples(self) -> Self:
        if self.labels == "pairs" and self.mixup:
            raise ValueError("a mixture of two examples pairs with no class; leave 'mixup' out")
        return self


class KLLoss(nn.Module):
    """``(1 - weight) task + weight T^2 KL(teacher_T || student_T)``; regression: the mean square error for the last.

    The Kullback-Leibler term with its T^2 is Hinton et al. 2015, section 2, and the loss of DistilCLIP-EEG (arXiv
    2510.13497): ``(1 - a) L1 + a t^2 KL``, of which the abstract and a summary could be read, not the values of a and
    t. With ``labels = "pairs"`` the task is its L1 as `losses.contrastive` derives it for logits. The mean square
    error over each axis's training deviation, for trajectories, is our counterpart.
    """

    def __init__(self, options: KLOptions, setting: LossSetting) -> None:
        super().__init__()
        self.options = options
        self.distance = outputs_distance(setting.scale, setting.warmup_steps, options.temperature)

    def forward(self, batch: LossInputs) -> Tensor:
        """Return the blended loss, shape ()."""
        task = batch.task
        if self.options.labels == "pairs" and len(batch.targets):
            task = contrastive(batch.outputs[: len(batch.targets)], batch.targets)
        return blend(task, self.distance(batch.outputs, batch.teacher[OUTPUTS]), self.options.weight)


def _needs(options: KLOptions) -> Needs:
    return Needs(teacher={OUTPUTS: OUTPUTS}, view=options.view)


def _make(options: KLOptions, setting: LossSetting) -> nn.Module:
    if options.labels == "pairs":
        refuse_regression(setting, "pairs of examples and classes", where="options of kl: labels",
                          remedy="Write labels = \"classes\"")  # fmt: skip
    return KLLoss(options, setting)


METHOD = Method(
    title="Teacher's outputs",
    reference="Hinton, Vinyals and Dean 2015, arXiv 1503.02531, section 2; DistilCLIP-EEG 2025, arXiv 2510.13497",
    options=KLOptions,
    needs=_needs,
    make=_make,
)
