"""Packages that read network files; they are optional, and their absence is one clear error."""

from __future__ import annotations

import importlib
from typing import Any

from energy_models.errors import StudentError

INSTALL = "pip install 'cosim[export]'"


def optional_package(package: str, purpose: str, install: str = INSTALL) -> Any:
    """Return an optional package, imported now.

    Parameters
    ----------
    package : str
        Name to import.
    purpose : str
        What needs it, for the error message.
    install : str
        The command that installs it.

    Raises
    ------
    StudentError
        It is not installed.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise StudentError(f"{purpose} needs the package {error.name}", where=package, remedy=install) from error
