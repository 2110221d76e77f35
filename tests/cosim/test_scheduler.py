"""The scheduler on a store in memory and an executor without processes: it depends on their protocols alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from toy_stages import BOTTOM, MIDDLE, STRICT, TOP, MemoryStore, SerialExecutor, compute, when

from cosim.engine.record import read_time
from cosim.engine.scheduler import Scheduler
from cosim.engine.stage import Stage, make_stage
from cosim.engine.store import Store
from energy_models.errors import CosimError, DataError


def diamond() -> tuple[Stage, Stage, Stage, Stage]:
    top = make_stage(TOP, {"name": "a"})
    left, right = make_stage(MIDDLE, {"seed": 0}, top=top), make_stage(MIDDLE, {"seed": 1}, top=top)
    return top, left, right, make_stage(BOTTOM, {}, middle_0=left, middle_1=right)


def run(store: Store, stages: list[Stage]) -> tuple[Scheduler, SerialExecutor]:
    executor = SerialExecutor(partial(compute, store))
    scheduler = Scheduler(store, executor)
    for stage in stages:
        scheduler.add(stage)
    for _ in range(100):
        if all(scheduler.done(stage) for stage in stages):
            return scheduler, executor
        scheduler.step()
    raise AssertionError("it does not end")


def test_parents_come_first_and_shared_ones_once(tmp_path: Path) -> None:
    store = MemoryStore(tmp_path)
    scheduler, executor = run(store, [diamond()[3], diamond()[1]])
    assert executor.order == ["top", "middle", "middle", "bottom"]
    assert scheduler.progress.computed == scheduler.progress.asked == 4
    assert scheduler.progress.running == ()


def test_what_is_there_is_not_computed_again(tmp_path: Path) -> None:
    store = MemoryStore(tmp_path)
    run(store, list(diamond()))
    first = [when(store, stage) for stage in diamond()]
    scheduler, executor = run(store, list(diamond()))
    assert (executor.order, scheduler.progress.computed) == ([], 0)
    assert [when(store, stage) for stage in diamond()] == first


def test_a_point_that_cannot_be_computed_fails_alone_and_with_it_what_builds_on_it(tmp_path: Path) -> None:
    bad = make_stage(MIDDLE, {"fail": "student"})
    child, good = make_stage(BOTTOM, {}, middle_0=bad), make_stage(MIDDLE, {"seed": 0})
    store = MemoryStore(tmp_path)
    scheduler, _ = run(store, [child, good])
    assert set(scheduler.failures) == {bad.digest, child.digest}
    assert "the loss is nan" in scheduler.failures[child.digest]
    assert store.has(good.key)
    assert not store.has(child.key)


@pytest.mark.parametrize(("kind", "fail", "error"), [(STRICT, "outputs", DataError), (MIDDLE, "disk", CosimError)])
def test_what_concerns_the_run_ends_it(tmp_path: Path, kind: object, fail: str, error: type[CosimError]) -> None:
    with pytest.raises(error):
        run(MemoryStore(tmp_path), [make_stage(kind, {"fail": fail})])  # type: ignore[arg-type]


def test_there_is_capacity_until_as_much_is_asked_for_as_is_computed_at_once(tmp_path: Path) -> None:
    store = MemoryStore(tmp_path)
    scheduler = Scheduler(store, SerialExecutor(partial(compute, store), capacity=2))
    assert scheduler.has_capacity
    scheduler.add(make_stage(TOP, {"name": "a"}))
    assert scheduler.has_capacity
    scheduler.add(make_stage(TOP, {"name": "b"}))
    assert not scheduler.has_capacity
    scheduler.step()
    assert scheduler.has_capacity


def test_a_stage_has_the_parents_of_its_kind_only() -> None:
    with pytest.raises(ValueError, match="'middle' has no parent 'teacher'; it has: top"):
        make_stage(MIDDLE, {}, teacher=make_stage(TOP, {}))


def test_a_record_tells_when_how_long_and_where(tmp_path: Path) -> None:
    store, stage = MemoryStore(tmp_path), make_stage(TOP, {"seconds": 0.05})
    kept = compute(store, stage)
    assert (kept.kind, kept.digest) == stage.key
    assert 0.05 <= kept.seconds < 5
    assert kept.started.startswith("20")
    assert kept.worker.rpartition(":")[2].isdigit()
    assert read_time(store, stage.key) == kept
