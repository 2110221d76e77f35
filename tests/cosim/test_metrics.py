"""Scores and intervals."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, r2_score

from cosim.evaluation.metrics import (
    binomial_interval,
    information_transfer_bits,
    interval,
    permutation_p_value,
    primary_metric,
    score,
)
from energy_models.errors import DataError


def test_primary_metric_is_among_the_scores() -> None:
    logits = np.eye(3)
    assert primary_metric("classification") in score("classification", np.arange(3), logits)
    targets = np.arange(12.0).reshape(2, 3, 2)
    assert primary_metric("regression") in score("regression", targets, targets)


def test_balanced_accuracy_by_hand() -> None:
    # Three of class 0 (two right), one of class 1 (right): accuracy 3/4, balanced (2/3 + 1) / 2 = 5/6.
    targets = np.array([0, 0, 0, 1])
    logits = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    found = score("classification", targets, logits)
    assert found["accuracy"] == pytest.approx(0.75)
    assert found["balanced_accuracy"] == pytest.approx(5 / 6)


def test_scores_equal_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    targets, logits = rng.integers(0, 4, 200), rng.normal(size=(200, 4))
    found = score("classification", targets, logits)
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(targets, logits.argmax(1)))
    assert found["accuracy"] == pytest.approx(accuracy_score(targets, logits.argmax(1)))
    wanted = rng.normal(size=(5, 7, 3))
    given_ = wanted + rng.normal(size=wanted.shape)
    values = score("regression", wanted, given_, output_names=("a", "b", "c"))
    each = r2_score(wanted.reshape(-1, 3), given_.reshape(-1, 3), multioutput="raw_values")
    assert [values[f"r2_{name}"] for name in "abc"] == pytest.approx(list(each))
    assert values["r2"] == pytest.approx(each.mean())


def test_r_squared_by_hand_and_correlation_ignores_scale() -> None:
    # Targets 0, 1, 2: spread 2. Estimates twice that: errors 0, 1, 2, squared 5; R squared 1 - 5/2 = -1.5.
    targets = np.arange(3.0).reshape(1, 3, 1)
    found = score("regression", targets, 2 * targets, output_names=("x",))
    assert found["r2"] == pytest.approx(-1.5)
    assert found["correlation_x"] == pytest.approx(1.0)


def test_constant_estimate_has_no_correlation_rather_than_zero() -> None:
    targets = np.arange(6.0).reshape(1, 6, 1)
    found = score("regression", targets, np.full_like(targets, 2.5), output_names=("x",))
    assert found["r2"] == pytest.approx(0.0)
    assert "correlation_x" not in found


@pytest.mark.parametrize(
    ("targets", "outputs", "words"),
    [
        (np.array([0, 1]), np.zeros((3, 2)), "do not go with"),
        (np.array([], dtype=np.int64), np.zeros((0, 2)), "do not go with"),
        (np.array([0, 1]), np.array([[0.0, math.nan], [0.0, 1.0]]), "not all finite"),
    ],
)
def test_unusable_outputs_are_refused(targets: np.ndarray, outputs: np.ndarray, words: str) -> None:
    with pytest.raises(DataError, match=words):
        score("classification", targets, outputs)


def test_flat_target_is_refused() -> None:
    with pytest.raises(DataError, match="does not vary"):
        score("regression", np.ones((1, 4, 1)), np.zeros((1, 4, 1)))


def test_interval_over_folds_by_hand() -> None:
    # Seeds averaged in each fold: .5, .6, .7. Mean .6, s .1; t(2, .975) = 4.3027; half 4.3027 * .1 / sqrt 3 = .24842.
    table = {"fold": list("aabbcc"), "seed": [0, 1] * 3, "score": [0.4, 0.6, 0.55, 0.65, 0.7, 0.7]}
    found = interval(table)
    assert (found.over, found.count, found.folds, found.seeds) == ("folds", 3, 3, 2)
    assert found.mean == pytest.approx(0.6)
    assert found.high - found.mean == pytest.approx(0.24842, abs=1e-4)
    assert found.mean - found.low == pytest.approx(found.high - found.mean)


def test_interval_over_seeds_where_folds_are_few() -> None:
    # One fold, scores .7 and .8: s .0707; t(1, .975) = 12.706; half 12.706 * .0707 / sqrt 2 = .6353. Not clipped at 1.
    found = interval(pd.DataFrame({"fold": ["a", "a"], "seed": [0, 1], "score": [0.7, 0.8]}))
    assert (found.over, found.count) == ("seeds", 2)
    assert found.high == pytest.approx(0.75 + 0.6353, abs=1e-3)


def test_one_value_has_no_interval() -> None:
    found = interval({"fold": ["a"], "seed": [0], "score": [0.9]})
    assert found.over == "none"
    assert found.mean == 0.9
    assert math.isnan(found.low)
    assert math.isnan(found.high)


@pytest.mark.parametrize("scores", [[], [math.nan]])
def test_interval_refuses_what_is_no_score(scores: list[float]) -> None:
    with pytest.raises(DataError):
        interval({"fold": ["a"] * len(scores), "seed": [0] * len(scores), "score": scores})


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=8), st.floats(-5, 5))
def test_interval_moves_with_its_scores(scores: list[float], shift: float) -> None:
    folds, seeds = [str(n) for n in range(len(scores))], [0] * len(scores)
    here = interval({"fold": folds, "seed": seeds, "score": scores})
    there = interval({"fold": folds, "seed": seeds, "score": [value + shift for value in scores]})
    assert here.low <= here.mean <= here.high
    assert there.mean == pytest.approx(here.mean + shift, abs=1e-9)
    assert there.high - there.low == pytest.approx(here.high - here.low, abs=1e-9)


def test_wolpaw_bits() -> None:
    # Perfect of four: 2 bits. Chance: 0. .9 of two: 1 + .9 log2 .9 + .1 log2 .1 = 1 - .4690 = .5310.
    assert information_transfer_bits(1.0, 4) == pytest.approx(2.0)
    assert information_transfer_bits(0.25, 4) == 0.0
    assert information_transfer_bits(0.1, 2) == 0.0
    assert information_transfer_bits(0.9, 2) == pytest.approx(0.5310, abs=1e-4)
    with pytest.raises(DataError):
        information_transfer_bits(1.2, 2)


def test_binomial_interval_by_hand() -> None:
    # None of ten: the upper end solves (1 - p)^10 = .025, p = 1 - .025^(1/10) = .30850.
    assert binomial_interval(0, 10) == pytest.approx((0.0, 0.30850), abs=1e-5)
    low, high = binomial_interval(10, 10)
    assert (low, high) == pytest.approx((0.69150, 1.0), abs=1e-5)
    with pytest.raises(DataError):
        binomial_interval(5, 4)


def test_permutation_tells_signal_from_noise() -> None:
    rng = np.random.default_rng(3)
    targets = np.repeat([0, 1], 30)
    signal = np.eye(2)[targets] + rng.normal(scale=0.5, size=(60, 2))
    assert permutation_p_value(targets, signal, seed=0, permutations=199) == pytest.approx(1 / 200)
    # Every trial answered with class 0: all shuffles reach the same balanced accuracy of one half.
    constant = np.tile([1.0, 0.0], (60, 1))
    assert permutation_p_value(targets, constant, seed=0, permutations=99) == 1.0
