"""Distillation by outputs of a spiking network, whose classes are smoothed by those of drawn logits."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from students.training.distillation.losses import blend
from students.training.distillation.method import (
    LossInputs,
    LossSetting,
    Method,
    Needs,
    TaughtOptions,
    refuse_regression,
)
from students.training.examples import OUTPUTS


class NoiseSmoothedOptions(TaughtOptions):
    """How much of the student's classes is its own.

    Parameters
    ----------
    weight : float
        Of the distance; ``1 - weight`` of the labels' loss.
    temperature : float
    own : float
        Share of the student's classes in the mixture; 1 is the method ``kl``.
    """

    temperature: float = Field(default=2.0, gt=0)
    own: float = Field(default=0.9, gt=0, le=1)


class NoiseSmoothedLoss(nn.Module):
    """``(1 - weight) task + weight T^2 KL(teacher_T || own softmax(z / T) + (1 - own) softmax(n / T))``.

    ``n`` is drawn around the mean of the student's logits z over the classes, with their variance as its deviation, as
    the code of CKDSNN has it (noise-smoothed logits distillation); its gradient is left out. Ours: the numbers are
    drawn when the loss is made and each example meets those of another one in each epoch, so that a loss draws nothing.
    """

    noise: Tensor

    def __init__(self, options: NoiseSmoothedOptions, setting: LossSetting) -> None:
        super().__init__()
        self.options = options
        self.register_buffer("noise", torch.randn(max(setting.examples, 1), setting.shape.outputs))

    def forward(self, batch: LossInputs) -> Tensor:
        """Return the loss, shape ()."""
        temperature, own = self.options.temperature, self.options.own
        student = functional.log_softmax(batch.outputs / temperature, dim=-1)
        if own < 1:
            drawn = functional.log_softmax(self._drawn(batch) / temperature, dim=-1)
            student = torch.logaddexp(student + math.log(own), drawn + math.log1p(-own))
        teacher = functional.log_softmax(batch.teacher[OUTPUTS] / temperature, dim=-1)
        distance = functional.kl_div(student, teacher, reduction="batchmean", log_target=True)
        return blend(batch.task, temperature**2 * distance, self.options.weight)

    def _drawn(self, batch: LossInputs) -> Tensor:
        """Return the drawn logits of each example, shape (batch, classes)."""
        logits = batch.outputs.detach()
        variance, mean = torch.var_mean(logits, dim=-1, keepdim=True, correction=0)
        return mean + variance * self.noise[(batch.rows + batch.epoch) % len(self.noise)]


def _make(options: NoiseSmoothedOptions, setting: LossSetting) -> nn.Module:
    refuse_regression(setting, "smoothed classes", where="method noise_smoothed_kl",
                      remedy="Take kl, which compares trajectories")  # fmt: skip
    return NoiseSmoothedLoss(options, setting)


METHOD = Method(
    title="Teacher's outputs, the student's smoothed by noise",
    reference="CKDSNN, its code (noise-smoothed logits distillation); Hinton et al. 2015, arXiv 1503.02531, section 2",
    options=NoiseSmoothedOptions,
    needs=lambda options: Needs(teacher={OUTPUTS: OUTPUTS}, view=options.view),
    make=_make,
)
