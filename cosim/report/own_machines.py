"""Decoders on machines sized to them: the joint front of score and power, and the fixed machines beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cosim.evaluation.pareto import non_dominated
from cosim.report.charts import levels
from cosim.report.figures.axes import Chart
from cosim.report.figures.numbers import SQUARE_MILLIMETRE_M2, digits_text, scaled_band_text, score_of
from cosim.report.figures.own_machines import Pair, pairs_chart
from cosim.report.figures.points import Point, points_of
from cosim.report.inputs import Row, Run
from cosim.report.selection import foremost
from cosim.tables.designed import MACHINE, area_by_workload

MOST_DRAWN = 60
MICROWATT_W = 1e-6
ENDS = ("low", "nominal", "high")


@dataclass(frozen=True, slots=True)
class OwnMachines:
    """The section of a page: its chart, the rows of its table as texts and as plain numbers, what it leaves out."""

    chart: Chart
    rows: Sequence[dict[str, Any]]
    numbers: Sequence[dict[str, Any]]
    note: str


def own_machines(run: Run) -> OwnMachines | None:
    """Return the section of a run whose study sizes machines to decoders; None of any other.

    The power is the decoder's. Of the fixed machines the one is shown on which a decoder draws least.
    """
    site = run.sites[0]
    sized = run.at(MACHINE, site)
    every = [row for row in sized if row["infeasibilities"] == "[]"]
    if not every:
        return None
    areas = area_by_workload(run.folder)
    fixed = _least_fixed(run, site)
    shown = foremost(every, MOST_DRAWN)
    pairs = [Pair(own, fixed.get(own.label), areas.get(str(row["workload_digest"])))
             for own, row in zip(points_of(shown, "decoder_power"), shown, strict=True)]  # fmt: skip
    drawn = pairs_chart(pairs, metric=str(run.study["metric"]), levels=levels(run))
    left = len(every) - len(shown)
    note = f"{len(shown)} of {len(every)} decoders, the foremost. " if left else ""
    alone = len(run.decoders) - sum(row["role"] == "teacher" for row in run.decoders) - len(sized)
    note += f"{alone} more have no machine of their own: they compute in floating point. " if alone > 0 else ""
    unfit = len(sized) - len(every)
    if unfit:
        whose = "it" if unfit == 1 else "them"
        note += f"{unfit} more cannot run on the machine that was sized to {whose} or to ones alike. "
    best = sorted(zip(shown, pairs, _with_area(pairs), strict=True), key=lambda one: -float(one[0]["score_mean"]))
    return OwnMachines(drawn, [_table_row(*one) for one in best], [_numbers(*one) for one in best], note)


def _least_fixed(run: Run, site: str) -> dict[str, Point]:
    """Return for each decoder, by its name, the point of the fixed machine on which it draws least."""
    found: dict[str, Point] = {}
    for machine in run.machines:
        if machine == MACHINE:
            continue
        for point in points_of(run.at(machine, site), "decoder_power"):
            known = found.get(point.label)
            if known is None or point.power[1] < known.power[1]:
                found[point.label] = point
    return found


def _with_area(pairs: Sequence[Pair]) -> Sequence[bool]:
    """Return which machines no other one beats in score, power and area together; none where an area is not known."""
    areas = [pair.area_m2 for pair in pairs if pair.area_m2 is not None]
    if len(areas) < len(pairs):
        return [False] * len(pairs)
    costs = np.array([[-pair.own.score[1], pair.own.power[1], area] for pair, area in zip(pairs, areas, strict=True)])
    return [bool(one) for one in non_dominated(costs)]


def _table_row(row: Row, pair: Pair, on_wide_front: bool) -> dict[str, Any]:
    fronts = [name for name, on in (("power", pair.own.on_front), ("power and area", on_wide_front)) if on]
    return {
        "number": row["number"], "decoder": row["decoder"], "score": score_of(row),
        "power": scaled_band_text(row, "decoder_power", "w", MICROWATT_W),
        "area": "" if pair.area_m2 is None else digits_text(pair.area_m2 / SQUARE_MILLIMETRE_M2),
        "fixed": "" if pair.fixed is None else digits_text(pair.fixed.power[1] / MICROWATT_W),
        "machine": "none runs it" if pair.fixed is None else pair.fixed.machine,
        "times": "" if pair.fixed is None else digits_text(pair.fixed.power[1] / pair.own.power[1]),
        "front": ", ".join(fronts), "on_front": pair.own.on_front,
    }  # fmt: skip


def _numbers(row: Row, pair: Pair, on_wide_front: bool) -> dict[str, Any]:
    fixed, area = pair.fixed, pair.area_m2
    return {
        "number": row["number"], "decoder": row["decoder"], "score": row["score_mean"], "score_low": row["score_low"],
        "score_high": row["score_high"],
        **{f"own_power_{end}_uw": float(row[f"decoder_power_{end}_w"]) / MICROWATT_W for end in ENDS},
        "own_area_mm2": math.nan if area is None else area / SQUARE_MILLIMETRE_M2,
        "fixed_machine": "" if fixed is None else fixed.machine,
        "fixed_power_uw": math.nan if fixed is None else fixed.power[1] / MICROWATT_W,
        "front_power": pair.own.on_front, "front_power_and_area": on_wide_front,
    }  # fmt: skip
