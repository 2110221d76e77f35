"""The difference of two decoders that were trained in runs of their own, session by session and seed by seed."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cosim.evaluation.intervals import Interval, unit_interval
from cosim.tables.results import Score, read_parquet
from cosim.tables.scores import SCORES


def apart(one: tuple[Path, str], other: tuple[Path, str]) -> Interval:
    """Return the mean score of one decoder less that of another, with its interval over subjects and seeds.

    Parameters
    ----------
    one, other : tuple of Path and str
        Archived run and label of a decoder; both were scored on sessions of equal size, by the same seeds.

    Raises
    ------
    ValueError
        Where they have not the same sessions and seeds.
    """
    mine, theirs = _scores(*one), _scores(*other)
    if mine.index.symmetric_difference(theirs.index).size:
        raise ValueError(f"{one[1]} and {other[1]} were not scored on the same sessions by the same seeds")
    gaps: Any = (mine - theirs).rename("gap").reset_index()
    gaps["subject"] = gaps["fold"].str.removeprefix("session ").str.partition("-")[0]
    table: Any = gaps.groupby(["seed", "subject"])["gap"].agg(["sum", "count"])
    seeds = len(set(gaps["seed"]))
    sums = table.to_numpy(dtype=float).reshape(seeds, -1, 2)

    def mean(found: Any) -> Any:
        return np.asarray(found[..., 0] / found[..., 1])

    return unit_interval(sums, mean, over="subjects", limits=(-1.0, 1.0), seeds="resampled")


def _scores(folder: Path, label: str) -> Any:
    table: Any = read_parquet(folder / SCORES, Score)
    return table[table["decoder"] == label].set_index(["fold", "seed"])["score"]
