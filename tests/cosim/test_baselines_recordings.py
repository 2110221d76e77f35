"""Baselines on real recordings, against scores that were measured before this package existed.

The older scores used the whole first 80 % or published part for training and had no validation part; ours leave a
gap of one segment before the test part and one before validation, hence the tolerances beside each number.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from cosim.baselines import kalman, ridge_lags, run_baseline
from cosim.baselines.csp_lda import spatial_filters
from cosim.baselines.fitting import fitting_examples
from cosim.datasets.contiguous_segments import contiguous_segments, joined_inputs, joined_targets
from cosim.datasets.registry import load
from cosim.datasets.types import Dataset
from cosim.evaluation.scores import primary_metric, score
from cosim.splits.fold import Fold
from cosim.splits.schemes import BlockedInTime, GivenParts, LeaveOneGroupOut, StratifiedFolds
from students.spec import Scalar

pytestmark = pytest.mark.recordings
FIXED: dict[str, dict[str, Scalar]] = {"ridge_lags": {"lags": 10, "penalty": 100.0}}
KINEMATICS = ("x", "y", "vx", "vy")


def _scores(name: str, data: Dataset, fold: Fold, options: dict[str, Scalar] | None = None) -> dict[str, float]:
    outputs = run_baseline(name, data, fold, options or {}).outputs_test
    return score(data.task, data.targets[fold.test], outputs, output_names=data.output_names)


def _mean(name: str, data: Dataset, folds: tuple[Fold, ...]) -> float:
    """Primary metric, mean over folds."""
    return float(np.mean([_scores(name, data, fold)[primary_metric(data.task)] for fold in folds]))


def _pooled(name: str, data: Dataset, folds: tuple[Fold, ...], options: dict[str, Scalar] | None = None) -> float:
    """Accuracy over all test trials of all folds."""
    sizes = [len(fold.test) for fold in folds]
    return float(np.average([_scores(name, data, fold, options)["accuracy"] for fold in folds], weights=sizes))


@pytest.fixture(scope="module")
def contdata(recordings: Path) -> tuple[Dataset, Fold]:
    data = load("m1_contdata95", data_dir=recordings, options={"outputs": "all"})
    return data, BlockedInTime(test_fraction=0.2).folds(data, seed=0)[0]


@pytest.fixture(scope="module")
def brown(recordings: Path) -> tuple[Dataset, Fold]:
    data = load("m1_brown42", data_dir=recordings, options={"outputs": "all"})
    return data, GivenParts().folds(data, seed=0)[0]


def test_ridge_on_contdata95(contdata: tuple[Dataset, Fold]) -> None:
    found = _scores("ridge_lags", *contdata, FIXED["ridge_lags"])
    assert [found[f"r2_{axis}"] for axis in KINEMATICS] == pytest.approx([0.836, 0.798, 0.763, 0.714], abs=0.004)


def test_kalman_on_contdata95(contdata: tuple[Dataset, Fold]) -> None:
    found = _scores("kalman", *contdata)
    assert [found[f"r2_{axis}"] for axis in KINEMATICS] == pytest.approx([0.633, 0.651, 0.449, 0.496], abs=0.002)


def test_ridge_on_brown42(brown: tuple[Dataset, Fold]) -> None:
    found = _scores("ridge_lags", *brown, FIXED["ridge_lags"])
    assert [found[f"r2_{axis}"] for axis in KINEMATICS] == pytest.approx([0.551, 0.842, 0.612, 0.808], abs=0.01)


def test_position_in_the_state_helps_the_velocity_of_brown42(recordings: Path) -> None:
    data = load("m1_brown42", data_dir=recordings, options={})
    fold = GivenParts().folds(data, seed=0)[0]
    alone = _scores("kalman", data, fold, {"position": "as_given"})["r2"]
    assert _scores("kalman", data, fold, {"position": "integrated"})["r2"] > alone + 0.1


@pytest.mark.parametrize("which", ["contdata", "brown"])
def test_sixteen_bits_keep_the_scores(which: str, request: pytest.FixtureRequest) -> None:
    data, fold = request.getfixturevalue(which)
    parts = contiguous_segments(data, fitting_examples(fold))
    pairs = [(joined_inputs(data, part), joined_targets(data, part)) for part in parts]
    inputs, wanted = joined_inputs(data, fold.test), data.targets[fold.test]
    weights, intercepts = ridge_lags.fit(pairs, 10, 100.0)
    exact = {
        "ridge_lags": ridge_lags.lagged(inputs, 10) @ weights.T + intercepts,
        "kalman": kalman.fit(pairs).decode(inputs),
    }
    for name, estimates in exact.items():
        float64 = score("regression", wanted, estimates.reshape(wanted.shape))["r2"]
        assert _scores(name, data, fold, FIXED.get(name))["r2"] == pytest.approx(float64, abs=1e-3)


@pytest.mark.parametrize(
    ("task", "older"),
    [
        ("imagined_left_right", 0.69),
        ("imagined_fists_feet", 0.96),
        ("real_left_right", 0.51),
        ("real_fists_feet", 0.89),
    ],
)
def test_csp_on_motor_imagery(recordings: Path, task: str, older: float) -> None:
    """45 trials: one trial is .022, and shrinkage moves a few; .07 is three trials. Older: 7-30 Hz, 1-2 s, acausal."""
    data = load("eegmmidb", data_dir=recordings, options={
        "task": task, "subjects": "1", "direction": "acausal", "start_s": 1.0, "stop_s": 2.0})  # fmt: skip
    folds = LeaveOneGroupOut(group="run").folds(data, seed=0)
    assert _pooled("csp_lda", data, folds) == pytest.approx(older, abs=0.07)


def test_sixteen_bits_keep_the_decisions_of_csp(recordings: Path) -> None:
    data = load("eegmmidb", data_dir=recordings, options={"subjects": "1"})
    same = total = 0
    for fold in LeaveOneGroupOut(group="run").folds(data, seed=0):
        chosen, inputs = fitting_examples(fold), data.windows.inputs().astype(np.float64)
        filters = spatial_filters(inputs[chosen], data.targets[chosen], 4, 0.01)
        features = np.log(((filters @ inputs) ** 2).sum(axis=2))
        exact = LinearDiscriminantAnalysis().fit(features[chosen], data.targets[chosen]).predict(features[fold.test])
        same += int((run_baseline("csp_lda", data, fold, {}).outputs_test.argmax(axis=1) == exact).sum())
        total += len(exact)
    assert (same, total) == (45, 45)


def test_cca_on_the_exoskeleton_sessions(recordings: Path) -> None:
    """Twelve sessions give .81, and .89 without subject02, who is near chance.

    The older record says about .86 over sessions and .375 for subject02; no window or band tried gives .86 with
    that subject included, so it is held against the other ten sessions.
    """
    data = load("ssvep_exoskeleton", data_dir=recordings, options={})
    folds = LeaveOneGroupOut(group="session", validation="fraction").folds(data, seed=0)
    by_session = {fold.name: _scores("cca", data, fold)["accuracy"] for fold in folds}
    weak = [value for name, value in by_session.items() if "subject02" in name]
    rest = [value for name, value in by_session.items() if "subject02" not in name]
    assert len(weak) == 2
    assert np.mean(weak) == pytest.approx(0.375, abs=0.06)  # 24 trials: one trial is .042
    assert np.mean(rest) == pytest.approx(0.86, abs=0.04)
    assert np.mean(weak + rest) == pytest.approx(0.806, abs=0.02)


def test_band_power_svm_on_bonn(recordings: Path) -> None:
    for classes, older, tolerance in (("seizure", 0.986, 0.006), ("five", 0.84, 0.02)):
        data = load("bonn_eeg", data_dir=recordings, options={"classes": classes})
        older_settings: dict[str, Scalar] = {"softness": 10.0, "width": 1.0}
        found = _pooled("bandpower_svm", data, StratifiedFolds(folds=10).folds(data, seed=0), older_settings)
        assert found == pytest.approx(older, abs=tolerance)


def test_shrinkage_lda_on_sp1s(recordings: Path) -> None:
    """The older .75 used a 7 Hz low-pass; block means of 50 ms are a causal one, and reach a little more."""
    data = load("bci2_sp1s", data_dir=recordings, options={})
    folds = [StratifiedFolds(folds=10).folds(data, seed=seed) for seed in range(3)]
    found = np.mean([_mean("shrinkage_lda", data, one) for one in folds])
    assert found == pytest.approx(0.75, abs=0.04)


def test_chosen_ridge_is_no_straw_man(recordings: Path) -> None:
    """Ten lags and a penalty of 100 give .712 on the velocity of 42 units, and .737 on that of 95; chosen: more."""
    brown = load("m1_brown42", data_dir=recordings, options={"outputs": "velocity"})
    fold = GivenParts(validation_fraction=0.15, gap_steps=10).folds(brown, seed=0)[0]
    found = run_baseline("ridge_lags", brown, fold, {})
    assert found.chosen == {"lags": 10, "penalty": 1000.0}
    assert score("regression", brown.targets[fold.test], found.outputs_test)["r2"] == pytest.approx(0.7325, abs=1e-3)
    held = score("regression", brown.targets[fold.validation], found.outputs_validation)["r2"]
    assert held == pytest.approx(0.657, abs=1e-3)


def test_cca_with_a_regression_on_the_exoskeleton_sessions(recordings: Path) -> None:
    """The older record: .840 against .809 for the largest correlation, on the shipped study's windows."""
    data = load("ssvep_exoskeleton", data_dir=recordings, options={"decimate": 2, "start_s": 1.0, "stop_s": 5.0})
    folds = LeaveOneGroupOut(group="session", validation="fraction", validation_fraction=0.2).folds(data, seed=0)
    assert _mean("cca", data, folds) == pytest.approx(0.809, abs=1e-3)
    assert _mean("cca_logistic", data, folds) == pytest.approx(0.840, abs=0.015)


