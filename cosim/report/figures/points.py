"""Decoders as points of a figure, and the axes that show them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from energy_models.errors import StudyError

GROUPS = ("float32", "quantised", "spiking", "classical")
METRICS = {"balanced_accuracy": "balanced accuracy", "r2": "R²"}
HIGHEST_SCORE = 1.0  # of every metric here
LEAST_SPAN = 0.05  # of the score axis, so that near-equal scores do not look far apart
WORKING = 0.4      # share of the way from chance to the best score below which a decoder is drawn at the lower edge
CHANCE_NEAR = 1.5  # spans of the working decoders below them at which chance still gets a line


@dataclass(frozen=True, slots=True)
class Point:
    """One decoder on one machine, as a figure shows it.

    `score` and `power` hold low, nominal, high; a score's bounds are nan where there was one repetition. `number` is
    the decoder's mark in figures; `note` what must be known of its price.
    """

    label: str
    number: int
    group: str
    score: tuple[float, float, float]
    power: tuple[float, float, float]
    on_front: bool
    note: str = ""
    machine: str = ""


def group_of(row: Mapping[str, Any]) -> str:
    """Return which of `GROUPS` the decoder of a row is drawn as."""
    if row["role"] == "baseline":
        return "classical"
    if row["spiking"]:
        return "spiking"
    return "float32" if row["form"] == "float32" else "quantised"


def points_of(rows: Sequence[Mapping[str, Any]], power: str) -> list[Point]:
    """Return the points of summary rows; rows that do not fit the machine have no place in a figure."""
    return [
        Point(
            label=str(row["decoder"]), number=int(row.get("number", index + 1)), group=group_of(row),
            score=(float(row["score_low"]), float(row["score_mean"]), float(row["score_high"])),
            power=(float(row[f"{power}_low_w"]), float(row[f"{power}_nominal_w"]), float(row[f"{power}_high_w"])),
            on_front=bool(row["front"]), note="price incomplete" if row["incomplete"] != "[]" else "",
            machine=str(row["profile"]),
        )
        for index, row in enumerate(rows)
        if row["infeasibilities"] == "[]"
    ]  # fmt: skip


def score_range(points: Sequence[Point], levels: Mapping[str, float]) -> tuple[float, float]:
    """Return the score axis: of the decoders that work, so that one at chance does not press the others together.

    It ends at `HIGHEST_SCORE` at most.
    """
    worst, best = (end(point.score[1] for point in points) for end in (min, max))
    floor = levels.get("chance", worst)
    if best <= floor:  # no decoder works
        floor = worst
    cut = floor + WORKING * (best - floor)
    working = [point for point in points if point.score[1] >= cut]
    ends = [end for point in working for end in point.score if not math.isnan(end)]
    low = max(min(ends), floor)
    high = min(max([*ends, *(level for level in levels.values() if level <= best + LEAST_SPAN)]), HIGHEST_SCORE)
    if low - floor <= CHANCE_NEAR * (high - low):
        low = floor
    pad = max(0.06 * (high - low), LEAST_SPAN / 2)
    return low - pad, min(high + pad, HIGHEST_SCORE)


def power_range(points: Sequence[Point]) -> tuple[float, float]:
    """Return the power axis [W], over every bound above zero.

    Raises
    ------
    StudyError
        When there is none.
    """
    ends = [end for point in points for end in point.power if end > 0]
    if not ends:
        raise StudyError("no decoder has a power above zero here", where="figure", remedy="Check the profile's prices.")
    return min(ends) / 1.6, max(ends) * 1.6


def staircase(points: Sequence[Point]) -> list[tuple[float, float]]:
    """Return the corners of a front, cheapest first: (power [W], score)."""
    front = sorted((p for p in points if p.on_front), key=lambda p: (p.power[1], p.score[1]))
    return [(point.power[1], point.score[1]) for point in front]


def merit(point: Point) -> tuple[float, float]:
    """Return the order of points of which one is named: best score first, then least power."""
    return point.score[1], -point.power[1]
