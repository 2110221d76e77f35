"""What a teacher learns from, as a study file says it; needs no network."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

LearnsFrom = Literal["training", "left_out", "both"]
TIME = "time"


class CrossFitting(BaseModel):
    """How the training part is divided for out-of-fold targets.

    Parameters
    ----------
    folds : int
        Inner folds; fewer where there are fewer groups.
    blocks : str or None
        ``time``: contiguous blocks of each recording; or a group whose members share an inner fold, such as ``subject``
        or ``session``. None: the group that the split holds out, where the training part has two of it or more;
        elsewhere ``time``.
    fewest_per_class : int
        Classification: examples of each class that every inner fit has to have.
    fewest_steps : int
        Regression: steps that every inner fit has to have. With less than these the inner teachers are too much worse
        than the whole one, and its in-sample targets are taken.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folds: int = Field(default=5, ge=2, le=100)
    blocks: str | None = Field(default=None, min_length=1)
    fewest_per_class: int = Field(default=10, ge=1)
    fewest_steps: int = Field(default=1000, ge=1)
