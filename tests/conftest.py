"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Return the folder with real recordings, or skip with the reason."""
    named = os.environ.get("COSIM_DATA", "")
    if not named or not Path(named).is_dir():
        pytest.skip("real recordings absent: set COSIM_DATA to the folder that holds them")
    return Path(named)
