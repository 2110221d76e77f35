"""What runs inside a Dask worker: one stage at a time, with the coordinator's folders and sources."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import torch

from cosim.datasets.array_store import ENVIRONMENT, default_store
from cosim.engine.executors.worker import run_stage
from cosim.engine.local_store import LocalStore
from cosim.engine.record import StageTime
from cosim.engine.stage import Stage, make_stage
from cosim.engine.stages.registry import KINDS
from energy_models.errors import CosimError

# Torch's generator and a process's environment belong to the whole process, whatever number of threads a worker has.
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


def shared_folders(run: Path) -> SharedFolders:
    """Return the folders of this process, for its workers."""
    return SharedFolders(run.absolute(), default_store().root.absolute(), Path.cwd())


def run_on_worker(folders: SharedFolders, device: str, stage: Stage) -> StageTime:
    """Compute and keep one stage as a process of the local pool does, and return its time.

    Parameters
    ----------
    folders : SharedFolders
    device : str
    stage : Stage

    Raises
    ------
    CosimError
        A folder that is not there, other sources of cosim than the coordinator's, or what the stage raises.
    """
    with _ONE_AT_A_TIME:
        for folder in (folders.run, folders.current):
            if not folder.is_dir():
                raise CosimError(
                    "a worker does not see this folder", where=f"{folder} on {platform.node()}",
                    remedy="Run on a folder that coordinator and workers share under the same path",
                )
        os.environ[ENVIRONMENT] = str(folders.arrays)
        if str(folders.current) not in sys.path:
            sys.path.append(str(folders.current))
        torch.set_num_threads(1)  # of this thread, which need not be the last stage's
        with contextlib.chdir(folders.current):
            _refuse_other_sources(stage)
            return run_stage(LocalStore(folders.run), device, stage)


def _refuse_other_sources(stage: Stage) -> None:
    """Refuse a stage that this worker's sources give another name: its result would stand under a wrong one."""
    here = make_stage(KINDS[stage.kind], stage.config, **stage.parents)
    if here.digest != stage.digest:
        raise CosimError(
            "a worker has other sources of cosim, or of a plug-in, than the coordinator",
            where=f"stage {stage.kind}/{stage.digest} on {platform.node()}:{os.getpid()}",
            remedy="Install the same version on all, and start the workers again",
        )
