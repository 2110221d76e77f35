"""The finished run that several files of tests look at; computed once in each test process."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_study import cosim, write_tiny


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of one uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    run = folder / "run"
    code, out, err = cosim("run", str(write_tiny(folder)), "--out", str(run))
    assert code == 0, err
    assert out.strip() == str(run / "report.html")
    return run
