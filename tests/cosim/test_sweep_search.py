"""The search: what is asked for, what a kill leaves behind, and what makes two searches the same."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from tiny_study import TINY

from cosim.engine.plan import configurations
from cosim.engine.search import DATABASE, Search, search_size
from cosim.study.form_axes import form_groups
from cosim.study.schema import Study
from students.spec import parse_form

CHOICES = [{"label": "E", "family": "eegnet", "options": {"depth": [1, 2], "temporal_filters": [1, 2, 4]}}]
PRICED = {"trials": 6, "population": 2, "profile": "gap9", "site": "headset_commodity"}


def study(**sections: Any) -> Study:
    return Study.model_validate({**tomllib.loads(TINY), **sections})


def tell_all(search: Search) -> list[str]:
    told: list[str] = []
    while search.remaining():
        trial, configuration = search.ask()
        search.tell(trial, {"score": 0.5, "total_power": 1e-6})
        told.append(configuration.label)
    return told


def test_a_grid_asks_for_every_configuration_once_in_file_order(tmp_path: Path) -> None:
    plan = study(students=CHOICES)
    assert tell_all(Search(plan, "data", tmp_path)) == [c.label for c in configurations(plan)]
    again = Search(plan, "data", tmp_path)
    assert again.remaining() == 0
    assert [c.label for c in again.completed()] == [c.label for c in configurations(plan)]


@pytest.mark.parametrize("sampler", ["nsga2", "tpe", "random"])
def test_a_sampler_asks_for_its_trials(tmp_path: Path, sampler: str) -> None:
    plan = study(students=CHOICES, search={"sampler": sampler, **PRICED})
    told = tell_all(Search(plan, "data", tmp_path))
    assert len(told) == search_size(plan) == 6
    assert set(told) <= {c.label for c in configurations(plan)}
    assert len(set(told)) > 1


@pytest.mark.parametrize("search", [{}, {"sampler": "nsga2", **PRICED}])
def test_what_ran_when_killed_is_asked_for_again(tmp_path: Path, search: dict[str, Any]) -> None:
    plan = study(students=CHOICES, search=search)
    first = Search(plan, "data", tmp_path)
    trial, done = first.ask()
    first.tell(trial, {"score": 0.5, "total_power": 1e-6})
    _, running = first.ask()
    del first
    second = Search(plan, "data", tmp_path)
    assert [c.label for c in second.completed()] == [done.label]
    assert second.remaining() == search_size(plan) - 1
    told = tell_all(second)
    assert len(told) == search_size(plan) - 1
    assert running.label in told


def test_failed_configurations_are_tried_again_by_the_next_run(tmp_path: Path) -> None:
    plan = study(students=CHOICES)
    first = Search(plan, "data", tmp_path)
    while first.remaining():
        trial, _ = first.ask()
        first.tell(trial, None)
    assert first.completed() == []
    assert Search(plan, "data", tmp_path).remaining() == search_size(plan)


def test_other_recordings_or_students_are_another_search(tmp_path: Path) -> None:
    plan = study(students=CHOICES)
    tell_all(Search(plan, "data", tmp_path))
    assert Search(plan, "other data", tmp_path).remaining() == search_size(plan)
    assert Search(study(), "data", tmp_path).remaining() == search_size(study())


def test_machines_budget_and_titles_are_the_same_search(tmp_path: Path) -> None:
    tell_all(Search(study(students=CHOICES), "data", tmp_path))
    document = tomllib.loads(TINY)
    document["study"]["title"] = "Another title"
    document["hardware"]["profiles"] = ["gap9"]
    changed = Study.model_validate({**document, "students": CHOICES, "budget": {"points": 3}})
    assert Search(changed, "data", tmp_path).remaining() == 0


RANGES = {
    "temporal_filters": {"low": 2, "high": 16, "type": "int", "log": True},
    "dropout": {"low": 0.1, "high": 0.5, "type": "float", "step": 0.2},
}


@pytest.mark.parametrize("sampler", ["nsga2", "tpe", "random"])
def test_a_range_is_a_distribution_to_the_sampler(tmp_path: Path, sampler: str) -> None:
    """Not a list of choices: a sampler that models numbers sees them as such."""
    students = [{"label": "E", "family": "eegnet", "options": RANGES}]
    search = Search(study(students=students, search={"sampler": sampler, **PRICED}), "data", tmp_path)
    trial, configuration = search.ask()
    assert trial.distributions["E.temporal_filters"] == IntDistribution(2, 16, log=True)
    assert trial.distributions["E.dropout"] == FloatDistribution(0.1, 0.5, step=0.2)
    assert type(configuration.options["temporal_filters"]) is int
    assert 2 <= int(configuration.options["temporal_filters"]) <= 16
    assert any(configuration.options["dropout"] == pytest.approx(value) for value in (0.1, 0.3, 0.5))
    search.tell(trial, {"score": 0.5, "total_power": 1e-6})
    resumed = Search(study(students=students, search={"sampler": sampler, **PRICED}), "data", tmp_path)
    assert [c.options for c in resumed.completed()] == [configuration.options]


@pytest.mark.parametrize("sampler", ["nsga2", "tpe", "random"])
def test_widths_of_layers_are_a_choice_each_to_the_sampler(tmp_path: Path, sampler: str) -> None:
    forms = ["float32", "w8a8 edge=4 conv={w4a4,w2a4} linear={w8a8,w3a3}", "w4a4 conv=w2a4", "w4a4 linear=w3a3", "w4a4"]
    students = [{"label": "E", "family": "eegnet", "forms": forms}]
    plan = study(students=students, search={"sampler": sampler, **PRICED, "trials": 12})
    search, seen = Search(plan, "data", tmp_path), set[str]()
    while search.remaining():
        trial, configuration = search.ask()
        seen.add(str(configuration.form))
        named = {name.removeprefix("E.form w8a8 edge=4 ") for name in trial.params if name.startswith("E.form w8a8")}
        assert named == ({"conv", "linear"} if "edge=4" in str(configuration.form) else set())
        search.tell(trial, {"score": 0.5, "total_power": 1e-6})
    assert seen <= {str(form) for form in plan.students[0].forms}
    assert len(seen) > 2
    assert {str(c.form) for c in Search(plan, "data", tmp_path).completed()} == seen


def test_forms_that_are_not_all_combinations_stay_texts() -> None:
    """Three of four combinations are three choices; four are two of two each; what no form changes is no choice."""
    def groups(*texts: str) -> list[tuple[str, dict[str, tuple[str, ...]]]]:
        return [(one.text, dict(one.widths)) for one in form_groups([parse_form(text) for text in texts])]

    some = ("w8a8", "w8a8 conv=w4a4", "w8a8 linear=w4a4")
    assert groups(*some) == [(text, {}) for text in some]
    all_four = ("float32", *some, "ptq w4a4", "w8a8 conv=w4a4 linear=w4a4")
    axes = {"conv": ("as the others", "w4a4"), "linear": ("as the others", "w4a4")}
    assert groups(*all_four) == [("float32", {}), ("w8a8", axes), ("ptq w4a4", {})]
    fixed = ("w8a8 conv=w4a4 linear=w2a4", "w8a8 conv=w4a4 linear=w3a4")
    assert groups(*fixed) == [("w8a8 conv=w4a4", {"linear": ("w2a4", "w3a4")})]


def test_a_grid_asks_for_every_step_of_a_range(tmp_path: Path) -> None:
    students = [{"label": "E", "family": "eegnet", "options": {"dropout": RANGES["dropout"], "depth": [1, 2]}}]
    plan = study(students=students)
    assert tell_all(Search(plan, "data", tmp_path)) == [c.label for c in configurations(plan)]
    assert len(configurations(plan)) == search_size(plan) == 6
    assert Search(plan, "data", tmp_path).remaining() == 0



def test_a_kill_while_tables_are_made_leaves_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes after the tables are made, and before their version is written, is the worst moment."""

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("optuna.storages._rdb.storage._VersionManager.__init__", killed)
        with pytest.raises(KeyboardInterrupt):
            Search(study(students=CHOICES), "data", tmp_path)
    assert not (tmp_path / DATABASE).exists()
    again = Search(study(students=CHOICES), "data", tmp_path)
    assert len(tell_all(again)) == len(configurations(study(students=CHOICES)))
