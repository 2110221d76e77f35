"""Several methods of one student: each is a decoder, all are compared with the one undistilled twin."""

from __future__ import annotations

import json
import math
import tomllib
from pathlib import Path

import pytest
from tiny_study import TINY, cosim, scores

from cosim.engine.plan import configurations
from cosim.engine.search import configuration_of
from cosim.study.check import check_study
from energy_models.errors import StudyError

LISTED = """method_choices = [
  { name = "kl", options = { temperature = 1.0 } },
  { name = "kl", options = { temperature = 4.0 } },
  { name = "label_smoothing" },
]"""
TEXT = TINY.replace('method = { name = "kl" }', LISTED).replace("seeds = [0, 1]", "seeds = [0]")
TEXT = TEXT[: TEXT.index('[[students]]\nlabel = "Spikes"')] + TEXT[TEXT.index("[[baselines]]") :]
NAMES = ["kl temperature=1.0", "kl temperature=4.0", "label_smoothing"]


def test_every_method_is_a_configuration_that_a_search_can_name():
    study = check_study(tomllib.loads(TEXT), where="test")
    found = configurations(study)
    assert [one.method for one in found] == [name for name in NAMES for _ in ("float32", "w4a4")]
    assert len({json.dumps(one.parameters, sort_keys=True) for one in found}) == 6
    for one in found:
        again = configuration_of(study, one.parameters)
        assert (again.method, again.form, again.plan.method) == (one.method, one.form, one.plan.method)


def test_each_is_compared_with_the_student_trained_from_labels_alone(tmp_path: Path):
    file, run = tmp_path / "study.toml", tmp_path / "run"
    file.write_text(TEXT.replace('forms = ["float32", "w4a4"]\n', ""))
    code, _, err = cosim("run", str(file), "--out", str(run))
    assert code == 0, err
    table = scores(run)
    students = table[table["role"] == "student"].drop_duplicates("decoder_id")
    assert sorted(students["method"]) == ["", *NAMES]
    assert sorted(students["decoder"]) == [
        *(f"EEGNet-1 float32 {name}" for name in NAMES), "EEGNet-1 float32 undistilled",
    ]  # fmt: skip
    rows = json.loads((run / "differences.json").read_text())["differences"]
    taught = [row for row in rows if row["kind"] == "distillation"]
    assert sorted(row["decoder"] for row in taught) == [f"EEGNet-1 float32 {name}" for name in NAMES]
    assert {row["against"] for row in taught} == {"EEGNet-1 float32 undistilled"}
    assert all(math.isfinite(row["mean"]) for row in taught)
    shown = (run / "report.html").read_text()
    assert all(f"EEGNet-1 float32 {name}" in shown for name in NAMES)
    assert shown.count("labels alone") >= len(NAMES)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('method_choices = [{ name = "kl" }]\nmethod = { name = "kl" }', "'method' and 'method_choices' are given"),
        ('method_choices = [{ name = "kl" }, { name = "kl" }]', "one is given twice"),
        ('method_choices = [{ name = "kl" }, { name = "kll" }]', r"method_choices.1.name: there is no 'kll'"),
        ('method_choices = [{ name = "kl", options = { heat = 1 } }]', r"students.0.method_choices.0.options.heat"),
    ],
)
def test_mistakes_are_told(lines, says):
    with pytest.raises(StudyError, match=says):
        check_study(tomllib.loads(TEXT.replace(LISTED, lines)), where="test")
