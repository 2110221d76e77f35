"""Intervals of scores and of paired differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
from held_out_tables import answers, provenance, session_answers
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.evaluation.held_out import held_out_score, paired_difference
from cosim.evaluation.intervals import binomial_interval
from cosim.evaluation.predictions import Predictions, Provenance
from cosim.evaluation.scores import primary_score
from energy_models.errors import DataError


def test_interval_over_sessions_by_hand() -> None:
    # Sessions at .5, .6, .7: mean .6, s .1; t(2, .975) = 4.3027; half 4.3027 * .1 / sqrt 3 = .24842.
    where, found = session_answers([0.5, 0.6, 0.7])
    interval = held_out_score(where, {0: found})
    assert (interval.over, interval.count, interval.seeds, interval.method) == ("sessions", 3, 1, "student t")
    assert interval.mean == pytest.approx(0.6)
    assert interval.high - interval.mean == pytest.approx(0.24842, abs=1e-4)
    assert interval.mean - interval.low == pytest.approx(interval.high - interval.mean)


def test_seeds_are_averaged_within_each_session() -> None:
    # Seeds at (.4, .6), (.55, .65), (.7, .7): sessions .5, .6, .7 as above.
    where, first = session_answers([0.4, 0.55, 0.7])
    _, second = session_answers([0.6, 0.65, 0.7])
    interval = held_out_score(where, {0: first, 1: second})
    assert interval.mean == pytest.approx(0.6)
    assert interval.high - interval.mean == pytest.approx(0.24842, abs=1e-4)
    assert interval.seeds == 2


def test_two_sessions_are_cut_at_the_range() -> None:
    # Sessions at .7 and .8: t(1, .975) = 12.706; half 12.706 * .0707 / sqrt 2 = .6353: past 1, and down to .1147.
    where, found = session_answers([0.7, 0.8])
    interval = held_out_score(where, {0: found})
    assert interval.low == pytest.approx(0.75 - 0.6353, abs=1e-3)
    assert interval.high == 1.0


def test_a_constant_decoder_never_beats_chance_over_runs_of_one_class() -> None:
    # Eight runs of class 0, two of class 1: a mean over runs gives whoever always answers 0 a score of .8.
    targets = np.repeat([0] * 8 + [1] * 2, 20)
    runs = np.repeat([f"r{n}" for n in range(10)], 20).tolist()
    interval = held_out_score(provenance(targets, {"run": runs}), {0: answers(np.zeros(200, np.int64), folds=runs)})
    assert interval.mean == 0.5
    assert interval.low <= 0.5 <= interval.high
    prior = np.where(targets == 1, 0, 0)  # the training majority is class 0 whichever run is held out
    assert held_out_score(provenance(targets, {"run": runs}), {0: answers(prior, folds=runs)}).mean <= 0.5


def test_sessions_of_one_subject_are_no_repetitions_of_subjects() -> None:
    # Six subjects whose two sessions are alike: an interval over twelve sessions would be about sqrt 2 too narrow.
    accuracies = [0.55, 0.65, 0.75, 0.85, 0.9, 0.95]
    where, found = session_answers([value for value in accuracies for _ in range(2)])
    of_sessions = held_out_score(where, {0: found})
    subjects = np.char.add("p", (np.arange(len(where.targets)) // 80).astype(np.str_))
    both = Provenance(where.task, where.targets, {**where.groups, "subject": subjects}, where.starts, 10, 10.0)
    of_subjects = held_out_score(both, {0: found})
    assert (of_sessions.over, of_sessions.count) == ("sessions", 12)
    assert (of_subjects.over, of_subjects.count) == ("subjects", 6)
    assert of_subjects.mean == of_sessions.mean
    assert (of_subjects.high - of_subjects.low) > 1.4 * (of_sessions.high - of_sessions.low)


def test_single_trials_have_clopper_and_pearsons_interval() -> None:
    # 10 of 10 right, five a class: the lower end solves p^10 = .025.
    interval = held_out_score(provenance([0, 1] * 5), {0: answers([0, 1] * 5)})
    assert (interval.over, interval.count, interval.method) == ("trials", 10, "clopper-pearson")
    assert (interval.mean, interval.low, interval.high) == pytest.approx((1.0, 0.69150, 1.0), abs=1e-5)


def test_units_that_are_all_perfect_are_not_certain() -> None:
    where, found = session_answers([1.0] * 8, trials=5)
    interval = held_out_score(where, {0: found})
    assert interval.high == 1.0
    assert interval.low == pytest.approx(binomial_interval(80, 80)[0])


def test_one_unit_has_no_interval_but_a_reason() -> None:
    where = Provenance("regression", np.arange(10.0).reshape(1, 10, 1), {"recording": np.array(["a"])},
                       np.zeros(1, np.int64), 10, 10.0)  # fmt: skip
    interval = held_out_score(where, {0: Predictions(np.arange(1), where.targets, np.array(["f"]))})
    assert (interval.mean, interval.over, interval.method) == (1.0, "none", "none")
    assert math.isnan(interval.low)
    assert interval.reason


def _stretch(noise: float, seed: int, examples: int = 60) -> tuple[Provenance, Predictions]:
    """Return one recording's movement, its estimate being off by noise."""
    rng = np.random.default_rng(seed)
    moves = np.cumsum(np.random.default_rng(0).normal(size=(examples * 10, 2)), axis=0)
    targets = moves.reshape(examples, 10, 2)
    where = Provenance("regression", targets, {"recording": np.full(examples, "a")}, np.arange(examples) * 10, 10, 10.0)
    outputs = targets + noise * np.cumsum(rng.normal(size=moves.shape), axis=0).reshape(targets.shape)
    return where, Predictions(np.arange(examples), outputs, np.full(examples, "last"))


