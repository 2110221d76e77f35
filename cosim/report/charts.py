"""The charts of a page, from a run: one JSON document by name, drawn by plotly in the reader's browser."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from cosim.evaluation.pareto import front_hypervolume
from cosim.report.figures.axes import Chart
from cosim.report.figures.bars import breakdown_chart, layers_chart
from cosim.report.figures.front import Names, front_chart
from cosim.report.figures.numbers import quantity_text
from cosim.report.figures.points import GROUPS, Point, points_of
from cosim.report.headline import Answer, best_first
from cosim.report.inputs import Row, Run
from cosim.report.selection import MOST_PICTURES, MOST_POINTS, foremost, names_text, rows_each, selection_text
from cosim.tables.summary import Power
from energy_models.pricing import OUTSIDE_DECODER

ALL = "all machines"
MOST_BARS = 8


class View(NamedTuple):
    """One choice of the page's selectors, with its charts; None where nothing runs."""

    machine: str
    power: str
    front: Chart | None
    bars: Chart | None
    note: str

    @property
    def key(self) -> str:
        """Its name in the page's document of charts."""
        return f"{self.machine}/{self.power}"


def views(run: Run, found: Sequence[Answer]) -> tuple[View, ...]:
    """Return the charts of machines and kinds of power; kinds are ``decoder`` and each site's name.

    With very many of both, a single machine has the decoder's power only.
    """
    machines = run.machines if len(run.machines) == 1 else (ALL, *run.machines)
    powers = ("decoder", *run.sites)
    few = len(machines) * len(powers) <= MOST_PICTURES or len(machines) == 1
    pairs = itertools.product(machines, powers)
    return tuple(
        _view(run, found, machine, power) for machine, power in pairs if few or machine == ALL or power == "decoder"
    )


def front_of(run: Run, found: Sequence[Answer], machine: str, site: str, power: Power) -> Chart | None:
    """Return the front at a site, of one machine or of `ALL`, as a chart that stands alone; None where nothing runs."""
    machines = run.machines if machine == ALL else (machine,)
    rows = [row for name in machines for row in foremost(run.at(name, site), rows_each(run, MOST_POINTS))]
    points = [_grouped(point, machine) for point in points_of(rows, power)]
    groups = run.machines if machine == ALL else GROUPS
    label = _power_label(power, site)
    return _front(run, found, points, groups=groups, label=label, names="below") if points else None


def _power_label(power: Power, site: str) -> str:
    return "power of the decoder" if power == "decoder_power" else f"power of the whole device, {site}"


def _front(
    run: Run, found: Sequence[Answer], points: Sequence[Point], *, groups: Sequence[str], label: str, names: Names
) -> Chart:
    return front_chart(
        points, metric=str(run.study["metric"]), power_label=label, levels=levels(run), groups=groups,
        pick=pick_of(found), names=names,
    )  # fmt: skip


def _view(run: Run, found: Sequence[Answer], machine: str, power: str) -> View:
    site = run.sites[0] if power == "decoder" else power
    column: Power = "decoder_power" if power == "decoder" else "total_power"
    machines = run.machines if machine == ALL else (machine,)
    whole = {name: run.at(name, site) for name in machines}
    total = sum(row["infeasibilities"] == "[]" for rows in whole.values() for row in rows)
    each = MOST_POINTS if machine != ALL or total <= MOST_POINTS else rows_each(run, MOST_POINTS)
    chosen = {name: foremost(rows, each) for name, rows in whole.items()}
    points = [_grouped(point, machine) for rows in chosen.values() for point in points_of(rows, column)]
    note = _missing_note(whole[machine]) if machine != ALL else ""
    if not points:
        return View(machine, power, None, None, f"No decoder runs on {machine}.")
    groups = run.machines if machine == ALL else GROUPS
    front = _front(run, found, points, groups=groups, label=_power_label(column, site), names="beside")
    note += selection_text(len(points), total)
    if machine != ALL:
        note += _hypervolume_note(run, points_of(whole[machine], column), column, site)
    return View(machine, power, front, breakdown_chart(_bar_rows(run, chosen, power)), note)


