"""What a teacher has to show before it teaches, and its weight chosen on validation beside that of no teacher."""

from __future__ import annotations

import json
import math
import tomllib
from pathlib import Path

import pytest
from tiny_study import TINY, cosim, scores

from cosim.evaluation.intervals import Interval
from cosim.study.check import check_study
from cosim.teachers.gate import GateRule, gate
from energy_models.errors import StudyError
from students.models.store import load_extra, load_student

WIDE = Interval(0.2, -0.1, 0.5, "sessions", 6, 1, "bootstrap")
NARROW = Interval(0.2, 0.12, 0.3, "sessions", 6, 1, "bootstrap")
NONE = Interval(0.2, math.nan, math.nan, "none", 1, 1, "none", "everything held out is one unit")


@pytest.mark.parametrize(
    ("rule", "difference", "teaches"),
    [
        (GateRule(), WIDE, True),
        (GateRule(margin=0.19), WIDE, True),
        (GateRule(margin=0.21), NARROW, False),
        (GateRule(decided_by="interval"), WIDE, False),
        (GateRule(decided_by="interval"), NARROW, True),
        (GateRule(margin=0.15, decided_by="interval"), NARROW, False),
        (GateRule(decided_by="interval"), NONE, False),
        (GateRule(decided_by="interval"), None, False),
    ],
)
def test_the_difference_or_its_lower_end_has_to_be_above_the_margin(rule, difference, teaches):
    """The teacher has 0.8, the student 0.6: 0.2 above."""
    found = gate([0.8], [0.6], metric="r2", over="fold", rule=rule, difference=difference)
    assert (found.source == "teacher") is teaches
    if difference is not None:
        said = f"interval of the difference {difference.low:+.3f}" if difference is not NONE else "no interval"
        assert said in found.message


def run_of(tmp_path: Path, margin: float, changes: tuple[tuple[str, str], ...]) -> Path:
    text = TINY.replace("[teacher]", f"[gate]\nmargin = {margin}\n\n[teacher]").replace("seeds = [0, 1]", "seeds = [0]")
    text = text[: text.index('[[students]]\nlabel = "Spikes"')] + text[text.index("[[baselines]]") :]
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file, run = tmp_path / "study.toml", tmp_path / "run"
    file.write_text(text)
    code, _, err = cosim("run", str(file), "--out", str(run))
    assert code == 0, err
    return run


def test_the_weight_is_chosen_on_validation_and_no_weight_is_one_of_them(tmp_path: Path):
    """A margin of -2 lets every teacher pass; what is kept has the best score of those tried, and its weight."""
    weights = 'method = { name = "kl" }\nmethod_weights = [0.0, 0.3, 0.9]'
    run = run_of(tmp_path, -2.0, (('method = { name = "kl" }', weights),))
    gates = json.loads((run / "gates.json").read_text())["gates"]
    assert all(one["passed"] for one in gates)
    assert all(one["difference"]["count"] > 0 for one in gates)
    folders = [path.parent for path in run.glob("stages/distilled/*/stage.json")]
    assert len(folders) == 2
    for folder in folders:
        extra, method = load_extra(folder), load_student(folder)[1].method
        tried = json.loads(extra["weights_tried"])
        assert sorted(tried) == ["0", "0.3", "0.9"]
        assert float(extra["validation_score"]) == max(tried.values())
        chosen = "0" if method is None else f"{method.options['weight']:g}"
        assert tried[chosen] == max(tried.values())
        assert extra["distilled_from"] == ("" if method is None else "teacher")
        quantised = [json.loads(path.read_text()) for path in run.glob("stages/quantised/*/stage.json")]
        mine = [one for one in quantised if one["parents"]["float_student"] == f"distilled/{folder.name}"]
        specs = [load_student(run / "stages" / "quantised" / name)[1] for name in _names(run, folder.name)]
        assert len(mine) == 1
        assert [spec.method for spec in specs] == [method]
    assert not list(run.glob("stages/.checkpoints/*"))
    assert set(scores(run)["role"]) == {"student", "baseline", "teacher"}


def _names(run: Path, digest: str) -> list[str]:
    records = run.glob("stages/quantised/*/stage.json")
    return [path.parent.name for path in records if digest in path.read_text()]


def test_a_teacher_that_is_not_above_by_the_margin_does_not_teach(tmp_path: Path):
    run = run_of(tmp_path, 2.0, (('forms = ["float32", "w4a4"]\n', ""),))
    gates = json.loads((run / "gates.json").read_text())["gates"]
    assert not any(one["passed"] for one in gates)
    assert all("margin 2" in one["message"] for one in gates)
    assert set(scores(run)["distilled_from"]) == {""}


@pytest.mark.parametrize(
    ("method", "says"),
    [
        ('method = { name = "label_smoothing" }', "there is no teacher to be weighed"),
        ("", "there is no teacher to be weighed"),
        ('method = { name = "kl", options = { weightt = 1.0 } }', "weightt"),
    ],
)
def test_weights_of_no_teacher_are_told(method, says):
    text = TINY.replace('method = { name = "kl" }', f"method_weights = [0.5]\n{method}")
    with pytest.raises(StudyError, match=says):
        check_study(tomllib.loads(text), where="test")