def test_one_held_out_recording_is_resampled_in_segments() -> None:
    where, found = _stretch(0.5, 1)
    interval = held_out_score(where, {0: found, 1: _stretch(0.5, 2)[1]})
    assert (interval.over, interval.count, interval.method) == ("segments", 20, "bootstrap")
    assert interval.low < interval.mean < interval.high <= 1.0
    expected = np.mean([primary_score("regression", where.targets, _stretch(0.5, seed)[1].outputs) for seed in (1, 2)])
    assert interval.mean == pytest.approx(expected)
    alone = held_out_score(where, {0: found})
    assert alone.over == "segments"  # one seed suffices: the interval is of the recording, not of training alone


def test_a_score_below_zero_has_an_interval() -> None:
    where, found = _stretch(8.0, 1)
    interval = held_out_score(where, {0: found})
    assert interval.mean < 0
    assert interval.low < interval.mean < interval.high


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=2, max_size=12))
def test_intervals_stay_in_range_and_around_their_score(right: list[int]) -> None:
    where, found = session_answers([count / 20 for count in right])
    interval = held_out_score(where, {0: found})
    assert 0 <= interval.low <= interval.mean <= interval.high <= 1
    assert interval.mean == pytest.approx(primary_score("classification", where.targets, found.outputs))


def test_coverage_of_few_units() -> None:
    # Sessions whose accuracies scatter by .05 about .8: 95 % of intervals should hold .8. The deviation of the share of
    # 200 intervals is .015; four of them are granted.
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(200):
        where, found = session_answers(np.clip(rng.normal(0.8, 0.05, 8), 0, 1).tolist(), trials=60)
        interval = held_out_score(where, {0: found})
        hits += interval.low <= 0.8 <= interval.high
    assert hits / 200 >= 0.95 - 4 * 0.0154


def test_paired_difference_is_of_the_same_units() -> None:
    # Sessions scatter from .5 to .9, yet the first decoder is .05 above the second in each: the interval is a point.
    second = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9]
    where, better = session_answers([value + 0.05 for value in second])
    _, worse = session_answers(second)
    interval = paired_difference(where, {0: better}, {0: worse})
    assert interval.mean == pytest.approx(0.05)
    assert (interval.low, interval.high) == pytest.approx((0.05, 0.05))
    assert (interval.over, interval.count) == ("sessions", 8)
    assert held_out_score(where, {0: better}).low < held_out_score(where, {0: worse}).high


def test_paired_difference_over_three_sessions_by_hand() -> None:
    # Differences .1, .2, .3: mean .2, s .1, half width .24842.
    where, first = session_answers([0.7, 0.7, 0.9])
    _, second = session_answers([0.6, 0.5, 0.6])
    interval = paired_difference(where, {0: first}, {0: second})
    assert interval.mean == pytest.approx(0.2)
    assert interval.high - interval.mean == pytest.approx(0.24842, abs=1e-4)


def test_a_decoder_without_seeds_is_paired_with_every_seed() -> None:
    where, first = session_answers([0.6, 0.7, 0.8])
    _, again = session_answers([0.8, 0.9, 1.0])
    _, classical = session_answers([0.5, 0.6, 0.7])
    assert paired_difference(where, {0: first, 1: again}, {0: classical}).mean == pytest.approx(0.2)
    assert paired_difference(where, {0: classical}, {0: first, 1: again}).mean == pytest.approx(-0.2)
    with pytest.raises(DataError, match="share no seed"):
        paired_difference(where, {0: first, 1: again}, {2: first, 3: again})


def test_a_difference_of_a_decoder_and_itself_is_zero() -> None:
    where, found = session_answers([0.6, 0.7, 0.8, 0.5, 0.9, 0.6])
    interval = paired_difference(where, {0: found}, {0: found})
    assert (interval.mean, interval.low, interval.high) == (0.0, 0.0, 0.0)


def test_binomial_interval_by_hand() -> None:
    # None of ten: the upper end solves (1 - p)^10 = .025, p = 1 - .025^(1/10) = .30850.
    assert binomial_interval(0, 10) == pytest.approx((0.0, 0.30850), abs=1e-5)
    low, high = binomial_interval(10, 10)
    assert (low, high) == pytest.approx((0.69150, 1.0), abs=1e-5)
    with pytest.raises(DataError):
        binomial_interval(5, 4)
