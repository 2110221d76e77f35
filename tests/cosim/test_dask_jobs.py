"""Workers that are jobs of a batch system: what a job is must be told, and jobs that ended are asked for again."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Generator
from typing import Any

import pytest
from toy_stages import compute_told

from cosim.engine.executors import dask_jobs
from cosim.engine.executors.dask_call import DaskJob
from cosim.engine.executors.dask_cluster import DaskPlan, dask_executor
from cosim.engine.executors.dask_jobs import BatchJobs
from energy_models.errors import StudyError


class Cluster:
    """Stands in for dask-jobqueue's: what it was asked for, and the workers that a test says are there."""

    def __init__(self) -> None:
        self.scheduler_info: dict[str, Any] = {"workers": {}}
        self.worker_spec: dict[str, Any] = {}
        self.workers: dict[str, Any] = {}
        self.number, self.closed, self.refuses = 0, list[str](), ""

    def new_worker_spec(self) -> dict[str, Any]:
        self.number += 1
        return {f"job-{self.number - 1}": {"group": ["-0", "-1"]}}

    def sync(self, asked: Callable[..., Any], *arguments: Any) -> None:
        step = asked(*arguments)
        with pytest.raises(StopIteration):
            step.send(None)

    async def scale_down(self, names: list[str]) -> None:
        self.closed += names
        for name in names:
            del self.worker_spec[name]
            self.workers.pop(name, None)

    def __await__(self) -> Generator[None]:
        for name in self.worker_spec.keys() - self.workers.keys():
            self.workers[name] = types.SimpleNamespace(job_id=None if self.refuses else name)
        if self.refuses:
            raise RuntimeError(f"Command exited with non-zero exit code.\nstdout:\n\nstderr:\n{self.refuses}\n\n")
        return
        yield

    def connect(self, *names: str) -> None:
        self.scheduler_info["workers"] = {f"tcp://{name}": {"name": name} for name in names}

    def close(self) -> None: ...


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(dask_jobs.time, "monotonic", lambda: self.now)


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> tuple[BatchJobs, Cluster, Clock, list[str]]:
    """Return two jobs of two processes each, the cluster that they are of, a clock, and what is told."""
    monkeypatch.setitem(sys.modules, "dask_jobqueue", types.SimpleNamespace(SLURMCluster=Cluster))  # type: ignore[arg-type]
    told: list[str] = []
    jobs = BatchJobs("slurm", 4, told.append)
    return jobs, jobs.cluster, Clock(monkeypatch), told


Jobs = tuple[BatchJobs, Cluster, Clock, list[str]]


def test_a_job_that_ended_is_asked_for_again_after_a_while_and_once(jobs: Jobs) -> None:
    batch, cluster, clock, told = jobs
    cluster.connect("job-0-0", "job-0-1", "job-1-0", "job-1-1")
    batch.replace_ended()
    cluster.connect("job-1-0", "job-1-1")
    for clock.now in (100.0, 100.0 + dask_jobs.LOST_SECONDS - 1):
        batch.replace_ended()
        assert not cluster.closed
    clock.now = 100.0 + dask_jobs.LOST_SECONDS
    batch.replace_ended()
    assert cluster.closed == ["job-0"]
    assert list(cluster.worker_spec) == ["job-1", "job-2"]
    assert told == ["1 jobs ended and were asked for again"]
    clock.now = 10_000.0  # the new one waits in the queue
    batch.replace_ended()
    assert cluster.closed == ["job-0"]


def test_a_job_whose_process_is_started_again_by_dask_is_left_alone(jobs: Jobs) -> None:
    batch, cluster, clock, told = jobs
    for clock.now, there in ((0.0, "job-0-1"), (50.0, ""), (70.0, "job-0-0"), (90.0, ""), (110.0, "job-0-0")):
        cluster.connect(*filter(None, (there, "job-1-0")))
        batch.replace_ended()
    assert not cluster.closed
    assert not told


def test_jobs_that_wait_in_the_queue_are_waited_for(jobs: Jobs) -> None:
    batch, cluster, clock, told = jobs
    for clock.now in (0.0, 1e6):
        batch.replace_ended()
    assert not cluster.closed
    assert not told


def test_where_the_batch_system_takes_none_the_run_goes_on_and_asks_later(jobs: Jobs) -> None:
    batch, cluster, clock, told = jobs
    cluster.connect("job-0-0", "job-1-0")
    batch.replace_ended()
    cluster.connect("job-1-0")
    cluster.refuses = "sbatch: error: Unable to contact slurm controller"
    for clock.now in (10.0, 10.0 + dask_jobs.LOST_SECONDS):
        batch.replace_ended()
    assert told == ["1 jobs ended, and the batch system takes no others now: " + cluster.refuses]
    cluster.refuses = ""
    for clock.now in (100.0, 100.0 + dask_jobs.LOST_SECONDS):
        batch.replace_ended()
    assert cluster.closed == ["job-0", "job-2"]
    assert cluster.workers["job-3"].job_id == "job-3"
    assert told[1:] == ["1 jobs ended and were asked for again"]


def test_a_batch_system_that_takes_no_job_ends_the_run_with_what_it_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing() -> Cluster:
        cluster = Cluster()
        cluster.refuses = "sbatch: error: invalid partition\nsbatch: error: Batch job submission failed"
        return cluster

    monkeypatch.setitem(sys.modules, "dask_jobqueue", types.SimpleNamespace(SLURMCluster=refusing))  # type: ignore[arg-type]
    with pytest.raises(StudyError, match="no job can be submitted: sbatch: error: invalid partition sbatch: error: B"):
        BatchJobs("slurm", 1, print)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, r"how much cores and memory per job .*, for example: cluster = SLURMCluster\(cores=8, memory='24GB'\)"),
        ({"cores": 1, "memory": "much"}, "'much' as a byte unit"),
        ({"cores": 1, "memory": "1GB", "interface": "none0"}, "'none0' is not a valid network interface"),
    ],
)  # fmt: skip
def test_a_description_of_jobs_that_is_none_is_told_whole(settings: dict[str, object], said: str) -> None:
    pytest.importorskip("dask_jobqueue", reason="the extra cosim[cluster] is not installed")
    import dask

    described = {"jobqueue.slurm": {**dask.config.get("jobqueue.slurm"), **settings}}
    told = pytest.raises(StudyError, match=rf"{said}.*jobqueue\.yaml")
    with dask.config.set(described), told, dask_executor(DaskPlan("", "slurm"), 1, DaskJob(compute_told, {}), print):
        pass


def test_a_machine_without_the_batch_systems_commands_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dask_jobqueue", reason="the extra cosim[cluster] is not installed")
    import dask

    monkeypatch.setenv("PATH", "")
    ours = {"cores": 1, "memory": "1GB", "scheduler-options": {"host": "127.0.0.1"}}
    described = {**dask.config.get("jobqueue.slurm"), **ours}
    told = pytest.raises(StudyError, match=r"no job can be submitted: .*sbatch")
    with dask.config.set({"jobqueue.slurm": described}), told, dask_executor(
        DaskPlan("", "slurm"), 1, DaskJob(compute_told, {}), print
    ):  # fmt: skip
        pass
