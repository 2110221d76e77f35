"""The gate decides on training examples that neither teacher nor student has seen, or says why it cannot."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from tiny_study import TINY, cosim

REGRESSION = """
[dataset]
name = "synthetic_spikes"
options = { units = 4, steps = 1500 }

[split]
method = "blocked_in_time"

[gate]
on = "out_of_fold"

[teacher]
name = "classical"
options = { baseline = "ridge_lags" }
out_of_fold = { folds = 3, fewest_steps = 50 }

[[students]]
label = "GRU"
family = "gru"
options = { hidden = 4 }
method = { name = "kl" }

[training]
student = { epochs = 1, batch_size = 8 }

[hardware]
profiles = ["cortex_m4f"]
sites = ["headset_commodity"]
decode_rate_hz = 20.0
observed_examples = 4
"""


@pytest.mark.parametrize("fewest", [1, 100])
def test_both_answer_out_of_fold_or_validation_decides(fewest, tmp_path: Path):
    """A margin of -2 lets all teachers pass. 12 trials in 2 sessions: one is held out, part of the other chooses."""
    plan = f"out_of_fold = {{ folds = 2, fewest_per_class = {fewest} }}"
    text = TINY.replace("[teacher]", '[gate]\nmargin = -2.0\non = "out_of_fold"\n\n[teacher]')
    text = text.replace(text[text.index('name = "ensemble"') : text.index("[[students]]")],
                        f'name = "classical"\noptions = {{ baseline = "csp_lda" }}\n{plan}\n\n')  # fmt: skip
    text = text.replace("seeds = [0, 1]", "seeds = [0]").replace(', "w4a4"', "")
    file, run = tmp_path / "study.toml", tmp_path / "run"
    file.write_text(text[: text.index('[[students]]\nlabel = "Spikes"')] + text[text.index("[training]") :])
    code, _, err = cosim("run", str(file), "--out", str(run), "--workers", "1")
    assert code == 0, err
    gates = json.loads((run / "gates.json").read_text())["gates"]
    folds = {json.loads((path / "fold.json").read_text())["name"]: path for path in run.glob("stages/fold/*")}
    assert len(gates) == len(folds) == 2
    for gate in gates:
        part = "train" if fewest == 1 else "validation"
        assert gate["on"] == ("out-of-fold" if fewest == 1 else "validation")
        assert gate["difference"]["count"] == len(np.load(folds[gate["fold"]] / f"{part}.npy"))
        assert f"{gate['on']} balanced_accuracy, one seed" in gate["message"]
        assert ("Inner folds are too small" in gate["message"]) is (fewest == 100)
        assert ("2 inner folds by time" in gate["message"]) is (fewest == 1)
        assert gate["passed"]
    assert not list(run.glob("stages/.checkpoints/*"))


def test_in_a_regression_both_answer_out_of_fold_about_every_training_segment(tmp_path: Path):
    text = TINY[: TINY.index("[dataset]")] + REGRESSION
    file, run = tmp_path / "study.toml", tmp_path / "run"
    file.write_text(text.replace("seeds = [0, 1]", "seeds = [0]"))
    code, _, err = cosim("run", str(file), "--out", str(run), "--workers", "1")
    assert code == 0, err
    (gate,) = json.loads((run / "gates.json").read_text())["gates"]
    (fold,) = run.glob("stages/fold/*")
    assert gate["on"] == "out-of-fold"
    assert gate["difference"]["count"] == len(np.load(fold / "train.npy"))
    assert math.isfinite(gate["student_score"])
    assert math.isfinite(gate["teacher_score"])