def _grouped(point: Point, machine: str) -> Point:
    return dataclasses.replace(point, group=point.machine) if machine == ALL else point


def pick_of(found: Sequence[Answer]) -> tuple[int, str]:
    """Return number and machine of the study's pick."""
    return (int(found[0].pick["number"]), str(found[0].pick["profile"])) if found else (0, "")


def _missing_note(rows: Sequence[Row]) -> str:
    missing = sorted({str(row["decoder"]) for row in rows if row["infeasibilities"] != "[]"})
    return f"Cannot run here: {names_text(missing)}. " if missing else ""


def _hypervolume_note(run: Run, points: Sequence[Point], column: str, site: str) -> str:
    """Return the front's hypervolume against chance and the dearest decoder on any machine, one scale for all."""
    priced = [row for row in run.at_site(site) if row["infeasibilities"] == "[]"]
    dearest = max(float(row[f"{column}_nominal_w"]) for row in priced)
    floor = run.study["chance"]
    if floor is None:
        return ""
    volume = front_hypervolume(
        np.array([p.score[1] for p in points]), np.array([p.power[1] for p in points]),
        score_floor=float(floor), power_ceiling_w=dearest,
    )  # fmt: skip
    return (
        f"Hypervolume {volume:.2f} score × decades of power, above chance and below {quantity_text(dearest, 'W')}, "
        "the dearest here on any machine."
    )


def levels(run: Run) -> dict[str, float]:
    """Return the horizontal lines of a figure: chance, and the best teacher."""
    found: dict[str, float] = {}
    if run.study["chance"] is not None:
        found["chance"] = float(run.study["chance"])
    teachers = [float(row["score_mean"]) for row in run.decoders if row["role"] == "teacher"]
    if teachers:
        found["teacher"] = max(teachers)
    return found


def _bar_rows(
    run: Run, chosen: Mapping[str, Sequence[Row]], power: str
) -> list[tuple[str, dict[str, list[float]]]]:
    """Return the front, the best network and classical decoder on validation; of several machines, each front's top."""
    shown: list[Row] = []
    for candidates in chosen.values():
        running = sorted((r for r in candidates if r["infeasibilities"] == "[]"), key=lambda r: -float(r["score_mean"]))
        front, ranked = [row for row in running if row["front"]], best_first(run, running)
        others = [next((r for r in ranked if r["role"] == role), None) for role in ("student", "baseline")]
        best = [*front[:MOST_BARS], *(row for row in others if row is not None and not row["front"])]
        shown += front[:1] if len(chosen) > 1 else best
    rows: list[tuple[str, dict[str, list[float]]]] = []
    for row, causes in zip(shown, run.causes(shown), strict=True):
        kept = {c: band for c, band in causes.items() if power != "decoder" or c not in OUTSIDE_DECODER}
        name = f"{row['number']} {row['decoder']}"
        rows.append((f"{name} on {row['profile']}" if len(chosen) > 1 else name, kept))
    return rows


def layers_of(run: Run, row: Row) -> Chart | None:
    """Return the energy of each layer of a decoder, preprocessing first; None where nothing of it costs anything."""
    layers = [(_layer_name(str(one["layer"]), str(one["kind"])), one["energy_j"]) for one in run.layers(row)]
    drawn = [(name, causes) for name, causes in layers if any(band[2] > 0 for band in causes.values())]
    return layers_chart(drawn) if drawn else None


def _layer_name(name: str, kind: str) -> str:
    """Return a layer's name, with its kind where the name is but a place in a sequence."""
    return f"{name} {kind}" if name.replace(".", "").isdigit() else name.removeprefix("pipeline.")


def charts_text(charts: Mapping[str, Chart]) -> str:
    """Return the document of charts as JSON that may stand inside of a script element."""
    text = json.dumps(charts, allow_nan=False, separators=(",", ":"), default=float)
    return text.replace("<", "\\u003c")
