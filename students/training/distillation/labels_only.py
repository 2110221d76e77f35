"""The loss of methods that change what the student sees, or nothing: the labels' alone."""

from __future__ import annotations

from torch import Tensor, nn

from students.training.distillation.method import LossInputs


class LabelsOnly(nn.Module):
    """The loss against the labels."""

    def forward(self, batch: LossInputs) -> Tensor:
        """Return the loss against the labels, shape ()."""
        return batch.task
