"""The front for print: a panel a machine, side by side on the same axes, as SVG, PDF or PNG."""

# matplotlib's annotations are partial.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cosim.engine.files import disk_errors
from cosim.report.figures.axes import colour_of
from cosim.report.figures.front import MOST_KEYS, level_text
from cosim.report.figures.labels import CHARACTER, Box, Sheet, Side, freer_side, place_labels
from cosim.report.figures.points import (
    GROUPS,
    METRICS,
    Point,
    merit,
    points_of,
    power_range,
    score_range,
    staircase,
)
from cosim.report.selection import MOST_POINTS, foremost
from energy_models.errors import StudyError
from energy_models.quantities import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANEL_IN, ONE_IN, COLUMNS, DPI = (4.9, 3.5), (9.2, 4.9), 2, 200
SYMBOLS = ("o", "s", "^", "D", "v", "h")
NOTE_CHARACTERS, TITLE_CHARACTER = 78, 1.7  # a panel's width, and a character of its title, in characters of its note
KEY_LINE_IN, NO_BREAK = 0.145, "\u00a0"
GREY, SMALL, POINT_PX = "#6e7781", 7.5, 72.0  # placement works in points of 1/72 inch
STYLE: dict[Any, Any] = {
    "font.size": 9, "svg.fonttype": "none", "svg.hashsalt": "cosim", "pdf.fonttype": 42, "axes.axisbelow": True,
    "axes.grid": True, "grid.color": "#d1d9e0", "axes.edgecolor": GREY, "legend.frameon": False,
    "axes.spines.top": False, "axes.spines.right": False, "font.family": "DejaVu Sans",
}  # fmt: skip
FORMATS = {".svg": {"Date": None, "Creator": None}, ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
           ".png": {"Software": None}}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Panel:
    """One machine of a picture; `note` stands at its upper right."""

    title: str
    points: Sequence[Point]
    note: str = ""


def front_figure(
    rows: Sequence[Mapping[str, Any]], path: Path, *, profiles: Sequence[str], site: str,
    levels: Mapping[str, float], power: Literal["decoder_power", "total_power"] = "decoder_power",
) -> Path:
    """Write the fronts of machines at one site as a figure for print, and return its path.

    Every decoder carries its number, those of the front and the best of each kind their names where there is room.

    Parameters
    ----------
    rows : sequence of mappings
        Of `cosim.tables.summary.summarise`.
    path : Path
        The file: ``.svg``, ``.pdf`` or ``.png``.
    profiles : sequence of str
        One panel each, all with the same axes; those on which no decoder runs have none.
    site : str
    levels : mapping of str to float
        Horizontal lines by name: chance, teacher.
    power : {'decoder_power', 'total_power'}

    Raises
    ------
    StudyError
        When no decoder runs on any of them, or the file has another ending.
    """
    if path.suffix not in FORMATS:
        raise StudyError(f"cannot write {path.suffix or 'no'} files", where=str(path),
                         remedy=f"Name a file {', '.join(FORMATS)}.")  # fmt: skip
    here = [row for row in rows if row["site"] == site]
    places = {name: [row for row in here if row["profile"] == name] for name in profiles}
    panels = [Panel(name, points_of(foremost(found, MOST_POINTS), power), _missing(found))
              for name, found in places.items()]  # fmt: skip
    panels = [panel for panel in panels if panel.points]
    if not panels:
        raise StudyError(f"no decoder runs on {', '.join(profiles)} at {site}", where=str(path),
                         remedy="Name another machine.")  # fmt: skip
    label = "power of the decoder [W]" if power == "decoder_power" else f"power of the whole device, {site} [W]"
    content = _drawn(panels, str(here[0]["metric"]), label, levels, path.suffix)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    return path


