"""A Dask cluster computes what the local pool does, and loses nothing where workers, scheduler or coordinator die."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from test_sweep_interrupted import await_stages, start
from test_sweep_interrupted import finish as finish_process
from test_sweep_pool import WAIT_SECONDS, diamond, finish
from tiny_study import cosim, scores, stage_times, write_tiny
from toy_stages import MIDDLE, STRICT, TOP, compute_told, end_once, when

from cosim.engine.executors.dask_call import DaskJob
from cosim.engine.executors.dask_cluster import DaskPlan, dask_executor, dask_plan
from cosim.engine.executors.dask_executor import DaskExecutor
from cosim.engine.executors.dask_worker import compute_stage, run_on_worker, shared_folders
from cosim.engine.local_store import LocalStore
from cosim.engine.record import StageTime
from cosim.engine.scheduler import Scheduler
from cosim.engine.stage import Stage, make_stage
from energy_models.errors import CosimError, StudyError

distributed = pytest.importorskip("distributed", reason="the extra cosim[cluster] is not installed")

FREE_PORT = "0"
NOTHING = DaskJob(compute_told, {})


def toys(root: Path) -> DaskJob:
    """Return what computes toy stages and keeps them in a folder."""
    return DaskJob(compute_told, {"root": str(root)})


@contextmanager
def threads(store: LocalStore, told: list[str]) -> Generator[DaskExecutor]:
    """Yield an executor on a cluster inside this process, which starts at once."""
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
        DaskExecutor(client, toys(store.root), told.append) as executor,
    ):
        yield executor


def test_parents_first_failures_told_and_two_at_once(tmp_path: Path) -> None:
    store, told = LocalStore(tmp_path), list[str]()
    with threads(store, told) as executor:
        assert executor.capacity == 2
        scheduler = Scheduler(store, executor)
        top, left, right, bottom = diamond()
        wrong = make_stage(MIDDLE, {"fail": "student"})
        finish(scheduler, [bottom, wrong])
        assert when(store, top) < min(when(store, left), when(store, right)) < when(store, bottom)
        assert scheduler.failures == {wrong.digest: "epoch 3: the loss is nan. Lower the learning rate"}
        with pytest.raises(CosimError, match="the disk is full"):
            finish(scheduler, [make_stage(STRICT, {"fail": "disk"})])
    assert not told


def test_an_answer_that_was_lost_is_asked_for_again_and_nothing_computed_twice(tmp_path: Path) -> None:
    """As a client does when its connection breaks off: futures end as cancelled, the stage may be finished or not."""
    store, stage = LocalStore(tmp_path), make_stage(TOP, {"seconds": 1})
    with threads(store, []) as executor:
        executor.submit(stage)
        ((future, _),) = executor._given.values()
        future._state.cancel()
        ended, end = list[Any](), time.monotonic() + WAIT_SECONDS
        while not ended:
            assert time.monotonic() < end
            ended += executor.poll()
    assert [one.stage for one in ended] == [stage]
    assert isinstance(ended[0].outcome, StageTime)
    assert executor._returns == {stage.digest: 1}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("thread",), "'thread' is no executor"),
        (("local", "tcp://host:1"), "the executor 'local'"),
        (("dask", "tcp://host:1", "slurm"), "Give one of them"),
        (("dask", "", "cron"), "slurm, pbs"),
    ],
)
def test_options_that_do_not_go_together(asked: tuple[str, ...], said: str) -> None:
    with pytest.raises(StudyError, match=said):
        dask_plan(*asked)


def test_what_is_asked_for() -> None:
    assert dask_plan("local") is None
    assert dask_plan("dask", "tcp://host:1") == DaskPlan("tcp://host:1")
    assert dask_plan("dask", cluster="slurm") == DaskPlan("", "slurm")


@pytest.mark.parametrize(("package", "plan"), [("distributed", DaskPlan()), ("dask_jobqueue", DaskPlan("", "slurm"))])
def test_an_extra_that_is_absent_is_named(monkeypatch: pytest.MonkeyPatch, package: str, plan: DaskPlan) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(StudyError, match=r"cosim\[cluster\]"), dask_executor(plan, 1, NOTHING, print):
        pass


def test_a_worker_with_other_sources_or_without_the_folder_refuses(tmp_path: Path) -> None:
    from cosim.engine.stages.data import DATA

    stage = make_stage(DATA, {"name": "made"})
    other = Stage(stage.kind, stage.config, {}, "0" * 32, stage.failure)
    with pytest.raises(CosimError, match="other sources"):
        compute_stage(shared_folders(tmp_path), "cpu", other)
    with pytest.raises(CosimError, match="does not see this folder"):
        run_on_worker(shared_folders(tmp_path / "elsewhere"), "cpu", stage)


def test_a_worker_that_outlived_its_coordinator_keeps_no_part_of_a_stage(tmp_path: Path) -> None:
    store, stage = LocalStore(tmp_path), make_stage(TOP, {})

    def outlive() -> None:
        with store.create(stage.key) as folder:
            (folder / "first.txt").write_text("")
            store.remove_partial()
            (folder / "second.txt").write_text("")

    with pytest.raises(OSError, match=r"second\.txt"):
        outlive()
    assert not store.has(stage.key)
    assert not list(store.root.glob("stages/.*"))


def content(run: Path) -> dict[str, str]:
    """Return the hash of every file of every stage, but for the records of when and where."""
    return {
        str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (run / "stages").rglob("*")
        if path.is_file() and path.name not in ("stage.json", "hashes.json") and ".checkpoints" not in path.parts
    }


@pytest.mark.slow
def test_a_study_gives_the_same_tables_bit_for_bit(finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    code, _, err = cosim("run", str(write_tiny(tmp_path)), "--out", str(run), "--executor", "dask")
    assert code == 0, err
    assert content(run) == content(finished)
    pd.testing.assert_frame_equal(scores(run), scores(finished), check_exact=True)
    priced = [pd.read_parquet(folder / "priced.parquet") for folder in (run, finished)]
    pd.testing.assert_frame_equal(*priced, check_exact=True)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_dies_or_stops_loses_no_stage(tmp_path: Path, number: int) -> None:
    import dask

    store = LocalStore(tmp_path)
    stages = [make_stage(MIDDLE, {"seed": seed, "ends": int(number) if seed == 1 else 0}) for seed in range(4)]
    with (
        dask.config.set({"distributed.scheduler.worker-ttl": "15s", "distributed.comm.timeouts.connect": "5s"}),
        dask_executor(DaskPlan(), 2, DaskJob(end_once, {"root": str(tmp_path)}), print) as executor,
    ):
        scheduler = Scheduler(store, executor)
        finish(scheduler, stages)
    assert (tmp_path / "ended").exists()
    assert all(store.has(stage.key) for stage in stages)
    assert sorted(time.digest for time in scheduler.times) == sorted(stage.digest for stage in stages)


@pytest.mark.slow
def test_a_stage_that_kills_every_worker_is_a_clear_error(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    with (
        pytest.raises(CosimError, match="every worker that computed a stage died"),
        dask_executor(DaskPlan(), 1, toys(tmp_path), print) as executor,
    ):
        finish(Scheduler(store, executor), [make_stage(MIDDLE, {"fail": "killed"})])


@contextmanager
def running(*arguments: str) -> Generator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, text=True, start_new_session=True, env=environment)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def scheduler_process(folder: Path, port: str = FREE_PORT) -> Generator[tuple[str, subprocess.Popen[str]]]:
    """Yield the address of a scheduler without workers, and its process."""
    named = folder / f"scheduler-{time.time_ns()}.json"
    scheduler = (sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", port,
                 "--no-dashboard", "--scheduler-file", str(named))  # fmt: skip
    with running(*scheduler) as process:
        end = time.monotonic() + WAIT_SECONDS
        while not named.exists() or not named.read_text().endswith("}"):
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.1)
        yield json.loads(named.read_text())["address"], process


@contextmanager
def two_workers(address: str) -> Generator[subprocess.Popen[str]]:
    """Yield the process of two workers of a scheduler, each a process below it."""
    worker = (sys.executable, "-m", "distributed.cli.dask_worker", "--nworkers", "2", "--nthreads", "1",
              "--memory-limit", "0", "--no-dashboard")  # fmt: skip
    with running(*worker, address) as process:
        yield process


@contextmanager
def cluster(folder: Path, port: str = FREE_PORT) -> Generator[tuple[str, subprocess.Popen[str]]]:
    """Yield the address of a scheduler with two workers, each a process, and the scheduler's process."""
    with scheduler_process(folder, port) as (address, process), two_workers(address):
        yield address, process


