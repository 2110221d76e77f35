"""The parts of the page below its answer: figures, table, limits, sources, assumptions."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from cosim.evaluation.pareto import front_hypervolume, pareto_front
from cosim.report.comparison import over_text
from cosim.report.figures.bars import breakdown_figure
from cosim.report.figures.front import GROUPS, Point, front_svg, group_of, points_of
from cosim.report.figures.numbers import band_text, bits_text, duration_text, headroom_text, quantity_text, score_of
from cosim.report.headline import LIMIT_WORDS, power_of
from cosim.report.inputs import Row, Run
from cosim.report.selection import MOST_PICTURES, MOST_POINTS, foremost, rows_each, selection_text, table_rows_each
from cosim.tables.prices import PRICED
from cosim.tables.scores import SCORES
from energy_models.pricing import OUTSIDE_DECODER
from energy_models.quantities import load_sources

WIDE, NARROW = (900.0, 500.0), (360.0, 430.0)
ALL = "all machines"
MOST_BARS, MOST_NAMES, MOST_LINES = 8, 12, 60
SQUARE_CENTIMETRE_M2 = 1e-4


class View(NamedTuple):
    """One choice of the page's selectors, with its pictures."""

    machine: str
    power: str
    wide: str
    narrow: str
    bars_wide: str
    bars_narrow: str
    note: str


def views(run: Run) -> tuple[View, ...]:
    """Return the pictures of machines and kinds of power; kinds are ``decoder`` and each site's name.

    With very many of both, a single machine has the decoder's power only.
    """
    machines = run.machines if len(run.machines) == 1 else (ALL, *run.machines)
    powers = ("decoder", *run.sites)
    few = len(machines) * len(powers) <= MOST_PICTURES or len(machines) == 1
    pairs = itertools.product(machines, powers)
    return tuple(_view(run, machine, power) for machine, power in pairs if few or machine == ALL or power == "decoder")


def _view(run: Run, machine: str, power: str) -> View:
    site = run.sites[0] if power == "decoder" else power
    column = "decoder_power" if power == "decoder" else "total_power"
    label = "power of the decoder" if power == "decoder" else f"power of the whole device, {site}"
    machines = run.machines if machine == ALL else (machine,)
    whole = {name: run.at(name, site) for name in machines}
    total = sum(row["infeasibilities"] == "[]" for rows in whole.values() for row in rows)
    each = MOST_POINTS if machine != ALL or total <= MOST_POINTS else rows_each(run, MOST_POINTS)
    chosen = {name: foremost(rows, each) for name, rows in whole.items()}
    points = _together(chosen, column) if machine == ALL else points_of(chosen[machine], column)
    note = _missing_note(whole[machine]) if machine != ALL else ""
    if not points:
        return View(machine, power, "", "", "", "", f"No decoder runs on {machine}.")
    common: dict[str, Any] = {
        "title": f"Score against {label} on {machine}", "metric": str(run.study["metric"]), "power_label": label,
        "levels": levels(run), "groups": run.machines if machine == ALL else GROUPS,
    }  # fmt: skip
    wide = front_svg(points, names="full", size=WIDE, **common)
    narrow = front_svg(points, names="numbers", size=NARROW, **common)
    note += selection_text(len(points), total)
    if machine != ALL:
        note += _hypervolume_note(run, points_of(whole[machine], column), column, site)
    rows = _bar_rows(run, chosen, power)
    bars = [breakdown_figure(rows, title=f"{label} by cause, {machine}", width=size[0]) for size in (WIDE, NARROW)]
    return View(machine, power, wide, narrow, bars[0], bars[1], note)


def _missing_note(rows: Sequence[Row]) -> str:
    missing = sorted({str(row["decoder"]) for row in rows if row["infeasibilities"] != "[]"})
    return f"Cannot run here: {names_text(missing)}. " if missing else ""


def names_text(names: Sequence[str]) -> str:
    """Return names, the first `MOST_NAMES` of very many."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


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


def _together(chosen: Mapping[str, Sequence[Row]], column: str) -> list[Point]:
    """Return the points of several machines, one group each; named are the overall front and each machine's best."""
    points = [
        dataclasses.replace(point, group=machine, name=f"{point.label} on {machine}")
        for machine, rows in chosen.items()
        for point in points_of(rows, column)
    ]
    if not points:
        return []
    overall = pareto_front(np.array([p.score[1] for p in points]), np.array([p.power[1] for p in points]))
    best = {max((p for p in points if p.group == machine), key=_merit).name for machine in {p.group for p in points}}
    return [
        point if on_front or point.name in best else dataclasses.replace(point, label="")
        for point, on_front in zip(points, overall.tolist(), strict=True)
    ]


