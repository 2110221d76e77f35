"""Fronts and hypervolumes against exhaustive search."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.evaluation.pareto import (
    Bounds,
    front_hypervolume,
    front_membership,
    hypervolume,
    non_dominated,
    pareto_front,
)
from energy_models.errors import StudyError


def grid(objectives: int, largest: int = 5) -> st.SearchStrategy[np.ndarray]:
    row = st.lists(st.integers(0, largest), min_size=objectives, max_size=objectives)
    return st.lists(row, min_size=1, max_size=12).map(lambda rows: np.array(rows, float))


def dominates(a: np.ndarray, b: np.ndarray) -> bool:
    return bool((a <= b).all() and (a < b).any())


def test_worked_front() -> None:
    # 0.9 at 10 and 0.8 at 5 are on it; 0.7 at 6 is worse and dearer than 0.8 at 5
    front = pareto_front(np.array([0.9, 0.8, 0.7]), np.array([10.0, 5.0, 6.0]))
    assert front.tolist() == [True, True, False]


def test_equal_points_are_both_on_the_front() -> None:
    assert pareto_front(np.array([0.5, 0.5]), np.array([1.0, 1.0])).tolist() == [True, True]


@pytest.mark.parametrize("objectives", [2, 3])
def test_every_front_of_three_points_exhaustively(objectives: int) -> None:
    values = list(itertools.product(range(3), repeat=objectives))
    step = 1 if objectives == 2 else 7
    for rows in list(itertools.product(values, repeat=3))[::step]:
        points = np.array(rows, float)
        expected = [not any(dominates(other, point) for other in points) for point in points]
        assert non_dominated(points).tolist() == expected


@given(grid(3))
def test_front_is_what_nobody_dominates(points: np.ndarray) -> None:
    expected = [not any(dominates(other, point) for other in points) for point in points]
    assert non_dominated(points).tolist() == expected
    assert non_dominated(points).any()


def test_nan_is_refused() -> None:
    with pytest.raises(StudyError, match="not a number"):
        pareto_front(np.array([0.5, np.nan]), np.array([1.0, 1.0]))


def counted_volume(points: np.ndarray, reference: np.ndarray) -> int:
    """Count the unit cells below the reference that some point dominates."""
    cells = itertools.product(*(range(int(edge)) for edge in reference))
    return sum(any((point <= np.array(cell)).all() for point in points) for cell in cells)


def test_worked_hypervolume() -> None:
    # boxes 3x1 and 1x3 up to (4, 4) from (1, 3) and (3, 1), sharing 1x1: 3 + 3 - 1 = 5
    assert hypervolume(np.array([[1.0, 3.0], [3.0, 1.0]]), np.array([4.0, 4.0])) == pytest.approx(5.0)


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_hypervolume_is_the_cells_counted(objectives: int, data: st.DataObject) -> None:
    points = data.draw(grid(objectives))
    reference = np.full(objectives, 5.0)
    assert hypervolume(points, reference) == pytest.approx(counted_volume(points, reference))


def test_points_outside_the_reference_add_nothing() -> None:
    assert hypervolume(np.array([[5.0, 1.0], [1.0, 6.0]]), np.array([4.0, 4.0])) == 0.0


def test_worked_hypervolume_of_a_front() -> None:
    # above 0.5 and below 1 mW: 0.3 x 3 decades from 1 uW, and 0.1 more over the 2 decades above 10 uW: 0.9 + 0.2
    volume = front_hypervolume(
        np.array([0.8, 0.9, 0.4]), np.array([1e-6, 1e-5, 1e-7]), score_floor=0.5, power_ceiling_w=1e-3
    )
    assert volume == pytest.approx(1.1)
    with pytest.raises(StudyError, match="above zero"):
        front_hypervolume(np.array([0.8]), np.array([0.0]), score_floor=0.5, power_ceiling_w=1e-3)


def test_shapes_must_agree() -> None:
    with pytest.raises(StudyError, match="shape"):
        hypervolume(np.ones((2, 3)), np.ones(2))


def bounds(rows: list[tuple[float, float, float]]) -> Bounds:
    return Bounds(*np.array(rows, float).T)


def test_membership_when_nothing_overlaps() -> None:
    scores = bounds([(0.89, 0.9, 0.91), (0.79, 0.8, 0.81), (0.69, 0.7, 0.71)])
    powers = bounds([(9, 10, 11), (4, 5, 5.5), (5.6, 6, 6.5)])
    for corners in ("shared", "independent"):
        assert front_membership(scores, powers, corners=corners) == ("surely", "surely", "dominated")


def test_overlapping_scores_decide_nothing() -> None:
    scores = bounds([(0.7, 0.8, 0.9), (0.75, 0.85, 0.95)])
    powers = bounds([(1, 2, 3), (2, 4, 6)])
    # the dearer one may be the worse one, so it is only possibly on the front; the cheaper cannot be dominated
    assert front_membership(scores, powers) == ("surely", "possibly")
    # with powers free to lie anywhere the first may be the dearer one too
    assert front_membership(scores, powers, corners="independent") == ("possibly", "possibly")


def test_one_repetition_says_nothing_about_scatter() -> None:
    scores = Bounds(np.array([np.nan, 0.8]), np.array([0.1, 0.9]), np.array([np.nan, 1.0]))
    powers = bounds([(2, 2, 2), (1, 1, 1)])
    assert front_membership(scores, powers) == ("possibly", "surely")


three = st.tuples(*[st.integers(0, 6)] * 3).map(sorted)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(three, three), min_size=1, max_size=4), st.data())
def test_membership_holds_for_every_truth_within_independent_bounds(
    rows: list[tuple[list[int], list[int]]], data: st.DataObject
) -> None:
    scores, powers = bounds([tuple(s) for s, _ in rows]), bounds([tuple(p) for _, p in rows])
    labels = front_membership(scores, powers, corners="independent")
    score = np.array([data.draw(st.integers(s[0], s[2])) for s, _ in rows], float)
    power = np.array([data.draw(st.integers(p[0], p[2])) for _, p in rows], float)
    front = pareto_front(score, power)
    for label, on_front in zip(labels, front, strict=True):
        assert not (label == "surely" and not on_front)
        assert not (label == "dominated" and on_front)


@given(st.lists(st.tuples(three, three), min_size=1, max_size=5))
def test_shared_bounds_decide_at_least_as_much(rows: list[tuple[list[int], list[int]]]) -> None:
    scores, powers = bounds([tuple(s) for s, _ in rows]), bounds([tuple(p) for _, p in rows])
    shared = front_membership(scores, powers)
    independent = front_membership(scores, powers, corners="independent")
    for one, other in zip(shared, independent, strict=True):
        assert other in ("possibly", one)


@given(grid(2, largest=3))
def test_the_front_of_two_objectives_with_many_ties(points: np.ndarray) -> None:
    expected = [not any(dominates(other, point) for other in points) for point in points]
    assert non_dominated(points).tolist() == expected


@pytest.mark.parametrize("objectives", [2, 3])
def test_infinite_objectives(objectives: int) -> None:
    points = np.array([[np.inf] * objectives, [1.0] * objectives, [np.inf] * objectives])
    assert non_dominated(points).tolist() == [False, True, False]
    assert non_dominated(points[[0, 2]]).tolist() == [True, True]


def test_no_point_has_an_empty_front() -> None:
    assert non_dominated(np.empty((0, 2))).shape == (0,)
    assert non_dominated(np.empty((0, 3))).shape == (0,)


def test_a_front_of_very_many_points_needs_no_table_of_pairs() -> None:
    """100,000 points: pairs would take 10 GB."""
    chance = np.random.default_rng(0)
    points = chance.uniform(size=(100_000, 2))
    tracemalloc.start()
    front = non_dominated(points)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * points.nbytes / 8
    order = np.argsort(points[:, 0])
    lowest = np.minimum.accumulate(points[order, 1])
    assert sorted(np.flatnonzero(front)) == sorted(order[points[order, 1] == lowest])


def test_membership_of_many_points_is_that_of_pairs() -> None:
    """More points than are compared at once; among equal ones, exact ones, and ones of an unknown score."""
    chance = np.random.default_rng(1)
    count = 700
    mean, power = chance.integers(0, 12, count) / 10.0, chance.integers(1, 9, count) * 1.0
    width, spread = chance.integers(0, 2, count) / 10.0, chance.integers(0, 2, count) * 0.5
    low = np.where(chance.uniform(size=count) < 0.05, np.nan, mean - width)
    scores = Bounds(low, mean, np.where(np.isnan(low), np.nan, mean + width))
    powers = Bounds(power - spread, power, power + spread)
    whole = front_membership(scores, powers)
    assert {"surely", "possibly", "dominated"} >= set(whole) >= {"possibly", "dominated"}
    for corners in ("shared", "independent"):
        found = front_membership(scores, powers, corners=corners)
        for point in chance.integers(0, count, 40).tolist():
            rivals = [front_membership(
                Bounds(*(getattr(scores, end)[[point, other]] for end in ("low", "nominal", "high"))),
                Bounds(*(getattr(powers, end)[[point, other]] for end in ("low", "nominal", "high"))), corners=corners,
            )[0] for other in range(count) if other != point]  # fmt: skip
            expected = "dominated" if "dominated" in rivals else "possibly" if "possibly" in rivals else "surely"
            assert found[point] == expected
