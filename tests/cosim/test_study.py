"""Study files: everything wrong in one error, by dotted path, with the nearest existing names."""

from __future__ import annotations

from typing import Any

import pytest
from study_documents import TINY, broken, message

from cosim.engine.plan import configurations, reference_points, student_points
from cosim.engine.points import FoldStage
from cosim.engine.stage import make_stage
from cosim.engine.stages.fold import FOLD
from cosim.study.check import check_study, read_study
from cosim.study.document import study_names
from students.spec import Shape


def test_a_sound_study_is_read() -> None:
    study = check_study(TINY, where="tiny.toml")
    assert [c.label for c in configurations(study)] == ["EEGNet float32", "EEGNet w4a4"]


@pytest.mark.parametrize("name", study_names())
def test_shipped_studies_are_sound(name: str) -> None:
    study = read_study(name)
    assert study.study.name == name
    assert study.study.question


def test_every_problem_is_told_at_once() -> None:
    text = message(
        broken(
            dataset={"name": "synthetic_eg"},
            students=[{"label": "a", "family": "egnet", "forms": ["w1a4"]}],
            hardware={"profiles": ["cortexm4"], "sites": ["implant_uta96"], "decode_rate_hz": -1, "watts": 3},
        )
    )
    assert "dataset.name" in text
    assert "'synthetic_eeg'" in text
    assert "students.0.family" in text
    assert "'eegnet'" in text
    assert "students.0.forms.0: form 'w1a4' is impossible: 1 weight bits" in text
    assert "hardware.profiles.0" in text
    assert "'cortex_m4f'" in text
    assert "hardware.sites.0" in text
    assert "'implant_utah96'" in text
    assert "hardware.decode_rate_hz: Input should be greater than 0" in text
    assert "hardware.watts: there is no such setting" in text
    assert text.startswith("tiny.toml: 7 problems; nothing was computed")


@pytest.mark.parametrize(
    ("name", "home"), [("seeds", "study.seeds"), ("name", "study.name"), ("sites", "hardware.sites")]
)
def test_a_setting_of_another_table_is_told_where_it_stands(name: str, home: str) -> None:
    assert f"{name}: there is no such setting here; did you mean '{home}'" in message(broken(**{name: 2}))


def test_near_names_of_baselines() -> None:
    text = message(broken(baselines=[{"name": "csp_lad"}]))
    assert "baselines.0.name: there is no 'csp_lad'. Did you mean 'csp_lda'" in text


def test_unknown_options_are_told_with_the_known_ones() -> None:
    students = [{"label": "a", "family": "eegnet", "options": {"filters": 8, "depth": [1, 0]}}]
    text = message(broken(students=students, baselines=[{"name": "csp_lda", "options": {"components": 3}}]))
    assert "students.0.options.filters: there is no such setting" in text
    assert "(known options: temporal_filters, depth" in text
    assert "students.0.options.depth: Input should be greater than or equal to 1" in text
    assert "baselines.0.options.components" in text


def test_options_and_forms_are_told_beside_what_else_is_wrong() -> None:
    """A misspelt setting, a missing name and a wrong list hide no other part's problems; a part that is wrong in its
    structure is told once."""
    students = [
        {"label": "a", "family": "clip_conformer", "forms": ["w4a4"], "optoins": {}},
        {"label": "b", "family": "eegnet", "options": {"depht": 2}, "forms": ["w8a8 input=12"]},
        {"label": "c", "family": "none_such", "forms": ["w8a8"], "method": {"name": "kl", "options": {"wight": 1}}},
    ]
    text = message(broken(students=students, baselines=[{"name": "cca", "options": {"hz": 1}}],
                          hardware={**TINY["hardware"], "decode_rate_hz": -1}))  # fmt: skip
    for said in ("students.0.optoins: there is no such setting", "students.0.forms.0: form: CLIP Conformer",
                 "students.1.options.depht: there is no such", "students.1.forms.0: unknown form 'w8a8 input=12'",
                 "there is no 'none_such'", "students.2.method.options.wight", "baselines.0.options.hz",
                 "hardware.decode_rate_hz"):  # fmt: skip
        assert text.count(said) == 1, said


def test_a_family_of_ones_own_is_named_by_module_and_object() -> None:
    students = [{"label": "a", "family": "students.families.mlp:FAMILY", "options": {"hidden": 4}}]
    assert check_study(broken(students=students), where="x").students[0].family == "students.families.mlp:FAMILY"
    text = message(broken(students=[{"label": "a", "family": "students.families.mlp:Options"}]))
    assert "students.0.family: family 'students.families.mlp:Options': the object is a" in text


def test_a_setting_that_does_not_exist_is_told_with_the_nearest() -> None:
    text = message(broken(training={"student": {"epohs": 3}}, split={"metod": 1, **TINY["split"]}))
    assert "training.student.epohs: there is no such setting; did you mean 'epochs'" in text
    assert "split.metod: there is no such setting; did you mean 'method'?" in text


def test_words_of_the_file_and_not_of_python() -> None:
    options = {"temporal_filters": {"a": 1}}
    text = message(broken(dataset=3, students=[{"label": "a", "family": "eegnet", "options": options}]))
    assert "dataset: should be a table" in text
    assert text.count("students.0.options.temporal_filters") == 1
    assert "should be a list" in message(broken(students=3))


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_numbers_must_be_finite_before_anything_is_computed(value: float) -> None:
    text = message(broken(training={"student": {"learning_rate": value}}, search={"trials": 3}))
    assert f"training.student.learning_rate: {value} is not a finite number" in text


