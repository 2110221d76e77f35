"""Methods that need no teacher, in a study: trained from labels, scored beside the undistilled student, never gated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_study import TINY, cosim, scores

from students.models.store import load_extra, load_student
from students.spec import MethodSpec

STUDENTS = """
[[students]]
label = "Smooth"
family = "eegnet"
options = { temporal_filters = 1 }
forms = ["float32", "w4a4"]
method = { name = "label_smoothing", options = { smoothing = 0.5 } }

[[students]]
label = "Projected"
family = "eegnet"
options = { temporal_filters = 1 }
forms = ["w4a4"]
method = { name = "tskd", options = { student = "16", teacher = "outputs" } }
"""


def test_a_control_is_trained_and_quantised_without_a_gate_and_the_figures_of_a_method_are_kept(tmp_path: Path) -> None:
    """Without a teacher in the study, a control trains the float student; a projection's TSR of logits is 1."""
    text = TINY[: TINY.index("[teacher]")] + STUDENTS + TINY[TINY.index("[training]") :]
    file, run = tmp_path / "study.toml", tmp_path / "run"
    file.write_text(text.replace("seeds = [0, 1]", "seeds = [0]"))
    code, _, err = cosim("run", str(file), "--out", str(run))
    assert code == 0, err
    table = scores(run)
    mine = table[table["student"] == "Smooth"]
    found = {(row.form, row.method) for row in mine.itertuples()}
    assert found == {("float32", ""), ("float32", "label_smoothing"), ("w4a4", "label_smoothing")}
    assert set(mine["distilled_from"]) == {""}
    assert set(table.loc[table["student"] == "Projected", "distilled_from"]) == {"float student"}
    assert json.loads((run / "gates.json").read_text())["gates"] == []
    methods = [method_in(path.parent) for path in run.glob("stages/undistilled/*/stage.json")]
    assert [method.name for method in methods if method] == ["label_smoothing"] * 2  # of two folds
    assert methods.count(None) == 2
    quantised = [path.parent for path in run.glob("stages/quantised/*/stage.json")]
    kept = [load_extra(folder)["method_tsr"] for folder in quantised if method_in(folder).name == "tskd"]
    assert [float(tsr) for tsr in kept] == pytest.approx([1.0, 1.0], abs=1e-6)


def method_in(folder: Path) -> MethodSpec | None:
    return load_student(folder)[1].method
