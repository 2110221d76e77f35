"""Stages that compute nothing, a store in memory, and an executor without processes."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cosim.engine.executors.dask_call import read_stage, time_text
from cosim.engine.executors.executor import Completion
from cosim.engine.local_store import LocalStore
from cosim.engine.record import StageTime, keep_stage
from cosim.engine.stage import Stage, StageKind, Workspace
from cosim.engine.store import StageKey, Store
from energy_models.errors import CosimError, DataError, StudentError


def work(workspace: Workspace) -> None:
    """Stand in for a computation: write when it was done, after checking its parents were."""
    config, store = workspace.stage.config, workspace.store
    if "opens" in config:
        workspace.parent(str(config["opens"]))
    assert all(store.has(parent.key) for parent in workspace.stage.parents.values())
    if config.get("fail") == "student":
        raise StudentError("the loss is nan", where="epoch 3", remedy="Lower the learning rate")
    if config.get("fail") == "outputs":
        raise DataError("the decoder's outputs are not all finite")
    if config.get("fail") == "disk":
        raise CosimError("the disk is full", where=str(workspace.folder))
    if config.get("fail") == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(float(config.get("seconds", 0)))  # type: ignore[arg-type]
    (workspace.folder / "large.bin").write_bytes(bytes(1024 * int(str(config.get("kibibytes", 0)))))
    (workspace.folder / "when.txt").write_text(repr(time.time()))


TOP = StageKind("top", parents=(), work=work)
MIDDLE = StageKind("middle", parents=("top",), work=work)
BOTTOM = StageKind("bottom", parents=("middle_*",), work=work)
STRICT = StageKind("strict", parents=(), work=work, failure="run")


def compute(store: Store, stage: Stage) -> StageTime:
    """Compute and keep one toy stage."""
    return keep_stage(store, stage, lambda folder: work(Workspace(store, stage, folder)))


def compute_told(place: dict[str, str], stage: str) -> str:
    """Compute a toy stage as a Dask worker is told to: its store is a folder."""
    return time_text(compute(LocalStore(Path(place["root"])), read_stage(stage)))


def end_once(place: dict[str, str], text: str) -> str:
    """Compute a toy stage; the process that is first to try one with `ends` is sent that signal."""
    root, stage = Path(place["root"]), read_stage(text)
    if stage.config.get("ends") and not (root / "ended").exists():
        (root / "ended").write_text("")
        os.kill(os.getpid(), int(str(stage.config["ends"])))
    return compute_told(place, text)


def when(store: Store, stage: Stage) -> float:
    """Return when a toy stage was computed."""
    return float((store.folder(stage.key) / "when.txt").read_text())


class MemoryStore:
    """Keeps stages in memory; a folder is written out where one is asked for."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.kept: dict[StageKey, dict[str, bytes]] = {}

    def has(self, key: StageKey) -> bool:
        return key in self.kept

    def folder(self, key: StageKey) -> Path:
        folder = self.scratch / key.kind / key.digest
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.kept[key].items():
            (folder / name).write_bytes(content)
        return folder

    @contextmanager
    def create(self, key: StageKey) -> Generator[Path]:
        with tempfile.TemporaryDirectory() as name:
            yield Path(name)
            self.kept.setdefault(key, {path.name: path.read_bytes() for path in Path(name).iterdir()})

    def checkpoint(self, key: StageKey) -> Path:
        return self.scratch / f"{key.kind}-{key.digest}.checkpoint"

    def set_aside_checkpoint(self, key: StageKey, reason: str) -> None:
        self.checkpoint(key).unlink(missing_ok=True)


class SerialExecutor:
    """Computes what was submitted one by one, when it is asked what has ended."""

    def __init__(self, run: Callable[[Stage], StageTime], capacity: int = 2) -> None:
        self.capacity = capacity
        self._run, self._submitted = run, list[Stage]()
        self.order: list[str] = []

    def submit(self, stage: Stage) -> None:
        self._submitted.append(stage)
        assert len(self._submitted) <= self.capacity

    def poll(self) -> Sequence[Completion]:
        stage = self._submitted.pop(0)
        self.order.append(stage.kind)
        try:
            return [Completion(stage, self._run(stage))]
        except CosimError as error:
            return [Completion(stage, error)]

    def cancel(self) -> None:
        self._submitted.clear()

