"""A study that tests on new groups and chooses on known ones is told so, where another validation part could be cut."""

from __future__ import annotations

import tomllib

import pytest
from tiny_study import TINY

from cosim.datasets.registry import load
from cosim.study.check import check_study
from cosim.study.folds import folds_of, known_groups_note

FRACTION = {"method": "leave_one_group_out", "group": "session", "validation": "fraction"}
KNOWN = "each test part is of a session that is not trained on, its validation part of sessions that are"
OUT_OF_FOLD = {"gate": {"on": "out_of_fold"}, "teacher": {
    "name": "classical", "options": {"baseline": "csp_lda"}, "out_of_fold": {}}}  # fmt: skip


def notes(split: dict[str, object], sessions: int = 4, **sections: object) -> str:
    document = {**tomllib.loads(TINY), "split": split, **sections}
    document["dataset"]["options"] |= {"sessions": sessions, "runs": 2}
    study = check_study(document, where="test")
    dataset = load(study.dataset.name, data_dir=None, options=study.dataset.options)
    return "\n".join(known_groups_note(study, dataset, folds_of(study, dataset)))


@pytest.mark.parametrize(
    ("split", "sessions"),
    [
        ({**FRACTION, "validation": "group"}, 4),
        (FRACTION, 2),  # one session is left to train on: no other can be chosen on
        ({"method": "stratified_folds", "folds": 3}, 4),
        ({"method": "blocked_in_time", "test_fraction": 0.3, "validation_fraction": 0.3}, 4),
    ],
)
def test_nothing_is_said_where_validation_is_as_new_as_the_test_or_the_test_as_known(split, sessions):
    assert notes(split, sessions) == ""


def test_a_fraction_of_the_training_groups_is_told_with_its_remedy():
    said = notes(FRACTION)
    assert KNOWN in said
    assert "the teacher's gate look at known sessions" in said
    assert 'validation = "group" in [split], or, for the gate alone, on = "out_of_fold" in [gate] and' in said
    assert "out_of_fold = {} in [teacher]" in said
    assert "\n" not in said


def test_what_the_remedies_say_is_accepted_and_helps():
    assert notes({**FRACTION, "validation": "group"}) == ""
    document = tomllib.loads(TINY)
    teacher = {**document["teacher"], "out_of_fold": {}}
    said = notes(FRACTION, gate={**document.get("gate", {}), "on": "out_of_fold"}, teacher=teacher)
    assert KNOWN in said
    assert "gate" not in said


def test_no_remedy_is_told_that_the_study_would_be_refused_with():
    teacher = {**tomllib.loads(TINY)["teacher"], "learns_from": "left_out"}
    assert "gate" in (said := notes(FRACTION, teacher=teacher))
    assert "out_of_fold" not in said


def test_a_gate_out_of_fold_looks_at_new_groups_already():
    said = notes(FRACTION, **OUT_OF_FOLD)
    assert KNOWN in said
    assert "gate" not in said
