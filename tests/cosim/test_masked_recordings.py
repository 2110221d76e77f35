"""Recordings kept trial by trial: bins without a target, units silent in one trial, short trials; file to score."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from tiny_study import cosim

from cosim.baselines.registry import run_baseline
from cosim.baselines.types import Baseline, BaselineResult, Options
from cosim.datasets.registry import load
from cosim.datasets.types import Dataset
from cosim.engine.prediction_file import PREDICTIONS, tensors
from cosim.evaluation.held_out import held_out_score
from cosim.evaluation.predictions import Predictions
from cosim.evaluation.scores import score
from cosim.splits.fold import Fold
from cosim.splits.schemes import LeaveOneGroupOut
from cosim.tables.held_out import provenance_of
from energy_models.errors import DataError

RUNS, BINS, UNITS = 6, 40, 5
OPTIONS = {"path": "own.npz", "task": "regression", "rate_hz": 20.0, "source_bits": 8, "output_names": "x,y",
           "segment_steps": 20}  # fmt: skip


def content(seed: int = 0) -> dict[str, np.ndarray]:
    """Counts that follow a velocity, in trials; four bins of the second trial have no target."""
    rng = np.random.default_rng(seed)
    motion = rng.standard_normal((RUNS * BINS, 2))
    counts = rng.poisson(np.exp(0.5 + motion @ rng.standard_normal((2, UNITS)) / 2)).astype(np.float64)
    motion[BINS + 3 : BINS + 7] = np.nan
    return {"inputs": counts, "targets": motion, "run": np.repeat([f"t{n}" for n in range(RUNS)], BINS)}


def kept(folder: Path, arrays: dict[str, np.ndarray], **options: object) -> Dataset:
    np.savez(folder / "own.npz", **arrays)
    return load("arrays", data_dir=folder, options={**OPTIONS, **options})


def test_bins_without_a_target_are_masked_and_noted(tmp_path: Path) -> None:
    arrays = content()
    arrays["targets"][BINS + 5, 1] = 0.3  # one of two outputs is known: the step is not
    dataset = kept(tmp_path, arrays)
    assert dataset.notes == ("4 of 240 bins have no target and are masked",)
    wanted = ~np.isnan(arrays["targets"]).any(axis=1)
    np.testing.assert_array_equal(dataset.target_mask.ravel(), wanted)
    np.testing.assert_array_equal(np.isnan(dataset.masked_targets).any(axis=2), ~dataset.target_mask)
    np.testing.assert_allclose(dataset.masked_targets.reshape(-1, 2)[wanted], arrays["targets"][wanted], rtol=1e-6)
    dataset.refuse_masks(where="study")


def test_segments_without_any_target_are_left_out_and_counted(tmp_path: Path) -> None:
    arrays = content()
    arrays["targets"][2 * BINS : 2 * BINS + 20] = np.nan
    dataset = kept(tmp_path, arrays)
    assert dataset.notes == ("1 of 12 segments have no bin with a target and were left out",
                             "4 of 220 bins have no target and are masked")  # fmt: skip
    assert len(dataset.windows) == len(dataset.target_values) == len(dataset.groups["run"]) == 11
    np.testing.assert_array_equal(dataset.windows.starts[4:6], [20, 0])
    np.testing.assert_array_equal(dataset.windows.inputs([4])[0], arrays["inputs"][2 * BINS + 20 : 3 * BINS].T)


def test_targets_that_are_infinite_or_never_there_are_refused(tmp_path: Path) -> None:
    arrays = content()
    arrays["targets"][7, 1] = np.inf
    with pytest.raises(DataError, match=r"infinite values in channel y"):
        kept(tmp_path, arrays)
    arrays["targets"][:] = np.nan
    with pytest.raises(DataError, match="no bin has a target"):
        kept(tmp_path, arrays)


def test_a_unit_may_be_silent_in_one_trial_but_not_in_a_session(tmp_path: Path) -> None:
    arrays = content()
    arrays["inputs"][:BINS, 3] = 0
    dataset = kept(tmp_path, arrays)
    assert "unit 3 never changes in 1 of 6 recordings, the first of them segment1 (t0)" in dataset.notes
    np.testing.assert_array_equal(dataset.windows.inputs()[:2, 3], np.zeros((2, 20)))
    arrays["inputs"][:, 3] = 0
    with pytest.raises(DataError, match=r"channel unit 3 is flat"):
        kept(tmp_path, arrays).windows.inputs()
    arrays = content() | {"session": np.repeat(["a", "b"], RUNS * BINS // 2)}
    arrays["inputs"][arrays["session"] == "b", 2] = 4
    with pytest.raises(DataError, match=r"segment4 \(b, t3\): channel unit 2 is flat"):
        kept(tmp_path, arrays).windows.inputs()


def test_an_output_may_rest_in_one_trial_but_not_in_a_session(tmp_path: Path) -> None:
    arrays = content()
    arrays["targets"][:BINS, 0] = 0
    assert len(kept(tmp_path, arrays).windows) == 12
    arrays["targets"][:, 0] = 0
    with pytest.raises(DataError, match=r"segment1 \(t0\) and 5 more of its session: channel x is flat"):
        kept(tmp_path, arrays)


def test_short_trials_and_unused_bins_are_counted(tmp_path: Path) -> None:
    arrays = content()
    arrays["run"][:10] = "s"
    dataset = kept(tmp_path, arrays)
    assert dataset.notes[:2] == (
        "1 of 7 recordings are shorter than a segment of 20 bins and were left out: segment1 (s) (10 bins)",
        "the last 10 of 30 bins of segment2 (t0) fill no segment and were left out",
    )
    assert set(dataset.groups["run"]) == {f"t{n}" for n in range(RUNS)}
    many = kept(tmp_path, content(), segment_steps=15)
    assert many.notes[0] == "the last bins of 6 recordings, 60 of 240 bins in all, fill no segment and were left out"
    with pytest.raises(DataError, match="segment of 50 steps is longer than the 40 bins"):
        kept(tmp_path, content(), segment_steps=50)


def test_ridge_on_masked_bins_is_ridge_on_the_set_without_them(tmp_path: Path) -> None:
    arrays = content()
    dataset = kept(tmp_path, arrays)
    known = dataset.target_mask.ravel()
    for fold in LeaveOneGroupOut(group="run").folds(dataset, seed=0):
        found = run_baseline("ridge_lags", dataset, fold, {"lags": 1, "penalty": 1}).outputs_test
        steps = [np.flatnonzero(known & np.isin(np.arange(len(known)) // 20, part))
                 for part in (np.r_[fold.train, fold.validation], fold.test)]  # fmt: skip
        model = Ridge(1.0).fit(arrays["inputs"][steps[0]], arrays["targets"][steps[0]])
        wanted = r2_score(arrays["targets"][steps[1]], model.predict(arrays["inputs"][steps[1]]))
        assert score("regression", dataset.masked_targets[fold.test], found)["r2"] == pytest.approx(wanted, abs=2e-3)


def test_scores_of_masked_bins_are_those_of_the_set_without_them(tmp_path: Path) -> None:
    dataset = kept(tmp_path, content())
    given = np.random.default_rng(1).standard_normal(dataset.target_values.shape)
    table = Predictions(dataset.windows.examples, given, np.full(len(given), "f"))
    known = dataset.target_mask
    where = provenance_of(dataset, LeaveOneGroupOut(group="run"))
    wanted = r2_score(dataset.target_values[known], given[known])
    assert held_out_score(where, {0: table}).mean == pytest.approx(wanted, rel=1e-6)
    given[~known] = 1e6
    assert held_out_score(where, {0: table}).mean == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("name", ["kalman", "majority"])
def test_other_baselines_learn_nothing_from_masked_bins(tmp_path: Path, name: str) -> None:
    arrays = content()
    dataset = kept(tmp_path, arrays)
    fold = LeaveOneGroupOut(group="run").folds(dataset, seed=0)[3]
    here = run_baseline(name, dataset, fold, {})
    np.nan_to_num(dataset.target_values, copy=False, nan=1e6)  # what a mask hides may be anything
    there = run_baseline(name, dataset, fold, {})
    assert np.isfinite(here.outputs_test).all()
    np.testing.assert_array_equal(here.outputs_test, there.outputs_test)


def _needs_all(dataset: Dataset, fold: Fold, options: Options) -> BaselineResult:
    raise AssertionError(dataset.targets[fold.train], options)


NEEDS_ALL = Baseline("needs all", ("regression",), Options, _needs_all)


def test_a_baseline_that_cannot_use_masks_is_named(tmp_path: Path) -> None:
    dataset = kept(tmp_path, content())
    fold = LeaveOneGroupOut(group="run").folds(dataset, seed=0)[0]
    said = r"baseline 'test_masked_recordings:NEEDS_ALL': it cannot use masked targets .*4 of 240 steps have none"
    with pytest.raises(DataError, match=said):
        run_baseline("test_masked_recordings:NEEDS_ALL", dataset, fold, {})


STUDY = """
study = { name = "masked", title = "Masked", question = "Does the path hold?", seeds = [0] }
split = { method = "given_parts" }
baselines = [{ name = "ridge_lags" }, { name = "kalman" }]
training = { student = { epochs = 1, batch_size = 4 } }
hardware = { profiles = ["cortex_m4f"], sites = ["implant_utah96"], decode_rate_hz = 20.0, observed_examples = 2 }

