"""Connections that are cut, workers that pause, a disk that fills up: no finished stage is lost or computed again."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cut_connections import way
from test_dask_executor import scheduler_process, toys, two_workers
from test_sweep_pool import WAIT_SECONDS, finish
from tiny_study import stage_times
from toy_stages import MIDDLE

from cosim.engine.executors.dask_cluster import DaskPlan, dask_executor
from cosim.engine.executors.executor import Executor
from cosim.engine.local_store import LocalStore
from cosim.engine.scheduler import Scheduler
from cosim.engine.stage import Stage, make_stage
from energy_models.errors import CosimError

pytest.importorskip("distributed", reason="the extra cosim[cluster] is not installed")
pytestmark = pytest.mark.slow


def begun(root: Path, executor: Executor, stages: Sequence[Stage]) -> tuple[Scheduler, dict[str, int]]:
    """Return a scheduler that was asked for stages and has finished the first, and when that was written."""
    scheduler = Scheduler(LocalStore(root), executor)
    for stage in stages:
        scheduler.add(stage)
    while not scheduler.times:
        scheduler.step()
    return scheduler, stage_times(root)


def slow_stages(number: int) -> list[Stage]:
    return [make_stage(MIDDLE, {"seed": seed, "seconds": 2}) for seed in range(number)]


def test_a_coordinator_whose_connections_are_cut_asks_again_for_what_it_waits_for(tmp_path: Path) -> None:
    stages = slow_stages(5)
    with (
        scheduler_process(tmp_path) as (address, _), two_workers(address), way(address) as mine,
        dask_executor(DaskPlan(mine.address), 2, toys(tmp_path), print) as executor,
    ):  # fmt: skip
        scheduler, before = begun(tmp_path, executor, stages)
        assert mine.cut()
        finish(scheduler, stages)
    check_kept(before, stage_times(tmp_path), stages)


def test_workers_whose_connections_are_cut_end_and_others_take_their_stages(tmp_path: Path) -> None:
    """Dask ends such workers; who started them starts them again, as this test and batch systems' jobs do."""
    stages = slow_stages(5)
    with (
        scheduler_process(tmp_path) as (address, _), way(address) as theirs,
        two_workers(theirs.address) as workers, dask_executor(DaskPlan(address), 2, toys(tmp_path), print) as executor,
    ):  # fmt: skip
        scheduler, before = begun(tmp_path, executor, stages)
        assert theirs.cut()
        workers.wait(WAIT_SECONDS)
        with two_workers(address):
            finish(scheduler, stages)
    check_kept(before, stage_times(tmp_path), stages)


def check_kept(before: dict[str, int], after: dict[str, int], stages: Sequence[Stage]) -> None:
    """Check that what was finished before is there as it was, and that all stages are."""
    assert before
    assert before.items() <= after.items(), "a finished stage was lost or written again"
    assert len(after) == len(stages)


def set_status(name: str, dask_worker: Any) -> None:
    """Let a worker pause or go on, as its memory limit does."""
    dask_worker.status = type(dask_worker.status)[name]


def test_workers_that_pause_end_what_they_began_and_begin_nothing_else(tmp_path: Path) -> None:
    stages = slow_stages(6)
    with dask_executor(DaskPlan(), 2, toys(tmp_path), print) as executor:
        scheduler, _ = begun(tmp_path, executor, stages)
        scheduler.step()  # two others are computed now
        workers = sorted(executor._client.nthreads())
        executor._client.run(set_status, "paused", workers=workers)
        end = time.monotonic() + 8.0
        while time.monotonic() < end:
            scheduler.step()
        before = stage_times(tmp_path)
        assert len(before) < len(stages), "paused workers began others"
        executor._client.run(set_status, "running", workers=workers[:1])
        finish(scheduler, stages)
    check_kept(before, stage_times(tmp_path), stages)


@contextmanager
def small_disk(folder: Path) -> Generator[Path]:
    """Yield a file system of 200 KiB, or skip the test."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if subprocess.run(["mount", *options], capture_output=True, check=False).returncode:  # noqa: S607
        pytest.skip("needs the right to mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607


def test_a_disk_that_fills_up_under_the_workers_ends_the_run_and_keeps_what_is_finished(tmp_path: Path) -> None:
    """Then room, and the run is gone on with."""
    stages = [make_stage(MIDDLE, {"seed": seed, "kibibytes": 60}) for seed in range(6)]
    with small_disk(tmp_path / "small") as root:
        with (
            pytest.raises(CosimError, match="the disk is full"),
            dask_executor(DaskPlan(), 2, toys(root), print) as executor,
        ):
            finish(Scheduler(LocalStore(root), executor), stages)
        before = stage_times(root)
        assert 0 < len(before) < len(stages)
        assert not list(root.glob("stages/.partial/*"))
        subprocess.run(["mount", "-o", "remount,size=8m", str(root)], check=True)  # noqa: S607
        with dask_executor(DaskPlan(), 2, toys(root), print) as executor:
            finish(Scheduler(LocalStore(root), executor), stages)
        check_kept(before, stage_times(root), stages)
