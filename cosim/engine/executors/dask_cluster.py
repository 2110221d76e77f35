"""Which Dask cluster a run uses: a scheduler that is there, jobs of a batch system, or processes of this machine."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from cosim.engine.executors.dask_call import DaskJob
from cosim.engine.executors.dask_executor import DaskExecutor
from cosim.engine.executors.dask_jobs import BATCH_SYSTEMS, BatchJobs
from cosim.engine.executors.fork_server import main_unnamed
from cosim.engine.executors.interrupts import interrupts_held
from energy_models.errors import CosimError, StudyError

INSTALL = "Install it: pip install 'cosim[cluster]'"


@dataclass(frozen=True, slots=True)
class DaskPlan:
    """Where stages are computed by Dask; with neither, by processes of this machine.

    Parameters
    ----------
    scheduler : str
        Address of a scheduler that runs, such as ``tcp://host:8786``; its workers are all used.
    batch_system : str
        One of `BATCH_SYSTEMS`: workers are its jobs, as dask-jobqueue's own configuration files describe them.
    """

    scheduler: str = ""
    batch_system: str = ""


def dask_plan(executor: str, scheduler: str = "", cluster: str = "") -> DaskPlan | None:
    """Return what ``--executor``, ``--scheduler`` and ``--cluster`` ask for; None: the local pool.

    Raises
    ------
    StudyError
        An unknown executor or batch system, or options that exclude one another.
    """
    if executor not in ("local", "dask"):
        raise StudyError(f"{executor!r:.40} is no executor", where="executor", remedy="Give 'local' or 'dask'")
    if executor == "local" and (scheduler or cluster):
        raise StudyError("a scheduler or a cluster, but the executor 'local'", where="executor",
                         remedy="Give the executor 'dask', or leave them out")  # fmt: skip
    if scheduler and cluster:
        raise StudyError("a scheduler and a cluster", where="executor", remedy="Give one of them")
    if cluster and cluster not in BATCH_SYSTEMS:
        raise StudyError(f"{cluster!r:.40} is no batch system", where="cluster",
                         remedy=f"Give one of: {', '.join(BATCH_SYSTEMS)}")  # fmt: skip
    return DaskPlan(scheduler, cluster) if executor == "dask" else None


@contextmanager
def dask_executor(
    plan: DaskPlan, workers: int, job: DaskJob, tell: Callable[[str], None]
) -> Generator[DaskExecutor]:
    """Yield an executor on the cluster of a plan; what was started for it is ended with the block.

    Parameters
    ----------
    plan : DaskPlan
    workers : int
        Worker processes to start; a scheduler that runs has its own.
    job : DaskJob
        What a worker does with a stage.
    tell : callable
        Told what the user should know while the run waits.

    Raises
    ------
    CosimError
        Where Dask is not installed, its scheduler is not reached, or the batch system is not configured.
    """
    distributed = _package("distributed", "dask_executor")
    with (
        main_unnamed(), _cluster(distributed, plan, workers, tell) as (place, look_after),
        _client(distributed, place) as client, DaskExecutor(client, job, tell, look_after) as executor,
    ):  # fmt: skip
        yield executor


@contextmanager
def _client(distributed: Any, place: Any) -> Generator[Any]:
    client = distributed.Client.__new__(distributed.Client)
    try:
        with interrupts_held():
            client.__init__(place, set_as_default=False)
    except (OSError, ValueError) as error:
        if hasattr(client, "_loop_runner"):  # Dask leaves its thread running, and the process would hang as it ends
            client._loop_runner.stop()
        raise CosimError(f"the Dask scheduler is not reached ({error})", where=str(place),
                         remedy="Give the address that `dask scheduler` prints, such as tcp://host:8786") from error
    try:
        yield client
    finally:
        client.close()


@contextmanager
def _cluster(
    distributed: Any, plan: DaskPlan, workers: int, tell: Callable[[str], None]
) -> Generator[tuple[Any, Callable[[], None]]]:
    """Yield what a client connects to, an address or a cluster that was started, and what keeps its workers there."""
    if plan.scheduler:
        yield plan.scheduler, _nothing
    elif plan.batch_system:
        _package("dask_jobqueue", "--cluster")
        with interrupts_held():
            jobs = BatchJobs(plan.batch_system, workers, tell)
        with closing(jobs):
            yield jobs.cluster, jobs.replace_ended
    else:
        with interrupts_held():
            started = distributed.LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0
            )
        with closing(started):
            yield started, _nothing


def _nothing() -> None:
    """Do nothing: Dask itself starts workers again where it started them."""


def _package(name: str, where: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise StudyError(f"{name} cannot be imported ({error})", where=where, remedy=INSTALL) from error
