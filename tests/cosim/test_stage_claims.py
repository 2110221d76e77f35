"""Coordinators that share a run folder: one computes a stage, the others take other stages and then find it done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from toy_stages import MIDDLE, TOP, SerialExecutor, compute

from cosim.engine.claims import Shared, shared_claims
from cosim.engine.local_store import LocalStore
from cosim.engine.run_folder import locked
from cosim.engine.scheduler import BLOCKED_EACH, Scheduler
from cosim.engine.stage import Stage, make_stage
from cosim.engine.store import StageKey
from energy_models.errors import CosimError


def coordinator(root: Path, claims: Shared) -> tuple[Scheduler, SerialExecutor]:
    store = LocalStore(root)
    executor = SerialExecutor(partial(compute, store), capacity=1)
    return Scheduler(store, executor, claims), executor


def stages(count: int) -> tuple[Stage, list[Stage]]:
    """One stage that all others rest on, and these."""
    top = make_stage(TOP, {"name": "teacher"})
    return top, [make_stage(MIDDLE, {"seed": seed}, top=top) for seed in range(count)]


def test_a_stage_that_another_one_computes_is_waited_for_and_other_stages_are_begun(tmp_path: Path) -> None:
    top, on_it = stages(2)
    other = make_stage(TOP, {"name": "of its own"})
    with shared_claims(tmp_path) as theirs, shared_claims(tmp_path) as mine:
        scheduler, executor = coordinator(tmp_path, mine)
        assert theirs.take(top.key)
        for stage in (*on_it, other):
            scheduler.add(stage)
        scheduler.step()
        assert scheduler.done(other)
        assert not scheduler.done(top)
        assert executor.order == ["top"]
        assert scheduler.has_capacity  # there may be work elsewhere
        compute(LocalStore(tmp_path), top)
        theirs.give_back(top.key)
        while not scheduler.idle:
            scheduler.step()
    assert executor.order == ["top", "middle", "middle"]  # the first one is `other`
    assert scheduler.progress.computed == 3


def test_no_more_is_asked_for_while_very_much_waits_for_another_one(tmp_path: Path) -> None:
    top, on_it = stages(BLOCKED_EACH)
    with shared_claims(tmp_path) as theirs, shared_claims(tmp_path) as mine:
        scheduler, _ = coordinator(tmp_path, mine)
        assert theirs.take(top.key)
        for stage in on_it:
            scheduler.add(stage)
        scheduler.step()
        assert not scheduler.has_capacity
        assert not scheduler.idle


def test_two_coordinators_compute_each_stage_once(tmp_path: Path) -> None:
    top, on_it = stages(6)
    orders = list[list[str]]()

    def run(wanted: list[Stage]) -> None:
        with shared_claims(tmp_path) as claims:
            scheduler, executor = coordinator(tmp_path, claims)
            for stage in wanted:
                scheduler.add(stage)
            while not scheduler.idle:
                scheduler.step()
            orders.append(executor.order)

    both = [threading.Thread(target=run, args=(wanted,)) for wanted in (on_it, on_it[::-1])]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert sorted(orders[0] + orders[1]) == ["middle"] * 6 + ["top"]
    assert all(LocalStore(tmp_path).has(stage.key) for stage in (top, *on_it))


def test_the_claims_of_one_that_is_killed_are_free(tmp_path: Path) -> None:
    key = StageKey("top", "0" * 32)
    code = (
        "import sys, time; from pathlib import Path; from cosim.engine.claims import Shared;"
        "from cosim.engine.store import StageKey; claims = Shared(Path(sys.argv[1]));"
        "print(claims.take(StageKey('top', '0' * 32)), flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "True"
        mine = Shared(tmp_path)
        assert not mine.take(key)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert mine.take(key)
    assert mine.take(key)  # it has it
    mine.give_back_all()
    assert not list((tmp_path / "stages" / ".claims").iterdir())


def test_a_process_that_does_not_share_the_folder_waits_as_long_as_it_is_told(tmp_path: Path) -> None:
    held, begun = threading.Event(), time.monotonic()

    def hold() -> None:
        with locked(tmp_path):
            held.set()
            time.sleep(0.3)

    other = threading.Thread(target=hold)
    other.start()
    held.wait()
    with pytest.raises(CosimError, match="--wait"), locked(tmp_path):
        pass
    with locked(tmp_path, wait_s=60.0):
        assert time.monotonic() - begun >= 0.3
    other.join()
