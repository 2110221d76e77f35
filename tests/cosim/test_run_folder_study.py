"""A run folder is one study's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tiny_study import TINY, cosim, stage_times, write_tiny

from cosim.engine.run_folder import PLAN, load_plan, save_plan
from cosim.study.changes import changes
from cosim.study.check import check_study
from cosim.study.schema import Study
from energy_models.errors import StudyError
from energy_models.quantities import parse_toml


def tiny(name: str, seeds: str = "[0, 1]") -> Study:
    text = TINY.replace('name = "tiny"', f'name = "{name}"').replace("seeds = [0, 1]", f"seeds = {seeds}")
    return check_study(parse_toml(text, where="test", error=StudyError), where="test")


def test_another_study_is_refused_and_the_same_one_changed_is_not(tmp_path: Path) -> None:
    save_plan(tmp_path, tiny("first"), None, "cosim run")
    with pytest.raises(StudyError, match="holds a run of the study 'first', not of 'second'"):
        save_plan(tmp_path, tiny("second"), None, "cosim run")
    assert load_plan(tmp_path)[0]["study"]["name"] == "first"
    save_plan(tmp_path, tiny("first", "[0]"), None, "cosim run")
    assert load_plan(tmp_path)[0]["study"]["seeds"] == [0]


def test_a_plan_that_says_nothing_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / PLAN).write_text("{")
    save_plan(tmp_path, tiny("first"), None, "cosim run")
    assert load_plan(tmp_path)[0]["study"]["name"] == "first"


def test_forms_of_a_plan_without_a_schema_keep_the_edges_that_they_had(tmp_path: Path) -> None:
    """Then, first and last weights had 8 bits where nothing was said."""
    save_plan(tmp_path, tiny("first"), None, "cosim run")
    plan = json.loads((tmp_path / PLAN).read_text())
    plan["study"]["students"][0]["forms"] = ["float32", "w4a4", "w8a8", "w4a4 edge=4"]
    (tmp_path / PLAN).write_text(json.dumps(plan))
    assert load_plan(tmp_path)[0]["students"][0]["forms"] == ["float32", "w4a4", "w8a8", "w4a4 edge=4"]
    del plan["schema"]
    (tmp_path / PLAN).write_text(json.dumps(plan))
    document, _, _ = load_plan(tmp_path)
    assert document["students"][0]["forms"] == ["float32", "w4a4 edge=8", "w8a8", "w4a4"]
    assert [str(form) for form in check_study(document, where="plan").students[0].forms] == [
        "float32", "w4a4 edge=8", "w8a8", "w4a4"]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), [
    ({"schema": "cosim.plan/3"}, "a plan of the schema 'cosim.plan/3'"), ({"forms": ["w99a4"]}, "it asks for .*w99a4"),
])  # fmt: skip
def test_a_plan_that_cannot_be_meant_is_refused(tmp_path: Path, change: dict[str, object], expected: str) -> None:
    save_plan(tmp_path, tiny("first"), None, "cosim run")
    plan = json.loads((tmp_path / PLAN).read_text())
    if "schema" in change:
        plan |= change
    else:
        del plan["schema"]
        plan["study"]["students"][0] |= change
    (tmp_path / PLAN).write_text(json.dumps(plan))
    with pytest.raises(StudyError, match=expected):
        load_plan(tmp_path)


@pytest.mark.parametrize("students", [3, [4], [{"forms": 5}], [{"forms": [6]}]])
def test_a_plan_without_a_schema_that_is_no_study_is_left_to_the_study_s_own_check(
    tmp_path: Path, students: object
) -> None:
    (tmp_path / PLAN).write_text(json.dumps({"study": {"students": students}, "command": "cosim run"}))
    assert load_plan(tmp_path)[0] == {"students": students}


def test_what_changed_is_told_by_path_with_defaults_filled_in() -> None:
    before = tiny("first").model_dump(mode="json", exclude_none=True)
    del before["compute"]  # as a plan of a version without it
    now = tiny("first", "[3]")
    first, *others = now.students
    now = now.model_copy(update={"students": (first.model_copy(update={"label": "Mine"}), *others)})
    assert changes(before, tiny("first")) == ()
    assert changes(before, now) == ("study.seeds [0, 1] -> [3]", 'students.0.label "EEGNet-1" -> "Mine"')
    fewer = now.model_copy(update={"baselines": ()})
    assert changes(before, fewer)[-1] == 'baselines.0.name "csp_lda" -> nothing'


def test_a_changed_study_says_which_stages_stay(finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    study = str(write_tiny(tmp_path))
    code, _, err = cosim("run", study, "--out", str(run))
    assert (code, "this folder changed" in err) == (0, False), err
    code, _, err = cosim("run", study, "--out", str(run), "--set", "hardware.decode_rate_hz=2.0")
    assert code == 0, err
    assert "changed: hardware.decode_rate_hz 1.0 -> 2.0. " in err
    assert "stages stay and none is computed; tables and prices are made again" in err
    before = stage_times(run)
    code, out, err = cosim("run", study, "--out", str(run), "--json", "--set", "hardware.observed_examples=5")
    assert code == 0, err
    results = sum(name.startswith("result/") for name in before)
    # the rate is back to 1; students and teacher are trained already, and only what is observed of students is new
    assert "changed: hardware.decode_rate_hz 2.0 -> 1.0, hardware.observed_examples 4 -> 5" in err
    assert f"stages stay and {results} are computed (result {results})" in err
    assert json.loads(out)["computed"] == results
