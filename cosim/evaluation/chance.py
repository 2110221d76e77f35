"""Whether a score could be chance: permutations of what may change places without a link between input and target."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.evaluation.predictions import Indices, Predictions, Provenance, contiguous, exchangeable_strata
from cosim.evaluation.scores import known_steps
from energy_models.errors import DataError

Floats = NDArray[np.float64]
PERMUTATIONS = 999
ROUNDING = 1e-12  # two equal scores may differ by the order of a sum


def permutation_p_value(
    provenance: Provenance, tables: Sequence[Predictions], *, seed: int, permutations: int = PERMUTATIONS
) -> float:
    """Return how often permuted targets reach the score found, itself counted once.

    (1 + hits) / (1 + permutations): Phipson and Smyth 2010, doi 10.2202/1544-6115.1585. Separate trials are shuffled
    within their run; where every run holds one class only, the classes of whole runs are. Examples that follow each
    other without a gap are not exchangeable, because neighbours are alike: they keep their order, their targets are
    shifted in a circle against the outputs, and those of segments of one length change places within their run.

    Parameters
    ----------
    provenance : Provenance
    tables : sequence of Predictions
        Pooled over folds, one a seed, all of the same examples; the score is the mean over them.
    seed : int
        Of the permutations.
    permutations : int

    Raises
    ------
    DataError
        If there are no predictions, or those of two seeds are of different examples.
    """
    if not tables or any(not np.array_equal(table.examples, tables[0].examples) for table in tables):
        raise DataError("the predictions of all seeds must be of the same examples", where="permutation test",
                        remedy="Leave out the folds that some seed lacks.")  # fmt: skip
    examples, generator = tables[0].examples, np.random.default_rng(seed)
    if provenance.task == "regression":
        segments = contiguous(provenance, examples)
        found, scores = _shifted_estimates(provenance, tables, segments, generator, permutations)
    else:
        targets, rows = provenance.targets[examples], np.arange(len(examples))
        weights = _class_weights(targets, tables)
        found = float(weights[rows, targets].sum())
        null = _null_targets(provenance, examples.tobytes(), seed, permutations)
        scores = np.asarray([weights[rows, permuted].sum() for permuted in null])
    return (1 + int((scores >= found - ROUNDING).sum())) / (1 + permutations)


def _class_weights(targets: NDArray[Any], tables: Sequence[Predictions]) -> Floats:
    """Return what balanced accuracy gains where an example is of a class, shape (examples, classes)."""
    classes = tables[0].outputs.shape[1]
    answers = np.mean([np.eye(classes)[table.outputs.argmax(axis=1)] for table in tables], axis=0)
    present = np.bincount(targets, minlength=classes)
    return np.asarray(answers / (np.maximum(present, 1) * (present > 0).sum()))


@lru_cache(maxsize=2)
def _null_targets(provenance: Provenance, examples: bytes, seed: int, permutations: int) -> NDArray[np.int16]:
    """Return permuted classes, shape (permutations, examples); the same for every decoder of these examples."""
    chosen, generator = np.frombuffer(examples, dtype=np.int64), np.random.default_rng(seed)
    targets = provenance.targets[chosen].astype(np.int16)
    strata = exchangeable_strata(provenance, chosen)
    runs = [np.flatnonzero(strata == number) for number in range(int(strata.max()) + 1)]
    if len(runs) > 1 and all(len(np.unique(targets[rows])) == 1 for rows in runs):
        of_run = np.asarray([targets[rows[0]] for rows in runs])
        return generator.permuted(np.tile(of_run, (permutations, 1)), axis=1)[:, strata]
    alike: dict[tuple[int, int], list[Indices]] = {}
    for segment in contiguous(provenance, chosen):
        for rows in np.split(segment, np.flatnonzero(np.diff(strata[segment])) + 1):
            alike.setdefault((int(strata[rows[0]]), len(rows)), []).append(rows)
    null = np.empty((permutations, len(targets)), dtype=np.int16)
    for group in alike.values():
        rows = np.stack(group)
        for permuted in null:
            permuted[rows] = targets[_moved(rows, generator)]
    return null


def _moved(rows: Indices, generator: np.random.Generator) -> Indices:
    """Return segments of one length, shape (segments, length), in another order and each shifted in a circle."""
    count, length = rows.shape
    shifts = generator.integers(0, length, (count, 1), dtype=np.int64)
    shifted = np.asarray((np.arange(length, dtype=np.int64) + shifts) % length)
    return np.take_along_axis(rows[generator.permutation(count)], shifted, axis=1)


def _shifted_estimates(
    provenance: Provenance, tables: Sequence[Predictions], segments: Sequence[Indices], generator: np.random.Generator,
    permutations: int,
) -> tuple[float, Floats]:  # fmt: skip
    """Return R squared, and that of targets shifted by steps within each segment, shape (permutations,)."""
    targets = provenance.targets[tables[0].examples].astype(np.float64)
    every, _ = known_steps(targets, targets)
    centre, spread = every.mean(axis=0), ((every - every.mean(axis=0)) ** 2).sum(axis=0)
    scale = 1 / (spread * len(spread))
    found, scores = 1.0, np.ones(permutations)
    for rows in segments:
        lost = np.zeros(int(np.isfinite(targets[rows]).all(axis=-1).sum()))
        if not len(lost):
            continue
        for table in tables:
            wanted, given = known_steps(targets[rows], table.outputs[rows].astype(np.float64))
            wanted, given = wanted - centre, given - centre
            squares = float(((wanted**2 + given**2) * scale).sum())
            lost += (squares - 2 * _circular(wanted, given * scale)) / len(tables)
        found -= float(lost[0])
        scores -= lost[generator.integers(0, len(lost), permutations)]
    return found, scores


def _circular(first: Floats, second: Floats) -> Floats:
    """Return the sum of products at every circular shift of the first against the second, shape (rows,)."""
    product = np.fft.rfft(first, axis=0).conj() * np.fft.rfft(second, axis=0)
    return np.asarray(np.fft.irfft(product, n=len(first), axis=0).sum(axis=1))
