"""One picture of several machines: a panel each, side by side on the same axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from cosim.engine.files import write_atomically
from cosim.report.figures.front import (
    GROUPS,
    METRICS,
    Point,
    front_parts,
    legend_parts,
    points_of,
    power_range,
    score_range,
)
from cosim.report.figures.svg import STANDALONE, Frame, axes, picture, text
from cosim.report.selection import MOST_POINTS, foremost
from energy_models.errors import StudyError

PANEL = (440.0, 320.0)
COLUMNS = 2
MARGINS = (52.0, 50.0, 10.0, 46.0)  # left, top, right, bottom of a panel
ONE = (880.0, 460.0)                # a single machine takes the whole width
LEGEND = 26.0


@dataclass(frozen=True, slots=True)
class Panel:
    """One machine of a picture; `note` stands at its upper right."""

    title: str
    points: Sequence[Point]
    note: str = ""


def front_figure(
    rows: Sequence[Mapping[str, Any]],
    path: Path,
    *,
    profiles: Sequence[str],
    site: str,
    levels: Mapping[str, float],
    power: Literal["decoder_power", "total_power"] = "decoder_power",
) -> Path:
    """Write the fronts of machines at one site as an SVG file that stands alone, and return its path.

    Parameters
    ----------
    rows : sequence of mappings
        Of `cosim.tables.summary.summarise`.
    path : Path
        The file, ``.svg``.
    profiles : sequence of str
        One panel each, all with the same axes; those on which no decoder runs have none.
    site : str
    levels : mapping of str to float
        Horizontal lines by name: chance, teacher.
    power : {'decoder_power', 'total_power'}

    Raises
    ------
    StudyError
        When no decoder runs on any of them, or the file is not to be an SVG.
    """
    if path.suffix != ".svg":
        raise StudyError(f"cannot write {path.suffix or 'no'} files", where=str(path), remedy="Name a file .svg.")
    here = [row for row in rows if row["site"] == site]
    places = {name: [row for row in here if row["profile"] == name] for name in profiles}
    drawn = {name: points_of(foremost(found, MOST_POINTS), power) for name, found in places.items()}
    panels = [Panel(name, _sparse(drawn[name]), _missing(found)) for name, found in places.items()]
    panels = [panel for panel in panels if panel.points]
    if not panels:
        raise StudyError(f"no decoder runs on {', '.join(profiles)} at {site}", where=str(path),
                         remedy="Name another machine.")  # fmt: skip
    label = "power of the decoder" if power == "decoder_power" else f"power of the whole device, {site}"
    svg = panels_svg(panels, metric=str(here[0]["metric"]), power_label=label, levels=levels)
    write_atomically(path, svg + "\n")
    return path


def _sparse(points: Sequence[Point]) -> list[Point]:
    """Return the points with labels left for the front and the best of each kind: a panel has room for few."""
    best = {id(max((p for p in points if p.group == group), key=_merit)) for group in {p.group for p in points}}
    return [p if p.on_front or id(p) in best else replace(p, label="", name=p.label) for p in points]


def _merit(point: Point) -> tuple[float, float]:
    return point.score[1], -point.power[1]


def _missing(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return which decoders cannot run on a machine, a classical one by name first."""
    found = sorted((row for row in rows if row["infeasibilities"] != "[]"), key=lambda row: row["role"] != "baseline")
    if not found:
        return ""
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"cannot run: {found[0]['decoder']}{more}"


def panels_svg(panels: Sequence[Panel], *, metric: str, power_label: str, levels: Mapping[str, float]) -> str:
    """Return the panels as one SVG that stands alone; see `front_figure`."""
    everything = [point for panel in panels for point in panel.points]
    ranges = power_range(everything), score_range(everything, levels)
    width, height = PANEL if len(panels) > 1 else ONE
    whole = (width * min(len(panels), COLUMNS), height * -(-len(panels) // COLUMNS) + LEGEND)
    name = METRICS.get(metric, metric)
    parts: list[str] = []
    for index, panel in enumerate(panels):
        row, column = divmod(index, COLUMNS)
        left, top = column * width, row * height
        box = (left + MARGINS[0], top + MARGINS[1], left + width - MARGINS[2], top + height - MARGINS[3])
        frame = Frame(width, height, box, *ranges)
        last = index + COLUMNS >= len(panels)
        parts.append(text(box[0], top + 20, panel.title, size=14, look="i f"))
        parts.append(text(box[2], top + 40, panel.note, size=11, anchor="end", look="s"))
        parts += axes(frame, power_label if last else "", name if column == 0 else "", "W")
        parts += front_parts(panel.points, frame, levels=levels)
    legend, _ = legend_parts([g for g in GROUPS if any(p.group == g for p in everything)], GROUPS, whole)
    return picture(*whole, f"{name} against {power_label}", [*parts, *legend], style=STANDALONE)
