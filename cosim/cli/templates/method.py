"""A method: the student's outputs should point where the teacher's do."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from students.training import OUTPUTS, LossInputs, LossSetting, Method, MethodOptions, Needs


class Options(MethodOptions):
    """Weight of the direction beside the labels."""

    weight: float = Field(default=0.5, ge=0)


class CosineLoss(nn.Module):
    """``task + weight (1 - cos(student, teacher))``."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.options = options

    def forward(self, batch: LossInputs) -> Tensor:
        """Return the loss, shape ()."""
        likeness = functional.cosine_similarity(batch.outputs, batch.teacher[OUTPUTS], dim=-1)
        return batch.task + self.options.weight * (1 - likeness.mean())


def _needs(options: Options) -> Needs:
    return Needs(teacher={OUTPUTS: OUTPUTS})


def _make(options: Options, setting: LossSetting) -> nn.Module:
    return CosineLoss(options)


METHOD = Method("Direction of the teacher's outputs", "an example", Options, _needs, _make)
