"""Dominance, fronts and hypervolume, also where scores and powers are known within bounds only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from energy_models.errors import StudyError

Floats = NDArray[np.float64]
Membership = Literal["surely", "possibly", "dominated"]
POINTS_AT_ONCE = 256


def non_dominated(points: Floats) -> NDArray[np.bool_]:
    """Return which points no other point dominates, every objective being minimised.

    A point dominates another when it is nowhere worse and somewhere better; equal points do not dominate each other.

    Parameters
    ----------
    points : ndarray, shape (points, objectives)

    Raises
    ------
    StudyError
        When a value is nan, which can neither be better nor worse.
    """
    points = np.asarray(points, float)
    _check(points)
    if points.shape[1] == 1:
        return points[:, 0] == points.min(initial=np.inf)
    return _front_of_two(points) if points.shape[1] == 2 else _front(points)


def _front_of_two(points: Floats) -> NDArray[np.bool_]:
    """Return the front of two objectives by one sort: a point's rivals are the best before it and beside it."""
    first, column = np.unique(points[:, 0], return_inverse=True)
    best = np.full(len(first), np.inf)
    np.minimum.at(best, column, points[:, 1])
    before = np.concatenate([[np.inf], np.minimum.accumulate(best)[:-1]])[column]
    preceded = np.concatenate([[False], np.ones(max(len(first) - 1, 0), bool)])[column]
    return ~(((before <= points[:, 1]) & preceded) | (best[column] < points[:, 1]))


def _front(points: Floats) -> NDArray[np.bool_]:
    """Return the front of any number of objectives: sorted, whatever dominates a point stands before it."""
    found = np.zeros(len(points), dtype=bool)
    kept = np.empty_like(points)
    count = 0
    order = np.lexsort(points.T[::-1])
    for start in range(0, len(order), POINTS_AT_ONCE):  # most are dominated by the front so far, many at once
        part = order[start : start + POINTS_AT_ONCE]
        for index in part[~_dominated(points[part], kept[:count])]:
            point = points[index]
            if not _dominated(point[None, :], kept[:count])[0]:
                kept[count], found[index] = point, True
                count += 1
    return found


def _dominated(points: Floats, rivals: Floats) -> NDArray[np.bool_]:
    """Return which points some rival dominates."""
    worse, better = np.ones((len(rivals), len(points)), dtype=bool), np.zeros((len(rivals), len(points)), dtype=bool)
    for rival, point in zip(rivals.T, points.T, strict=True):
        worse &= rival[:, None] <= point[None, :]
        better |= rival[:, None] < point[None, :]
    return np.asarray((worse & better).any(axis=0))


def pareto_front(scores: Floats, powers: Floats) -> NDArray[np.bool_]:
    """Return which points are on the front of high score against low power.

    Parameters
    ----------
    scores, powers : ndarray, shape (points,)
    """
    return non_dominated(np.column_stack([-np.asarray(scores, float), np.asarray(powers, float)]))


@dataclass(frozen=True, slots=True)
class Bounds:
    """Values known within bounds, each an array of shape (points,)."""

    low: Floats
    nominal: Floats
    high: Floats


def front_membership(
    scores: Bounds, powers: Bounds, *, corners: Literal["shared", "independent"] = "shared"
) -> tuple[Membership, ...]:
    """Return for every point whether it is on the front whatever the truth within the bounds.

    ``surely``: no other point may dominate it. ``dominated``: some other point dominates it at every bound.
    ``possibly``: the bounds do not decide. Where a score's bounds are nan (a single repetition) its true value may
    lie anywhere, so it decides nothing.

    Parameters
    ----------
    scores, powers : Bounds
    corners : {'shared', 'independent'}
        ``shared``: all points take their low, their nominal or their high power together. That is how powers on one
        machine are bound: the same constants price every point. ``independent``: each may lie anywhere in its bounds,
        as on different machines.
    """
    low = np.where(np.isnan(scores.low), -np.inf, scores.low)
    high = np.where(np.isnan(scores.high), np.inf, scores.high)
    known = Bounds(low, scores.nominal, high)
    _check(np.column_stack([powers.low, powers.nominal, powers.high]))
    exact = scores.low == scores.high
    if corners == "independent":
        exact = exact & (powers.low == powers.high)
    sure, may = _surely_dominated(known, powers, corners), _possibly_dominated(known, powers, exact, corners)
    return tuple(np.where(sure, "dominated", np.where(may, "possibly", "surely")).tolist())


