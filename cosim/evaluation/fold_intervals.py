"""Student's t interval over the scores of folds or seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from cosim.evaluation.intervals import LEVEL, stats
from energy_models.errors import DataError

FEWEST_FOLDS = 3


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean score and where its true value may lie.

    Parameters
    ----------
    mean, low, high : float
        `low` and `high` are nan exactly where `over` is ``none``: one value says nothing about its scatter.
        They are not clipped to the metric's range.
    over : {'folds', 'seeds', 'none'}
        What was taken as independent repetitions. Folds of one subject share training data, so an interval over
        folds is somewhat too narrow for new data; one over seeds says nothing about new data at all.
    count : int
        Number of repetitions.
    folds, seeds : int
        Distinct folds and seeds in the table.
    level : float
        Confidence level.
    """

    mean: float
    low: float
    high: float
    over: Literal["folds", "seeds", "none"]
    count: int
    folds: int
    seeds: int
    level: float = LEVEL


class Table(Protocol):
    """Columns by name: a data frame, or a mapping of sequences."""

    def __getitem__(self, name: str, /) -> Iterable[Any]:
        """Return one column."""
        ...


def interval(table: Table, *, level: float = LEVEL) -> Interval:
    """Return the mean of a decoder's scores with Student's t interval.

    With at least three folds the seeds of each fold are averaged and the interval is over folds; otherwise the
    folds of each seed are averaged and it is over seeds, if there are two. Half width: t * s / sqrt(n).

    Parameters
    ----------
    table : Table
        Columns ``fold``, ``seed`` and ``score`` of one decoder, one row per trained network.
    level : float
        Confidence level.

    Raises
    ------
    DataError
        If the table is empty or a score is not finite.
    """
    folds, seeds = list(map(str, table["fold"])), list(map(str, table["seed"]))
    scores = np.asarray(list(table["score"]), dtype=np.float64)
    if scores.size == 0 or not np.isfinite(scores).all():
        raise DataError("there is no score, or one is not a finite number", where="interval",
                        remedy="Give the scores of finished points only.")  # fmt: skip
    by_fold, by_seed = _means(folds, scores), _means(seeds, scores)
    over: Literal["folds", "seeds", "none"] = "none"
    values = by_fold
    if len(by_fold) >= FEWEST_FOLDS:
        over = "folds"
    elif len(by_seed) > 1:
        over, values = "seeds", by_seed
    mean, count = float(values.mean()), len(values)
    if over == "none":
        return Interval(mean, math.nan, math.nan, over, 1, len(by_fold), len(by_seed), level)
    half = float(stats.t.ppf((1 + level) / 2, count - 1)) * float(values.std(ddof=1)) / math.sqrt(count)
    return Interval(mean, mean - half, mean + half, over, count, len(by_fold), len(by_seed), level)


def _means(labels: list[str], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean score of each distinct label."""
    keys = np.asarray(labels)
    return np.asarray([scores[keys == label].mean() for label in sorted(set(labels))])
