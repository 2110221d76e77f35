"""What stands behind a score: hand-worked confusions, group scores, trajectories and curves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cosim.engine.prediction_file import CURVE, Curve, read_curve, write_curve
from cosim.evaluation.predictions import Predictions, Provenance
from cosim.tables.outcomes import read_outcomes, write_outcomes
from energy_models.errors import CosimError


def test_confusions_and_group_scores_by_hand(tmp_path: Path) -> None:
    """Two subjects, classes 0 0 1 1 each. Seed 0 errs once in subject a (recall 1/2, 1: 0.75), seed 1 never (1.0)."""
    targets = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    subjects = np.array(["a"] * 4 + ["b"] * 4)
    where = Provenance("classification", targets, {"subject": subjects, "recording": np.arange(8).astype(np.str_)},
                       np.zeros(8, np.int64), 10, 10.0)  # fmt: skip
    wrong = targets.copy()
    wrong[1] = 1
    by_seed = {
        seed: Predictions(np.arange(8), np.eye(2)[given], np.array(["f"] * 8))
        for seed, given in ((0, wrong), (1, targets))
    }
    path = tmp_path / "outcomes.json"
    write_outcomes(path, where, {"id": by_seed}, output_names=("no", "yes"), curves={})
    found = read_outcomes(path)
    assert found["confusion"] == {"id": [[7, 1], [0, 8]]}
    assert found["groups"] == {"over": "subjects", "names": ["a", "b"], "scores": {"id": [0.875, 1.0]}}
    assert found["output_names"] == ["no", "yes"]
    assert "trajectory" not in found


def test_a_group_that_lacks_a_class_has_no_score(tmp_path: Path) -> None:
    targets = np.array([0, 1, 1, 1])
    where = Provenance("classification", targets, {"subject": np.array(["a", "a", "b", "b"])}, np.zeros(4, np.int64),
                       10, 10.0)  # fmt: skip
    table = {0: Predictions(np.arange(4), np.eye(2)[targets], np.array(["f"] * 4))}
    write_outcomes(tmp_path / "o.json", where, {"id": table}, output_names=("0", "1"), curves={})
    assert read_outcomes(tmp_path / "o.json")["groups"]["scores"] == {"id": [1.0, None]}


def test_a_trajectory_is_the_longest_segment_with_each_step_once(tmp_path: Path) -> None:
    """Windows of 2 steps start at 0, 2 and 20; the first two are contiguous: 4 steps at 10 Hz, one without target."""
    targets = np.array([[[0.0], [1.0]], [[2.0], [np.nan]], [[9.0], [8.0]]])
    where = Provenance("regression", targets, {"recording": np.array(["r"] * 3)}, np.array([0, 2, 20]), 2, 10.0)
    outputs = np.arange(6, dtype=float).reshape(3, 2, 1) / 2
    table = {3: Predictions(np.arange(3), outputs, np.array(["f"] * 3))}
    write_outcomes(tmp_path / "o.json", where, {"id": table}, output_names=("x",), curves={})
    found = read_outcomes(tmp_path / "o.json")
    assert found["trajectory"] == {
        "times_s": [0.0, 0.1, 0.2, 0.3], "target": [[0.0, 1.0, 2.0, None]], "estimates": {"id": [[0.0, 0.5, 1.0, 1.5]]},
    }  # fmt: skip
    assert found["groups"]["over"] == "folds"


def test_a_run_of_before_has_none(tmp_path: Path) -> None:
    assert read_outcomes(tmp_path / "o.json") == {}


def test_losses_are_kept_and_a_damaged_file_is_told(tmp_path: Path) -> None:
    assert read_curve(tmp_path) is None
    write_curve(tmp_path, [1.23456789, 0.5], [2.0, 1.0], 1)
    assert read_curve(tmp_path) == Curve((1.2346, 0.5), (2.0, 1.0), 1)
    (tmp_path / CURVE).write_text(json.dumps({"train": []}))
    with pytest.raises(CosimError, match="no file of losses"):
        read_curve(tmp_path)