def test_lock_in_with_a_subject_left_out(recordings: Path) -> None:
    """.816 over six subjects, .396 to .979, where CCA with a regression has .809: 92,187 products a window."""
    data = load("ssvep_exoskeleton", data_dir=recordings, options={"decimate": 2, "start_s": 1.0, "stop_s": 5.0})
    folds = LeaveOneGroupOut(group="subject", validation="fraction", validation_fraction=0.2).folds(data, seed=0)
    assert _mean("lock_in", data, folds) == pytest.approx(0.816, abs=0.015)
    layers = run_baseline("lock_in", data, folds[0], {}).layers
    assert sum(row.products.dense_full.mean for row in layers if row.products) == 18_432 + 73_728 + 27


@pytest.mark.parametrize(
    ("name", "task", "found"),
    [
        ("tangent_space", "imagined_left_right", 0.821),
        ("tangent_space", "imagined_fists_feet", 0.932),
        ("fbcsp", "imagined_left_right", 0.625),
        ("fbcsp", "imagined_fists_feet", 0.890),
    ],
)
def test_motor_imagery_as_in_the_shipped_studies(recordings: Path, name: str, task: str, found: float) -> None:
    """Balanced accuracy over three folds of 15 trials, one trial of which is .022: within two trials of our record."""
    data = load("eegmmidb", data_dir=recordings, options={"task": task, "subjects": "1", "reference": "average",
                                                      "decimate": 2, "start_s": 0.5, "stop_s": 2.5})  # fmt: skip
    folds = LeaveOneGroupOut(group="run", within="subject", validation="fraction", validation_fraction=0.2)
    assert _mean(name, data, folds.folds(data, seed=0)) == pytest.approx(found, abs=0.045)


def test_filter_bank_svm_on_bonn(recordings: Path) -> None:
    """In integers throughout, as good as the float machine on a transform (.970 with its settings chosen too)."""
    data = load("bonn_eeg", data_dir=recordings, options={
        "classes": "seizure", "low_hz": 0.5, "high_hz": 40.0, "resample_hz": 86.805, "window_s": 11.75})  # fmt: skip
    folds = StratifiedFolds(folds=5, keep_together="segment").folds(data, seed=0)
    assert _mean("filter_bank_svm", data, folds) == pytest.approx(0.973, abs=0.01)
