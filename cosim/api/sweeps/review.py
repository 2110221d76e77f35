"""Writes a sweep for a design review: tables as CSV, JSON, Parquet and LaTeX, figures as PDF and PNG."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from cosim.api.sweeps.study_tables import fit_rows, lever_rows, numeric_axes, series, streaming_tables
from cosim.api.sweeps.sweep_lines import FITTING
from cosim.api.sweeps.sweep_point import PricedPoint
from cosim.engine.files import disk_errors
from cosim.report.figures.numbers import digits_text, quantity_text, varied_text
from cosim.report.review.canvas import STYLE, Along, along, write_figure
from cosim.report.review.figures import (
    battery_figure,
    causes_figure,
    headroom_figure,
    levers_figure,
    power_figure,
    streaming_figure,
)
from cosim.report.review.latex import latex_document, latex_table
from cosim.tables.feasibility import LIMIT, NO_LIMIT, plain_cell
from energy_models.errors import StudyError
from energy_models.feasibility import CHECK_NAMES
from energy_models.pricing import CAUSES
from energy_models.quantities import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
POINTS, CAUSE_TABLE, LIMIT_TABLE = "points", "power_by_cause", "limits"
CAPTIONS = {
    POINTS: "Every point: power, latency and verdict", CAUSE_TABLE: "Average power of the device by cause",
    LIMIT_TABLE: "Every limit: verdict, and headroom in brackets (limit over what is used, nominal)",
    "fits": "How far it fits along each axis", "streaming": "Decoding on board against sending every sample",
    "crossovers": "Where decoding on board begins or ceases to draw less than raw streaming",
    "levers": "Each constant moved alone until all limits just hold",
}  # fmt: skip
FIGURES = {
    "power": "Average power of the device and of the decoder with guaranteed bounds, and what the limits allow",
    "causes": "Where the power goes", "headroom": "Headroom of every limit",
    "streaming": "Decoding on board against sending every sample, and the probability that decoding draws less",
    "levers": "What would make it fit, or the room there is: each constant moved alone",
    "battery": "How long one charge lasts",
}  # fmt: skip
READ_BESIDE = (
    "Bounds in brackets are guaranteed: every constant at its low, or every one at its high.",
    "A dash is not known, not compared or not charged; it is never zero. A limit that is not checked is said to be so.",
    "Heat and power limits hold while the device is on; a battery follows the average.",
)


@dataclass(frozen=True, slots=True)
class StudyTables:
    """The tables of a feasibility study, rows in SI with units in the names."""

    points: list[dict[str, Any]]
    fits: list[dict[str, Any]]
    streaming: list[dict[str, Any]]
    crossovers: list[dict[str, Any]]
    levers: list[dict[str, Any]]


def study_tables(
    priced: Sequence[PricedPoint], rows: Sequence[Row], varied: Sequence[str], *, draws: int, seed: int
) -> StudyTables:
    """Return what a sweep says: its points, how far it fits, raw streaming, crossovers and levers."""
    streaming, crossovers = streaming_tables(priced, rows, varied, draws=draws, seed=seed)
    return StudyTables(
        [dict(row) for row in rows], list(fit_rows(rows, varied)), streaming, crossovers,
        list(lever_rows(priced, rows, varied)),
    )


def write_review(folder: Path, title: str, tables: StudyTables, varied: Sequence[str]) -> list[Path]:
    """Write tables and figures into a folder, and return the files.

    Raises
    ------
    StudyError
        The folder holds files already, or cannot be written.
    """
    make_folder(folder)
    written: list[Path] = []
    for name in ("points", "fits", "streaming", "crossovers", "levers"):
        written += _write_rows(folder, name, getattr(tables, name))
    latex: list[str] = []
    for name, rows, columns in _printed(tables, varied):
        if rows:
            text = latex_table(rows, columns, caption=CAPTIONS[name], label=f"tab:{name}")
            written.append(_write(folder / f"{name}.tex", text.encode()))
            latex.append(f"{name}.tex")
    figures: list[tuple[str, str]] = []
    for name, figure in _figures(tables, title, varied):
        written += write_figure(figure, folder, name)
        figures.append((f"{name}.pdf", FIGURES[name]))
    document = latex_document(title, latex, figures, READ_BESIDE)
    return [*written, _write(folder / "review.tex", document.encode())]


def make_folder(folder: Path) -> None:
    """Make a folder for a study.

    Raises
    ------
    StudyError
        It holds files already, or cannot be made.
    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise StudyError("it exists and is not empty", where=str(folder), remedy="Name a new folder")
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)


def _write(path: Path, content: bytes) -> Path:
    with disk_errors(path):
        write_whole(path, content)
    return path


