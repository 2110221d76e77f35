"""Scores of decoders on held-out examples, with intervals that say what they range over."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import stats as _stats  # pyright: ignore[reportMissingTypeStubs]

from cosim.datasets.types import Dataset
from energy_models.errors import DataError

stats: Any = _stats  # scipy ships no types
Task = Literal["classification", "regression"]
PRIMARY: dict[Task, str] = {"classification": "balanced_accuracy", "regression": "r2"}
LEVEL = 0.95
FEWEST_FOLDS = 3
ROUNDING = 1e-12  # two equal balanced accuracies may differ by the order of a sum


def primary_metric(task: Task) -> str:
    """Return the metric every decoder of a task is ranked by: balanced accuracy, or mean R squared."""
    return PRIMARY[task]


def score(
    task: Task, targets: NDArray[Any], outputs: NDArray[Any], *, output_names: Sequence[str] = ()
) -> dict[str, float]:
    """Return all metrics of one set of held-out examples, the primary one among them.

    Parameters
    ----------
    task : {'classification', 'regression'}
    targets : ndarray
        Classes, shape (examples,), or kinematics, shape (examples, steps, outputs).
    outputs : ndarray
        Logits, shape (examples, classes), or estimates, shape (examples, steps, outputs).
    output_names : sequence of str
        Names of the kinematic axes, for the keys ``r2_<name>``; numbers where absent.

    Raises
    ------
    DataError
        If shapes disagree, an output is not finite, or a target does not vary (R squared is then undefined).
    """
    expected = (len(targets),) if task == "classification" else targets.shape
    given = outputs.shape[:1] if task == "classification" else outputs.shape
    if given != expected or len(targets) == 0 or outputs.ndim != (2 if task == "classification" else 3):
        raise DataError(f"outputs of shape {outputs.shape} do not go with targets of shape {targets.shape}",
                        where="score", remedy="Give one row per held-out example, in their order.")  # fmt: skip
    if not np.isfinite(outputs).all():
        raise DataError("the decoder's outputs are not all finite", where="score",
                        remedy="It diverged: lower the learning rate, or look at its inputs.")  # fmt: skip
    if task == "classification":
        return _classification(targets, outputs)
    return _regression(targets.astype(np.float64), outputs.astype(np.float64), output_names)


def _classification(targets: NDArray[Any], logits: NDArray[Any]) -> dict[str, float]:
    """Return accuracy, and its mean over the classes that are present among the targets."""
    correct = logits.argmax(axis=1) == targets
    recalls = [float(correct[targets == label].mean()) for label in np.unique(targets)]
    return {"balanced_accuracy": float(np.mean(recalls)), "accuracy": float(correct.mean())}


def _regression(
    targets: NDArray[np.float64], outputs: NDArray[np.float64], output_names: Sequence[str]
) -> dict[str, float]:
    """Return R squared about the held-out mean and Pearson's correlation, per axis and as means over axes.

    All steps of all examples are pooled. The correlation of an axis is left out where the estimate is constant.
    """
    wanted, given = (array.reshape(-1, array.shape[-1]) for array in (targets, outputs))
    names = [str(name) for name in output_names] or [str(axis) for axis in range(wanted.shape[1])]
    values: dict[str, float] = {}
    for axis, name in enumerate(names):
        spread = float(((wanted[:, axis] - wanted[:, axis].mean()) ** 2).sum())
        if spread == 0:
            raise DataError(f"the held-out target {name!r} does not vary, so R squared is undefined", where="score",
                            remedy="Choose folds whose test part holds movement.")  # fmt: skip
        values[f"r2_{name}"] = 1 - float(((wanted[:, axis] - given[:, axis]) ** 2).sum()) / spread
        if given[:, axis].std() > 0:
            values[f"correlation_{name}"] = float(np.corrcoef(wanted[:, axis], given[:, axis])[0, 1])
    return {"r2": float(np.mean([values[f"r2_{name}"] for name in names])), **values}


def chance(dataset: Dataset) -> float:
    """Return what the primary metric is without any information: 1 / classes, or 0 for R squared.

    A finite test set scatters around it: see `binomial_interval` and `permutation_p_value`.
    """
    return 1 / len(dataset.output_names) if dataset.task == "classification" else 0.0


def information_transfer_bits(accuracy: float, classes: int) -> float:
    """Return Wolpaw's bits per decision; 0 at or below chance, where his formula would rise again.

    log2 N + P log2 P + (1 - P) log2((1 - P) / (N - 1)), for equally likely classes and errors spread evenly:
    Wolpaw et al. 2002, Clin. Neurophysiol. 113, doi 10.1016/S1388-2457(02)00057-3.

    Raises
    ------
    DataError
        If `accuracy` is no probability or there are fewer than two classes.
    """
    if not 0 <= accuracy <= 1 or classes < 2:
        raise DataError(f"accuracy {accuracy} over {classes} classes has no rate", where="information transfer",
                        remedy="Give a probability and at least two classes.")  # fmt: skip
    if accuracy <= 1 / classes:
        return 0.0
    wrong = 1 - accuracy
    lost = wrong * math.log2(wrong / (classes - 1)) if wrong > 0 else 0.0
    return math.log2(classes) + accuracy * math.log2(accuracy) + lost


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
    tail = (1 - level) / 2
    low = float(stats.beta.ppf(tail, correct, trials - correct + 1)) if correct > 0 else 0.0
    high = float(stats.beta.ppf(1 - tail, correct + 1, trials - correct)) if correct < trials else 1.0
    return low, high


def permutation_p_value(
    targets: NDArray[np.int64], logits: NDArray[Any], *, seed: int, permutations: int = 1000
) -> float:
    """Return how often shuffled classes reach the balanced accuracy found, itself counted once.

    (1 + hits) / (1 + permutations): Phipson and Smyth 2010, doi 10.2202/1544-6115.1585. Valid for exchangeable
    trials; classes that drift together with the recording are not.
    """
    generator = np.random.default_rng(seed)
    found = score("classification", targets, logits)["balanced_accuracy"]
    hits = sum(
        score("classification", generator.permutation(targets), logits)["balanced_accuracy"] >= found - ROUNDING
        for _ in range(permutations)
    )
    return (1 + hits) / (1 + permutations)