def _merit(point: Point) -> tuple[float, float]:
    return point.score[1], -point.power[1]


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
    """Return the front, the best network and the best classical decoder; of several machines, the best of each."""
    shown: list[Row] = []
    for candidates in chosen.values():
        running = sorted((r for r in candidates if r["infeasibilities"] == "[]"), key=lambda r: -float(r["score_mean"]))
        front = [row for row in running if row["front"]]
        others = [next((r for r in running if r["role"] == role), None) for role in ("student", "baseline")]
        best = [*front[:MOST_BARS], *(row for row in others if row is not None and not row["front"])]
        shown += front[:1] if len(chosen) > 1 else best
    rows: list[tuple[str, dict[str, list[float]]]] = []
    for row, causes in zip(shown, run.causes(shown), strict=True):
        kept = {c: band for c, band in causes.items() if power != "decoder" or c not in OUTSIDE_DECODER}
        rows.append((f"{row['decoder']} on {row['profile']}" if len(chosen) > 1 else str(row["decoder"]), kept))
    return rows


def table_rows(run: Run) -> list[dict[str, Any]]:
    """Return one row per decoder and machine, with a verdict for each site; of very many the foremost."""
    found: list[dict[str, Any]] = []
    each = table_rows_each(run)
    for machine in run.machines:
        by_site = {site: {str(row["decoder_id"]): row for row in run.at(machine, site)} for site in run.sites}
        for row in foremost(run.at(machine, run.sites[0]), each):
            decoder = str(row["decoder_id"])
            found.append(_table_row(row, [rows[decoder] for rows in by_site.values() if decoder in rows]))
    return sorted(found, key=lambda row: (bool(row["infeasibilities"]), -row["sort_score"], row["sort_power"]))


def table_note(run: Run, shown: int) -> str:
    """Return what the table leaves out and where all of it stands; empty where it holds everything."""
    whole = sum(len(run.at(machine, run.sites[0])) for machine in run.machines)
    said = selection_text(shown, whole)
    return f"{said}All of them: cosim pareto, cosim feasibility, and the run's {PRICED} and {SCORES}." if said else ""


def _table_row(row: Row, places: Sequence[Row]) -> dict[str, Any]:
    infeasibilities: list[str] = json.loads(str(row["infeasibilities"]))
    energy = band_text(row["decode_energy_low_j"], row["decode_energy_nominal_j"], row["decode_energy_high_j"], "J")
    latency = quantity_text(float(row["latency_nominal_s"]), "s")
    return {
        "number": row["number"], "decoder": row["decoder"], "machine": row["profile"],
        "group": group_of(row), "parameters": f"{int(row['parameters']):,}",
        "score": score_of(row), "sort_score": float(row["score_mean"]),
        "over": over_text(int(row["score_count"]), str(row["score_over"])),
        "front": row["membership"] if not infeasibilities else "", "on_front": bool(row["front"]),
        "infeasibilities": infeasibilities, "incomplete": json.loads(str(row["incomplete"])),
        "energy": energy, "sort_energy": float(row["decode_energy_nominal_j"]),
        "power": power_of(row, "decoder_power"), "sort_power": float(row["decoder_power_nominal_w"]),
        "latency": latency, "sort_latency": float(row["latency_nominal_s"]),
        "memory": f"{bits_text(float(row['memory_used_bits']))} of {bits_text(float(row['memory_capacity_bits']))}",
        "sort_memory": float(row["memory_used_bits"]), "sort_parameters": int(row["parameters"]),
        "places": [_badge(place) for place in places],
    }  # fmt: skip


def _badge(row: Row) -> dict[str, Any]:
    verdict = str(row["verdict"])
    limit = LIMIT_WORDS.get(str(row["binding_limit"]), str(row["binding_limit"]))
    headroom = float(row["headroom"])
    return {
        "verdict": verdict, "class": css_class(verdict),
        "text": "cannot run" if verdict == "does not fit the machine" else headroom_text(headroom),
        "title": f"{row['site']}: {verdict}; {limit}; whole device {power_of(row, 'total_power')}",
        "sort": -1.0 if verdict == "does not fit the machine" else headroom,
    }  # fmt: skip


