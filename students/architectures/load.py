"""Finds architectures by name or path."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from energy_models.errors import StudentError, unknown_name
from energy_models.quantities import read_model
from students.architectures.schema import Architecture


@cache
def _found() -> Mapping[str, Path]:
    root = Path(str(files("students.architectures"))) / "data"
    return {path.stem: path for path in sorted(root.rglob("*.toml"), key=lambda path: path.stem)}


def architecture_names() -> tuple[str, ...]:
    """Return the names of all architectures that can be loaded by name."""
    return tuple(_found())


def load_architecture(name_or_path: str | Path) -> Architecture:
    """Return the architecture of a name, or of the TOML file at a path.

    Raises
    ------
    StudentError
        When the name is unknown (nearest names are listed), or differs from the file's.
    ProfileError
        When the file has problems; all of them are listed by dotted path.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith(".toml") or "/" in text:
        path = Path(name_or_path)
    elif text in _found():
        path = _found()[text]
    else:
        remedy = f"{unknown_name('architectures', text, _found())}. A path to a TOML file also works"
        raise StudentError(f"unknown architecture {text!r}", remedy=remedy)
    architecture = read_model(path, Architecture)
    if architecture.name != path.stem:
        remedy = f"Write name = {path.stem!r}"
        raise StudentError(f"name {architecture.name!r} differs from the file's", where=path.name, remedy=remedy)
    return architecture
