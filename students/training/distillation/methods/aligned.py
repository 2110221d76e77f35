"""Alignment of a student's features with fixed coordinates of the teacher's, for every method that projects them."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from energy_models.errors import StudentError
from students.training.distillation.feature_rows import feature_rows, row_width
from students.training.distillation.losses import blend
from students.training.distillation.method import LossInputs, LossSetting, Needs, TaughtOptions
from students.training.distillation.projections import Moments, Projection, moments, task_relevance
from students.training.examples import OUTPUTS


class AlignedOptions(TaughtOptions):
    """Which module of the student is aligned with which of the teacher's tensors, and how.

    Parameters
    ----------
    student : str
        Name of a module of the student.
    teacher : str
        Name of one of the teacher's targets: features, such as the input of its classifier.
    weight : float
        Of the distance; ``1 - weight`` of the labels' loss.
    map : {'linear', 'identity'}
        A: a learned linear map of the student's features, or none (the student then has as many features as there are
        coordinates, of either sign).
    distance : {'square', 'cosine'}
        Weighted mean square error, or one less the cosine.
    """

    student: str = Field(min_length=1)
    teacher: str = Field(min_length=1)
    map: Literal["linear", "identity"] = "linear"
    distance: Literal["square", "cosine"] = "square"


class Alignment(nn.Module):
    """``|A z_student - P^T (z_teacher - mean)|^2``, the mean over rows and, weighted, over coordinates.

    P is fixed, and standardises its coordinates once for all training rows; A is learned or the identity. That
    coordinates are standardised by the teacher's own moments, rather than each row by its norm, is our choice: a single
    coordinate (two classes) would have no size left.
    """

    mean: Tensor
    matrix: Tensor
    weights: Tensor

    def __init__(
        self, options: AlignedOptions, setting: LossSetting, projection: Projection, weights: Tensor | None = None
    ) -> None:
        super().__init__()
        self.distance = options.distance
        self.steps, self.warmup_steps = steps_of(setting), setting.warmup_steps
        size = projection.matrix.shape[1]
        width = row_width(setting.student[options.student], self.steps, options.student)
        if options.map == "identity" and width != size:
            raise StudentError(
                f"{width} features of {options.student!r} for {size} coordinates of the teacher", where="option map",
                remedy="Write map = \"linear\", or name a module of that width",
            )  # fmt: skip
        self.map = nn.Linear(width, size) if options.map == "linear" else nn.Identity()
        shares = torch.ones(size) if weights is None else weights
        self.register_buffer("mean", projection.mean.float(), persistent=False)
        self.register_buffer("matrix", projection.matrix.float(), persistent=False)
        self.register_buffer("weights", shares.float(), persistent=False)

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the distance of the named tensors, shape ()."""
        rows, given = (feature_rows(tensor, self.steps, self.warmup_steps) for tensor in (student, teacher))
        found, wanted = self.map(rows), (given - self.mean) @ self.matrix
        if self.distance == "cosine":
            root = self.weights.sqrt()
            return 1 - functional.cosine_similarity(found * root, wanted * root, dim=1).mean()
        return ((found - wanted) ** 2 * self.weights).mean()


class AlignedLoss(nn.Module):
    """``(1 - weight) task + weight distance``, the distance that of `Alignment`.

    Parameters
    ----------
    options : AlignedOptions
    alignment : Alignment
    relevance : float
        TSR of the projection, `projections.task_relevance`.
    """

    def __init__(self, options: AlignedOptions, alignment: Alignment, relevance: float) -> None:
        super().__init__()
        self.options, self.alignment = options, alignment
        self.figures = {"tsr": relevance}

    def forward(self, batch: LossInputs) -> Tensor:
        """Return the loss, shape ()."""
        distance = self.alignment(batch.student[self.options.student], batch.teacher[self.options.teacher])
        return blend(batch.task, distance, self.options.weight)


def steps_of(setting: LossSetting) -> int | None:
    """Return the steps of a regression's segments, None for classification."""
    return None if setting.scale is None else setting.shape.steps


def aligned_needs(options: AlignedOptions) -> Needs:
    """Return that the named tensors are read, and the teacher's outputs, by which a projection is fitted or judged."""
    return Needs({options.teacher: options.student, OUTPUTS: OUTPUTS}, (options.student,), view=options.view)


def moments_of(options: AlignedOptions, setting: LossSetting) -> Moments:
    """Return the moments of the named tensor of the teacher and of its outputs, over all training examples.

    Raises
    ------
    StudentError
        As `row_width` and `moments`.
    """
    steps = steps_of(setting)
    row_width(setting.teacher[options.teacher], steps, options.teacher)
    features, outputs = (
        [feature_rows(part, steps, setting.warmup_steps) for part in setting.targets[name]]
        for name in (options.teacher, OUTPUTS)
    )
    return moments(features, outputs, setting.scale)


def aligned_loss(options: AlignedOptions, setting: LossSetting, found: Moments, projection: Projection) -> AlignedLoss:
    """Return the loss of a projection, with its TSR as a figure."""
    return AlignedLoss(options, Alignment(options, setting, projection), task_relevance(projection.matrix, found))
