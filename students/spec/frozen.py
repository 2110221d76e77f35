"""What every description here has in common: it cannot be changed, and knows no setting beside its own."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

Scalar = bool | int | float | str
"""A value of an option."""


class Frozen(BaseModel):
    """Base of the descriptions: frozen, unknown settings are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")
