"""Comparisons that can fail in picojoules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

_approx = pytest.approx


def relative(expected: Any, rel: float | None = None, abs: float | None = None, nan_ok: bool = False) -> Any:
    """``pytest.approx`` without its absolute tolerance of 1e-12 unless asked for: in SI that is a whole picojoule."""
    if abs is not None:
        return _approx(expected, rel=rel, abs=abs, nan_ok=nan_ok)
    return _approx(expected, rel=1e-6 if rel is None else rel, abs=0.0, nan_ok=nan_ok)


@pytest.fixture(scope="module", autouse=True)
def _no_hidden_tolerance() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pytest, "approx", relative)
        yield
