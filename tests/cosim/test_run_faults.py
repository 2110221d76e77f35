"""What goes wrong around a run: dead processes, full disks, odd folder names, leftovers, damaged checkpoints."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from test_sweep_pool import WAIT_SECONDS, finish, nothing
from tiny_study import TINY, cosim, scores
from toy_stages import MIDDLE, compute

from cosim.engine.executors.local import LocalExecutor
from cosim.engine.local_store import LocalStore
from cosim.engine.run_folder import locked
from cosim.engine.scheduler import Scheduler
from cosim.engine.search import Search
from cosim.engine.stage import make_stage
from cosim.study.check import check_study
from energy_models.errors import CosimError


def test_a_worker_that_died_while_idle_is_told_at_the_next_stage(tmp_path: Path) -> None:
    """Not at a result: the pool learns of it between two stages, and refuses the next one."""
    store, done = LocalStore(tmp_path), make_stage(MIDDLE, {"seed": 0})
    executor = LocalExecutor(1, partial(compute, store), nothing)
    before = {child.pid for child in multiprocessing.active_children()}
    with pytest.raises(CosimError, match="a worker process died") as caught, executor:  # noqa: PT012
        scheduler = Scheduler(store, executor)
        finish(scheduler, [done])
        for child in multiprocessing.active_children():
            if child.pid not in before:
                os.kill(child.pid or 0, signal.SIGKILL)
        end = time.monotonic() + WAIT_SECONDS
        while not executor._pool._broken:
            assert time.monotonic() < end
            time.sleep(0.01)
        executor.submit(make_stage(MIDDLE, {"seed": 1}))
    assert "cosim resume" in str(caught.value)
    assert store.has(done.key)


def test_a_pool_without_processes_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with LocalExecutor(1, partial(compute, LocalStore(tmp_path)), nothing) as executor:
        monkeypatch.setattr(executor._pool, "submit", refuse)
        with pytest.raises(CosimError, match="no worker process can be started"):
            executor.submit(make_stage(MIDDLE, {"seed": 0}))


LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
from cosim.datasets.array_store import ArrayStore
from cosim.engine.local_store import LocalStore
from cosim.engine.store import StageKey
from energy_models.errors import CosimError
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
store = LocalStore(Path(sys.argv[1]))
try:
    with store.create(StageKey("fold", "abc")) as folder:
        np.save(folder / "train.npy", np.zeros(100_000))
except CosimError as error:
    print(error)
try:
    ArrayStore(Path(sys.argv[1])).put(np.zeros(100_000))
except CosimError as error:
    print(error)
print(store.has(StageKey("fold", "abc")))
"""


def test_numpy_on_a_full_disk_is_a_full_disk(tmp_path: Path) -> None:
    """Its message is ``100000 requested and 496 written``, without an error number."""
    command = [sys.executable, "-c", LIMITED, str(tmp_path)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert "the disk is full" in out[0]
    assert "cosim resume" in out[0]
    assert os.strerror(errno.ENOSPC) in out[1]
    assert out[2] == "False"


@pytest.mark.parametrize("name", ["a?b", "a?mode=ro", "a#b", "a%b", "a%20b", "a b", "ä ü", "a;b&c=d", "sqlite:x@y"])
def test_the_search_is_kept_in_its_folder_whatever_that_is_called(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    root.mkdir()
    Search(check_study(tomllib.loads(TINY), where="tiny"), "digest", root)
    assert [path.name for path in root.iterdir()] == ["study.db"]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_leftovers_of_dead_processes_go_when_the_lock_is_taken_and_those_of_live_ones_stay(tmp_path: Path) -> None:
    dead, kept = dead_process(), tmp_path / "stages" / ".checkpoints"
    (kept / "teacher-abc").mkdir(parents=True)
    folders = (tmp_path, kept, kept / "teacher-abc")
    for folder in folders:
        (folder / f".{dead}.scores.jsonx1.tmp").write_text("")
        (folder / f".{os.getpid()}.scores.jsonx2.tmp").write_text("")
        (folder / ".mine.tmp").write_text("")
    with locked(tmp_path):
        left = {path.name for folder in folders for path in folder.glob(".*.tmp")}
    assert left == {f".{os.getpid()}.scores.jsonx2.tmp", ".mine.tmp"}


def test_a_damaged_checkpoint_is_set_aside_and_training_starts_again(finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run, symlinks=True)
    checkpoints = run / "stages" / ".checkpoints"
    lost = [min((run / "stages" / kind).iterdir()) for kind in ("undistilled", "quantised")]
    for number, folder in enumerate(lost):
        shutil.rmtree(folder)
        checkpoints.mkdir(exist_ok=True)
        (checkpoints / f"{folder.parent.name}-{folder.name}").write_bytes(b"\xff" * 100 * number)
    code, out, err = cosim("resume", str(run), "--json")
    assert code == 0, err
    answer = json.loads(out)
    assert answer["computed"] == len(lost)
    assert len(answer["set_aside"]) == len(lost)
    assert all("the checkpoint of stage" in note for note in answer["set_aside"])
    assert len(list((run / "damaged").glob("checkpoint-*.txt"))) == len(lost)
    assert not list(checkpoints.iterdir())
    pd.testing.assert_frame_equal(scores(run), scores(finished))
