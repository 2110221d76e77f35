"""Fixtures shared by all tests, and comparisons that can fail in picojoules."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile(
    "cosim",
    deadline=None,  # time says how busy the machine is, not whether a claim holds
    derandomize=True,  # the same tree gives the same verdict; other inputs are tried by `make fuzz` and by hand
)
settings.load_profile("cosim")
gc.set_threshold(50_000)  # as the command line does: modules and cases are no garbage, and looking for some takes long

_approx = pytest.approx


def relative(expected: Any, rel: float | None = None, abs: float | None = None, nan_ok: bool = False) -> Any:
    """``pytest.approx`` without its absolute tolerance of 1e-12 unless asked for: in SI that is a whole picojoule."""
    if abs is not None:
        return _approx(expected, rel=rel, abs=abs, nan_ok=nan_ok)
    return _approx(expected, rel=1e-6 if rel is None else rel, abs=0.0, nan_ok=nan_ok)


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Return the folder with real recordings, or skip with the reason."""
    named = os.environ.get("COSIM_DATA", "")
    if not named or not Path(named).is_dir():
        pytest.skip("real recordings absent: set COSIM_DATA to the folder that holds them")
    return Path(named)


@pytest.fixture(scope="session", autouse=True)
def _array_store_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the arrays of test runs out of the user's cache folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COSIM_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture(scope="module", autouse=True)
def _no_hidden_tolerance() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pytest, "approx", relative)
        yield
