"""Study files: everything wrong in one error, by dotted path, with the nearest existing names."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from cosim.engine.plan import configurations, reference_points, student_points
from cosim.engine.points import FoldStage
from cosim.engine.stage import make_stage
from cosim.engine.stages.fold import FOLD
from cosim.study.check import check_study, read_study
from cosim.study.document import override, read_document, study_names
from energy_models.errors import StudyError
from students.spec import Shape

TINY: dict[str, Any] = {
    "study": {"name": "tiny", "title": "Tiny", "seeds": [0]},
    "dataset": {"name": "synthetic_eeg", "options": {"trials": 12}},
    "split": {"method": "leave_one_group_out", "group": "run"},
    "students": [{"label": "EEGNet", "family": "eegnet", "forms": ["float32", "w4a4"]}],
    "hardware": {"profiles": ["cortex_m4f"], "sites": ["headset_commodity"], "decode_rate_hz": 1.0},
}


def broken(**sections: Any) -> dict[str, Any]:
    return {**copy.deepcopy(TINY), **sections}


def message(document: dict[str, Any]) -> str:
    with pytest.raises(StudyError) as caught:
        check_study(document, where="tiny.toml")
    return str(caught.value)


def test_a_sound_study_is_read() -> None:
    study = check_study(TINY, where="tiny.toml")
    assert [c.label for c in configurations(study)] == ["EEGNet float32", "EEGNet w4a4"]


def test_what_is_read_can_be_written_and_read_again() -> None:
    study = check_study(TINY, where="tiny.toml")
    assert check_study(study.model_dump(mode="json", exclude_none=True), where="plan") == study


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


def test_a_list_of_options_is_a_search_dimension() -> None:
    students = [{"label": "E", "family": "eegnet", "options": {"temporal_filters": [2, 4], "depth": 2}}]
    found = configurations(check_study(broken(students=students), where="x"))
    assert [c.label for c in found] == ["E temporal_filters=2 float32", "E temporal_filters=4 float32"]
    assert [c.options["temporal_filters"] for c in found] == [2, 4]
    assert [c.options["depth"] for c in found] == [2, 2]


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
    text = message(broken(students=[{"label": "a", "family": "spiking_recurrent", "forms": ["float32", "w4a4"]}]))
    assert "students.0.forms.1: form: Recurrent spiking network has no integer form (w4a4). It has: float form." in text
    assert "For w4a4" in text
    assert "eegnet" in text


def test_options_and_forms_are_told_beside_what_else_is_wrong() -> None:
    """A misspelt setting, a missing name and a wrong list hide no other part's problems; a part that is wrong in its
    structure is told once."""
    students = [
        {"label": "a", "family": "conformer", "forms": ["w4a4"], "optoins": {}},
        {"label": "b", "family": "eegnet", "options": {"depht": 2}, "forms": ["w8a8 input=12"]},
        {"label": "c", "family": "none_such", "forms": ["w8a8"], "method": {"name": "kl", "options": {"wight": 1}}},
    ]
    text = message(broken(students=students, baselines=[{"name": "cca", "options": {"hz": 1}}],
                          hardware={**TINY["hardware"], "decode_rate_hz": -1}))  # fmt: skip
    for said in ("students.0.optoins: there is no such setting", "students.0.forms.0: form: EEG Conformer has no",
                 "students.1.options.depht: there is no such", "students.1.forms.0: unknown form 'w8a8 input=12'",
                 "there is no 'none_such'", "students.2.method.options.wight", "baselines.0.options.hz",
                 "hardware.decode_rate_hz"):  # fmt: skip
        assert text.count(said) == 1, said


def test_a_family_of_ones_own_is_named_by_module_and_object() -> None:
    students = [{"label": "a", "family": "students.families.mlp:FAMILY", "options": {"hidden": 4}}]
    assert check_study(broken(students=students), where="x").students[0].family == "students.families.mlp:FAMILY"
    text = message(broken(students=[{"label": "a", "family": "students.families.mlp:Options"}]))
    assert "students.0.family: family 'students.families.mlp:Options': the object is a" in text


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


def test_a_setting_that_does_not_exist_is_told_with_the_nearest() -> None:
    text = message(broken(training={"student": {"epohs": 3}}, split={"metod": 1, **TINY["split"]}))
    assert "training.student.epohs: there is no such setting; did you mean 'epochs'" in text
    assert "split.metod: there is no such setting; did you mean 'method'?" in text


def test_refused_entries_are_not_also_told_as_too_few() -> None:
    students = [{"label": "a", "family": "eegnet", "forms": ["w16a4"]}]
    text = message(broken(students=students))
    assert text.startswith("tiny.toml: 1 problem; nothing was computed:")
    assert "16 weight bits" in text
    assert message(broken(study={**TINY["study"], "seeds": []})).endswith("study.seeds: needs at least 1.")


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


def test_a_profile_that_shares_a_shipped_name_is_not_mixed_with_it(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "energy_models" / "data" / "profiles" / "gap9.toml"
    mine = tmp_path / "gap9.toml"
    mine.write_text(shipped.read_text())
    hardware = {**TINY["hardware"], "profiles": ["gap9", str(mine)]}
    assert "hardware.profiles: two are called gap9" in message(broken(hardware=hardware))


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


def test_a_machine_of_ones_own_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = Path(__file__).parents[2] / "energy_models" / "data" / "profiles" / "gap9.toml"
    (tmp_path / "mine.toml").write_text(shipped.read_text().replace('name = "gap9"', 'name = "mine"', 1))
    (tmp_path / "study").mkdir()
    monkeypatch.chdir(tmp_path)
    study = read_study("demo", ['hardware.profiles=["mine.toml", "gap9"]'])
    assert study.hardware.profiles == (str(tmp_path / "mine.toml"), "gap9")


def test_two_students_of_one_label_are_refused() -> None:
    student = TINY["students"][0]
    assert "share a label" in message(broken(students=[student, student]))


def test_a_sampler_needs_trials_and_a_place_to_price() -> None:
    assert "needs 'trials'" in message(broken(search={"sampler": "nsga2"}))
    assert "'total_power' needs 'profile' and 'site'" in message(broken(search={"sampler": "tpe", "trials": 4}))


def test_an_empty_study_is_refused() -> None:
    assert "at least one of" in message(broken(students=[]))


def test_settings_change_the_document_and_not_the_original() -> None:
    document = copy.deepcopy(TINY)
    changed = override(document, ["study.seeds=[3, 4]", "students.0.forms=[\"w8a8\"]", "study.title=No quotes"])
    assert changed["study"] == {"name": "tiny", "title": "No quotes", "seeds": [3, 4]}
    assert changed["students"][0]["forms"] == ["w8a8"]
    assert document == TINY


@pytest.mark.parametrize("content", [b"\xff\xfe[study]", "[study]\ntitle = 'M\u00fcller'".encode("latin-1")])
def test_a_file_that_is_not_text(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(StudyError, match="UTF-8"):
        read_document(str(path))


@pytest.mark.parametrize("setting", ["seeds", "=3", "students.7.label=a", "students.x.label=a"])
def test_settings_that_lead_nowhere(setting: str) -> None:
    with pytest.raises(StudyError, match="--set"):
        override(TINY, [setting])


def test_unknown_study_names_the_nearest() -> None:
    with pytest.raises(StudyError, match="'demo'"):
        read_document("demos")


def test_a_file_that_is_not_toml(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("[study\nname = 3")
    with pytest.raises(StudyError, match="not TOML"):
        read_document(str(path))


def test_a_profile_of_ones_own_with_a_wrong_unit(tmp_path: Path) -> None:
    """The study's error carries the profile's: the field, the unit found, the dimension expected."""
    shipped = Path(__file__).parents[2] / "energy_models" / "data" / "profiles" / "cortex_m4f.toml"
    text = shipped.read_text()
    lines = text.splitlines()
    index = next(i for i, line in enumerate(lines) if line.startswith("clock") and "MHz" in line)
    lines[index] = lines[index].replace("MHz", "pJ")
    path = tmp_path / "mine.toml"
    path.write_text("\n".join(lines))
    hardware = {**TINY["hardware"], "profiles": [str(path)]}
    found = message(broken(hardware=hardware))
    assert "hardware.profiles.0" in found
    assert "clock" in found
    assert "pJ" in found
    assert "frequency" in found


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


FILTERS = {"low": 2, "high": 8, "type": "int"}


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
