"""Label smoothing: a control without a teacher, for what soft targets do by being soft."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from students.training.distillation.losses import blend, scaled_mse
from students.training.distillation.method import LossInputs, LossSetting, Method, MethodOptions, Needs


class LabelSmoothingOptions(MethodOptions):
    """Share of the even distribution in the target."""

    smoothing: float = Field(default=0.1, ge=0, le=1)


class SmoothedClasses(nn.Module):
    """``(1 - e) task - e mean_k log p_k``: cross-entropy against labels mixed with the even distribution.

    Szegedy et al. 2016 (arXiv 1512.00567), section 7. The task's class weights act on its own part only (ours).
    """

    def __init__(self, smoothing: float) -> None:
        super().__init__()
        self.smoothing = smoothing

    def forward(self, batch: LossInputs) -> Tensor:
        """Return the loss, shape (); without labels, the task's."""
        if not len(batch.targets):
            return batch.task
        labelled = batch.outputs[: len(batch.targets)]
        return blend(batch.task, -labelled.log_softmax(dim=1).mean(), self.smoothing)


class SmoothedAxes(nn.Module):
    """``(1 - e) task + e MSE(outputs, mean)``: targets drawn towards the training mean, axes over their deviation.

    Our counterpart for a regression: what the even distribution is to classes, the mean is to axes.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, smoothing: float, mean: Tensor, scale: Tensor, warmup_steps: int) -> None:
        super().__init__()
        self.smoothing, self.warmup_steps = smoothing, warmup_steps
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("scale", scale, persistent=False)

    def forward(self, batch: LossInputs) -> Tensor:
        """Return the loss, shape (); without labels, the task's."""
        if not len(batch.targets):
            return batch.task
        labelled = batch.outputs[: len(batch.targets), self.warmup_steps :]
        return blend(batch.task, scaled_mse(labelled, self.mean, self.scale), self.smoothing)


def _make(options: LabelSmoothingOptions, setting: LossSetting) -> nn.Module:
    if setting.scale is None:
        return SmoothedClasses(options.smoothing)
    mean = torch.nanmean(setting.labels.double(), dim=(0, 1)).float()
    return SmoothedAxes(options.smoothing, mean, setting.scale, setting.warmup_steps)


METHOD = Method(
    title="Label smoothing (control)",
    reference="Szegedy, Vanhoucke, Ioffe, Shlens and Wojna 2016, arXiv 1512.00567, section 7",
    options=LabelSmoothingOptions,
    needs=lambda options: Needs({}),
    make=_make,
)
