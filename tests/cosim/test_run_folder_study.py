"""A run folder is one study's."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_study import TINY

from cosim.engine.run_folder import PLAN, load_plan, save_plan
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
