"""The tables of the page below its answer: decoders, limits, sources, assumptions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cosim.report.comparison import over_text
from cosim.report.figures.numbers import (
    BITS_PER_BYTE,
    SQUARE_MILLIMETRE_M2,
    band_text,
    digits_text,
    duration_text,
    headroom_text,
    quantity_text,
    scaled_band_text,
    score_of,
)
from cosim.report.headline import LIMIT_WORDS, power_of
from cosim.report.inputs import Row, Run
from cosim.report.selection import foremost, selection_text, table_rows_each
from cosim.tables.prices import PRICED
from cosim.tables.scores import SCORES
from energy_models.quantities import load_sources

MOST_LINES = 60
SQUARE_CENTIMETRE_M2 = 1e-4
MICRO, MILLI, KILO = 1e-6, 1e-3, 1e3  # units of the table's columns: µW, µJ, ms, kB


def shown_rows(run: Run) -> tuple[Row, ...]:
    """Return the rows of the page's table, one a decoder and machine at the first site; of very many the foremost."""
    each = table_rows_each(run)
    rows = [row for machine in run.machines for row in foremost(run.at(machine, run.sites[0]), each)]
    return tuple(sorted(rows, key=_best_first))


def _best_first(row: Row) -> tuple[bool, float, float]:
    return row["infeasibilities"] != "[]", -float(row["score_mean"]), float(row["decoder_power_nominal_w"])


def table_rows(run: Run, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return rows of `shown_rows` as texts, with a verdict for each site."""
    shown: dict[str, set[str]] = {}
    for row in rows:
        shown.setdefault(str(row["profile"]), set()).add(str(row["decoder_id"]))
    places = {
        (machine, site): {name: row for row in run.at(machine, site) if (name := str(row["decoder_id"])) in wanted}
        for machine, wanted in shown.items() for site in run.sites
    }  # fmt: skip
    found: list[dict[str, Any]] = []
    for row in rows:
        here = [places[str(row["profile"]), site].get(str(row["decoder_id"])) for site in run.sites]
        found.append(_table_row(row, [place for place in here if place is not None]))
    return found


def table_note(run: Run, shown: int) -> str:
    """Return what the table leaves out and where all of it stands; empty where it holds everything."""
    whole = sum(len(run.at(machine, run.sites[0])) for machine in run.machines)
    said = selection_text(shown, whole)
    return f"{said}All of them: cosim pareto, cosim feasibility, and the run's {PRICED} and {SCORES}." if said else ""


def _table_row(row: Row, places: Sequence[Row]) -> dict[str, Any]:
    infeasibilities: list[str] = json.loads(str(row["infeasibilities"]))
    kilobytes = [float(row[name]) / BITS_PER_BYTE / KILO for name in ("memory_used_bits", "memory_capacity_bits")]
    return {
        "number": row["number"], "decoder": row["decoder"], "machine": row["profile"],
        "parameters": f"{int(row['parameters']):,}",
        "score": score_of(row), "sort_score": float(row["score_mean"]),
        "over": over_text(int(row["score_count"]), str(row["score_over"])),
        "front": row["membership"] if not infeasibilities else "", "on_front": bool(row["front"]),
        "infeasibilities": infeasibilities, "incomplete": json.loads(str(row["incomplete"])),
        "energy": scaled_band_text(row, "decode_energy", "j", MICRO),
        "power": scaled_band_text(row, "decoder_power", "w", MICRO),
        "latency": digits_text(float(row["latency_nominal_s"]) / MILLI),
        "sort_energy": float(row["decode_energy_nominal_j"]), "sort_power": float(row["decoder_power_nominal_w"]),
        "sort_latency": float(row["latency_nominal_s"]),
        "memory": " of ".join(map(digits_text, kilobytes)),
        "sort_memory": float(row["memory_used_bits"]), "sort_parameters": int(row["parameters"]),
        "places": [_badge(place) for place in places],
    }  # fmt: skip


def _badge(row: Row) -> dict[str, Any]:
    verdict = str(row["verdict"])
    limit = LIMIT_WORDS.get(str(row["binding_limit"]), str(row["binding_limit"]))
    headroom = float(row["headroom"])
    return {
        "site": row["site"], "verdict": verdict, "class": css_class(verdict),
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
    """Return a limit or what is used of it; heat is thought of by square centimetres, silicon in square millimetres."""
    shown = {"W/m2": (SQUARE_CENTIMETRE_M2, "W/cm²"), "m2": (1 / SQUARE_MILLIMETRE_M2, "mm²")}
    factor, name = shown.get(unit, (1.0, unit))
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
