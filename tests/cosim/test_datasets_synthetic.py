"""The generators: reproducible, hard as stated, and with a ceiling that a fair decoder comes near and none passes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from cosim.datasets import synthetic_eeg, synthetic_spikes
from cosim.datasets.registry import load
from cosim.datasets.types import Dataset
from cosim.splits.schemes import BlockedInTime, LeaveOneGroupOut


def band_power_accuracy(dataset: Dataset) -> float:
    """Leave one run out, a discriminant on log power of every channel in the mu and beta bands: no oracle's help."""
    spectrum = np.abs(np.fft.rfft(dataset.windows.inputs(), axis=2)) ** 2
    hz = np.fft.rfftfreq(dataset.windows.steps, 1 / dataset.step_rate_hz)
    features = np.concatenate([np.log(spectrum[..., (hz >= low) & (hz <= high)].sum(axis=2))
                               for low, high in ((9, 12), (18, 24))], axis=1)  # fmt: skip
    right = 0
    for fold in LeaveOneGroupOut(group="run").folds(dataset, seed=0):
        train = np.r_[fold.train, fold.validation]
        found = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(features[train], dataset.targets[train])
        right += int((found.predict(features[fold.test]) == dataset.targets[fold.test]).sum())
    return right / len(dataset.targets)


def test_eeg_shape_groups_and_seed() -> None:
    dataset = load("synthetic_eeg", data_dir=None, options={"trials": 10, "channels": 6})
    assert dataset.windows.inputs().shape == (2 * 2 * 10, 6, 192)
    np.testing.assert_array_equal(np.bincount(dataset.targets), [20, 20])
    assert {name: len(set(labels)) for name, labels in dataset.groups.items()} == {
        "recording": 4, "subject": 1, "session": 2, "run": 4}  # fmt: skip
    again = load("synthetic_eeg", data_dir=None, options={"trials": 10, "channels": 6})
    other = load("synthetic_eeg", data_dir=None, options={"trials": 10, "channels": 6, "seed": 1})
    assert again.digest == dataset.digest != other.digest
    inputs = dataset.windows.inputs()
    assert not np.allclose(inputs[:10], inputs[10:20])  # runs are not copies of each other


def test_eeg_background_falls_with_frequency() -> None:
    noise = synthetic_eeg.coloured(np.random.default_rng(0), (20, 4096), 128.0)
    power = (np.abs(np.fft.rfft(noise, axis=1)) ** 2).mean(axis=0)
    hz = np.fft.rfftfreq(4096, 1 / 128.0)
    low, high = (power[(hz > f) & (hz < 1.2 * f)].mean() for f in (4.0, 32.0))
    assert low / high == pytest.approx(8.0, rel=0.15)  # 1/f: power falls by eight over three octaves


def test_eeg_ceilings_are_ordered() -> None:
    levels = [synthetic_eeg.achievable_accuracy(synthetic_eeg.Options(difficulty=level))
              for level in ("easy", "medium", "hard")]  # fmt: skip
    assert levels[0] > levels[1] + 0.05 > levels[2] + 0.1
    assert levels[0] < 1.0
    assert levels[2] > 0.6


@pytest.mark.parametrize("level", ["easy", "hard"])
def test_eeg_a_fair_decoder_comes_near_the_ceiling_and_does_not_pass_it(level: str) -> None:
    dataset = load("synthetic_eeg", data_dir=None, options={"difficulty": level})
    ceiling = synthetic_eeg.achievable_accuracy(synthetic_eeg.Options(difficulty=level))
    reached = band_power_accuracy(dataset)
    error = 3 * np.sqrt(ceiling * (1 - ceiling) / len(dataset.targets))  # three binomial standard errors
    assert 0.5 + 0.6 * (ceiling - 0.5) < reached < ceiling + error
    assert dataset.notes[0].startswith(f"achievable accuracy {ceiling:.3f}: discriminant on log band power")


