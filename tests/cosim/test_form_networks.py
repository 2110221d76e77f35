"""Forms that a family's network cannot have are refused before anything is computed."""

from __future__ import annotations

import pytest

from cosim.engine.student_check import check_students
from cosim.study.check import check_study
from cosim.study.schema import Study
from energy_models.errors import StudyError
from students.spec import Shape

SHAPE = Shape(task="classification", channels=4, steps=64, outputs=2, step_rate_hz=64.0)


def study(family: str, form: str, **options: object) -> Study:
    table = {
        "study": {"name": "forms", "title": "Forms", "seeds": [0]},
        "dataset": {"name": "synthetic_eeg", "options": {"channels": 4, "rate_hz": 64.0, "trial_s": 1.0}},
        "split": {"method": "leave_one_group_out", "group": "session", "validation": "fraction"},
        "students": [{"label": "A", "family": family, "options": options, "forms": ["float32", form]}],
        "training": {"student": {"epochs": 1, "batch_size": 8}},
        "hardware": {"decode_rate_hz": 1.0, "profiles": ["cortex_m4f"], "sites": ["headset_commodity"]},
    }
    return check_study(table, where="forms.toml")


@pytest.mark.parametrize(
    ("family", "form", "says"),
    [
        ("mlp", "w8a8 foo=w4a4", "widths for the layer 'foo', which the network lacks"),
        ("mlp", "w8a8 conv=w4a4", "kind of layer 'conv', which the network lacks"),
    ],
)
def test_a_form_that_the_network_cannot_have_is_refused(family: str, form: str, says: str) -> None:
    with pytest.raises(StudyError, match=rf"nothing was computed:\n  students\.0\.forms\.1: .*{says}"):
        check_students(study(family, form), SHAPE)


@pytest.mark.parametrize(
    ("family", "form"),
    [("spiking_mlp", "w8a8s8"), ("spiking_delay", "w8a8"), ("spiking_delay", "w8a8s8"), ("mlp", "w8a8 linear=w4a4")],
)
def test_a_form_that_the_network_has_is_taken(family: str, form: str) -> None:
    check_students(study(family, form), SHAPE)


def test_a_layer_that_only_some_of_the_searched_networks_have_is_taken() -> None:
    check_students(study("spiking_delay", "w8a8 9=w4a4", hidden_2=[0, 8]), SHAPE)
