"""Machines that no other one beats in every cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
PIVOTS = 64


def front_indices(costs: Array) -> NDArray[np.int64]:
    """Return the indices of rows that no other row beats: lower in one cost and no higher in any.

    Of equal rows the first stays.

    Parameters
    ----------
    costs : array, shape (points, costs)
        Less is better.
    """
    alive = np.flatnonzero(np.all(np.isfinite(costs), axis=1))
    alive = _after_pivots(costs, alive)
    order = alive[np.lexsort(costs[alive].T[::-1])]
    kept: list[int] = []
    held = np.empty((0, costs.shape[1]))
    for index in order:
        if not np.any(np.all(held <= costs[index], axis=1)):
            kept.append(int(index))
            held = np.vstack([held, costs[index]])
    return np.asarray(kept, np.int64)


def evenly(indices: Sequence[int] | NDArray[np.int64], most: int) -> list[int]:
    """Return at most so many of some indices, the first and the last among them, evenly spaced between."""
    found = [int(index) for index in indices]
    if len(found) <= most:
        return found
    places = np.unique(np.linspace(0, len(found) - 1, most).round().astype(int))
    return [found[place] for place in places]


def _after_pivots(costs: Array, alive: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows that no pivot beats: rows that are best by some weighting of the logarithms of costs."""
    if len(alive) <= PIVOTS:
        return alive
    logs = np.log(np.maximum(costs[alive], np.finfo(np.float64).tiny))
    weights = np.random.default_rng(0).dirichlet(np.full(costs.shape[1], 0.5), PIVOTS)
    for weight in weights:
        rows = costs[alive]
        pivot = rows[int(np.argmin(logs @ weight))]
        beaten = np.all(rows >= pivot, axis=1) & np.any(rows > pivot, axis=1)
        alive, logs = alive[~beaten], logs[~beaten]
    return alive
