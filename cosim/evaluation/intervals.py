"""Intervals of scores: where the true value may lie, over which repetitions, and found how.

An interval is over the units of the highest grouping level (`cosim.evaluation.predictions.resampling_units`), never
over folds as such: two folds may hold one subject. It stays within the metric's range.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats as _stats  # pyright: ignore[reportMissingTypeStubs]

from energy_models.errors import DataError

stats: Any = _stats  # scipy ships no types
Floats = NDArray[np.float64]
LEVEL = 0.95
FEWEST_RESAMPLED = 6  # units below which resamples cannot reach the tails: t is used
MOST_DRAWS, FEWEST_DRAWS = 4000, 1000  # the fewer units, the farther out are the percentiles that are read
DRAWN_UNITS = 800_000  # in all draws, where these bounds allow
RESAMPLING_SEED = 20_100_331
Method = Literal["bootstrap", "student t", "clopper-pearson", "none"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A score and where its true value may lie.

    Parameters
    ----------
    mean : float
        The score of the pooled predictions, the mean of it over seeds.
    low, high : float
        nan exactly where `method` is ``none``.
    over : str
        What was taken as independent repetitions, in the plural: ``subjects``, ``sessions``, ``runs``, ``recordings``,
        ``segments`` of one recording, ``trials``; ``none`` where there is a single one.
    count : int
        Number of these.
    seeds : int
        Seeds the mean is over. With a single fold they are resampled too, being trained on the same examples;
        otherwise each unit was decoded by networks of its own fold and holds the chance of training already.
    method : {'bootstrap', 'student t', 'clopper-pearson', 'none'}
    reason : str
        Why there is no interval; empty where there is one.
    level : float
        Confidence level.
    """

    mean: float
    low: float
    high: float
    over: str
    count: int
    seeds: int
    method: Method
    reason: str = ""
    level: float = LEVEL


def binomial_interval(correct: int, trials: int, *, level: float = LEVEL) -> tuple[float, float]:
    """Return the exact interval of a proportion (Clopper and Pearson 1934, doi 10.1093/biomet/26.4.404).

    For few trials: with 45 trials at chance one half it is [.35, .65] wide.

    Raises
    ------
    DataError
        If `correct` is outside 0 to `trials`, or there is no trial.
    """
    if trials < 1 or not 0 <= correct <= trials:
        raise DataError(f"{correct} correct of {trials} trials", where="binomial interval",
                        remedy="Give between none and all of at least one trial.")  # fmt: skip
    found = stats.binomtest(correct, trials).proportion_ci(confidence_level=level, method="exact")
    return float(found.low), float(found.high)


def unit_interval(
    sums: Floats,
    metric: Callable[[Floats], Floats],
    *,
    over: str,
    limits: tuple[float, float],
    seeds: Literal["resampled", "kept"],
    level: float = LEVEL,
) -> Interval:
    """Return a score with its interval over units.

    With at least `FEWEST_RESAMPLED` units: percentiles of the score of units drawn with replacement, widened so that
    they cover as Student's t does with few units (Hesterberg 2015, doi 10.1080/00031305.2015.1089789): the tail is
    Phi(-sqrt(n / (n - 1)) t). With fewer: Student's t with the jackknife's standard error (Efron and Stein 1981,
    doi 10.1214/aos/1176345462), which is the plain t interval where units are alike; it is cut at the metric's limits.

    Parameters
    ----------
    sums : ndarray, shape (seeds, units, columns)
        From `cosim.evaluation.sums.unit_sums`.
    metric : callable
        Score of sums: shape (..., columns) to (...); nan where it is undefined.
    over : str
        Name of the units.
    limits : tuple of float
        The metric's range.
    seeds : {'resampled', 'kept'}
        Whether seeds are a second source of chance beside the units.
    level : float
    """
    each = metric(sums.sum(axis=1))
    mean, count, runs = float(each.mean()), sums.shape[1], sums.shape[0]
    if not math.isfinite(mean):
        reason = "the score is undefined: a class has no example, or no target varies"
        return Interval(mean, math.nan, math.nan, over, count, runs, "none", reason, level)
    if count < 2:
        reason = "everything held out is one unit"
        return Interval(mean, math.nan, math.nan, "none", count, runs, "none", reason, level)
    if count < FEWEST_RESAMPLED:
        half = _student_half_width(sums, metric, each if seeds == "resampled" else each[:1], level)
        if math.isnan(half):
            reason = f"a class is in one of the {count} {over} only, so they cannot be compared"
            return Interval(mean, math.nan, math.nan, over, count, runs, "none", reason, level)
        low, high = max(mean - half, min(limits[0], mean)), min(mean + half, max(limits[1], mean))
        return Interval(mean, low, high, over, count, runs, "student t", level=level)
    found = resampled_scores(sums, metric, seeds=seeds)
    kept = found[np.isfinite(found)]  # a resample without some class has no balanced accuracy
    tail = float(stats.norm.cdf(-math.sqrt(count / (count - 1)) * stats.t.ppf((1 + level) / 2, count - 1)))
    low, high = (float(value) for value in np.quantile(kept, [tail, 1 - tail]))
    return Interval(mean, min(low, mean), max(high, mean), over, count, runs, "bootstrap", level=level)


def _student_half_width(
    sums: Floats, metric: Callable[[Floats], Floats], of_seeds: Floats, level: float
) -> float:
    """Return t times the jackknife's standard error over units; with several scores of seeds, with theirs too."""
    count = sums.shape[1]
    without_one = metric(sums.sum(axis=1)[:, None, :] - sums).mean(axis=0)  # nan where a class is lost with a unit
    variance = (count - 1) / count * float(((without_one - without_one.mean()) ** 2).sum())
    if len(of_seeds) > 1:
        variance += float(of_seeds.var(ddof=1)) / len(of_seeds)
    return float(stats.t.ppf((1 + level) / 2, count - 1)) * math.sqrt(variance)


def resampled_scores(
    sums: Floats, metric: Callable[[Floats], Floats], *, seeds: Literal["resampled", "kept"]
) -> Floats:
    """Return the score of units drawn with replacement, its mean over seeds, shape (draws,); nan where undefined."""
    runs, count, _ = sums.shape
    draws = min(max(DRAWN_UNITS // count, FEWEST_DRAWS), MOST_DRAWS)
    times = _resamples(count, draws)
    found = np.stack([metric(times @ one) for one in sums], axis=1)
    if seeds == "resampled" and runs > 1:
        chosen = np.random.default_rng(RESAMPLING_SEED + 1).integers(0, runs, (draws, runs))
        found = np.take_along_axis(found, chosen, axis=1)
    return np.asarray(found.mean(axis=1))


@lru_cache(maxsize=4)
def _resamples(count: int, draws: int) -> Floats:
    """Return how often each unit is drawn in each resample; the same for every decoder, so that pairs stay pairs."""
    generator = np.random.default_rng(RESAMPLING_SEED)
    return generator.multinomial(count, np.full(count, 1 / count), size=draws).astype(np.float64)
