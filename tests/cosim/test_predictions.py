"""Predictions pooled over folds, and the units that count as independent."""

from __future__ import annotations

import numpy as np
import pytest
from held_out_tables import answers, provenance

from cosim.evaluation.predictions import Predictions, contiguous, exchangeable_strata, pool, resampling_units
from energy_models.errors import DataError

NAMES = ["a", "b", "c", "d"]


def test_folds_are_pooled_in_the_order_of_the_examples() -> None:
    first = Predictions(np.array([3, 1]), np.array([[3.0, 0.0], [1.0, 0.0]]), np.array(["one", "one"]))
    second = Predictions(np.array([0, 2]), np.array([[0.0, 0.0], [2.0, 0.0]]), np.array(["two", "two"]))
    found = pool([first, second])
    assert found.examples.tolist() == [0, 1, 2, 3]
    assert found.outputs[:, 0].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert found.folds.tolist() == ["two", "one", "two", "one"]


def test_an_example_of_two_folds_would_count_twice() -> None:
    with pytest.raises(DataError, match="example 0 is held out in more than one fold"):
        pool([answers([0, 1]), answers([1, 1])])
    with pytest.raises(DataError, match="no predictions"):
        pool([])


@pytest.mark.parametrize(
    ("groups", "name", "count"),
    [
        ({"subject": ["x", "x", "y", "y"] * 2, "session": [f"{n}" for n in range(4)] * 2}, "subjects", 2),
        ({"subject": ["x"] * 8, "session": ["1", "1", "2", "2", "3", "3", "4", "4"]}, "sessions", 4),
        ({"subject": ["x"] * 8, "run": ["1"] * 4 + ["2"] * 4}, "runs", 2),
        ({}, "trials", 8),
    ],
)
def test_units_are_of_the_highest_level_that_differs(groups: dict[str, list[str]], name: str, count: int) -> None:
    units = resampling_units(provenance([0, 1] * 4, groups), np.arange(8))
    assert (units.name, units.count) == (name, count)


def test_one_recording_is_cut_into_segments() -> None:
    # 400 windows that touch, in two recorded parts with a gap between: at most 20 segments, none across the gap.
    starts = [10 * n + (1000 if n >= 100 else 0) for n in range(400)]
    given = provenance([0, 1] * 200, {"recording": ["only"] * 400}, starts=starts)
    units = resampling_units(given, np.arange(400))
    assert (units.name, units.count) == ("segments", 20)
    assert not set(units.labels[:100]) & set(units.labels[100:])
    assert (np.diff(units.labels) >= 0).all()
    assert [len(part) for part in contiguous(given, np.arange(400))] == [100, 300]


def test_separate_windows_of_one_recording_are_trials() -> None:
    given = provenance([0, 1] * 4, {"recording": ["only"] * 8}, starts=[11 * n for n in range(8)])
    assert resampling_units(given, np.arange(8)).name == "trials"


def test_trials_change_places_within_their_run() -> None:
    groups = {"subject": ["x"] * 4 + ["y"] * 4, "run": ["1", "1", "2", "2"] * 2}
    strata = exchangeable_strata(provenance([0, 1] * 4, groups), np.arange(8))
    assert strata.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert exchangeable_strata(provenance([0, 1] * 4), np.arange(8)).tolist() == [0] * 8
