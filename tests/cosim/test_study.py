"""Study files: everything wrong in one error, by dotted path, with the nearest existing names."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from cosim.plan import configurations
from cosim.study import override, precision_of, read_document, study_names
from cosim.study_check import check_study, read_study
from energy_models.errors import StudyError

TINY: dict[str, Any] = {
    "study": {"name": "tiny", "title": "Tiny", "seeds": [0]},
    "dataset": {"name": "synthetic_eeg", "options": {"trials": 12}},
    "split": {"method": "leave_one_group_out", "group": "run"},
    "students": [{"label": "EEGNet", "family": "eegnet", "variants": ["float32", "w4a4"]}],
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
    assert [c.decoder for c in configurations(study)] == ["EEGNet float32", "EEGNet w4a4"]


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
            students=[{"label": "a", "family": "egnet", "variants": ["w1a4"]}],
            hardware={"profiles": ["cortexm4"], "sites": ["implant_uta96"], "decode_rate_hz": -1, "watts": 3},
        )
    )
    assert "dataset.name" in text
    assert "'synthetic_eeg'" in text
    assert "students.0.family" in text
    assert "'eegnet'" in text
    assert "students.0.variants.0: variant 'w1a4' is impossible: 1 weight bits" in text
    assert "hardware.profiles.0" in text
    assert "'cortex_m4f'" in text
    assert "hardware.sites.0" in text
    assert "'implant_utah96'" in text
    assert "hardware.decode_rate_hz: Input should be greater than 0" in text
    assert "hardware.watts: Extra inputs are not permitted" in text
    assert text.startswith("tiny.toml: 8 problems")


def test_near_names_of_baselines() -> None:
    text = message(broken(baselines=[{"name": "csp_lad"}]))
    assert "baselines.0.name: there is no 'csp_lad'. Did you mean 'csp_lda'" in text


def test_unknown_options_are_told_with_the_known_ones() -> None:
    students = [{"label": "a", "family": "eegnet", "options": {"filters": 8, "depth": [1, 0]}}]
    text = message(broken(students=students, baselines=[{"name": "csp_lda", "options": {"components": 3}}]))
    assert "students.0.options.filters: Extra inputs are not permitted. Known options: temporal_filters" in text
    assert "students.0.options.depth: Input should be greater than or equal to 1" in text
    assert "baselines.0.options.components" in text


def test_a_list_of_options_is_a_search_dimension() -> None:
    students = [{"label": "E", "family": "eegnet", "options": {"temporal_filters": [2, 4], "depth": 2}}]
    found = configurations(check_study(broken(students=students), where="x"))
    assert [c.decoder for c in found] == ["E temporal_filters=2 float32", "E temporal_filters=4 float32"]
    assert [c.options["temporal_filters"] for c in found] == [2, 4]
    assert [c.options["depth"] for c in found] == [2, 2]


@pytest.mark.parametrize(("variant", "bits"), [("w8a8", (8, 8)), ("w2a4", (2, 4)), ("w4a2", (4, 2))])
def test_variants_name_bits(variant: str, bits: tuple[int, int]) -> None:
    precision = precision_of(variant)
    assert precision is not None
    assert (precision.weight_bits, precision.activation_bits) == bits


@pytest.mark.parametrize("variant", ["w1a4", "w4a9", "w0a0", "int8", "w4", "W4A4"])
def test_impossible_variants_are_refused(variant: str) -> None:
    with pytest.raises(ValueError, match="variant"):
        precision_of(variant)


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
    changed = override(document, ["study.seeds=[3, 4]", "students.0.variants=[\"w8a8\"]", "study.title=No quotes"])
    assert changed["study"] == {"name": "tiny", "title": "No quotes", "seeds": [3, 4]}
    assert changed["students"][0]["variants"] == ["w8a8"]
    assert document == TINY


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
