"""Forms in study files: which are refused, and why; two texts of one form; choices in braces."""

from __future__ import annotations

import pytest
from study_documents import TINY, broken, message

from cosim.study.check import check_study


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ("w1a4", "form 'w1a4' is impossible: 1 weight bits, where a grid has 2 to 16; write float32, w8a8"),
        ("w4a9", "form 'w4a9' cannot be trained: 9 activation bits. What can be: float32, and w2a2 to w8a8"),
        ("w0a0", "form 'w0a0' is impossible: 0 weight bits"),
        ("int8", "unknown form 'int8'"),
        ("w4", "unknown form 'w4'"),
        ("W4A4", "unknown form 'W4A4'"),
        ("w4a4 edge=9", "cannot be trained: 9 edge bits"),
        ("w2a8s3", "cannot be trained: 3 state bits"),
        ("w2a8s6", "EEGNet has no neurons whose states could have 6 bits"),
        ("w8a8 conv=w4a9", "cannot be trained: 9 activation bits"),
        ("gptq ternary", "cannot be trained: ternary or binary weights have no grid that GPTQ rounds to"),
        ("spikes15", "cannot be trained: spikes are not trained: train a quantised student, then convert it"),
        (4, "should be a text; write float32"),
    ],
)
def test_forms_that_no_student_is_trained_in_are_refused(form: object, says: str) -> None:
    text = message(broken(students=[{"label": "a", "family": "eegnet", "forms": [form]}]))
    assert "students.0.forms.0: " in text
    assert says in text
    assert text.startswith("tiny.toml: 1 problem;")


def test_a_form_that_the_family_does_not_declare_is_refused_with_those_that_do() -> None:
    text = message(broken(students=[{"label": "a", "family": "clip_conformer", "forms": ["float32", "w4a4"]}]))
    assert "students.0.forms.1: form: CLIP Conformer has no integer form (w4a4). It has: float form." in text
    assert "For w4a4" in text
    assert "eegnet" in text


def test_two_texts_of_one_form_are_one_form() -> None:
    forms = ["w4a4", "w4a4 in=8 edge=4"]
    assert "forms: given twice: w4a4" in message(broken(students=[{"label": "a", "family": "eegnet", "forms": forms}]))


def test_choices_in_braces_are_forms_each() -> None:
    forms = ["float32", "w8a8 conv={w4a4,w2a4} linear={w8a8,w3a3}"]
    (student,) = check_study(broken(students=[{"label": "a", "family": "eegnet", "forms": forms}]), where="x").students
    assert [str(form) for form in student.forms] == [
        "float32", "w8a8 conv=w4a4", "w8a8 conv=w4a4 linear=w3a3", "w8a8 conv=w2a4", "w8a8 conv=w2a4 linear=w3a3",
    ]  # fmt: skip
    many = "w8a8 " + " ".join(f"l{place}={{{','.join(f'w{bits}a8' for bits in range(2, 9))}}}" for place in range(4))
    assert "is more than 1000 forms" in message(broken(students=[{"label": "a", "family": "eegnet", "forms": [many]}]))
    assert "unknown form" in message(broken(students=[{"label": "a", "family": "eegnet", "forms": ["w{8a8"]}]))


def test_refused_entries_are_not_also_told_as_too_few() -> None:
    students = [{"label": "a", "family": "eegnet", "forms": ["w16a4"]}]
    text = message(broken(students=students))
    assert text.startswith("tiny.toml: 1 problem; nothing was computed:")
    assert "16 weight bits" in text
    assert message(broken(study={**TINY["study"], "seeds": []})).endswith("study.seeds: needs at least 1.")
