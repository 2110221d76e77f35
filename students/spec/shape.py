"""What goes into a student and what comes out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from students.spec.frozen import Frozen

Task = Literal["classification", "regression"]


class Shape(Frozen):
    """What goes in and what comes out.

    ``classification``: ``(batch, channels, steps)`` to logits ``(batch, outputs)``.
    ``regression``: ``(batch, channels, steps)`` to one causal estimate per step ``(batch, steps, outputs)``;
    `steps` is then the training segment length, and any length may be decoded.
    """

    task: Task
    channels: int = Field(ge=1)
    steps: int = Field(ge=1)
    outputs: int = Field(ge=1)
    step_rate_hz: float = Field(gt=0, allow_inf_nan=False)