def css_class(verdict: str) -> str:
    """Return the class of a verdict's badge."""
    classes = {"fits": "good", "fits nominally": "likely", "fits only at best": "perhaps", "exceeds": "bad"}
    return classes.get(verdict, "none")


def limit_rows(checks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return every limit of a site held against the site's pick, tightest first, as texts."""
    return [
        {
            "name": LIMIT_WORDS.get(str(check["name"]), str(check["name"])),
            "used": _limit_text(check["value"], check["unit"]), "allowed": _limit_text(check["limit"], check["unit"]),
            "headroom": headroom_text(float(check["headroom"])), "verdict": check["verdict"],
            "class": css_class(str(check["verdict"])), "spare": _spare_text(check),
            "share": min(100.0 / float(check["headroom"]), 100.0) if float(check["headroom"]) > 0 else 100.0,
        }
        for check in checks
    ]  # fmt: skip


def _spare_text(check: Mapping[str, Any]) -> str:
    """Return how much more power may be drawn or must be saved, and how long a battery lasts, at nominal values."""
    words: list[str] = []
    if check["spare_w"] is not None:
        spare = float(check["spare_w"][1])
        words.append(f"{quantity_text(abs(spare), 'W')} {'to spare' if spare >= 0 else 'to save'}")
    if check["lasts_s"] is not None:
        words.append(f"lasts {duration_text(float(check['lasts_s'][1]))}")
    return ", ".join(words)


def _limit_text(band: Sequence[float], unit: str) -> str:
    """Return a limit or what is used of it; surfaces are thought of in square centimetres."""
    factor, name = (SQUARE_CENTIMETRE_M2, "W/cm²") if unit == "W/m2" else (1.0, unit)
    low, nominal, high = (value * factor for value in band)
    return quantity_text(nominal, name) if low == high else band_text(low, nominal, high, name)


_READ = {
    "original": "read", "transcription": "read in a transcription", "run": "tool run", "none": "recalled",
    "own": "judgement",
}


def source_rows(run: Run) -> list[dict[str, str]]:
    """Return the bibliography of every number used, each record resolved."""
    records, found = load_sources(), list[dict[str, str]]()
    for key in _union(row["sources"] for row in run.summary):
        record = records.get(key)
        if record is None:
            found.append({"key": key, "text": "record stands in the profile or site file", "read": "", "note": ""})
            continue
        text = f"{record.authors}. {record.title}. {record.venue}, {record.year}."
        text += f" {record.locator}." if record.locator else ""
        found.append({"key": key, "text": text, "read": _READ[record.read], "note": record.note})
    return found


def assumption_rows(run: Run) -> list[dict[str, str]]:
    """Return every assumed number, once: where it stands, and what was assumed why."""
    lines = [line.partition(": ") for line in _union(row["assumed"] for row in run.summary)]
    return [{"where": where, "what": what} for where, _, what in lines]


def incomplete_rows(run: Run) -> list[dict[str, Any]]:
    """Return what figures leave out, with the decoders it touches."""
    touched: dict[str, set[str]] = {}
    for row in run.summary:
        if row["infeasibilities"] != "[]" or row["incomplete"] == "[]":
            continue  # it does not run there, so nothing of it is priced
        for line in json.loads(str(row["incomplete"])):
            touched.setdefault(line, set()).add(str(row["decoder"]))
    return [{"line": line, "decoders": sorted(names)} for line, names in sorted(touched.items())]


def infeasibility_rows(run: Run) -> list[dict[str, Any]]:
    """Return why decoders cannot run on a machine, each reason once with its decoders."""
    touched: dict[str, set[str]] = {}
    for row in run.at_site(run.sites[0]):  # the machine's reasons, the same at every site
        if row["infeasibilities"] == "[]":
            continue
        for line in json.loads(str(row["infeasibilities"])):
            touched.setdefault(f"{row['profile']}: {line}", set()).add(str(row["decoder"]))
    return [{"line": line, "decoders": sorted(names)} for line, names in sorted(touched.items())]


def _union(texts: Iterable[Any]) -> list[str]:
    return sorted({item for text in set(texts) for item in json.loads(str(text))})
