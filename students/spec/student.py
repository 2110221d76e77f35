"""Frozen descriptions from which a student can be rebuilt exactly."""

from __future__ import annotations

import hashlib
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Scalar = bool | int | float | str


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Shape(_Frozen):
    """What goes in and what comes out.

    ``classification``: ``(batch, channels, steps)`` to logits ``(batch, outputs)``.
    ``regression``: ``(batch, channels, steps)`` to one causal estimate per step ``(batch, steps, outputs)``;
    `steps` is then the training segment length, and any length may be decoded.
    """

    task: Literal["classification", "regression"]
    channels: int = Field(ge=1)
    steps: int = Field(ge=1)
    outputs: int = Field(ge=1)
    step_rate_hz: float = Field(gt=0, allow_inf_nan=False)


class Precision(_Frozen):
    """Integer widths after quantisation-aware training; first and last layers may be kept wider [bits]."""

    weight_bits: int = Field(ge=2, le=8)
    activation_bits: int = Field(ge=2, le=8)
    edge_bits: int = Field(default=8, ge=2, le=8)

    @property
    def label(self) -> str:
        """``w4a4`` and the like."""
        return f"w{self.weight_bits}a{self.activation_bits}"


class Distillation(_Frozen):
    """How the teacher's targets enter the loss.

    ``none``: labels only. ``logits``: (1 - weight) * task loss + weight * T^2 * KL(teacher_T || student_T)
    for classification (Hinton et al. 2015, arXiv 1503.02531), and
    (1 - weight) * MSE(labels) + weight * MSE(teacher) for regression.
    """

    method: Literal["none", "logits"] = "none"
    temperature: float = Field(default=2.0, gt=0)
    weight: float = Field(default=0.5, ge=0, le=1)


class Training(_Frozen):
    """The one training loop's settings: AdamW with cosine decay, early stopping on validation loss only."""

    epochs: int = Field(default=60, ge=1)
    batch_size: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    patience: int = Field(default=15, ge=1)
    gradient_clip: float = Field(default=1.0, gt=0)


class StudentSpec(_Frozen):
    """Everything that decides a student's function and how it was learned.

    Parameters
    ----------
    family : str
        Name of an entry point in the group ``students.families``.
    options : dict
        Validated, and completed with the family's own defaults, by the family's ``Options`` model on building.
    shape : Shape
    precision : Precision or None
        None: float32.
    distillation : Distillation
    training : Training
    seed : int
    """

    family: str
    options: dict[str, Scalar] = Field(default_factory=dict)
    shape: Shape
    precision: Precision | None = None
    distillation: Distillation = Distillation()
    training: Training = Training()
    seed: int = Field(ge=0)

    @property
    def label(self) -> str:
        """Family and precision, as a figure's legend wants it."""
        return f"{self.family} {self.precision.label if self.precision else 'float32'}"

    @property
    def digest(self) -> str:
        """Content hash of the JSON, options in the order they were given."""
        return hashlib.blake2b(self.model_dump_json().encode(), digest_size=16).hexdigest()
