"""Classical decoders equal their formulas, worked by other means or by scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from generated_examples import make_spikes, make_trials
from scipy import linalg
from sklearn.covariance import OAS
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import SVC

from cosim.baselines import kalman, ridge_lags, run_baseline
from cosim.baselines.cca import covariances, references, squared_correlations
from cosim.baselines.fitting import fitting_examples
from cosim.baselines.kernel_machine import fit as fit_svm
from cosim.baselines.lock_in import LockIn
from cosim.baselines.numerics.riemann import riemannian_mean
from cosim.datasets.contiguous_segments import contiguous_segments, joined_inputs


def test_regression_of_correlations_equals_scikit_learn() -> None:
    """Two frequencies, two harmonics: four squared correlations, standardised, then the regression of scikit-learn."""
    data, fold = make_trials()
    found = run_baseline("cca_logistic", data, fold, {"harmonics": 2, "inverse_penalty": 1.0})
    table = references((6.0, 10.0, 12.0, 20.0), 1, 64, 64.0)
    centred = data.windows.inputs().astype(float) - data.windows.inputs().mean(axis=2, keepdims=True)
    features = np.array([[np.linalg.svd(np.linalg.qr(window.T)[0].T @ one.T, compute_uv=False)[0] ** 2
                          for one in table] for window in centred])  # fmt: skip
    chosen = fitting_examples(fold)
    standard = (features - features[chosen].mean(axis=0)) / features[chosen].std(axis=0)
    expected = LogisticRegression(C=1.0).fit(standard[chosen], data.targets[chosen]).decision_function(standard)
    margins = found.outputs_test[:, 1] - found.outputs_test[:, 0]
    assert margins == pytest.approx(expected[fold.test], abs=5e-3)


def test_lock_in_energies_are_those_of_whitened_windows() -> None:
    """``trace(Q^T X^T S^-1 X Q)`` of every pair, with the window's covariance S, loaded; none depends on a mixing."""
    data, _ = make_trials()
    windows = data.windows.inputs()
    front = LockIn(references((6.0, 12.0), 1, 64, 64.0).reshape(-1, 64), 1e-6)
    found = front.of(windows)[0]
    centred = windows.astype(float) - windows.mean(axis=2, keepdims=True)
    pairs = front.table.reshape(2, 2, 64)
    expected = [[np.trace(q @ x.T @ np.linalg.solve(x @ x.T, x @ q.T)) for q in pairs] for x in centred]
    assert found == pytest.approx(np.array(expected), rel=1e-3)
    mixing = np.random.default_rng(0).normal(size=(windows.shape[1],) * 2).astype(np.float32)
    assert front.of((mixing @ windows).astype(np.float32))[0] == pytest.approx(found, rel=2e-2)


def test_ridge_equals_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    inputs, targets = rng.poisson(2.0, (400, 3)).astype(float), rng.normal(size=(400, 2))
    weights, intercepts = ridge_lags.fit([(inputs, targets)], 4, 7.0)
    rows = np.hstack([inputs[3 - lag : 400 - lag] for lag in range(4)])
    expected = Ridge(alpha=7.0).fit(rows, targets[3:])
    assert weights == pytest.approx(expected.coef_)
    assert intercepts == pytest.approx(expected.intercept_)


def test_steady_kalman_equals_the_full_filter() -> None:
    """The Riccati solution is where the step-by-step covariance settles, and the decoded state follows."""
    data, fold = make_spikes()
    pairs = [(joined_inputs(data, part), data.targets[part].reshape(-1, 2).astype(float))
             for part in contiguous_segments(data, fold.train)]  # fmt: skip
    fitted = kalman.fit(pairs)
    inputs, states = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    states, inputs = states - states.mean(axis=0), inputs - inputs.mean(axis=0)
    a = np.linalg.lstsq(states[:-1], states[1:], rcond=None)[0].T
    c = np.linalg.lstsq(states, inputs, rcond=None)[0].T
    w, q = states[1:] - states[:-1] @ a.T, inputs - states @ c.T
    w, q = w.T @ w / len(w), q.T @ q / len(q)
    state, covariance, estimates = np.zeros(2), np.zeros((2, 2)), []
    for observed in inputs[:300]:
        ahead = a @ covariance @ a.T + w
        gain = ahead @ c.T @ np.linalg.inv(c @ ahead @ c.T + q)
        state = a @ state + gain @ (observed - c @ a @ state)
        covariance = (np.eye(2) - gain @ c) @ ahead
        estimates.append(state)
    assert fitted.gain == pytest.approx(gain, rel=1e-6)
    steady = fitted.decode(inputs[:300] + fitted.input_mean) - fitted.state_mean
    assert steady[100:] == pytest.approx(np.array(estimates)[100:], abs=1e-6)


def test_svm_equals_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    for classes in (2, 4):
        labels = np.arange(80) % classes
        features = (rng.normal(size=(80, 3)) + labels[:, None]).astype(np.float32)
        machine = fit_svm(features, labels, classes, softness=1.0, width=1.0, where="x")
        standard = (features - features.mean(axis=0)) / features.std(axis=0)
        expected = SVC(C=1.0, gamma=1 / 3).fit(standard, labels).decision_function(standard)
        found = machine.logits(machine.kernels(machine.standardised(features)))
        assert (found[:, 1] if classes == 2 else found) == pytest.approx(expected, abs=1e-4)


def test_cca_equals_the_singular_values() -> None:
    rng = np.random.default_rng(3)
    windows = rng.normal(size=(5, 4, 200)).astype(np.float32)
    windows[:, 1] += np.sin(2 * np.pi * 11 * np.arange(200) / 100)
    centred = windows - windows.mean(axis=2, keepdims=True)
    table = references((11.0, 17.0), 2, 200, 100.0)
    assert table[0] @ table[0].T == pytest.approx(np.eye(4), abs=1e-5)
    projected = centred @ table.reshape(-1, 200).T
    found = squared_correlations(covariances(centred, 1e-7), projected, 2)
    for window, row in zip(centred, found, strict=True):
        basis = np.linalg.qr(window.T.astype(float))[0]
        expected = [np.linalg.svd(basis.T @ one.T, compute_uv=False)[0] ** 2 for one in table]
        assert row == pytest.approx(expected, abs=1e-4)
    assert (found[:, 0] > found[:, 1]).all()


def test_tangent_space_equals_its_formula() -> None:
    data, fold = make_trials()
    found = run_baseline("tangent_space", data, fold, {"inverse_penalty": 1.0})
    covariances = np.array([OAS(assume_centered=True).fit((one - one.mean(axis=1, keepdims=True)).T).covariance_
                            for one in data.windows.inputs().astype(float)])  # fmt: skip
    chosen = fitting_examples(fold)
    inverse = np.linalg.inv(linalg.sqrtm(riemannian_mean(covariances[chosen], where="x")).real)
    rows, columns = np.triu_indices(4)
    features = np.array([linalg.logm(inverse @ one @ inverse).real[rows, columns] for one in covariances])
    standard = (features - features[chosen].mean(axis=0)) / features[chosen].std(axis=0)
    expected = LogisticRegression(C=1.0).fit(standard[chosen], data.targets[chosen]).decision_function(standard)
    margins = found.outputs_test[:, 1] - found.outputs_test[:, 0]
    assert margins == pytest.approx(expected[fold.test], abs=5e-3)
