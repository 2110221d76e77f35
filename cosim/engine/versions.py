"""Which versions of what computed a result."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    "cosim", "torch", "brevitas", "snntorch", "numpy", "numba", "scipy", "scikit-learn", "mne", "optuna", "pandas",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Return the version of Python and of every package that decides a result; ``absent`` where not installed."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


@cache
def _version(name: str) -> str:
    """Return a package's version; reading its metadata takes milliseconds, and every result asks for all of them."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
