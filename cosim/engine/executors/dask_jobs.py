"""Workers that are jobs of a batch system, through dask-jobqueue; jobs that ended are asked for again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from energy_models.errors import StudyError

BATCH_SYSTEMS: Mapping[str, str] = {
    "slurm": "SLURMCluster", "pbs": "PBSCluster", "sge": "SGECluster", "lsf": "LSFCluster", "oar": "OARCluster",
    "moab": "MoabCluster", "htcondor": "HTCondorCluster",
}
LOST_SECONDS = 30.0
"""How long all processes of a job must be away before another job is asked for [s]: Dask's own restart in less."""
MOST_CHARACTERS = 400


class BatchJobs:
    """Jobs of a batch system that compute for one run.

    A job that reached its time limit, was cancelled or whose machine failed is asked for again; one that still waits in
    the queue is not told from one that never comes, and is waited for.

    Parameters
    ----------
    name : str
        One of `BATCH_SYSTEMS`; its jobs are as dask-jobqueue's configuration files describe them.
    workers : int
        Worker processes; whole jobs are asked for.
    tell : callable
        Told when jobs are asked for again.

    Raises
    ------
    StudyError
        The configuration does not say what a job is, or the batch system takes none.
    """

    def __init__(self, name: str, workers: int, tell: Callable[[str], None]) -> None:
        self._workers, self._tell = workers, tell
        self._gone_since: dict[str, float] = {}
        self._seen: set[str] = set()
        try:
            self.cluster: Any = getattr(import_module("dask_jobqueue"), BATCH_SYSTEMS[name])()
        except (RuntimeError, TypeError, ValueError) as error:
            raise StudyError(
                f"the jobs are not configured: {_one_line(error)}", where=f"--cluster {name}",
                remedy=f"Describe them in ~/.config/dask/jobqueue.yaml, under jobqueue.{name}: cores, memory, "
                "processes, walltime, queue",
            ) from error  # fmt: skip
        try:
            self._ask()
        except (OSError, RuntimeError) as error:
            self.close()
            raise StudyError(
                f"no job can be submitted: {_one_line(error)}", where=f"--cluster {name}",
                remedy="Run this where jobs are submitted, and see ~/.config/dask/jobqueue.yaml",
            ) from error  # fmt: skip

    def close(self) -> None:
        """Cancel the jobs, and end the scheduler."""
        try:
            self._end(list(self.cluster.worker_spec))
        finally:
            self.cluster.close()

    def replace_ended(self) -> None:
        """Ask again for jobs that were there and ended, and for those that were refused."""
        lost = self._lost(time.monotonic())
        if not lost:
            return
        self._seen.difference_update(lost)
        try:
            self._end(lost)
            self._ask()
            self._tell(f"{len(lost)} jobs ended and were asked for again")
        except (OSError, RuntimeError) as error:
            self._tell(f"{len(lost)} jobs ended, and the batch system takes no others now: {_one_line(error)}")

    def _ask(self) -> None:
        """Submit the jobs that lack; ``cluster.scale`` would, but what the batch system answers only its log shows."""

        async def submit() -> None:
            specified = self.cluster.worker_spec
            while sum(len(job.get("group", [""])) for job in specified.values()) < self._workers:
                specified.update(self.cluster.new_worker_spec())
            await self.cluster

        self.cluster.sync(submit)

    def _end(self, names: Sequence[str]) -> None:
        """Cancel jobs, and mark them as closed: dask-jobqueue does not, and Dask would close no cluster with them."""
        jobs = [self.cluster.workers[name] for name in names if name in self.cluster.workers]
        self.cluster.sync(self.cluster.scale_down, names)
        for job in jobs:
            job.status = import_module("distributed").Status.closed

    def _lost(self, now: float) -> Sequence[str]:
        """Return jobs of which nothing was heard for too long since they were there, or that were never submitted."""
        connected = {worker["name"] for worker in self.cluster.scheduler_info["workers"].values()}
        for name, job in list(self.cluster.worker_spec.items()):
            if connected & {f"{name}{suffix}" for suffix in job.get("group", [""])}:
                self._seen.add(name)
                self._gone_since.pop(name, None)
            elif name in self._seen or self._refused(name):
                self._gone_since.setdefault(name, now)
        lost = [name for name, since in self._gone_since.items() if now - since >= LOST_SECONDS]
        for name in lost:
            del self._gone_since[name]
        return lost

    def _refused(self, name: str) -> bool:
        """Whether a job was never submitted, or Dask took it back after its ``lost-worker-timeout``."""
        job = self.cluster.workers.get(name)
        return job is None or job.job_id is None


def _one_line(error: Exception) -> str:
    """Return what a library said, its lines as one; of a command that failed what that printed as its error."""
    said = str(error)
    return " ".join((said.rpartition("stderr:")[2].strip() or said).split())[:MOST_CHARACTERS]