def _surely_dominated(
    scores: Bounds, powers: Bounds, corners: Literal["shared", "independent"]
) -> NDArray[np.bool_]:
    """Return which points some other dominates at every bound.

    What one that is worse or equal at its bounds dominates, the better one dominates too: rivals are a front.
    """
    shared = corners == "shared"
    cost = np.column_stack([powers.low, powers.nominal, powers.high] if shared else [powers.high])
    least = cost if shared else powers.low[:, None]
    at_worst = np.column_stack([-scores.low, cost])
    rivals = np.unique(at_worst[non_dominated(at_worst)], axis=0)
    found = np.zeros(len(cost), dtype=bool)
    for start in range(0, len(rivals), POINTS_AT_ONCE):  # pairs with every point: so many of them at once
        part = rivals[start : start + POINTS_AT_ONCE]
        score, best = -part[:, :1], scores.high[None, :]
        cheaper, strictly = (np.ones((len(part), len(cost)), dtype=bool) for _ in range(2))
        for column in range(cost.shape[1]):
            cheaper &= part[:, column + 1, None] <= least[None, :, column]
            strictly &= part[:, column + 1, None] < least[None, :, column]
        found |= (cheaper & (score >= best) & (strictly | (score > best))).any(axis=0)
    return found


def _possibly_dominated(
    scores: Bounds, powers: Bounds, exact: NDArray[np.bool_], corners: Literal["shared", "independent"]
) -> NDArray[np.bool_]:
    """Return which points some other dominates at some bounds; equal ones whose bounds are exact do not each other.

    A point's rivals are those that may be as cheap, and of them only the best score matters: that of a sorted part.
    """
    columns = np.column_stack([scores.low, scores.high, powers.low, powers.nominal, powers.high])
    columns = np.column_stack([columns, np.where(exact, -1, np.arange(len(exact)))])
    rows, first, owner = np.unique(columns, axis=0, return_index=True, return_inverse=True)
    high, low = rows[:, 1], rows[:, 0]
    ends = ((powers.low, powers.low), (powers.nominal, powers.nominal), (powers.high, powers.high))
    found = np.zeros(len(rows), dtype=bool)
    for cost, limit in ends if corners == "shared" else ((powers.low, powers.high),):
        order = np.argsort(cost[first])
        best = np.maximum.accumulate(high[order])
        second = np.maximum.accumulate(np.minimum(high[order], np.concatenate([[-np.inf], best[:-1]])))
        last = np.searchsorted(cost[first][order], limit[first], side="right") - 1
        other = np.where(high == best[last], second[last], best[last])  # itself left out
        found |= (other >= low) & (other > -np.inf)
    return found[owner.reshape(-1)]


def hypervolume(points: Floats, reference: Floats) -> float:
    """Return the volume that the points dominate up to a reference point, every objective minimised.

    Exact in any number of objectives: the space is sliced along the last one, each slice being a problem of one
    dimension less (hypervolume by slicing objectives, While et al. 2006, IEEE Trans. Evolutionary Computation 10(1)).
    Points that do not dominate the reference add nothing. Meant for fronts of up to a few hundred points in two
    objectives, a few tens in four.

    Parameters
    ----------
    points : ndarray, shape (points, objectives)
    reference : ndarray, shape (objectives,)

    Raises
    ------
    StudyError
        When a value is nan or the shapes disagree.
    """
    points, reference = np.asarray(points, float), np.asarray(reference, float)
    if points.ndim != 2 or reference.shape != points.shape[1:]:
        raise StudyError(f"points of shape {points.shape} do not go with a reference of shape {reference.shape}",
                         where="hypervolume", remedy="Give one reference value per objective.")  # fmt: skip
    _check(points)
    _check(reference[None, :])
    inside = points[(points < reference).all(axis=1)]
    return _sliced(inside[non_dominated(inside)], reference)


def front_hypervolume(scores: Floats, powers_w: Floats, *, score_floor: float, power_ceiling_w: float) -> float:
    """Return the hypervolume of score against the logarithm of power [score x decades].

    Parameters
    ----------
    scores : ndarray, shape (points,)
    powers_w : ndarray, shape (points,)
        Above zero [W].
    score_floor : float
        Score that earns nothing, such as chance.
    power_ceiling_w : float
        Power that is worth nothing [W]; to be the same for all fronts that are compared.

    Raises
    ------
    StudyError
        When a power or the ceiling is not above zero, or a value is nan.
    """
    if power_ceiling_w <= 0 or (powers_w <= 0).any():
        raise StudyError("a power is not above zero", where="hypervolume", remedy="Check the profile's prices.")
    points = np.column_stack([-scores, np.log10(powers_w)])
    return hypervolume(points, np.array([-score_floor, np.log10(power_ceiling_w)]))


def _sliced(points: Floats, reference: Floats) -> float:
    if len(points) == 0:
        return 0.0
    if points.shape[1] == 1:
        return float(reference[0] - points[:, 0].min())
    order = np.argsort(points[:, -1], kind="stable")
    points = points[order]
    edges = np.append(points[:, -1], reference[-1])
    volume = 0.0
    for index in range(len(points)):
        depth = float(edges[index + 1] - edges[index])
        if depth > 0:
            below = points[: index + 1, :-1]
            volume += depth * _sliced(below[non_dominated(below)], reference[:-1])
    return volume


def _check(points: Floats) -> None:
    if np.isnan(points).any():
        raise StudyError("an objective is not a number", where="Pareto front",
                         remedy="Leave out points that have no score or no price.")  # fmt: skip
