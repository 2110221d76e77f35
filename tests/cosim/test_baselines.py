"""Classical decoders: they learn, they use only what they may, and their fixed point loses nothing."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from dense_dataset import with_inputs
from generated_examples import make_spikes, make_trials
from scipy import signal
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from cosim.baselines import Baseline, baseline_names, kalman, load_baseline, ridge_lags, run_baseline
from cosim.baselines.csp_lda import spatial_filters
from cosim.baselines.fitting import best_on_validation
from cosim.baselines.numerics.fixed_point import Grid, fixed_linear, grid_of, saturated
from cosim.baselines.types import Options
from cosim.datasets.contiguous_segments import contiguous_segments, in_test_order, joined_inputs
from cosim.evaluation.scores import chance_level, primary_metric, score
from energy_models.errors import DataError, StudyError

FIXED = {"ridge_lags": {"lags": 10, "penalty": 100.0}}  # what the tests against float64 fit too
SERVES = {
    "regression": {"ridge_lags": {}, "kalman": {}, "majority": {}},
    "classification": {
        "csp_lda": {"components": 2}, "cca": {"harmonics": 1}, "cca_logistic": {"harmonics": 1},
        "lock_in": {"harmonics": 1},
        "tangent_space": {},
        "fbcsp": {"bands_hz": "4-8,8-12", "components": 2}, "filter_bank_svm": {"bands_hz": "4-8,8-12,12-20"},
        "shrinkage_lda": {"block_steps": 2}, "majority": {},
        "bandpower_svm": {"bands_hz": "4-8,8-12,12-20", "segment_steps": 32},
    },
}  # fmt: skip
CASES = [(task, name) for task, names in SERVES.items() for name in names]


MAKE = {"classification": make_trials, "regression": make_spikes}


def test_every_baseline_is_tried_here() -> None:
    assert set(baseline_names()) == {name for names in SERVES.values() for name in names}


OWN = Baseline("mean", ("regression",), Options, lambda data, fold, _: run_baseline("majority", data, fold, {}))


def test_a_baseline_of_ones_own_is_named_by_module_and_object() -> None:
    data, fold = make_spikes()
    assert run_baseline("test_baselines:OWN", data, fold, {}).label == "training mean"
    with pytest.raises(DataError, match="it decodes regression only"):
        run_baseline("test_baselines:OWN", *make_trials(), {})
    with pytest.raises(StudyError, match="not a Baseline"):
        load_baseline("test_baselines:MAKE")


def test_titles_and_tasks_are_what_the_results_say() -> None:
    for task, names in SERVES.items():
        for name in names:
            assert task in load_baseline(name).tasks
    assert load_baseline("ridge_lags").title == "ridge"


@pytest.mark.parametrize(("task", "name"), CASES)
def test_contract(task: str, name: str) -> None:
    data, fold = MAKE[task]()
    result = run_baseline(name, data, fold, SERVES[task][name])
    parts = ((fold.test, result.outputs_test), (fold.validation, result.outputs_validation))
    for part, outputs in parts:
        found = score(data.task, data.targets[part], outputs)[primary_metric(data.task)]
        if name == "majority":
            assert found <= chance_level(data.task, len(data.output_names)) + 1e-9
        else:
            assert found > chance_level(data.task, len(data.output_names)) + 0.3
    for row in result.layers:
        counts = [*row.operations.values()]
        if row.products:
            counts += [row.products.dense_full.multiply_accumulate, row.products.effective.accumulate]
        assert all(count.decodes == result.decodes for count in counts)
        assert row.name.startswith(f"{name}.")
    workload = result.workload(data)
    assert workload.complete
    assert workload.mode == ("stream" if task == "regression" else "window")


@pytest.mark.parametrize(("task", "name"), CASES)
def test_test_targets_are_never_seen(task: str, name: str) -> None:
    data, fold = MAKE[task]()
    spoiled = data.targets.copy()
    spoiled[fold.test] = 1 - spoiled[fold.test]
    unused = np.setdiff1d(np.arange(len(spoiled)), np.concatenate([fold.train, fold.validation]))
    poisoned = data.windows.inputs().copy()
    poisoned[np.setdiff1d(unused, fold.test)] = np.nan
    other = with_inputs(dataclasses.replace(data, target_values=spoiled), poisoned)
    here, there = (run_baseline(name, one, fold, SERVES[task][name]) for one in (data, other))
    assert np.array_equal(here.outputs_test, there.outputs_test)
    assert np.array_equal(here.outputs_validation, there.outputs_validation)
    assert here.chosen == there.chosen


@pytest.mark.parametrize(("task", "name"), CASES)
def test_what_scores_on_validation_was_fitted_without_it(task: str, name: str) -> None:
    """With nothing to choose, other validation targets change the deployed decoder at most, not what is compared."""
    data, fold = MAKE[task]()
    fields = load_baseline(name).Options().model_dump()
    first = {key: value[0] for key, value in fields.items() if isinstance(value, tuple)}
    spoiled = data.targets.copy()
    spoiled[fold.validation] = spoiled[fold.validation][::-1]
    options = {**first, **SERVES[task][name]}
    here, there = (run_baseline(name, one, fold, options)
                   for one in (data, dataclasses.replace(data, target_values=spoiled)))  # fmt: skip
    assert np.array_equal(here.outputs_validation, there.outputs_validation)
    assert here.chosen == {}
    if name not in ("cca", "majority"):  # one is training-free, the other counts classes that stay as many
        assert not np.array_equal(here.outputs_test, there.outputs_test)


def test_the_best_on_validation_wins_and_ties_go_to_the_simpler() -> None:
    data, fold = make_trials()
    right = np.eye(2)[data.targets[fold.validation]]
    logits = {"simple": 2 * right, "again": 2 * right, "surer": 5 * right, "wrong": -9 * right}

    def best(*names: str) -> str:
        return best_on_validation(data, fold, names, logits.__getitem__)

    assert best("simple", "again", "wrong") == "simple"
    assert best("wrong", "again", "simple") == "again"
    assert best("wrong", "simple", "surer") == "surer"  # as accurate, but with the smaller cross-entropy
    assert best_on_validation(data, fold, ["untried"], logits.__getitem__) == "untried"


def test_ridge_chooses_as_every_pair_tried_by_hand() -> None:
    data, fold = make_spikes()
    found = run_baseline("ridge_lags", data, fold, {"lags": "1,3", "penalty": "1, 1000,100000000"})
    pairs = [(joined_inputs(data, part), data.targets[part].reshape(-1, 2).astype(float))
             for part in contiguous_segments(data, fold.train)]  # fmt: skip
    wanted, scores = data.targets[fold.validation], {}
    for lags, penalty in itertools.product((1, 3), (1.0, 1e3, 1e8)):
        weights, intercepts = ridge_lags.fit(pairs, lags, penalty)
        decoded = ridge_lags.lagged(joined_inputs(data, fold.validation), lags) @ weights.T + intercepts
        scores[lags, penalty] = score("regression", wanted, decoded.reshape(wanted.shape))["r2"]
    lags, penalty = max(scores, key=scores.__getitem__)
    assert found.chosen == {"lags": lags, "penalty": penalty}
    held = score("regression", wanted, found.outputs_validation)["r2"]
    assert held == pytest.approx(scores[lags, penalty], abs=1e-3)


@pytest.mark.parametrize("name", ["ridge_lags", "kalman"])
def test_streaming_decoders_are_causal_and_keep_the_order_asked_for(name: str) -> None:
    data, fold = make_spikes()
    plain = run_baseline(name, data, fold, {}).outputs_test
    later = data.windows.inputs().copy()
    later[fold.test[5] :] = 0
    changed = run_baseline(name, with_inputs(data, later), fold, {}).outputs_test
    assert np.array_equal(plain[:5], changed[:5])
    assert not np.array_equal(plain[5], changed[5])
    turned = dataclasses.replace(fold, test=fold.test[::-1].copy())
    assert np.array_equal(run_baseline(name, data, turned, {}).outputs_test, plain[::-1])


def test_contiguous_segments_break_at_gaps_and_recordings() -> None:
    data, _ = make_spikes()
    data = dataclasses.replace(data, groups={"recording": np.array(["a"] * 6 + ["b"] * (len(data.windows) - 6))})
    runs = contiguous_segments(data, np.array([7, 0, 1, 3, 4, 5, 6]))
    assert [run.tolist() for run in runs] == [[0, 1], [3, 4, 5], [6, 7]]
    back = in_test_order(data, np.array([7, 0, 1, 3, 4, 5, 6]), runs, [joined_inputs(data, run) for run in runs])
    assert np.array_equal(back, data.windows.inputs()[[7, 0, 1, 3, 4, 5, 6]].transpose(0, 2, 1))


@pytest.mark.parametrize("name", ["ridge_lags", "kalman", "majority"])
def test_steps_without_a_known_target_teach_nothing(name: str) -> None:
    """Half of an example in the middle of training has no target: whatever its inputs are there, the decoder stays."""
    data, fold = make_spikes()
    targets, inputs = data.targets.copy(), data.windows.inputs().copy()
    targets[10, 20:45] = np.nan
    inputs[10, :, 20:45] = 99
    options = {"lags": 3, "penalty": 1} if name == "ridge_lags" else {}
    unknown = dataclasses.replace(data, target_values=targets)
    here, there = (run_baseline(name, one, fold, options) for one in (unknown, with_inputs(unknown, inputs)))
    assert np.isfinite(here.outputs_test).all()
    assert np.array_equal(here.outputs_test, there.outputs_test)
    whole = run_baseline(name, data, fold, options).outputs_test
    assert whole == pytest.approx(here.outputs_test, abs=0.1 * np.abs(whole).max())
    if name != "majority":
        with pytest.raises(DataError, match="no training step"):
            run_baseline(name, dataclasses.replace(data, target_values=np.full_like(targets, np.nan)), fold, options)


def test_kalman_with_integrated_position_decodes_velocity_only() -> None:
    data, fold = make_spikes()
    result = run_baseline("kalman", data, fold, {"position": "integrated"})
    assert result.outputs_test.shape == data.targets[fold.test].shape
    assert result.layers[0].products is not None
    assert result.layers[0].products.dense_full.mean == 16


def test_a_silent_channel_gets_no_gain() -> None:
    data, fold = make_spikes()
    inputs = data.windows.inputs().copy()
    inputs[:, 4] = 0
    result = run_baseline("kalman", with_inputs(data, inputs), fold, {})
    assert result.layers[1].weights_nonzero == 2 * 11


@pytest.mark.parametrize("name", ["ridge_lags", "kalman"])
def test_fixed_point_keeps_the_score_of_streams(name: str) -> None:
    data, fold = make_spikes()
    pairs = [(joined_inputs(data, part), data.targets[part].reshape(-1, 2).astype(float))
             for part in contiguous_segments(data, np.concatenate([fold.train, fold.validation]))]  # fmt: skip
    inputs = joined_inputs(data, fold.test)
    if name == "kalman":
        exact = kalman.fit(pairs).decode(inputs)
    else:
        weights, intercepts = ridge_lags.fit(pairs, 10, 100.0)
        exact = ridge_lags.lagged(inputs, 10) @ weights.T + intercepts
    fixed = run_baseline(name, data, fold, FIXED.get(name, {})).outputs_test.reshape(-1, 2)
    assert np.abs(fixed - exact).max() < 5e-3 * np.abs(exact).max()
    shape = data.targets[fold.test].shape
    scores = [score("regression", data.targets[fold.test], one.reshape(shape))["r2"] for one in (fixed, exact)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-3)


def test_fixed_point_keeps_the_margins_of_trials() -> None:
    """Both linear discriminants against the same chain in float64, straight from scikit-learn."""
    data, fold = make_trials()
    chosen, inputs = np.concatenate([fold.train, fold.validation]), data.windows.inputs().astype(float)
    filters = spatial_filters(inputs[chosen], data.targets[chosen], 2, 0.01)
    power = np.log(((filters @ inputs) ** 2).sum(axis=2))
    blocks = inputs.reshape(len(inputs), 4, 32, 2).mean(axis=3).reshape(len(inputs), -1)
    shrunk = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    cases = [("csp_lda", {"components": 2}, power, LinearDiscriminantAnalysis()),
             ("shrinkage_lda", {"block_steps": 2}, blocks, shrunk)]  # fmt: skip
    for name, options, features, exact in cases:
        exact.fit(features[chosen], data.targets[chosen])
        expected = exact.decision_function(features[fold.test])
        logits = run_baseline(name, data, fold, options).outputs_test
        assert logits[:, 1] - logits[:, 0] == pytest.approx(expected, abs=1e-2 * np.abs(expected).max())
        assert np.array_equal(logits.argmax(axis=1), (expected > 0).astype(int))


def test_spatial_filters_find_the_channel_that_changes() -> None:
    rng = np.random.default_rng(4)
    inputs = rng.normal(size=(60, 3, 50))
    labels = np.arange(60) % 2
    inputs[labels == 0, 2] *= 4
    inputs[labels == 1, 0] *= 4
    filters = spatial_filters(inputs, labels, 2, 0.01)
    assert {int(np.abs(row).argmax()) for row in filters} == {0, 2}


def test_grids_by_hand() -> None:
    assert float(grid_of(np.array([0.0, 3.0, 250.0])).step) == 1.0
    assert float(grid_of(np.array([0.5, -2.0])).step) == pytest.approx(2 / 32767)
    grid = Grid(np.asarray(0.5), bits=4)
    assert grid.integers(np.array([-100.0, -0.26, 0.0, 1.3, 100.0])).tolist() == [-8, -1, 0, 3, 7]
    assert saturated(np.array([2.0**50, -(2.0**50)])).tolist() == [2.0**39 - 1, -(2.0**39)]


def test_fixed_matrix_is_close_and_within_16_bits() -> None:
    rng = np.random.default_rng(5)
    weights, biases = rng.normal(size=(3, 20)) * np.array([[1e-3], [1.0], [1e3]]), rng.normal(size=3)
    matrix = fixed_linear(weights, biases, 0.25)
    inputs = rng.integers(-300, 300, (50, 20))
    assert np.abs(matrix.weights).max() == 32767
    exact = 0.25 * inputs @ weights.T + biases
    # Each weight and the bias is off by half a step at most.
    bound = 0.5 * matrix.step * (np.abs(inputs).sum(axis=1)[:, None] + 1)
    assert np.all(np.abs(matrix.values(inputs) - exact) <= bound * (1 + 1e-9))


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("csp_ldaa", {}, "csp_lda"),
        ("csp_lda", {"component": 4}, "components"),
        ("csp_lda", {"components": 3}, "multiple of 2"),
        ("bandpower_svm", {"segment_steps": 48}, "power of two"),
        ("ridge_lags", {"lags": "5,none"}, "lags.1"),
        ("ridge_lags", {"penalty": "0"}, "penalty.0"),
    ],
)
def test_wrong_names_and_options(name: str, options: dict[str, int], words: str) -> None:
    with pytest.raises(StudyError, match=words):
        run_baseline(name, *make_trials(), options)


@pytest.mark.parametrize(
    ("name", "options", "change", "words"),
    [
        ("ridge_lags", {}, {}, "decodes regression only"),
        ("csp_lda", {"components": 6}, {}, "at least 6 channels"),
        ("csp_lda", {}, {"output_names": ("a", "b", "c")}, "two classes"),
        ("cca", {}, {"output_names": ("rest", "10 Hz")}, "do not all name a frequency"),
        ("cca", {"frequencies_hz": "6"}, {}, "1 frequencies"),
        ("cca", {"harmonics": 4}, {}, "do not fit under half"),
        ("shrinkage_lda", {"block_steps": 100}, {}, "shorter than a block"),
        ("shrinkage_lda", {}, {"output_names": ("a", "b", "c")}, "no training example"),
        ("bandpower_svm", {"bands_hz": "4-8"}, {}, "shorter than a segment"),
    ],
)
def test_datasets_a_decoder_cannot_serve(name: str, options: dict, change: dict, words: str) -> None:
    data, fold = make_trials()
    with pytest.raises(DataError, match=words):
        run_baseline(name, dataclasses.replace(data, **change), fold, options)


def test_a_band_that_holds_no_bin_is_refused() -> None:
    data, fold = make_trials()
    with pytest.raises(DataError, match="holds no bin"):
        run_baseline("bandpower_svm", with_inputs(data, data.windows.inputs(), rate_hz=16.0), fold, {})


def test_too_short_stretches_for_the_memory() -> None:
    data, fold = make_spikes(segment=5)
    apart = dataclasses.replace(fold, train=fold.train[::2], validation=fold.validation[:1])
    with pytest.raises(DataError, match="fewer lags"):
        run_baseline("ridge_lags", data, apart, {"lags": 10})


def test_block_means_stand_in_for_a_low_pass() -> None:
    """A block mean of 5 samples at 100 Hz has its first zero at 20 Hz and is down 1 dB at 5 Hz, 3 dB near 9 Hz."""
    _, response = signal.freqz(np.full(5, 0.2), worN=[0.0, 5.0, 8.9, 20.0], fs=100.0)
    assert 20 * np.log10(np.abs(response[:3])) == pytest.approx([0, -0.88, -2.96], abs=0.1)
    assert np.abs(response[3]) == pytest.approx(0, abs=1e-12)
