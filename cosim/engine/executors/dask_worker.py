"""What runs inside a Dask worker: one process beside it, which computes one stage at a time as the local pool's do.

Not the worker itself: its threads draw random numbers, which counting would take for the decoder's, and both torch's
generator and the current folder belong to a whole process.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, fields
from pathlib import Path

from cosim.datasets.array_store import ENVIRONMENT, default_store
from cosim.engine.executors.fork_server import main_unnamed
from cosim.engine.local_store import LocalStore
from cosim.engine.record import StageTime
from cosim.engine.stage import Stage, make_stage
from energy_models.errors import CosimError

_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, slots=True)
class SharedFolders:
    """Folders that the coordinator and every worker see under the same path.

    Parameters
    ----------
    run : Path
        Run folder.
    arrays : Path
        Where recordings' arrays are kept, outside of all runs.
    current : Path
        The folder that relative paths begin at, and where modules of one's own are found.
    """

    run: Path
    arrays: Path
    current: Path

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> SharedFolders:
        """Return the folders that `texts` told."""
        return cls(*(Path(texts[field.name]) for field in fields(cls)))

    def texts(self) -> dict[str, str]:
        """Return every folder as text, by its name here."""
        return {field.name: str(getattr(self, field.name)) for field in fields(self)}


_processes: dict[SharedFolders, ProcessPoolExecutor] = {}  # one at most


def shared_folders(run: Path) -> SharedFolders:
    """Return the folders of this process, for its workers."""
    return SharedFolders(run.absolute(), default_store().root.absolute(), Path.cwd())


def run_on_worker(folders: SharedFolders, device: str, stage: Stage) -> StageTime:
    """Compute and keep one stage in the process beside this worker, and return its time.

    Parameters
    ----------
    folders : SharedFolders
    device : str
    stage : Stage

    Raises
    ------
    CosimError
        A folder that is not there, other sources of cosim than the coordinator's, a process that died, or what the
        stage raises.
    """
    with _ONE_AT_A_TIME:
        for folder in (folders.run, folders.current):
            if not folder.is_dir():
                raise CosimError(
                    "a worker does not see this folder", where=f"{folder} on {platform.node()}",
                    remedy="Run on a folder that coordinator and workers share under the same path",
                )
        try:
            with main_unnamed():
                computed = _process(folders).submit(compute_stage, folders, device, stage)
            return computed.result()
        except BrokenProcessPool as error:
            _processes.clear()
            raise CosimError(
                "a worker process died", where=f"stage {stage.kind}/{stage.digest} on {platform.node()}",
                remedy="It may have run out of memory: use fewer workers on a machine. Finished stages are kept; "
                "continue with `cosim resume`.",
            ) from error


def _process(folders: SharedFolders) -> ProcessPoolExecutor:
    """Return the process beside this worker; another run's is ended."""
    if folders not in _processes:
        for other in _processes.values():
            other.shutdown()
        _processes.clear()
        # Dask's nanny marks workers as daemonic, which may have no children; this one ends with its parent.
        vars(multiprocessing.current_process())["_config"]["daemon"] = False
        context = multiprocessing.get_context("spawn")
        _processes[folders] = ProcessPoolExecutor(
            1, mp_context=context, initializer=prepare_process, initargs=(folders,)
        )
    return _processes[folders]


def prepare_process(folders: SharedFolders) -> None:
    """Prepare the process that computes: the coordinator's folders, and what a process of the local pool has."""
    from cosim.engine.executors.worker import start_worker

    start_worker()
    os.environ[ENVIRONMENT] = str(folders.arrays)
    os.chdir(folders.current)
    if str(folders.current) not in sys.path:
        sys.path.append(str(folders.current))


def compute_stage(folders: SharedFolders, device: str, stage: Stage) -> StageTime:
    """Compute and keep one stage in this process.

    Raises
    ------
    CosimError
        Sources that give the stage another name: its result would stand under a wrong one; or what the stage raises.
    """
    from cosim.engine.executors.worker import run_stage
    from cosim.engine.stages.registry import KINDS

    here = make_stage(KINDS[stage.kind], stage.config, **stage.parents)
    if here.digest != stage.digest:
        raise CosimError(
            "a worker has other sources of cosim, or of a plug-in, than the coordinator",
            where=f"stage {stage.kind}/{stage.digest} on {platform.node()}:{os.getpid()}",
            remedy="Install the same version on all, and start the workers again",
        )
    return run_stage(LocalStore(folders.run), device, stage)
