"""What runs inside a pool process: one stage at a time, one torch thread, no database."""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing import connection, parent_process
from pathlib import Path

import torch

from cosim.engine.record import StageTime, keep_stage, read_time
from cosim.engine.stage import Stage, Workspace
from cosim.engine.stages.registry import KINDS
from cosim.engine.store import Store
from energy_models.errors import StudentError, memory_errors
from students.kernels import kernels_taken
from students.training import CheckpointError


def start_worker() -> None:
    """Prepare a pool process: one torch thread, Ctrl-C left to the coordinator, and no life without it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    """End this process when the coordinator is gone, SIGKILL included; its pool would wait for ever."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def run_stage(store: Store, device: str, stage: Stage) -> StageTime:
    """Compute and keep one stage unless it is there already; return when and where it was computed.

    A checkpoint that cannot be gone on from is set aside, and the computation starts again without it.

    Parameters
    ----------
    store : Store
    device : str
        Where networks are trained, decoded and counted.
    stage : Stage

    Raises
    ------
    CosimError
        With what the user can mend; crosses the process boundary whole.
    """
    if store.has(stage.key):
        return read_time(store, stage.key)
    try:
        return _computed(store, device, stage)
    except CheckpointError as error:
        store.set_aside_checkpoint(stage.key, error.what)
    return _computed(store, device, stage)


def _computed(store: Store, device: str, stage: Stage) -> StageTime:
    work = KINDS[stage.kind].work

    def write(folder: Path) -> None:
        work(Workspace(store, stage, folder, device))

    with memory_errors(StudentError, f"stage {stage.kind}/{stage.digest}"), kernels_taken() as taken:
        return keep_stage(store, stage, write, device=device, kernels=taken.summary)
