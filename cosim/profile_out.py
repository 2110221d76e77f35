"""Writing a machine's file from the command line: never over another, and named as the machine is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from energy_models.calibration.profile_file import toml_text
from energy_models.errors import ProfileError


def check_new(path: Path, name: str) -> None:
    """Refuse a file that exists or is not named as its machine.

    Raises
    ------
    ProfileError
    """
    if path.stem != name or path.suffix != ".toml":
        raise ProfileError(f"file {path.name!r}", where="--out", remedy=f"A profile's file has its name: {name}.toml")
    if path.exists():
        raise ProfileError("is there already", where=str(path), remedy="Remove it, or choose another --name or --out")


def write_profile(path: Path, table: Mapping[str, Any]) -> None:
    """Write a profile's table.

    Raises
    ------
    ProfileError
        When the file cannot be written.
    """
    try:
        path.write_text(toml_text(table), encoding="utf-8")
    except OSError as error:
        raise ProfileError(f"cannot be written ({error})", where=str(path), remedy="Choose another --out") from error