@pytest.mark.parametrize(
    ("sections", "where"),
    [
        ({"study": {**TINY["study"], "seeds": [3, 3]}}, "study.seeds: given twice: 3"),
        ({"students": [{**TINY["students"][0], "forms": ["w4a4", "w4a4"]}]}, "forms: given twice: w4a4"),
        ({"students": [{**TINY["students"][0], "options": {"depth": [1, 1]}}]}, "options.depth: given twice: 1"),
        ({"hardware": {**TINY["hardware"], "profiles": ["gap9", "gap9"]}}, "hardware.profiles: two are called gap9"),
        ({"baselines": [{"name": "csp_lda"}, {"name": "csp_lda", "options": {"components": 2}}]}, "called csp_lda"),
    ],
)
def test_what_could_not_be_told_apart_in_the_results_is_refused(sections: dict[str, Any], where: str) -> None:
    assert where in message(broken(**sections))


def test_one_baseline_with_two_options_is_told_apart_by_labels() -> None:
    baselines = [{"name": "csp_lda"}, {"name": "csp_lda", "label": "CSP 2", "options": {"components": 2}}]
    study = check_study(broken(baselines=baselines), where="x")
    fold = FoldStage("a", make_stage(FOLD, {}))
    points = list(reference_points(study, [fold], Shape(task="classification", channels=4, steps=64, outputs=2,
                                                        step_rate_hz=64.0)))  # fmt: skip
    decoders = [point.decoder for point in points]
    assert len({decoder.id for decoder in decoders}) == 2
    assert [(decoder.name, decoder.family) for decoder in decoders] == [("csp_lda", "csp_lda"), ("CSP 2", "csp_lda")]
    assert points[0].result.digest != points[1].result.digest


def test_two_students_of_one_label_are_refused() -> None:
    student = TINY["students"][0]
    assert "share a label" in message(broken(students=[student, student]))


def test_an_empty_study_is_refused() -> None:
    assert "at least one of" in message(broken(students=[]))


def test_a_decoder_is_named_by_what_it_is() -> None:
    options = {"temporal_filters": [2, 4]}
    students = [{"label": "E", "family": "eegnet", "options": options, "forms": ["float32", "w4a4"]}]
    study = check_study(broken(students=students), where="x")
    fold, shape = FoldStage("a", make_stage(FOLD, {})), Shape(task="classification", channels=4, steps=64, outputs=2,
                                                              step_rate_hz=64.0)  # fmt: skip
    found = [student_points(study, c, [fold], shape)[0].decoder for c in configurations(study)]
    assert [(d.student, d.form, d.options) for d in found] == [
        (f"E temporal_filters={filters}", form, {"temporal_filters": filters})
        for filters in (2, 4)
        for form in ("float32", "w4a4")
    ]
    assert len({d.id for d in found}) == 4
    renamed = check_study(broken(students=[{**students[0], "options": {"temporal_filters": 2}}]), where="x")
    again = [student_points(renamed, c, [fold], shape)[0].decoder for c in configurations(renamed)]
    assert [d.id for d in again] == [d.id for d in found[:2]]  # the label changed, what it is did not


def test_a_method_trains_for_one_epoch_or_more() -> None:
    """Controls, and methods with a teacher; where the float student is the teacher, its quantised form is trained."""

    def student(name: str, **options: Any) -> list[dict[str, Any]]:
        return [{**TINY["students"][0], "training": {"epochs": 0}, "weights": "own.safetensors",
                 "quantised_training": {"epochs": 1}, "method": {"name": name, "options": options}}]  # fmt: skip

    teacher = {"name": "ensemble", "options": {"members": [{"family": "eegnet"}]}}
    told = "students.0.training.epochs: 0, in which '{}' trains nothing"
    assert told.format("mixup") in message(broken(students=student("mixup")))
    assert told.format("kl") in message(broken(students=student("kl"), teacher=teacher))
    assert "method.options.alpha" in (text := message(broken(students=student("mixup", alpha=0))))
    assert "trains nothing" not in text
    assert check_study(broken(students=student("kl")), where="tiny.toml").students[0].method is not None


def test_a_price_of_spikes_is_for_students_that_have_some() -> None:
    priced = {"student": {"epochs": 1, "spikes": {"weight": 0.5, "event": 1.0}}}
    spiking = {"label": "LIF", "family": "spiking_conv"}
    assert "students.0.training.spikes: eegnet has no spikes" in message(broken(training=priced))
    own = {"training": priced["student"], **spiking}
    study = check_study(broken(students=[*TINY["students"], own]), where="tiny.toml")
    assert study.students[-1].training.spikes.event == 1.0
    wrong = {**own, "training": {"spikes": {"weight": 1, "synaptic_operation": 0}}}
    assert "students.0.training.spikes: no cost is above zero" in message(broken(students=[wrong]))
    wrong = {**own, "training": {"spikes": {"wieght": 1}}}
    assert "spikes.wieght: there is no such setting" in message(broken(students=[wrong]))


def test_a_study_names_several_layers_of_a_teacher() -> None:
    layers = {"name": "dlink", "options": {"student": "12", "layers": ["early", "late"]}}
    study = check_study(broken(students=[{**TINY["students"][0], "method": layers}]), where="tiny.toml")
    assert check_study(study.model_dump(mode="json", exclude_none=True), where="plan") == study
    layers["options"]["layers"] = []
    text = message(broken(students=[{**TINY["students"][0], "method": layers}]))
    assert "students.0.method.options.layers" in text
