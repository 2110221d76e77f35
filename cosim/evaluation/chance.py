"""Whether a score could be chance: permutations of what may change places without a link between input and target."""

from __future__ import annotations

from collections.abc import Sequence
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
    other without a gap keep their order: their targets are shifted in a circle against the outputs, because
    neighbours are alike and not exchangeable.

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
    segments = contiguous(provenance, examples)
    if provenance.task == "regression":
        found, scores = _shifted_estimates(provenance, tables, segments, generator, permutations)
    else:
        weights = _class_weights(provenance.targets[examples], tables)
        targets = provenance.targets[examples]
        found = float(weights[np.arange(len(targets)), targets].sum())
        if len(segments) < len(examples):
            scores = _shifted_classes(targets, weights, segments, generator, permutations)
        else:
            strata = exchangeable_strata(provenance, examples)
            permuted = _shuffled(targets, strata, generator, permutations)
            scores = weights[np.arange(len(targets)), permuted].sum(axis=1)
    return (1 + int((scores >= found - ROUNDING).sum())) / (1 + permutations)


def _class_weights(targets: NDArray[Any], tables: Sequence[Predictions]) -> Floats:
    """Return what balanced accuracy gains where an example is of a class, shape (examples, classes)."""
    classes = tables[0].outputs.shape[1]
    answers = np.mean([np.eye(classes)[table.outputs.argmax(axis=1)] for table in tables], axis=0)
    present = np.bincount(targets, minlength=classes)
    return np.asarray(answers / (np.maximum(present, 1) * (present > 0).sum()))


def _shuffled(
    targets: NDArray[Any], strata: Indices, generator: np.random.Generator, permutations: int
) -> NDArray[Any]:
    """Return the targets shuffled within strata, or strata of one class each shuffled among themselves."""
    members = [np.flatnonzero(strata == number) for number in range(int(strata.max()) + 1)]
    permuted = np.empty((permutations, len(targets)), dtype=targets.dtype)
    if len(members) > 1 and all(len(np.unique(targets[rows])) == 1 for rows in members):
        of_stratum = np.asarray([targets[rows[0]] for rows in members])
        return generator.permuted(np.tile(of_stratum, (permutations, 1)), axis=1)[:, strata]
    for rows in members:
        permuted[:, rows] = generator.permuted(np.tile(targets[rows], (permutations, 1)), axis=1)
    return permuted


def _shifted_classes(
    targets: NDArray[Any], weights: Floats, segments: Sequence[Indices], generator: np.random.Generator,
    permutations: int,
) -> Floats:  # fmt: skip
    """Return the score of targets shifted by whole examples within each segment, shape (permutations,)."""
    present = np.eye(weights.shape[1])[targets]
    scores = np.zeros(permutations)
    for rows in segments:
        gains = _circular(present[rows], weights[rows])
        scores += gains[generator.integers(0, len(rows), permutations)]
    return scores


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
