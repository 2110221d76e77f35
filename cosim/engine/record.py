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
    """

    kind: str
    digest: str
    started: str
    seconds: float
    worker: str


def keep_stage(store: Store, stage: Stage, write: Callable[[Path], None], *, device: str = "cpu") -> StageTime:
    """Write a stage with its record, and return its time.

    Parameters
    ----------
    store : Store
    stage : Stage
    write : callable
        ``write(folder)`` writes its files into an empty folder.
    device : str
        Where its networks ran, for the record.

    Raises
    ------
    CosimError
        As `write`, or where the disk is full.
    """
    with store.create(stage.key) as folder:
        started, begun = datetime.now(UTC), time.perf_counter()
        write(folder)
        seconds = time.perf_counter() - begun
        worker = f"{platform.node()}:{os.getpid()}"
        parents = {role: f"{parent.kind}/{parent.digest}" for role, parent in stage.parents.items()}
        record = {
            "kind": stage.kind, "config": dict(stage.config), "parents": parents, "versions": versions(),
            "started": started.isoformat(timespec="milliseconds"), "seconds": seconds, "worker": worker,
            "device": device,
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
    seconds = cast(float, record.get("seconds"))
    return StageTime(*key, str(record.get("started")), seconds, str(record.get("worker")))