[teacher]
name = "ensemble"
options = { members = [{ family = "mlp", options = { hidden = 4 } }] }

[[students]]
label = "MLP"
family = "mlp"
options = { hidden = 4 }
method = { name = "kl" }
forms = ["float32", "w8a8"]

[dataset]
name = "arrays"
"""


def test_a_study_of_masked_recordings_runs_to_its_scores(tmp_path: Path) -> None:
    arrays = content() | {"part": np.repeat(["train", "test"], [4 * BINS, 2 * BINS])}
    arrays["targets"][5 * BINS : 5 * BINS + 9] = np.nan
    dataset = kept(tmp_path, arrays)
    options = ", ".join(f"{key} = {json.dumps(value)}" for key, value in OPTIONS.items())
    path = tmp_path / "masked.toml"
    path.write_text(f"{STUDY}options = {{ {options} }}\n")
    code, _, said = cosim("run", str(path), "--data-dir", str(tmp_path), "--out", str(tmp_path / "run"))
    assert code == 0, said
    table = pd.read_parquet(tmp_path / "run" / "scores.parquet")
    assert set(table["decoder"]) >= {"ridge", "Kalman"}
    assert np.isfinite(table["score"]).all()
    stored = (tmp_path / "run" / "stages").rglob(PREDICTIONS)
    files = [one for one in stored if (one.parent / "result.json").is_file()]  # others are of the validation part
    assert len(files) >= 5
    for one in files:
        found = tensors.load_file(one)
        known = dataset.target_mask[found["examples"]]
        assert (~known).sum() == 9
        result = json.loads((one.parent / "result.json").read_text())
        wanted = r2_score(dataset.target_values[found["examples"]][known], found["outputs"][known])
        assert result["score"] == pytest.approx(wanted, abs=1e-6)
