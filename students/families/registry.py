"""Finds a family by its entry point's name, and says how it decodes."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Literal, Protocol, cast

from pydantic import BaseModel, ConfigDict, ValidationError
from torch import nn

from energy_models.errors import StudentError, unknown_name
from students.layers.float_layers import Layers
from students.spec import Scalar, Shape

GROUP = "students.families"
Mode = Literal["window", "stream"]


class FamilyOptions(BaseModel):
    """Base of every family's ``Options``: frozen; unknown names and infinite numbers are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Family(Protocol):
    """What the module of a family holds.

    ``MODE`` is ``window`` for a family that classifies whole windows only, and ``stream`` for one that can also give
    one causal estimate per step (regression) with state kept between steps.
    """

    TITLE: str
    MODE: Mode
    Options: type[FamilyOptions]

    def build(self, options: FamilyOptions, shape: Shape, layers: Layers) -> nn.Module:
        """Return an untrained network."""
        ...


def family_names() -> tuple[str, ...]:
    """Return the names of all families, sorted."""
    return tuple(sorted(_points()))


def load_family(name: str) -> Family:
    """Return the module of a family.

    Raises
    ------
    StudentError
        No such family (with near names), or two installed packages claim the name.
    """
    points = _points()
    if name not in points:
        raise StudentError(f"unknown family {name!r}", where="family", remedy=unknown_name("families", name, points))
    return cast(Family, points[name].load())


def deployment_mode(family: Family, shape: Shape) -> Mode:
    """Return how a family decodes a task: whole windows for classification, step by step for regression.

    Raises
    ------
    StudentError
        A regression asked of a family that decodes whole windows only.
    """
    if shape.task == "classification":
        return "window"
    if family.MODE == "window":
        able = ", ".join(name for name in family_names() if load_family(name).MODE == "stream")
        raise StudentError(
            f"{family.TITLE} classifies whole windows and has no estimate per step", where="family",
            remedy=f"For regression choose one of: {able}",
        )
    return "stream"


def parse_options(name: str, family: Family, options: Mapping[str, Scalar]) -> FamilyOptions:
    """Return the family's options, completed with its defaults.

    Raises
    ------
    StudentError
        Naming every option that does not exist or is out of range.
    """
    try:
        return family.Options.model_validate(dict(options))
    except ValidationError as error:
        fields = ", ".join(family.Options.model_fields)
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise StudentError(problems, where=f"options of {name}", remedy=f"Options are: {fields}") from error


def _points() -> dict[str, EntryPoint]:
    points: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        if point.name in points and points[point.name].value != point.value:
            raise StudentError(
                f"{point.value} and {points[point.name].value} both claim the family {point.name!r}",
                where=f"entry points {GROUP}", remedy="Uninstall one of the two packages",
            )
        points[point.name] = point
    return points
