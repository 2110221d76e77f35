"""Writing a machine's file from the command line: never over another, and named as the machine is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from energy_models.calibration import toml_text
from energy_models.errors import ProfileError
from energy_models.quantities import write_failure, write_whole


def check_new(path: Path, name: str) -> None:
    """Refuse a file that exists or is not named as its machine.

    Raises
    ------
    ProfileError
    """
    if not name or Path(name).name != name:
        raise ProfileError(f"{name!r:.60} is no name", where="--name", remedy="Give a name without folders; see --out")
    if path.stem != name or path.suffix != ".toml":
        raise ProfileError(f"file {path.name!r}", where="--out", remedy=f"A profile's file has its name: {name}.toml")
    if path.exists():
        raise ProfileError("is there already", where=str(path), remedy="Remove it, or choose another --name or --out")


def write_profile(path: Path, table: Mapping[str, Any]) -> None:
    """Write a profile's table, whole or not at all.

    Raises
    ------
    ProfileError
        When the file cannot be written.
    """
    try:
        write_whole(path, toml_text(table))
    except OSError as error:
        raise ProfileError(
            f"cannot be written ({write_failure(error)})", where=str(path), remedy="Choose another --out"
        ) from error
