"""The process pool: parents first, failures told, nothing left behind by Ctrl-C or SIGKILL."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cosim.engine.executors.local import StagePool
from cosim.engine.executors.worker import start_worker
from cosim.engine.stage import Stage, make_stage
from cosim.engine.store import new_stage
from energy_models.errors import CosimError, DataError, StudentError

WAIT_SECONDS = 60.0


def nothing() -> None:
    """Prepare no process."""


def prepare() -> None:
    """Prepare a process as in a real run; torch comes with this module, so the fork server imports it once for all."""
    start_worker()


def keep_time(root: Path, stage: Stage) -> str:
    """Stand in for a computation: write when it was done, after checking its parents were."""
    assert all(parent.finished(root) for parent in stage.parents.values())
    if stage.config.get("fail") == "student":
        raise StudentError("the loss is nan", where="epoch 3", remedy="Lower the learning rate")
    if stage.config.get("fail") == "outputs":
        raise DataError("the decoder's outputs are not all finite")
    if stage.config.get("fail") == "disk":
        raise CosimError("the disk is full", where=str(root))
    if stage.config.get("fail") == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(float(stage.config.get("seconds", 0)))  # type: ignore[arg-type]
    with new_stage(root, stage.kind, stage.digest) as folder:
        (folder / "when.txt").write_text(repr(time.time()))
    return stage.digest


def when(root: Path, stage: Stage) -> float:
    return float((stage.folder(root) / "when.txt").read_text())


def finish(pool: StagePool, stages: list[Stage]) -> None:
    for stage in stages:
        pool.add(stage)
    end = time.monotonic() + WAIT_SECONDS
    while not all(pool.settled(stage) for stage in stages):
        assert time.monotonic() < end
        pool.step()


def diamond() -> tuple[Stage, Stage, Stage, Stage]:
    top = make_stage("fold", {"name": "a"})
    left, right = make_stage("plain", {"seed": 0}, fold=top), make_stage("plain", {"seed": 1}, fold=top)
    return top, left, right, make_stage("gate", {}, left=left, right=right)


def test_parents_come_first_and_shared_ones_once(tmp_path: Path) -> None:
    top, left, right, bottom = diamond()
    with StagePool(tmp_path, 2, keep_time, nothing) as pool:
        finish(pool, [bottom, left])
        assert pool.progress.done == 4
    assert when(tmp_path, top) < min(when(tmp_path, left), when(tmp_path, right))
    assert max(when(tmp_path, left), when(tmp_path, right)) < when(tmp_path, bottom)


def test_what_is_there_is_not_computed_again(tmp_path: Path) -> None:
    stages = list(diamond())
    with StagePool(tmp_path, 2, keep_time, nothing) as pool:
        finish(pool, stages)
    first = [when(tmp_path, stage) for stage in stages]
    with StagePool(tmp_path, 2, keep_time, nothing) as pool:
        finish(pool, stages)
        assert pool.progress.done == 0
    assert [when(tmp_path, stage) for stage in stages] == first


def test_a_student_that_cannot_be_trained_fails_alone(tmp_path: Path) -> None:
    bad = make_stage("plain", {"fail": "student"})
    child = make_stage("result", {}, student=bad)
    good = make_stage("plain", {"seed": 0})
    with StagePool(tmp_path, 2, keep_time, nothing) as pool:
        finish(pool, [child, good])
        assert set(pool.failures) == {bad.digest, child.digest}
        assert "the loss is nan" in pool.failures[child.digest]
    assert good.finished(tmp_path)
    assert not child.finished(tmp_path)


def test_a_student_that_diverges_on_the_test_part_fails_alone(tmp_path: Path) -> None:
    bad, good = make_stage("result", {"fail": "outputs"}), make_stage("plain", {"seed": 0})
    with StagePool(tmp_path, 2, keep_time, nothing) as pool:
        finish(pool, [bad, good])
        assert set(pool.failures) == {bad.digest}
    assert good.finished(tmp_path)


def test_a_baseline_that_cannot_serve_these_recordings_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not all finite"), StagePool(tmp_path, 2, keep_time, nothing) as pool:
        finish(pool, [make_stage("baseline", {"fail": "outputs"})])


def test_a_full_disk_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(CosimError, match="disk is full"), StagePool(tmp_path, 2, keep_time, nothing) as pool:
        finish(pool, [make_stage("plain", {"fail": "disk"})])


def test_a_killed_worker_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CosimError, match="worker process died"), StagePool(tmp_path, 2, keep_time, nothing) as pool:
        finish(pool, [make_stage("plain", {"fail": "killed"})])


def test_an_interrupted_pool_leaves_no_process(tmp_path: Path) -> None:
    slow = make_stage("plain", {"seconds": 30})
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt), StagePool(tmp_path, 2, keep_time, nothing) as pool:  # noqa: PT012
        pool.add(slow)
        pool.step()
        assert multiprocessing.active_children()
        raise KeyboardInterrupt
    assert time.monotonic() - begun < 20
    assert not multiprocessing.active_children()
    assert not slow.finished(tmp_path)


COORDINATOR = """
import sys
sys.path.insert(0, {folder!r})
if __name__ == "__main__":
    from pathlib import Path
    from cosim.engine.executors.local import StagePool
    from cosim.engine.stage import make_stage
    from test_sweep_pool import note_and_sleep, prepare
    with StagePool(Path({root!r}), 2, note_and_sleep, prepare) as pool:
        pool.add(make_stage("plain", {{"seed": 0}}))
        pool.add(make_stage("plain", {{"seed": 1}}))
        while True:
            pool.step()
"""


def note_and_sleep(root: Path, stage: Stage) -> str:
    (root / f"{os.getpid()}.pid").write_text("")
    time.sleep(WAIT_SECONDS)
    return stage.digest


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
