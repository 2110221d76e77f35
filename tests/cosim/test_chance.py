"""Permutation tests."""

from __future__ import annotations

import numpy as np
import pytest
from held_out_tables import answers, provenance

from cosim.evaluation.chance import permutation_p_value
from cosim.evaluation.predictions import Predictions, Provenance
from energy_models.errors import DataError


def test_permutation_tells_signal_from_noise() -> None:
    rng = np.random.default_rng(3)
    targets = np.repeat([0, 1], 30)
    signal = np.eye(2)[targets] + rng.normal(scale=0.5, size=(60, 2))
    found = Predictions(np.arange(60), signal, np.full(60, "f"))
    assert permutation_p_value(provenance(targets), [found], seed=0, permutations=199) == pytest.approx(1 / 200)
    # Every trial answered with class 0: all shuffles reach the same balanced accuracy of one half.
    constant = answers(np.zeros(60, np.int64))
    assert permutation_p_value(provenance(targets), [constant], seed=0, permutations=99) == 1.0


def test_noise_is_not_significant_too_often() -> None:
    rng = np.random.default_rng(1)
    values = [
        permutation_p_value(provenance(rng.integers(0, 2, 40)), [answers(rng.integers(0, 2, 40))], seed=n,
                            permutations=99)
        for n in range(100)
    ]  # fmt: skip
    assert np.mean(np.asarray(values) <= 0.05) <= 0.05 + 4 * 0.022


def test_a_decoder_that_knows_the_run_alone_is_at_chance() -> None:
    # Run a is mostly class 0, run b mostly class 1, and the decoder answers the run. Shuffled over both runs it would
    # stand far above chance; within runs nothing changes.
    targets = [0] * 15 + [1] * 5 + [0] * 5 + [1] * 15
    runs = ["a"] * 20 + ["b"] * 20
    found = answers([0] * 20 + [1] * 20)
    assert permutation_p_value(provenance(targets), [found], seed=0, permutations=199) <= 0.01
    assert permutation_p_value(provenance(targets, {"run": runs}), [found], seed=0, permutations=199) == 1.0


def test_classes_of_whole_runs_change_places_where_runs_hold_one_class() -> None:
    # Perfect over ten runs of 20, two of class 1: 45 arrangements of the runs, so p is near 1 / 45, never 1 / 200.
    targets = np.repeat([0] * 8 + [1] * 2, 20)
    runs = np.repeat([f"r{n}" for n in range(10)], 20).tolist()
    value = permutation_p_value(provenance(targets, {"run": runs}), [answers(targets)], seed=0, permutations=1999)
    assert value == pytest.approx(1 / 45, abs=4 * np.sqrt(1 / 45 / 2000))


def _walk(seed: int, examples: int = 40) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).normal(size=(examples * 10, 2)), axis=0).reshape(examples, 10, 2)


def test_estimates_are_shifted_in_time() -> None:
    where = Provenance("regression", _walk(0), {"recording": np.full(40, "a")}, np.arange(40) * 10, 10, 10.0)
    near = Predictions(np.arange(40), _walk(0) + 0.1 * _walk(1), np.full(40, "f"))
    assert permutation_p_value(where, [near], seed=0, permutations=199) <= 0.02
    # Another slow movement correlates by chance, as slow things do: shuffled steps would call that significant.
    values = []
    for seed in range(2, 12):
        other = Predictions(np.arange(40), 0.3 * (_walk(seed) - _walk(seed).mean(axis=(0, 1))), np.full(40, "f"))
        values.append(permutation_p_value(where, [other], seed=0, permutations=199))
    assert sum(value <= 0.05 for value in values) <= 3


def test_windows_that_follow_each_other_keep_their_order() -> None:
    # One event of 20 windows among 100, and an alarm of 20 windows elsewhere: by shifts, a hit is a matter of chance.
    targets = np.zeros(100, np.int64)
    targets[40:60] = 1
    given = provenance(targets, {"recording": ["a"] * 100}, starts=[10 * n for n in range(100)])
    exact, half = answers(targets), answers(np.roll(targets, 10))
    assert permutation_p_value(given, [exact], seed=0, permutations=999) == pytest.approx(0.01, abs=0.013)
    assert permutation_p_value(given, [half], seed=0, permutations=999) > 0.1


def test_seeds_of_other_examples_are_refused() -> None:
    with pytest.raises(DataError, match="same examples"):
        permutation_p_value(provenance([0, 1, 0]), [answers([0, 1]), answers([0, 1, 0])], seed=0)


def test_windows_of_one_trial_move_together() -> None:
    """Twenty trials of five windows each: a shift within a trial changes nothing, the trials change places."""
    trials = np.tile([0, 1], 10)
    targets, starts = np.repeat(trials, 5), [100 * trial + 10 * window for trial in range(20) for window in range(5)]
    given = provenance(targets, {"recording": ["a"] * 100}, starts=starts)
    assert permutation_p_value(given, [answers(targets)], seed=0, permutations=199) == pytest.approx(1 / 200)
    # Right in 13 of 20 trials is chance (p about .13); were the windows taken for independent, 65 of 100 would not be.
    wrong = np.where(np.arange(20) < 7, 1 - trials, trials)
    assert permutation_p_value(given, [answers(np.repeat(wrong, 5))], seed=0, permutations=499) > 0.05


def test_a_few_windows_that_touch_do_not_hold_the_others_in_place() -> None:
    targets = np.tile([0, 1], 30)
    starts = [10 if n == 1 else 100 * n for n in range(60)]  # the first two touch
    given = provenance(targets, {"recording": ["a"] * 60}, starts=starts)
    assert permutation_p_value(given, [answers(targets)], seed=0, permutations=199) == pytest.approx(1 / 200)
