"""Task-specific distillation: a supervised projection of the teacher's features, then alignment with it."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from energy_models.errors import StudentError
from students.training.distillation.feature_rows import feature_rows
from students.training.distillation.gradient_projection import Loss, by_gradient
from students.training.distillation.losses import blend, hinton_kl, outputs_distance, scaled_mse
from students.training.distillation.method import LossInputs, LossSetting, Method
from students.training.distillation.methods.aligned import (
    AlignedOptions,
    Alignment,
    aligned_needs,
    moments_of,
    steps_of,
)
from students.training.distillation.projections import (
    LARGEST_WIDTH,
    Moments,
    Projection,
    supervised,
    task_outputs,
    task_relevance,
)
from students.training.examples import OUTPUTS


class TSKDOptions(AlignedOptions):
    """Options of `AlignedOptions`, and how the projection is found.

    Parameters
    ----------
    size : int
        Coordinates; 0: as many as the task has (K - 1 of K classes, the axes of a regression).
    residual : float
        Weight of each coordinate beyond those, which hold principal components of what the task leaves of the features.
    projection : {'closed_form', 'gradient'}
        Reduced-rank regression of the teacher's outputs; or trained with an auxiliary classifier and the labels.
    labels : float
        Weight of the labels' loss in that training (gradient).
    iterations : int
        Of that training (gradient).
    outputs : float
        Weight of the distance of the outputs, as in `kl`, beside that of the coordinates.
    temperature : float
        Of classes.
    """

    size: int = Field(default=0, ge=0, le=LARGEST_WIDTH)
    residual: float = Field(default=0.1, ge=0)
    projection: Literal["closed_form", "gradient"] = "closed_form"
    labels: float = Field(default=1.0, ge=0)
    iterations: int = Field(default=50, ge=1, le=10_000)
    outputs: float = Field(default=0.0, ge=0)
    temperature: float = Field(default=2.0, gt=0)


class TSKDLoss(nn.Module):
    """``(1 - weight) task + weight (distance(A z_student, P^T z_teacher) + outputs distance(student, teacher))``.

    Step 1, before training: P minimises ``T^2 KL(teacher_T || g(P^T z)_T) + labels CE(g(P^T z), y)`` over P and a
    linear g (gradient), or the squared error of the teacher's logits (closed form); regression: mean square errors.
    Step 2: P is fixed and the student is aligned with it.

    Read of BrainDistill (arXiv 2601.17625, abstract; section 2 could not be read): a supervised projection with an
    auxiliary classifier, the minimal subspace that reconstructs the teacher's logits, a second step with fixed
    alignment. Both equations, the closed form, the residual fill, the regression form and all defaults are our
    derivation. For a linear classifier K - 1 coordinates say as much as the logits, so that without residual
    coordinates this is close to matching logits.
    """

    def __init__(self, options: TSKDOptions, setting: LossSetting, alignment: Alignment, relevance: float) -> None:
        super().__init__()
        self.options, self.alignment = options, alignment
        self.distance = outputs_distance(setting.scale, setting.warmup_steps, options.temperature)
        self.figures = {"tsr": relevance}

    def forward(self, batch: LossInputs) -> Tensor:
        """Return the loss, shape ()."""
        distance = self.alignment(batch.student[self.options.student], batch.teacher[self.options.teacher])
        if self.options.outputs:
            distance = distance + self.options.outputs * self.distance(batch.outputs, batch.teacher[OUTPUTS])
        return blend(batch.task, distance, self.options.weight)


def _make(options: TSKDOptions, setting: LossSetting) -> nn.Module:
    found = moments_of(options, setting)
    if options.projection == "gradient":
        projection = _by_gradient(options, setting, found)
        weights = torch.ones(projection.matrix.shape[1])
    else:
        projection, weights = supervised(found, options.size or None, options.residual)
    alignment = Alignment(options, setting, projection, weights)
    return TSKDLoss(options, setting, alignment, task_relevance(projection.matrix, found))


def _by_gradient(options: TSKDOptions, setting: LossSetting, found: Moments) -> Projection:
    """Return the projection trained with an auxiliary classifier on all training examples.

    Raises
    ------
    StudentError
        More coordinates than the task has: the closed form fills them, a classifier cannot.
    """
    rank = supervised(found, None)[0].matrix.shape[1]
    if options.size > rank:
        raise StudentError(
            f"{options.size} coordinates by gradient where the task has {rank}", where="options of tskd: size",
            remedy=f"Ask for {rank} or fewer, or for projection = \"closed_form\", which fills them",
        )  # fmt: skip
    steps = steps_of(setting)
    features, outputs = (
        torch.cat([feature_rows(part, steps, setting.warmup_steps) for part in setting.targets[name]])
        for name in (options.teacher, OUTPUTS)
    )
    loss = _auxiliary(options, setting, outputs.double())
    return by_gradient(features, found, options.size or rank, loss, options.iterations)


def _auxiliary(options: TSKDOptions, setting: LossSetting, teacher: Tensor) -> Loss:
    """Return the auxiliary classifier's loss: towards the teacher on all rows, towards labels where there are any."""
    if setting.scale is None:
        labels = setting.labels

        def classes(outputs: Tensor) -> Tensor:
            own = functional.cross_entropy(outputs[: len(labels)], labels)
            return hinton_kl(outputs, teacher, options.temperature) + options.labels * own

        return classes
    scale = setting.scale.double()
    wanted, one = task_outputs(teacher, scale), torch.ones_like(scale)
    rows = feature_rows(setting.labels.double(), setting.shape.steps, setting.warmup_steps)
    known = ~rows.isnan().any(dim=1)
    labels = task_outputs(rows[known], scale)

    def axes(outputs: Tensor) -> Tensor:
        own = scaled_mse(outputs[: len(rows)][known], labels, one)
        return scaled_mse(outputs, wanted, one) + options.labels * own

    return axes


METHOD = Method(
    title="Supervised projection of the teacher's features",
    reference="BrainDistill 2026, arXiv 2601.17625; reduced-rank regression: Izenman 1975",
    options=TSKDOptions,
    needs=aligned_needs,
    make=_make,
)
