"""Relational distillation: examples of a batch lie to one another in the student as they do in the teacher."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from students.training.distillation.losses import blend
from students.training.distillation.method import LossInputs, LossSetting, Method, Needs, TaughtOptions, stand_in
from students.training.distillation.relations import angle_relation, distance_relation, similarity_relation
from students.training.examples import OUTPUTS

RELATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "distance": distance_relation,
    "angle": angle_relation,
    "similarity": similarity_relation,
}


class RelationalOptions(TaughtOptions):
    """Which relation of which tensors.

    Parameters
    ----------
    relation : {'distance', 'angle', 'similarity'}
    student : str
        Name of a module of the student, or ``outputs``.
    teacher : str
        Name of one of the teacher's targets.
    weight : float
        Of the relation's loss; ``1 - weight`` of the labels'.
    """

    relation: Literal["distance", "angle", "similarity"] = "distance"
    student: str = Field(default=OUTPUTS, min_length=1)
    teacher: str = Field(default=OUTPUTS, min_length=1)


class RelationalLoss(nn.Module):
    """``(1 - weight) task + weight relation(student, teacher)``, each example's tensor flattened.

    The relations are those of Park et al. 2019 (distance, angle) and of Tung and Mori 2019 (similarity), as
    `distillation.relations` states them; in a regression, whose examples are segments, a trajectory behind the warm-up
    is one vector, with each axis over its training deviation (ours).
    """

    scale: Tensor | None

    def __init__(self, options: RelationalOptions, setting: LossSetting) -> None:
        super().__init__()
        self.options, self.warmup_steps = options, setting.warmup_steps
        self.register_buffer("scale", setting.scale, persistent=False)

    def forward(self, batch: LossInputs) -> Tensor:
        """Return the loss, shape ()."""
        mine = batch.outputs if self.options.student == OUTPUTS else batch.student[self.options.student]
        student = self._vectors(mine, self.options.student)
        teacher = self._vectors(batch.teacher[self.options.teacher], self.options.teacher)
        return blend(batch.task, RELATIONS[self.options.relation](student, teacher), self.options.weight)

    def _vectors(self, tensor: Tensor, name: str) -> Tensor:
        if name == OUTPUTS and self.scale is not None:
            tensor = tensor[:, self.warmup_steps :] / self.scale
        return tensor.flatten(1)


def _needs(options: RelationalOptions) -> Needs:
    given = {options.teacher: stand_in(options.teacher, options.student)}
    return Needs(given, () if options.student == OUTPUTS else (options.student,), view=options.view)


METHOD = Method(
    title="Relations between examples",
    reference="Park et al. 2019, arXiv 1904.05068, section 3.2; Tung and Mori 2019, arXiv 1907.09682, section 3.1",
    options=RelationalOptions,
    needs=_needs,
    make=RelationalLoss,
)
