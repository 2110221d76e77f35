"""What a study searches: lists and ranges of options, grids and samplers."""

from __future__ import annotations

from typing import Any

import pytest
from study_documents import broken, message

from cosim.engine.plan import configurations
from cosim.study.check import check_study

FILTERS = {"low": 2, "high": 8, "type": "int"}


def test_a_list_of_options_is_a_search_dimension() -> None:
    students = [{"label": "E", "family": "eegnet", "options": {"temporal_filters": [2, 4], "depth": 2}}]
    found = configurations(check_study(broken(students=students), where="x"))
    assert [c.label for c in found] == ["E temporal_filters=2 float32", "E temporal_filters=4 float32"]
    assert [c.options["temporal_filters"] for c in found] == [2, 4]
    assert [c.options["depth"] for c in found] == [2, 2]


def test_a_sampler_needs_trials_and_a_place_to_price() -> None:
    assert "needs 'trials'" in message(broken(search={"sampler": "nsga2"}))
    assert "'total_power' needs 'profile' and 'site'" in message(broken(search={"sampler": "tpe", "trials": 4}))


def ranged(sampler: str, **changes: Any) -> dict[str, Any]:
    students = [{"label": "E", "family": "eegnet", "options": {"temporal_filters": {**FILTERS, **changes}}}]
    search = {"sampler": sampler, "trials": 3, "objectives": ["score"]} if sampler != "grid" else {}
    return broken(students=students, search=search)


def test_a_grid_steps_through_a_range_with_a_step() -> None:
    study = check_study(ranged("grid", step=3), where="x")
    assert [c.label for c in configurations(study)] == [f"E temporal_filters={n} float32" for n in (2, 5, 8)]
    assert all(type(c.options["temporal_filters"]) is int for c in configurations(study))
    assert check_study(study.model_dump(mode="json", exclude_none=True), where="plan") == study


def test_a_grid_refuses_a_range_without_a_step_and_says_what_to_do() -> None:
    text = message(ranged("grid"))
    assert "students.0.options.temporal_filters: a grid cannot step through a range without a step. Give it one" in text
    assert "nsga2" in text
    check_study(ranged("tpe"), where="x")


def test_both_ends_of_a_range_must_be_valid() -> None:
    assert "students.0.options.temporal_filters: Input should be greater than or equal to 1" in message(
        ranged("tpe", low=0)
    )
    assert "students.0.options.temporal_filters: Input should be a valid integer" in message(
        ranged("tpe", type="float", low=1.5)
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"low": 9}, "students.0.options.temporal_filters: low 9 is not below high 8"),
        ({"low": 0, "log": True}, "a logarithmic range needs a low above zero, not 0"),
        ({"log": True, "step": 2}, "a logarithmic range has no step"),
        ({"step": 4}, "high 8 cannot be reached from low 2 in steps of 4"),
        ({"step": 0.5}, "a range of type int has a low, a high and a step without decimals"),
        ({"type": "real"}, "students.0.options.temporal_filters.type: Input should be 'int' or 'float'"),
        ({"hihg": 3}, "students.0.options.temporal_filters.hihg: there is no such setting; did you mean 'high'"),
    ],
)
def test_an_unsound_range_is_one_clear_problem(changes: dict[str, Any], words: str) -> None:
    text = message(ranged("tpe", **changes))
    assert words in text
    assert "1 problem;" in text


def test_what_is_neither_scalar_nor_list_nor_range_is_one_problem() -> None:
    text = message(broken(students=[{"label": "E", "family": "eegnet", "options": {"depth": [[1]]}}]))
    assert "students.0.options.depth: should be a number, a text, true or false" in text


def test_a_range_where_nothing_is_searched_is_refused() -> None:
    text = message(broken(dataset={"name": "synthetic_eeg", "options": {"trials": FILTERS}}))
    assert "dataset.options.trials: should be a number" in text
