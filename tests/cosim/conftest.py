"""The finished run that several files of tests look at; computed once in each test process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_study import cosim, stage_times, write_tiny


@pytest.fixture(scope="session")
def finished_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of one uninterrupted run; tests take `finished` or `own_run`."""
    folder = tmp_path_factory.mktemp("whole")
    run = folder / "run"
    code, out, err = cosim("run", str(write_tiny(folder)), "--out", str(run))
    assert code == 0, err
    assert out.strip() == str(run / "report.html")
    return run


@pytest.fixture
def finished(finished_once: Path) -> Iterator[Path]:
    """Return the shared run, and fail a test that leaves it with other stages than it found."""
    before = stage_times(finished_once)
    yield finished_once
    assert stage_times(finished_once) == before, "the test changed the run that all tests share; let it take own_run"


@pytest.fixture
def own_run(finished_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the finished run, for a test that adds stages to it."""
    return Path(shutil.copytree(finished_once, tmp_path_factory.mktemp("own") / "run", symlinks=True))
