"""Forms that a family's network cannot have are refused before anything is computed."""

from __future__ import annotations

import pytest

from cosim.engine.student_check import check_students
from cosim.study.check import check_study
from cosim.study.schema import Study
from energy_models.errors import StudyError
from students.spec import MethodSpec, Shape

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


def taught(**method: object) -> Study:
    """Return a study of EEGNets, taught by a method with these options."""
    plan = study("eegnet", "w8a8", temporal_filters=[4, 8])
    spec = MethodSpec(name="dlink", options={"layers": ["a"], **method})
    entry = plan.students[0].model_copy(update={"method": spec})
    return plan.model_copy(update={"students": (entry,)})


@pytest.mark.parametrize(
    ("method", "says"),
    [
        ({"student": "15"}, "'15' has one position, and no spectrum"),
        ({"student": "99"}, "the network has no module '99'"),
    ],
)
def test_a_method_that_no_module_of_the_student_suits_is_refused(method: dict[str, object], says: str) -> None:
    with pytest.raises(StudyError, match=rf"nothing was computed:\n  students\.0\.method: .*{says}"):
        check_students(taught(**method), SHAPE)


def test_a_method_that_a_module_of_the_student_suits_is_taken() -> None:
    check_students(taught(student="15", spectral=0.0), SHAPE)
    check_students(taught(student="3"), SHAPE)
