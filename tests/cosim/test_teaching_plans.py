"""Settings about teachers, methods and unlabelled examples that would change nothing are refused by name."""

from __future__ import annotations

import copy
import tomllib
from typing import Any

import pytest
from tiny_study import TINY

from cosim.study.check import check_study
from cosim.study.document import read_document
from energy_models.errors import StudyError

FILE = {"name": "file", "options": {"path": "x.safetensors"}}
CLASSICAL = {"name": "classical", "options": {"baseline": "csp_lda"}}
WEIGHTS = {"name": "network", "options": {"family": "eegnet", "weights": "x.safetensors"}}
KL = {"name": "kl"}


def tiny(**sections: Any) -> dict[str, Any]:
    """Return the small study with one float student, with other sections; None leaves a section out."""
    document = tomllib.loads(TINY)
    document["students"] = [{"label": "a", "family": "eegnet", "options": {"temporal_filters": 1}, "method": KL}]
    for name, value in sections.items():
        document[name] = value
    return {name: value for name, value in document.items() if value is not None}


def student(**changes: Any) -> list[dict[str, Any]]:
    entry = {**copy.deepcopy(tiny()["students"][0]), **changes}
    return [{name: value for name, value in entry.items() if value is not None}]


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (tiny(teacher=None), r"students.0.method: 'kl' learns from a teacher and there is none"),
        (tiny(teacher=None, students=student(method=None, method_choices=[{"name": "mixup"}, KL])),
         "students.0.method_choices: 'kl' learns from a teacher"),
        (tiny(students=student(method=None)), "teacher: no student learns from it"),
        (tiny(students=student(method={"name": "noise"})), "teacher: no student learns from it"),
        (tiny(teacher=None, students=student(method=None), gate={"margin": 0.1}), "gate: there is no teacher"),
        (tiny(teacher=None, students=student(method=None), training={"teacher": {"epochs": 1}}),
         "training.teacher: there is no teacher"),
        (tiny(teacher=CLASSICAL, training={"teacher": {"epochs": 1}}), "'classical' trains no network here"),
        (tiny(teacher=WEIGHTS, training={"teacher": {"epochs": 1}}), "'network' trains no network here"),
        (tiny(teacher={**WEIGHTS, "out_of_fold": {}}), "teacher.out_of_fold: 'network' is not fitted here"),
        (tiny(gate={"on": "out_of_fold"}), "gate.on: the teacher has no outputs out of fold"),
        (tiny(teacher={**FILE, "learns_from": "both"}), "teacher.learns_from: 'file' is not fitted here"),
        (tiny(training={"student": {"epochs": 1}, "teacher": {"epochs": 0}}), "training.teacher.epochs: 0"),
        (tiny(teacher=None, students=student(method=None), unlabelled={"stride_s": 1.0}),
         "unlabelled: no student learns from examples without labels"),
        (tiny(teacher=None, students=student(method={"name": "self_kd"}), unlabelled={"stride_s": 1.0}),
         "unlabelled: no student learns from examples without labels"),
        (tiny(teacher=FILE, unlabelled={"stride_s": 1.0}), "unlabelled: the teacher's answers are those of a file"),
        (tiny(students=student(method={**KL, "options": {"unlabelled": "left_out"}})),
         "'kl' leaves unlabelled examples out and there are none"),
        (tiny(students=student(method_weights=[0.0])), "method_weights: 0 alone"),
        (tiny(students=student(method={**KL, "options": {"weight": 0.3}}, method_weights=[0.5])),
         "method_weights: the weight of 'kl' is chosen from these"),
    ],
)  # fmt: skip
def test_what_would_change_nothing_is_refused(document, says):
    with pytest.raises(StudyError, match=says):
        check_study(document, where="test")


def test_what_has_an_effect_is_not_refused():
    forms = ["float32", "w4a4"]
    taught = student(forms=forms)
    for document in (
        tiny(),
        tiny(teacher=None, students=taught),
        tiny(teacher=None, students=taught, unlabelled={"stride_s": 1.0}),
        tiny(teacher=WEIGHTS, unlabelled={"stride_s": 1.0}, training={"student": {"epochs": 1}}),
        tiny(gate={"margin": 0.1}, training={"student": {"epochs": 1}, "teacher": {"epochs": 2}}),
        tiny(teacher=CLASSICAL, students=student(method_weights=[0.0, 0.5])),
        tiny(students=[*student(), *student(label="b", method=None)]),
        read_document("ssvep_few_labels"),
    ):
        check_study(document, where="test")
