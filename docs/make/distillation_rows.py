"""The rows of ``docs/distillation.md``: students, how they were taught, scores and paired differences, cell by cell."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markdown_tables import Banded
from numpy.typing import NDArray

from cosim.report.comparison import over_text
from cosim.tables.decoders import DECODERS, DecoderScore
from cosim.tables.differences import DIFFERENCES, read_differences
from cosim.tables.results import Score, read_parquet
from cosim.tables.scores import SCORES

RELEVANCE, LEFT_OUT, FAILURES = "relevance.json", "left_out.json", "failures.json"
FLOAT = "float32"
RESAMPLES = 2000
CONTROLS = ("label_smoothing", "mixup", "noise", "self_kd")
LEAST = 4
"""Projections below which no correlation is stated."""


@dataclass(frozen=True, slots=True)
class Line:
    """One student taught in one way.

    Parameters
    ----------
    student, family, form, method : str
        `method` is empty for the one trained from labels alone.
    score : Banded
    gain, control : Banded or None
        Less the same student of labels alone, and less the best control.
    against : str
        The best control.
    taught : str
        In how many of its trainings the teacher had passed its gate; empty where there is none.
    """

    student: str
    family: str
    form: str
    method: str
    score: Banded
    gain: Banded | None
    control: Banded | None
    against: str
    taught: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One archived run of a part; `left_out` says what was not trained, or failed on a fold, which then has no row."""

    name: str
    metric: str
    over: str
    seeds: int
    protocol: str
    teacher: Banded | None
    lines: tuple[Line, ...]
    relevance: tuple[Mapping[str, Any], ...]
    left_out: tuple[str, ...] = ()

    def plain(self, student: str) -> Line:
        """Return a student trained from labels alone."""
        return next(one for one in self.floats if one.student == student and not one.method)

    @property
    def floats(self) -> tuple[Line, ...]:
        """Students in their float form."""
        return tuple(one for one in self.lines if one.form == FLOAT)


def read_cell(folder: Path) -> Cell:
    """Return what one archived run says."""
    scores: Any = read_parquet(folder / SCORES, Score)
    pooled: Any = read_parquet(folder / DECODERS, DecoderScore).set_index("decoder_id")
    gaps = {(one.kind, one.decoder_id): one for one in read_differences(folder / DIFFERENCES)}
    most = int(scores[scores["role"] == "student"]["decoder_id"].value_counts().max())
    methods = scores.drop_duplicates("decoder_id").set_index("decoder_id")["method"].to_dict()
    lines, teacher = list[Line](), None
    for decoder, rows in scores.groupby("decoder_id", sort=False):
        first, own = rows.iloc[0], pooled.loc[decoder]
        score = _banded(own["score_mean"], own["score_low"], own["score_high"])
        if first["role"] == "teacher":
            teacher = score
        if first["role"] != "student" or len(rows) < most:
            continue
        control = gaps.get(("control", str(decoder)))
        lines.append(Line(
            str(first["student"]), str(first["family"]), str(first["form"]), str(first["method"]), score,
            _gap(gaps.get(("distillation", str(decoder)))), _gap(control),
            "" if control is None else methods[control.against_id] or "labels alone", _taught(rows),
        ))  # fmt: skip
    any_score: Any = pooled.iloc[0]
    return Cell(
        folder.name, str(any_score["metric"]).replace("_", " ").replace("r2", "R²"),
        over_text(int(any_score["score_count"]), str(any_score["score_over"])),
        max(int(pooled.loc[one, "seeds"]) for one in pooled.index), str(scores.iloc[0]["protocol"]), teacher,
        tuple(sorted(lines, key=lambda one: (one.student, one.form != FLOAT, bool(one.method), not one.taught))),
        _listed(folder / RELEVANCE), (*_listed(folder / LEFT_OUT), *_failed(folder, most)),
    )  # fmt: skip


def _listed(path: Path) -> tuple[Any, ...]:
    """Return what a file beside an archived run lists; nothing where it has none."""
    return tuple(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else ()


def _failed(folder: Path, most: int) -> Iterator[str]:
    """Give the decoders with trainings that failed, and how many."""
    found = json.loads((folder / FAILURES).read_text(encoding="utf-8"))["failures"]
    for decoder, count in Counter(one["decoder"] for one in found).items():
        yield f"{decoder} failed in {count} of {most} trainings"


def _taught(rows: Any) -> str:
    method = str(rows.iloc[0]["method"]).partition(" ")[0]
    if not method or method in CONTROLS:
        return ""
    return f"{int((rows['distilled_from'] == 'teacher').sum())} of {len(rows)}"


def _banded(mean: float, low: float, high: float) -> Banded:
    return Banded(float(mean), *((None, None) if math.isnan(low) else (float(low), float(high))))


def _gap(found: Any) -> Banded | None:
    return None if found is None else _banded(found.mean, found.low, found.high)


def correlation(relevance: tuple[Mapping[str, Any], ...]) -> tuple[int, Banded] | None:
    """Return how many projections there are and Pearson's correlation of their TSR with the student's validation score.

    Its interval is a percentile bootstrap over projections. None where there are too few, or one does not vary.
    """
    pairs = np.asarray([(one["tsr"], one["validation_score"]) for one in relevance], dtype=np.float64)
    if len(pairs) < LEAST or not (pairs.std(axis=0) > 0).all():
        return None
    chance = np.random.default_rng(0)
    drawn: list[float] = []
    for _ in range(RESAMPLES):
        some = pairs[chance.integers(len(pairs), size=len(pairs))]
        if (some.std(axis=0) > 0).all():
            drawn.append(_correlation(some))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return len(pairs), Banded(_correlation(pairs), float(low), float(high))


def _correlation(pairs: NDArray[np.float64]) -> float:
    """Return Pearson's correlation of the two columns of some pairs."""
    first, second = pairs.T
    return float(np.mean((first - first.mean()) * (second - second.mean())) / (first.std() * second.std()))
