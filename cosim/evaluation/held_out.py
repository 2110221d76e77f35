"""Scores of one decoder, and of two on the same examples, over all folds and seeds, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from cosim.evaluation.intervals import LEVEL, Interval, binomial_interval, unit_interval
from cosim.evaluation.predictions import Indices, Predictions, Provenance, Units, resampling_units
from cosim.evaluation.scores import Task, primary_score
from cosim.evaluation.sums import Floats, metric_of_sums, unit_sums
from energy_models.errors import DataError

RANGES: dict[Task, tuple[float, float]] = {"classification": (0.0, 1.0), "regression": (-np.inf, 1.0)}
DIFFERENCES: dict[Task, tuple[float, float]] = {"classification": (-1.0, 1.0), "regression": (-np.inf, np.inf)}
SeedTable = Mapping[int, Predictions]


def held_out_score(provenance: Provenance, by_seed: SeedTable, *, level: float = LEVEL) -> Interval:
    """Return the primary metric of a decoder's pooled predictions with its interval.

    Parameters
    ----------
    provenance : Provenance
    by_seed : mapping of int to Predictions
        Pooled over folds (`cosim.evaluation.predictions.pool`), one entry a seed.
    level : float
        Confidence level.

    Raises
    ------
    DataError
        If there are no predictions.
    """
    tables = _tables(by_seed)
    examples = _union([table.examples for table in tables])
    units = resampling_units(provenance, examples)
    sums = np.stack([_sums(provenance, table, units, examples) for table in tables])
    task = provenance.task
    if task == "classification" and units.name == "trials":
        return _of_trials(provenance, tables, sums, level)
    found = unit_interval(sums, lambda one: metric_of_sums(task, one), over=units.name, limits=RANGES[task],
                          seeds=_seeds(tables), level=level)  # fmt: skip
    if task == "classification" and found.low == found.high:  # all units alike: resamples of them are, too
        return _of_trials(provenance, tables, sums, level)
    return found


def paired_difference(
    provenance: Provenance, first: SeedTable, second: SeedTable, *, level: float = LEVEL
) -> Interval:
    """Return the score of one decoder less that of another on the same held-out examples, with its interval.

    Units are drawn for both together, so what makes a unit easy or hard for both cancels.

    Parameters
    ----------
    provenance : Provenance
    first, second : mapping of int to Predictions
        Pooled over folds, one entry a seed. Seeds that both have are paired; a decoder with a single seed (a classical
        one) is paired with every seed of the other. Examples that are not predicted throughout are left out.
    level : float
        Confidence level.

    Raises
    ------
    DataError
        If no seed, or no example, is common to both.
    """
    pairs = _pairs(first, second)
    examples = pairs[0][0].examples
    for one in (table.examples for pair in pairs for table in pair):
        examples = np.intersect1d(examples, one)
    if not examples.size:
        raise DataError("the two decoders share no held-out example", where="paired difference",
                        remedy="Compare decoders of one dataset and split.")  # fmt: skip
    units = resampling_units(provenance, examples)
    sums = np.stack([
        np.concatenate([_sums(provenance, _only(table, examples), units, examples) for table in pair], axis=1)
        for pair in pairs
    ])  # fmt: skip

    def gap(both: Floats) -> Floats:
        mine, other = np.split(both, 2, axis=-1)
        return metric_of_sums(provenance.task, mine) - metric_of_sums(provenance.task, other)

    return unit_interval(sums, gap, over=units.name, limits=DIFFERENCES[provenance.task],
                         seeds=_seeds([pair[0] for pair in pairs]), level=level)  # fmt: skip


def _of_trials(provenance: Provenance, tables: Sequence[Predictions], sums: Floats, level: float) -> Interval:
    """Return Clopper and Pearson's interval of balanced accuracy over single trials.

    The number of trials is that of equal classes with the same variance, K^2 / sum(1 / n_k).
    """
    present = sums[0].sum(axis=0)[sums.shape[2] // 2 :]
    each = [primary_score("classification", provenance.targets[table.examples], table.outputs) for table in tables]
    mean, trials = float(np.mean(each)), max(1, int(len(present) ** 2 / (1 / present).sum() + 1e-9))
    low, high = binomial_interval(round(mean * trials), trials, level=level)
    count = len(tables[0].examples)
    return Interval(mean, min(low, mean), max(high, mean), "trials", count, len(tables), "clopper-pearson", level=level)


def _tables(by_seed: SeedTable) -> list[Predictions]:
    tables = [by_seed[seed] for seed in sorted(by_seed)]
    if not tables or not all(len(table.examples) for table in tables):
        raise DataError("there are no predictions", where="score", remedy="Let a fold finish first.")
    return tables


def _pairs(first: SeedTable, second: SeedTable) -> list[tuple[Predictions, Predictions]]:
    if len(second) == 1:
        return [(mine, next(iter(second.values()))) for mine in _tables(first)]
    if len(first) == 1:
        return [(next(iter(first.values())), other) for other in _tables(second)]
    common = sorted(first.keys() & second.keys())
    if not common:
        raise DataError("the two decoders share no seed", where="paired difference",
                        remedy="Compare decoders that were trained with the same seeds.")  # fmt: skip
    return [(first[seed], second[seed]) for seed in common]


def _sums(provenance: Provenance, table: Predictions, units: Units, examples: Indices) -> Floats:
    """Return the sums of a table that may lack some of the examples whose units are known."""
    return unit_sums(provenance, table, units.labels[np.searchsorted(examples, table.examples)], units.count)


def _only(table: Predictions, examples: Indices) -> Predictions:
    rows = np.searchsorted(table.examples, examples)
    return Predictions(examples, table.outputs[rows], table.folds[rows])


def _union(parts: Sequence[Indices]) -> Indices:
    return np.unique(np.concatenate(parts))


def _seeds(tables: Sequence[Predictions]) -> Literal["resampled", "kept"]:
    return "resampled" if len({fold for table in tables for fold in table.folds.tolist()}) == 1 else "kept"
