"""The process pool: parents first, failures told, nothing left behind by Ctrl-C or SIGKILL."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from toy_stages import BOTTOM, MIDDLE, STRICT, TOP, compute, when

from cosim.engine.executors.local import LocalExecutor
from cosim.engine.executors.worker import start_worker
from cosim.engine.local_store import LocalStore
from cosim.engine.record import StageTime
from cosim.engine.scheduler import Scheduler
from cosim.engine.stage import Stage, make_stage
from energy_models.errors import CosimError, DataError

WAIT_SECONDS = 60.0


def nothing() -> None:
    """Prepare no process."""


def prepare() -> None:
    """Prepare a process as in a real run; torch comes with this module, so the fork server imports it once for all."""
    start_worker()


@contextmanager
def pool(root: Path) -> Generator[Scheduler]:
    """Yield a scheduler on two processes and the store of a run folder."""
    store = LocalStore(root)
    with LocalExecutor(2, partial(compute, store), nothing) as executor:
        yield Scheduler(store, executor)


def finish(scheduler: Scheduler, stages: list[Stage]) -> None:
    for stage in stages:
        scheduler.add(stage)
    end = time.monotonic() + WAIT_SECONDS
    while not all(scheduler.done(stage) for stage in stages):
        assert time.monotonic() < end
        scheduler.step()


def diamond() -> tuple[Stage, Stage, Stage, Stage]:
    top = make_stage(TOP, {"name": "a"})
    left, right = make_stage(MIDDLE, {"seed": 0}, top=top), make_stage(MIDDLE, {"seed": 1}, top=top)
    return top, left, right, make_stage(BOTTOM, {}, middle_0=left, middle_1=right)


def test_parents_come_first_and_shared_ones_once(tmp_path: Path) -> None:
    top, left, right, bottom = diamond()
    with pool(tmp_path) as scheduler:
        finish(scheduler, [bottom, left])
        assert scheduler.progress.computed == 4
    assert when(LocalStore(tmp_path), top) < min(when(LocalStore(tmp_path), left), when(LocalStore(tmp_path), right))
    assert max(when(LocalStore(tmp_path), left), when(LocalStore(tmp_path), right)) < when(LocalStore(tmp_path), bottom)


def test_what_is_there_is_not_computed_again(tmp_path: Path) -> None:
    stages = list(diamond())
    with pool(tmp_path) as scheduler:
        finish(scheduler, stages)
    first = [when(LocalStore(tmp_path), stage) for stage in stages]
    with pool(tmp_path) as scheduler:
        finish(scheduler, stages)
        assert scheduler.progress.computed == 0
    assert [when(LocalStore(tmp_path), stage) for stage in stages] == first


def test_a_student_that_cannot_be_trained_fails_alone(tmp_path: Path) -> None:
    bad = make_stage(MIDDLE, {"fail": "student"})
    child = make_stage(BOTTOM, {}, middle_0=bad)
    good = make_stage(MIDDLE, {"seed": 0})
    with pool(tmp_path) as scheduler:
        finish(scheduler, [child, good])
        assert set(scheduler.failures) == {bad.digest, child.digest}
        assert "the loss is nan" in scheduler.failures[child.digest]
    assert LocalStore(tmp_path).has(good.key)
    assert not LocalStore(tmp_path).has(child.key)


def test_a_student_that_diverges_on_the_test_part_fails_alone(tmp_path: Path) -> None:
    bad, good = make_stage(BOTTOM, {"fail": "outputs"}), make_stage(MIDDLE, {"seed": 0})
    with pool(tmp_path) as scheduler:
        finish(scheduler, [bad, good])
        assert set(scheduler.failures) == {bad.digest}
    assert LocalStore(tmp_path).has(good.key)


def test_a_baseline_that_cannot_serve_these_recordings_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not all finite"), pool(tmp_path) as scheduler:
        finish(scheduler, [make_stage(STRICT, {"fail": "outputs"})])


def test_a_full_disk_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(CosimError, match="disk is full"), pool(tmp_path) as scheduler:
        finish(scheduler, [make_stage(MIDDLE, {"fail": "disk"})])


def test_a_killed_worker_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CosimError, match="worker process died"), pool(tmp_path) as scheduler:
        finish(scheduler, [make_stage(MIDDLE, {"fail": "killed"})])


def test_an_interrupted_pool_leaves_no_process(tmp_path: Path) -> None:
    slow = make_stage(MIDDLE, {"seconds": 30})
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt), pool(tmp_path) as scheduler:  # noqa: PT012
        scheduler.add(slow)
        scheduler.step()
        assert multiprocessing.active_children()
        raise KeyboardInterrupt
    assert time.monotonic() - begun < 20
    assert not multiprocessing.active_children()
    assert not LocalStore(tmp_path).has(slow.key)


COORDINATOR = """
import sys
sys.path.insert(0, {folder!r})
if __name__ == "__main__":
    from functools import partial
    from pathlib import Path
    from cosim.engine.executors.local import LocalExecutor
    from cosim.engine.local_store import LocalStore
    from cosim.engine.scheduler import Scheduler
    from cosim.engine.stage import make_stage
    from test_sweep_pool import note_and_sleep, prepare
    from toy_stages import MIDDLE
    store = LocalStore(Path({root!r}))
    with LocalExecutor(2, partial(note_and_sleep, store.root), prepare) as executor:
        scheduler = Scheduler(store, executor)
        scheduler.add(make_stage(MIDDLE, {{"seed": 0}}))
        scheduler.add(make_stage(MIDDLE, {{"seed": 1}}))
        while True:
            scheduler.step()
"""


def note_and_sleep(root: Path, stage: Stage) -> StageTime:
    (root / f"{os.getpid()}.pid").write_text("")
    time.sleep(WAIT_SECONDS)
    return StageTime(*stage.key, "", WAIT_SECONDS, "")


def alive(process: int) -> bool:
    """Return whether a process runs; one that ended but was not reaped does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")
def test_workers_die_with_a_killed_coordinator(tmp_path: Path) -> None:
    script = tmp_path / "coordinate.py"
    script.write_text(COORDINATOR.format(folder=str(Path(__file__).parent), root=str(tmp_path)))
    coordinator = subprocess.Popen([sys.executable, str(script)])
    end = time.monotonic() + WAIT_SECONDS
    while len(list(tmp_path.glob("*.pid"))) < 2:
        assert time.monotonic() < end
        assert coordinator.poll() is None
        time.sleep(0.1)
    workers = [int(path.stem) for path in tmp_path.glob("*.pid")]
    assert all(alive(worker) for worker in workers)
    coordinator.kill()
    coordinator.wait()
    while any(alive(worker) for worker in workers):
        assert time.monotonic() < end
        time.sleep(0.1)