def _write_rows(folder: Path, name: str, rows: Sequence[Row]) -> Iterator[Path]:
    if not rows:
        return
    frame: Any = pd.DataFrame(rows)
    yield _write(folder / f"{name}.csv", frame.to_csv(index=False).encode())
    plain = [{key: plain_cell(value) for key, value in row.items()} for row in rows]
    yield _write(folder / f"{name}.json", json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False).encode())
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    yield _write(folder / f"{name}.parquet", buffer.getvalue())


def _printed(tables: StudyTables, varied: Sequence[str]) -> Iterator[tuple[str, Sequence[Row], list[str]]]:
    """Yield the tables that are printed: name, rows, columns."""
    first = tables.points[0]
    told = [name for name in varied if name != "widths"] or ["workload", "machine"]
    some = [*told, "power_w", "decoder_power_w"]
    some += ["average_power_w"] if "average_power_w" in first else []
    some += ["latency_s", "verdict", "binding_limit", "headroom"]
    some += [name for name in ("charge_lasts_s",) if any(math.isfinite(float(row[name])) for row in tables.points)]
    yield POINTS, tables.points, [*some, *(name for name in first if name == "recalibration_power_w")]
    causes = [name for name in CAUSES if any(float(row[f"{name}_power_w"]) > 0 for row in tables.points)]
    yield CAUSE_TABLE, tables.points, [*told, *(f"{name}_power_w" for name in causes)]
    names = [name for name in CHECK_NAMES if any(row[f"{LIMIT}{name}"] != NO_LIMIT for row in tables.points)]
    if names:
        judged = [
            {**{name: row[name] for name in told}, **{name.replace("_", " "): _judged(row, name) for name in names}}
            for row in tables.points
        ]
        yield LIMIT_TABLE, judged, [*told, *(name.replace("_", " ") for name in names)]
    for name in ("fits", "streaming", "crossovers", "levers"):
        rows = getattr(tables, name)
        fixed = {column for column in rows[0] if column in first and len({str(row[column]) for row in rows}) == 1} if (
            rows) else set()  # fmt: skip
        hidden = {"text", "unit", "fits", "place", *(fixed - set(told))}
        yield name, _readable(rows), [column for column in (rows[0] if rows else ()) if column not in hidden]


def _judged(row: Row, name: str) -> str:
    """Return a limit's verdict, with its headroom where there is one."""
    room = float(row[f"{LIMIT}{name}_headroom"])
    return row[f"{LIMIT}{name}"] + ("" if math.isnan(room) else f" ({digits_text(room)})")


def _readable(rows: Sequence[Row]) -> list[Row]:
    """Return rows whose values have units of their own as texts: levers."""
    def text(row: Row, name: str) -> str:
        above, per, below = (row["unit"], "", "") if row["unit"] == "bit/s" else str(row["unit"]).partition("/")
        value = float(row[name])
        return "" if math.isnan(value) else f"{quantity_text(value, '' if above == '1' else above)}{per}{below}".strip()

    return [
        {**row, "now": text(row, "now"), "bound": f"{row['fits']} {found}" if (found := text(row, "bound")) else ""}
        if "unit" in row else row
        for row in rows
    ]


def _figures(tables: StudyTables, title: str, varied: Sequence[str]) -> Iterator[tuple[str, Figure]]:
    from matplotlib import rc_context

    rows = [{**row, "place": place} for place, row in enumerate(tables.points)]
    odds = [{**row, "place": place} for place, row in enumerate(tables.streaming)]
    axes = numeric_axes(tables.points, varied)
    axis = axes[0] if axes else ""
    study = along(rows, axis, series(rows, varied, axis) if axis else [])
    with rc_context(STYLE):
        found: dict[str, Figure | None] = {
            "power": power_figure(study, title) if _any_runs(study) else None,
            "causes": causes_figure(study, title), "headroom": headroom_figure(study, title),
            "streaming": streaming_figure(study, odds, title), "levers": _levers(tables, title),
            "battery": battery_figure(study, title),
        }  # fmt: skip
    yield from ((name, figure) for name, figure in found.items() if figure is not None)


def _any_runs(study: Along) -> bool:
    return any(math.isfinite(float(row["power_w"])) for line in study.lines for row in line.rows)


def _levers(tables: StudyTables, title: str) -> Figure | None:
    """Return the levers of the point with the least headroom."""
    rooms = [(float(row["headroom"]), row) for row in tables.points if math.isfinite(float(row["headroom"]))]
    if not rooms or not tables.levers:
        return None
    _, tightest = min(rooms, key=lambda one: one[0])
    told = [name for name in tables.levers[0] if name in tightest]
    levers = [row for row in tables.levers if all(row[name] == tightest[name] for name in told)]
    apart = [name for name in told if len({str(row[name]) for row in tables.points}) > 1]
    said = (varied_text(name, tightest[name]) for name in apart)
    where = ", ".join(f"{name.replace('_', ' ')} {text}" for name, text in said)
    state = "the room there is" if tightest["verdict"] in FITTING else "what would make it fit"
    return levers_figure(levers, f"{title}: {state}{f', at {where}' if where else ''}")
