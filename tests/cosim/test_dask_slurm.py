"""A SLURM cluster of one node computes what the local pool does; jobs that are cancelled lose nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from slurm_cluster import await_no_jobs, jobs, slurm
from test_dask_executor import content, toys
from test_sweep_interrupted import COSIM
from test_sweep_pool import finish
from tiny_study import scores, stage_times, write_tiny
from toy_stages import MIDDLE

from cosim.engine.executors import dask_jobs
from cosim.engine.executors.dask_cluster import DaskPlan, dask_executor
from cosim.engine.local_store import LocalStore
from cosim.engine.scheduler import Scheduler
from cosim.engine.stage import make_stage
from energy_models.errors import StudyError

pytestmark = pytest.mark.slow
SLURM = DaskPlan("", "slurm")
PATIENCE_SECONDS = 900


@pytest.fixture(scope="module")
def environment() -> Generator[dict[str, str]]:
    """Return the environment in which a cluster is found."""
    with slurm() as names:
        yield {**names, "PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.fixture
def described(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Generator[dict[str, Any]]:
    """Let this process submit jobs, and return what dask-jobqueue is told of them."""
    import dask

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    ours = dask.config.collect(paths=[environment["DASK_CONFIG"]], env={})["jobqueue"]["slurm"]
    with dask.config.set({"jobqueue.slurm": {**dask.config.get("jobqueue.slurm"), **ours}}):
        yield ours


def test_a_study_gives_the_same_tables_bit_for_bit(
    environment: dict[str, str], finished: Path, tmp_path: Path
) -> None:
    """With what `test_dask_executor` shows of a LocalCluster: one study, three ways, the same files."""
    run = tmp_path / "run"
    options = ("--out", str(run), "--executor", "dask", "--cluster", "slurm", "--workers", "2")
    command = [*COSIM, "run", str(write_tiny(tmp_path)), *options]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    assert content(run) == content(finished)
    pd.testing.assert_frame_equal(scores(run), scores(finished), check_exact=True)
    priced = [pd.read_parquet(folder / "priced.parquet") for folder in (run, finished)]
    pd.testing.assert_frame_equal(*priced, check_exact=True)
    await_no_jobs(environment)


@pytest.mark.usefixtures("described")
def test_jobs_that_are_cancelled_are_asked_for_again_and_no_stage_is_lost(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at the end of their time."""
    import dask

    monkeypatch.setattr(dask_jobs, "LOST_SECONDS", 1.0)
    told: list[str] = []
    store, stages = LocalStore(tmp_path), [make_stage(MIDDLE, {"seed": seed, "seconds": 2}) for seed in range(5)]
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "500ms"}),
        dask_executor(SLURM, 2, toys(tmp_path), told.append) as executor,
    ):
        scheduler = Scheduler(store, executor)
        for stage in stages:
            scheduler.add(stage)
        while not scheduler.times:
            scheduler.step()
        before, first = stage_times(tmp_path), jobs(environment)
        subprocess.run(["scancel", *first], check=True)  # noqa: S607
        finish(scheduler, stages)
    assert len(first) == 2
    assert before.items() <= stage_times(tmp_path).items(), "a finished stage was lost or written again"
    assert all(store.has(stage.key) for stage in stages)
    assert any("asked for again" in one for one in told)
    await_no_jobs(environment)


def test_a_queue_that_is_not_there_is_told_with_slurms_words(described: dict[str, Any], tmp_path: Path) -> None:
    import dask

    told = pytest.raises(StudyError, match=r"no job can be submitted: .*invalid partition specified: elsewhere")
    with (
        dask.config.set({"jobqueue.slurm.queue": "elsewhere"}), told,
        dask_executor(SLURM, 1, toys(tmp_path), print),
    ):  # fmt: skip
        pass
