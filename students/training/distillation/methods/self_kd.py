"""Self-distillation: a student learns beside the labels from its own outputs of the epoch before."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from students.training.distillation.losses import blend, outputs_distance
from students.training.distillation.method import LossInputs, LossSetting, Method, Needs, WeightedOptions


class SelfKDOptions(WeightedOptions):
    """``weight`` is reached in the last epoch; the temperature is for classes only."""

    temperature: float = Field(default=1.0, gt=0)


class SelfKDLoss(nn.Module):
    """``(1 - a) task + a distance(outputs, outputs of the epoch before)``, ``a = weight epoch / (epochs - 1)``.

    Kim, Ji, Yoon and Hwang 2021 (arXiv 2006.12000), section 3.1, with epochs counted from 0: labels are softened by
    the student's own past prediction. Three departures are ours: the past outputs are those of training, with dropout
    (the paper evaluates the past weights once more); examples without labels have the distance alone; and a regression
    has the mean square error. The distance is that of `kl`.
    """

    past: Tensor

    def __init__(self, options: SelfKDOptions, setting: LossSetting) -> None:
        super().__init__()
        self.options, self.last = options, max(setting.epochs - 1, 1)
        steps = () if setting.scale is None else (setting.shape.steps,)
        # The outputs of odd and of even epochs: those of the epoch before are read while this one's are written.
        self.register_buffer("past", torch.zeros(2, setting.examples, *steps, setting.shape.outputs))
        self.distance = outputs_distance(setting.scale, setting.warmup_steps, options.temperature)

    def forward(self, batch: LossInputs) -> Tensor:
        """Return the loss, shape ()."""
        self.past[batch.epoch % 2, batch.rows] = batch.outputs.detach()
        if batch.epoch == 0:
            return batch.task
        before = self.past[(batch.epoch - 1) % 2, batch.rows]
        share = self.options.weight * batch.epoch / self.last
        return blend(batch.task, self.distance(batch.outputs, before), share)


METHOD = Method(
    title="Own outputs of the epoch before",
    reference="Kim, Ji, Yoon and Hwang 2021, arXiv 2006.12000, section 3.1",
    options=SelfKDOptions,
    needs=lambda options: Needs({}),
    make=SelfKDLoss,
)
