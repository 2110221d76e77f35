"""Scores of one set of held-out examples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, r2_score

from cosim.evaluation.scores import chance_level, primary_metric, primary_score, score
from cosim.evaluation.transfer_rate import information_transfer_bits, information_transfer_rate
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


def test_wolpaw_bits() -> None:
    # Perfect of four: 2 bits. Chance: 0. .9 of two: 1 + .9 log2 .9 + .1 log2 .1 = 1 - .4690 = .5310.
    assert information_transfer_bits(1.0, 4) == pytest.approx(2.0)
    assert information_transfer_bits(0.25, 4) == 0.0
    assert information_transfer_bits(0.1, 2) == 0.0
    assert information_transfer_bits(0.9, 2) == pytest.approx(0.5310, abs=1e-4)
    with pytest.raises(DataError):
        information_transfer_bits(1.2, 2)


def test_information_transfer_rate_by_hand() -> None:
    # Two bits a selection. Windows of 2 s: 30 a minute, 60 bits/min, however often they are decoded; one decision in
    # 4 s: 15 a minute, 30 bits/min.
    assert information_transfer_rate(1.0, 4, window_s=2.0, decode_rate_hz=8.0) == pytest.approx(60.0)
    assert information_transfer_rate(1.0, 4, window_s=2.0, decode_rate_hz=0.25) == pytest.approx(30.0)
    assert information_transfer_rate(0.2, 4, window_s=2.0, decode_rate_hz=1.0) == 0.0
    with pytest.raises(DataError, match="above zero"):
        information_transfer_rate(1.0, 4, window_s=0.0, decode_rate_hz=1.0)


def test_balanced_accuracy_is_left_out_where_a_class_is_absent() -> None:
    # Over the class that is present, a constant decoder would be right every time.
    constant = np.tile([1.0, 0.0], (5, 1))
    assert score("classification", np.zeros(5, np.int64), constant) == {"accuracy": 1.0}
    with pytest.raises(DataError, match="no example of class 1"):
        primary_score("classification", np.zeros(5, np.int64), constant)
    assert primary_score("classification", np.array([0, 0, 0, 0, 1]), constant) == 0.5


def test_steps_with_unknown_targets_are_left_out() -> None:
    targets = np.array([0.0, 1.0, math.nan, 2.0]).reshape(1, 4, 1)
    outputs = np.array([0.0, 1.0, 9.0, 2.0]).reshape(1, 4, 1)
    assert score("regression", targets, outputs)["r2"] == pytest.approx(1.0)


def test_chance_levels() -> None:
    assert chance_level("classification", 4) == 0.25
    assert chance_level("regression", 2) == 0.0