@pytest.mark.slow
def test_a_scheduler_that_is_started_again_is_taken_up_again(tmp_path: Path) -> None:
    store, told = LocalStore(tmp_path), list[str]()
    stages = [make_stage(MIDDLE, {"seed": seed, "seconds": 2}) for seed in range(4)]
    with (
        cluster(tmp_path) as (address, process),
        dask_executor(DaskPlan(address), 2, toys(tmp_path), told.append) as executor,
    ):
        scheduler = Scheduler(store, executor)
        for stage in stages:
            scheduler.add(stage)
        while not scheduler.times:
            scheduler.step()
        before = stage_times(tmp_path)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        with cluster(tmp_path, address.rpartition(":")[2]):
            finish(scheduler, stages)
    assert before.items() <= stage_times(tmp_path).items()
    assert all(store.has(stage.key) for stage in stages)


@pytest.mark.slow
def test_a_coordinator_that_is_killed_is_resumed_on_the_same_workers(finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with cluster(tmp_path) as (address, _):
        dask = ("--executor", "dask", "--scheduler", address)
        process = start("run", str(write_tiny(tmp_path)), "--out", str(run), *dask)
        await_stages(process, run, 6)
        process.kill()
        process.communicate()
        seen = stage_times(run)
        code, _, err = finish_process(start("resume", str(run), *dask))
    assert code == 0, err
    assert seen.items() <= stage_times(run).items(), "a finished stage was lost or written again"
    assert content(run) == content(finished)


@pytest.mark.slow
def test_a_scheduler_that_nobody_runs_is_told() -> None:
    import dask

    soon, told = {"distributed.comm.timeouts.connect": "1s"}, pytest.raises(CosimError, match="not reached")
    before = set(threading.enumerate())
    with dask.config.set(soon), told, dask_executor(DaskPlan("tcp://127.0.0.1:9"), 1, NOTHING, print):
        pass
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert "IO loop" not in left, "Dask's thread still runs: the process would not end"