def test_eeg_left_hand_quietens_the_right_side() -> None:
    options = synthetic_eeg.Options(difficulty="easy")
    dataset = load("synthetic_eeg", data_dir=None, options={})
    right_channel = int(np.argmax(synthetic_eeg.patterns(options.channels)[:, 1]))
    spectrum = np.abs(np.fft.rfft(dataset.windows.inputs()[:, right_channel], axis=1)) ** 2
    hz = np.fft.rfftfreq(dataset.windows.steps, 1 / dataset.step_rate_hz)
    mu = spectrum[:, (hz >= 9) & (hz <= 12)].mean(axis=1)
    assert np.median(mu[dataset.targets == 0]) < 0.6 * np.median(mu[dataset.targets == 1])


def ridge_r2(dataset: Dataset, lags: int = 8) -> float:
    """Ridge on lagged counts over the blocked split, scored on the test part."""
    fold = BlockedInTime().folds(dataset, seed=0)[0]

    def design(indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        inputs = dataset.windows.inputs(indices)
        counts = inputs.transpose(0, 2, 1).reshape(-1, inputs.shape[1]).astype(float)
        wanted = dataset.targets[indices].reshape(-1, 2)
        return synthetic_spikes.lagged(counts, lags), wanted[lags - 1 :]

    inputs, wanted = design(fold.train)
    weights = np.linalg.solve(inputs.T @ inputs + 10 * np.eye(inputs.shape[1]), inputs.T @ wanted)
    tested, truth = design(fold.test)
    error = ((truth - tested @ weights) ** 2).sum(axis=0)
    return float(np.mean(1 - error / ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)))


def test_spikes_shape_rate_and_seed() -> None:
    dataset = load("synthetic_spikes", data_dir=None, options={"units": 10, "steps": 2000})
    assert dataset.windows.inputs().shape == (40, 10, 50)
    assert dataset.targets.shape == (40, 50, 2)
    assert dataset.windows.inputs().mean() == pytest.approx(20 * 0.05, rel=0.25)  # base rates are drawn within a half
    assert dataset.digest == load("synthetic_spikes", data_dir=None, options={"units": 10, "steps": 2000}).digest
    assert dataset.digest != load("synthetic_spikes", data_dir=None, options={"units": 10, "seed": 3}).digest


def test_spikes_a_fair_decoder_comes_near_the_ceiling_and_does_not_pass_it() -> None:
    for options in ({}, {"units": 8, "depth": 0.3}):
        dataset = load("synthetic_spikes", data_dir=None, options=options)
        ceiling = synthetic_spikes.achievable_r2(synthetic_spikes.Options(**options))
        assert ceiling - 0.12 < ridge_r2(dataset) < ceiling + 0.03
        assert f"achievable R2 {ceiling:.3f}" in dataset.notes[0]


def test_spikes_more_units_and_deeper_tuning_raise_the_ceiling() -> None:
    few, many, deep = (synthetic_spikes.achievable_r2(synthetic_spikes.Options(units=units, depth=depth))
                       for units, depth in ((4, 0.3), (24, 0.3), (24, 0.6)))  # fmt: skip
    assert few + 0.05 < many < deep < 1


def test_the_order_of_a_steps_parameters_is_no_content() -> None:
    """A stored dataset has them in the order of their names."""
    dataset = load("synthetic_eeg", data_dir=None, options={"trials": 12})
    sort = [dict(sorted(step.parameters.items())) for step in dataset.pipeline]
    steps = tuple(map(lambda step, own: dataclasses.replace(step, parameters=own), dataset.pipeline, sort))
    assert [list(step.parameters) for step in steps] != [list(step.parameters) for step in dataset.pipeline]
    assert dataclasses.replace(dataset, pipeline=steps).digest == dataset.digest
    other = dataclasses.replace(steps[1], parameters={**steps[1].parameters, "order": 3})
    assert dataclasses.replace(dataset, pipeline=(steps[0], other, *steps[2:])).digest != dataset.digest