def _missing(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return which decoders cannot run on a machine, a classical one by name first where the title leaves room."""
    found = sorted((row for row in rows if row["infeasibilities"] != "[]"), key=lambda row: row["role"] != "baseline")
    if not found:
        return ""
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    text = f"cannot run: {found[0]['decoder']}{more}"
    fits = len(text) + TITLE_CHARACTER * len(found[0]["profile"]) < NOTE_CHARACTERS
    return text if fits else f"{len(found)} cannot run"


def _drawn(panels: Sequence[Panel], metric: str, label: str, levels: Mapping[str, float], suffix: str) -> bytes:
    """Return the file of a figure; the same panels give the same bytes."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    everything = [point for panel in panels for point in panel.points]
    axes = power_range(everything), score_range(everything, levels)
    columns = min(len(panels), COLUMNS)
    rows = -(-len(panels) // columns)
    wide, high = ONE_IN if len(panels) == 1 else (PANEL_IN[0] * columns, PANEL_IN[1] * rows)
    key = _key_lines(everything, wide)
    below = KEY_LINE_IN * len(key)
    size = (wide, high + below)
    with rc_context(STYLE):
        figure = Figure(figsize=size)
        FigureCanvasAgg(figure)
        grid = [figure.add_subplot(rows, columns, index + 1) for index in range(len(panels))]
        inches = size[1]
        figure.subplots_adjust(left=0.6 / size[0], right=1 - 0.12 / size[0], top=1 - 0.42 / inches,
                               bottom=(0.85 + below) / inches, hspace=0.32, wspace=0.14)  # fmt: skip
        for index, (panel, ax) in enumerate(zip(panels, grid, strict=True)):
            ax.set_xscale("log")
            ax.set_xlim(*axes[0])
            ax.set_ylim(*axes[1])
            ax.xaxis.set_major_formatter(_prefixed())
            ax.tick_params(labelsize=8)
            if index % columns == 0:
                ax.set_ylabel(METRICS.get(metric, metric))
            if index + columns >= len(panels):
                ax.set_xlabel(label)
            _panel(ax, panel, axes, levels)
        _legend(figure, everything, below / inches)
        figure.text(0.5, 0.06 / inches, "\n".join(key), ha="center", va="bottom", fontsize=SMALL, linespacing=1.35)
        buffer = io.BytesIO()
        figure.savefig(buffer, format=suffix.removeprefix("."), dpi=DPI, metadata=FORMATS[suffix])
    return buffer.getvalue()


def _prefixed() -> Any:
    from matplotlib.ticker import EngFormatter

    return EngFormatter(unit="W", sep="")


def _panel(
    ax: Axes, panel: Panel, ends: tuple[tuple[float, float], tuple[float, float]], levels: Mapping[str, float]
) -> None:
    ax.set_title(panel.title, loc="left", fontsize=10, fontweight="bold")
    ax.set_title(panel.note, loc="right", fontsize=SMALL, color=GREY)
    lowest, top = ends[1]
    for value in levels.values():
        if lowest <= value <= top:
            ax.axhline(value, color=GREY, linewidth=1, linestyle="--")
    corners = staircase(panel.points)
    if corners:
        ax.step([x for x, _ in corners] + [ends[0][1]], [y for _, y in corners] + [corners[-1][1]], where="post",
                color=GREY, linewidth=1)  # fmt: skip
    for index, group in enumerate(GROUPS):
        for point in panel.points:
            if point.group == group and point.power[1] > 0:
                _mark(ax, point, index, lowest)
    _labels(ax, [point for point in panel.points if point.power[1] > 0], ends, levels)


def _mark(ax: Axes, point: Point, index: int, lowest: float) -> None:
    colour, size = colour_of(index), 7 if point.on_front else 4.5
    score = max(point.score[1], lowest)
    ax.plot(point.power[1], score, SYMBOLS[index], color=colour, markersize=size, clip_on=False,
            markeredgecolor="white", markeredgewidth=0.5, zorder=3)  # fmt: skip
    ax.plot([point.power[0], point.power[2]], [score, score], color=colour, alpha=0.35, linewidth=1)
    if not math.isnan(point.score[0]) and point.score[1] >= lowest:
        ax.plot([point.power[1]] * 2, [point.score[0], point.score[2]], color=colour, alpha=0.35, linewidth=1)


def _labels(
    ax: Axes, points: Sequence[Point], ends: tuple[tuple[float, float], tuple[float, float]],
    levels: Mapping[str, float],
) -> None:
    """Write every decoder's number, with its name where the front or the best of a kind has room for it."""
    figure = ax.figure
    width, height = (figure.get_size_inches() * POINT_PX).tolist()  # pyright: ignore[reportAttributeAccessIssue]
    box = ax.get_position()
    area = (box.x0 * width, (1 - box.y1) * height, box.x1 * width, (1 - box.y0) * height)
    low, high = map(math.log10, ends[0])
    best = {id(max((p for p in points if p.group == group), key=merit)) for group in {p.group for p in points}}
    ordered = sorted(points, key=lambda point: (not point.on_front, -point.score[1], point.power[1]))
    heights = [max(point.score[1], ends[1][0]) for point in ordered]
    places = [
        (area[0] + (math.log10(p.power[1]) - low) / (high - low) * (area[2] - area[0]),
         area[3] - (score - ends[1][0]) / (ends[1][1] - ends[1][0]) * (area[3] - area[1]))
        for p, score in zip(ordered, heights, strict=True)
    ]  # fmt: skip
    texts = [
        [f"{p.number} {p.label}", str(p.number)] if p.on_front or id(p) in best else [str(p.number)] for p in ordered
    ]
    bare, taken = Sheet(places, area), list[Box]()
    for name, value in levels.items():
        taken.append(_level_name(ax, name, value, ends[1], bare))
    labels = place_labels([bare._replace(taken=taken)], texts, size=SMALL)
    for point, score, label in zip(ordered, heights, labels, strict=True):
        if label is not None:
            below = f" {point.score[1]:.2f} ↓".replace("-", "−") if point.score[1] < ends[1][0] else ""
            ax.annotate(
                label.text + below, (point.power[1], score), xytext=(label.dx, -label.dy), textcoords="offset points",
                ha="center", va="center", fontsize=SMALL, fontweight="bold" if point.on_front else "normal", zorder=4,
                arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": GREY, "shrinkA": 0, "shrinkB": 3},
                bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.4},
            )


def _level_name(ax: Axes, name: str, value: float, span: tuple[float, float], bare: Sheet) -> Box:
    """Write the name of a level at the end of its line that covers fewer points, and return where it stands."""
    left, upper, right, lower = bare.area
    y = lower - (min(max(value, span[0]), span[1]) - span[0]) / (span[1] - span[0]) * (lower - upper)
    text = level_text(name, value, span)
    wide = len(text) * SMALL * CHARACTER
    boxes: dict[Side, Box] = {"left": (left, y - 11, left + wide, y), "right": (right - wide, y - 11, right, y)}
    side = freer_side([bare], [boxes["left"]], [boxes["right"]])
    ax.annotate(text, (float(side == "right"), min(max(value, span[0]), span[1])), xycoords=("axes fraction", "data"),
                xytext=(-2 if side == "right" else 2, 2), textcoords="offset points", ha=side, color=GREY,
                fontsize=SMALL)  # fmt: skip
    return boxes[side]


def _key_lines(points: Sequence[Point], inches: float) -> list[str]:
    """Return the decoders by number as lines of a figure so wide, of very many the best."""
    best = sorted(points, key=merit, reverse=True)
    names = dict(sorted(list({point.number: point.label for point in best}.items())[:MOST_KEYS]))
    words = [f"{number} {label}".replace(" ", NO_BREAK) for number, label in names.items()]
    return textwrap.wrap("   ".join(words), int(inches * POINT_PX / (SMALL * CHARACTER)), break_long_words=False,
                         break_on_hyphens=False)  # fmt: skip


def _legend(figure: Any, points: Sequence[Point], bottom: float) -> None:
    from matplotlib.lines import Line2D

    marks = [Line2D([], [], marker=SYMBOLS[index], color=colour_of(index), linestyle="", label=group)
             for index, group in enumerate(GROUPS) if any(point.group == group for point in points)]  # fmt: skip
    figure.legend(handles=marks, loc="lower center", bbox_to_anchor=(0.5, bottom), ncols=len(marks), fontsize=9)
