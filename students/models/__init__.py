"""From a description to a network, from a float network to a quantised one, and to files and back."""

from typing import TYPE_CHECKING

from students.models.build import build, complete, mode, parameter_count
from students.models.store import load_extra, load_student, save_student

if TYPE_CHECKING:
    from students.models.from_float import quantised_from_float

__all__ = [
    "build",
    "complete",
    "load_extra",
    "load_student",
    "mode",
    "parameter_count",
    "quantised_from_float",
    "save_student",
]


def __getattr__(name: str) -> object:
    """Return what loads Brevitas, which takes seconds, on first use."""
    if name != "quantised_from_float":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from students.models.from_float import quantised_from_float

    return quantised_from_float
