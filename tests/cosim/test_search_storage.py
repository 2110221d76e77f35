"""A search that several coordinators share: each configuration once, and what a lost one was running is tried again."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Generator
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState
from postgresql_server import server
from test_sweep_interrupted import finish, start
from test_sweep_search import CHOICES, PRICED
from tiny_study import TINY, scores, write_tiny

from cosim.engine.local_store import LocalStore
from cosim.engine.plan import configurations
from cosim.engine.run_folder import joined, locked
from cosim.engine.search import DATABASE, Search, database_errors, search_size
from cosim.engine.search.coordinators import BEAT_SECONDS, COORDINATOR, GRACE_SECONDS, Coordinators
from cosim.engine.store import StageKey
from cosim.study.schema import Study, structural_problems
from energy_models.errors import CosimError, StudyError

VALUES = {"score": 0.5, "total_power": 1e-6}


@pytest.fixture(scope="module")
def postgresql() -> Generator[str]:
    with server() as url:
        yield url


@pytest.fixture(params=["journal", "sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return request.getfixturevalue("postgresql")
    return f"{request.param}:///{tmp_path / 'shared search'}"


def study(name: str, storage: str, **search: Any) -> Study:
    document = tomllib.loads(TINY)
    document["study"]["name"] = name
    return Study.model_validate({**document, "students": CHOICES, "search": {**search, "storage": storage}})


@pytest.mark.parametrize("sampler", ["grid", "nsga2"])
def test_two_coordinators_share_the_configurations(tmp_path: Path, storage: str, sampler: str) -> None:
    plan = study(f"two-{sampler}", storage, **({} if sampler == "grid" else {"sampler": sampler, **PRICED}))
    both = [Search(plan, "data", tmp_path), Search(plan, "data", tmp_path)]
    told, running = list[str](), list[tuple[Search, Any]]()
    while both[0].remaining():
        for search in both:  # each has one running while the other asks
            asked = search.ask()
            if asked is not None:
                running.append((search, asked[0]))
                told.append(asked[1].label)
        assert both[0].others_running()
        while running:
            search, trial = running.pop()
            search.tell(trial, VALUES)
    assert len(told) == search_size(plan)
    assert both[0].ask() is both[1].ask() is None
    if sampler == "grid":
        assert sorted(told) == sorted(one.label for one in configurations(plan))
    for search in both:
        assert sorted(one.label for one in search.completed()) == sorted(told)
        assert not search.others_running()
    assert not (tmp_path / DATABASE).exists()


def test_what_a_coordinator_that_ended_was_running_is_asked_for_again(tmp_path: Path, storage: str) -> None:
    plan = study("ended", storage)
    first, second = Search(plan, "data", tmp_path), Search(plan, "data", tmp_path)
    asked = first.ask()
    assert asked is not None
    first.leave()
    assert second.others_running()
    told = list[str]()
    while (found := second.ask()) is not None:
        told.append(found[1].label)
        second.tell(found[0], VALUES)
    assert sorted(told) == sorted(one.label for one in configurations(plan))
    first.tell(asked[0], VALUES)  # it was only stopped for a while: too late, and no error
    assert len(second.completed()) == search_size(plan)


def test_a_silent_coordinator_is_lost_after_a_while_by_this_ones_clock() -> None:
    now = [0.0]
    records = optuna.create_study()
    other, mine = Coordinators(records, lambda: now[0]), Coordinators(records, lambda: now[0])
    for coordinator in (other, mine):
        coordinator.sign(records.ask())
    records.ask()  # of one that was killed before it signed
    theirs, own, unsigned = records.get_trials(states=(TrialState.RUNNING,))
    assert COORDINATOR not in unsigned.user_attrs
    assert other.beat()
    assert not other.beat()
    assert not any(mine.is_lost(one) for one in (theirs, own, unsigned))
    now[0] = GRACE_SECONDS - 1
    assert other.beat()
    assert not any(mine.is_lost(one) for one in (theirs, own, unsigned))
    now[0] = GRACE_SECONDS
    assert [mine.is_lost(one) for one in (theirs, own, unsigned)] == [False, False, True]
    now[0] = 2 * GRACE_SECONDS
    assert [mine.is_lost(one) for one in (theirs, own, unsigned)] == [True, False, True]
    assert BEAT_SECONDS < GRACE_SECONDS / 4


def test_the_storage_is_no_part_of_what_makes_two_searches_the_same(tmp_path: Path, storage: str) -> None:
    from cosim.engine.search.search import _identity

    shared = study("same", storage)
    alone = shared.model_copy(update={"search": shared.search.model_copy(update={"storage": None})})
    assert _identity(shared, "data") == _identity(alone, "data")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://host/name", "is no storage"),
        ("study.db", "journal:///"),
        ("postgresql+psycopg://user:secret@host/name", "pgpass"),
    ],
)
def test_urls_that_cannot_be(url: str, said: str) -> None:
    found, problems = structural_problems({**tomllib.loads(TINY), "search": {"storage": url}})
    assert found is None
    assert len(problems) == 1
    assert problems[0].startswith("search.storage")
    assert said in problems[0]
    assert "secret@" not in problems[0]


def test_a_driver_that_is_absent_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StudyError, match=r"cosim\[postgresql\]"):
        Search(study("absent", "postgresql+psycopg://user@127.0.0.1:9/name"), "data", tmp_path)


@pytest.mark.parametrize("place", ["postgresql+psycopg://user@127.0.0.1:9/name", "journal:////no/such/folder/log"])
def test_a_storage_that_is_not_reached_is_told(tmp_path: Path, place: str) -> None:
    if place.startswith("postgresql"):
        pytest.importorskip("psycopg", reason="the extra cosim[postgresql] is not installed")
    with pytest.raises(CosimError, match="cannot be used") as caught, database_errors(tmp_path, place):
        Search(study("absent", place), "data", tmp_path)
    assert place in str(caught.value)


def test_those_who_share_a_folder_keep_others_out_and_clear_up_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cosim.engine.run_folder.JOIN_SECONDS", 0.1)
    store, key = LocalStore(tmp_path), StageKey("kind", "0" * 32)
    with joined(tmp_path):
        with store.create(key) as folder:
            with joined(tmp_path):
                assert folder.exists()
            assert folder.exists()
            with pytest.raises(CosimError, match="another cosim process"), locked(tmp_path):
                pass
            (folder / "file.txt").write_text("")
        left = tmp_path / "stages" / ".partial" / "of one that was killed"
        left.mkdir()
    assert store.has(key)
    assert not left.exists()
    with locked(tmp_path), pytest.raises(CosimError, match="another cosim process"), joined(tmp_path):
        pass
    assert not list(tmp_path.glob(".lock-*"))


@pytest.mark.slow
def test_two_runs_in_one_folder_end_with_the_tables_of_one(finished: Path, tmp_path: Path) -> None:
    run, shared = tmp_path / "run", f"journal:///{tmp_path / 'search.log'}"
    file = str(write_tiny(tmp_path))
    both = [start("run", file, "--out", str(run), "--workers", "1", "--storage", shared) for _ in range(2)]
    for process in both:
        code, _, err = finish(process)
        assert code == 0, err
    pd.testing.assert_frame_equal(scores(run), scores(finished), check_exact=True)
    records = optuna.load_study(study_name=None, storage=optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(tmp_path / "search.log"))))  # fmt: skip
    states = [trial.state for trial in records.get_trials(deepcopy=False)]
    assert states == [TrialState.COMPLETE] * 3
    assert not (run / DATABASE).exists()
