"""The record beside every stage: what it was computed from, when, for how long, where, and by which versions."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from cosim.engine.files import read_json, to_json
from cosim.engine.stage import Stage
from cosim.engine.store import StageKey, Store
from cosim.engine.versions import versions

RECORD = "stage.json"


@dataclass(frozen=True, slots=True)
class StageTime:
    """When and where a stage was computed.

    Parameters
    ----------
    kind, digest : str
    started : str
        ISO 8601, UTC.
    seconds : float
        Of wall time [s].
    worker : str
        Host and process, as ``host:number``.
    process_seconds : float or None
        Of the processor, all threads of the process that computed it [s]; None in records that do not say.
    kernels : str
        Kernels that ran and in which form, as `students.kernels.KernelsTaken.summary` tells them; empty: none did.
    """

    kind: str
    digest: str
    started: str
    seconds: float
    worker: str
    process_seconds: float | None = None
    kernels: str = ""


def keep_stage(
    store: Store, stage: Stage, write: Callable[[Path], None], *, device: str = "cpu",
    kernels: Callable[[], str] = lambda: "",
) -> StageTime:
    """Write a stage with its record, and return its time.

    Parameters
    ----------
    store : Store
    stage : Stage
    write : callable
        ``write(folder)`` writes its files into an empty folder.
    device : str
        Where its networks ran, for the record.
    kernels : callable
        Returns, after `write`, which kernels ran.

    Raises
    ------
    CosimError
        As `write`, or where the disk is full.
    """
    with store.create(stage.key) as folder:
        started, begun, begun_process = datetime.now(UTC), time.perf_counter(), time.process_time()
        write(folder)
        seconds, process_seconds = time.perf_counter() - begun, time.process_time() - begun_process
        worker = f"{platform.node()}:{os.getpid()}"
        parents = {role: f"{parent.kind}/{parent.digest}" for role, parent in stage.parents.items()}
        record = {
            "kind": stage.kind, "config": dict(stage.config), "parents": parents, "versions": versions(),
            "started": started.isoformat(timespec="milliseconds"), "seconds": seconds, "worker": worker,
            "device": device, "process_seconds": process_seconds, "kernels": kernels(),
        }  # fmt: skip
        (folder / RECORD).write_text(to_json(record), encoding="utf-8")
    return read_time(store, stage.key)


def read_time(store: Store, key: StageKey) -> StageTime:
    """Return when and where a finished stage was computed.

    Raises
    ------
    CosimError
        If its record is missing or is not JSON.
    """
    record = read_json(store.folder(key) / RECORD)
    seconds, said = cast(float, record.get("seconds")), record.get("process_seconds")
    started, worker = str(record.get("started")), str(record.get("worker"))
    process_seconds = said if isinstance(said, float) else None
    return StageTime(*key, started, seconds, worker, process_seconds, str(record.get("kernels", "")))
