"""Packages that read some formats of recordings; they are optional, and their absence is one clear error."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from energy_models.errors import DataError

INSTALL = "Install what reads such files: pip install 'cosim[recordings]'."


def reader_package(package: str, path: Path) -> Any:
    """Return an optional package, imported now, that the file at `path` is read with.

    Raises
    ------
    DataError
        If it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise DataError(f"reading it needs the package {error.name}", where=str(path), remedy=INSTALL) from error
