"""What every description here has in common: it cannot be changed, and knows no setting beside its own."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ConfigDict

LARGEST_OPTION = 1 << 20
"""Of an option that is a whole number: layers, units, steps, members. No network here has as many."""

Scalar = bool | int | float | str
"""A value of an option."""


Options = TypeVar("Options", bound=BaseModel)


def of_size(options: Options) -> Options:
    """Return options whose whole numbers are at most `LARGEST_OPTION`.

    Raises
    ------
    ValueError
        Naming those that are larger.
    """
    large = [f"{name} is above {LARGEST_OPTION:,}" for name, value in options if _above(value)]
    if large:
        raise ValueError("; ".join(large))
    return options


def _above(value: object) -> bool:
    return isinstance(value, int) and value > LARGEST_OPTION


class Frozen(BaseModel):
    """Base of the descriptions: frozen, unknown settings are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")
