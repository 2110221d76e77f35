"""What the figures of a design review share: size, look, the axis along which a study goes, files."""

# matplotlib's annotations are partial.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosim.engine.files import disk_errors
from cosim.report.figures.numbers import digits_text, varied_text
from cosim.report.figures.printed import DPI, FORMATS, STYLE
from energy_models.quantities import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
SIZE_IN = (7.2, 4.4)
WIDE_RANGE = 8.0
"""Ratio of ends from which an axis is logarithmic."""
MOST_LINES, LABEL_CHARACTERS, MOST_TICKS = 6, 44, 12
PRINTED = (".pdf", ".png")


@dataclass(frozen=True, slots=True)
class Line:
    """Rows along the axis, ascending, and what tells them from other lines."""

    name: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Along:
    """The axis of a study, and its lines.

    Parameters
    ----------
    name : str
        Column of the axis; empty where no number was varied: rows then stand side by side.
    lines : tuple of Line
        No more than can be told apart.
    left_out : int
        Lines beyond those.
    """

    name: str
    lines: tuple[Line, ...]
    left_out: int = 0

    def places(self, rows: Sequence[Row]) -> list[float]:
        """Return where rows stand along the axis."""
        return [float(row[self.name]) for row in rows] if self.name else [float(place) for place in range(len(rows))]


def along(rows: Sequence[Row], axis: str, lines: Sequence[tuple[Mapping[str, Any], Sequence[int]]]) -> Along:
    """Return the lines of a study along an axis, each named by what it alone has."""
    if not axis:
        return Along("", (Line("", tuple(rows)),))
    differs = [name for name in lines[0][0] if len({str(told[name]) for told, _ in lines}) > 1]
    found = tuple(
        Line(", ".join(_told(name, told[name]) for name in differs), tuple(rows[place] for place in places))
        for told, places in lines
    )
    return Along(axis, found[:MOST_LINES], max(0, len(found) - MOST_LINES))


def _told(name: str, value: object) -> str:
    path, text = varied_text(name, value)
    return text if isinstance(value, str) else f"{path.replace('_', ' ')} {text}"


def new_figure(title: str, *, rows: int = 1, size: tuple[float, float] = SIZE_IN) -> tuple[Figure, list[Axes]]:
    """Return a figure under a title folded to its width, and its axes from the top."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle("\n".join(textwrap.wrap(title, 88)), x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure, [figure.add_subplot(rows, 1, place + 1) for place in range(rows)]


def set_axis(ax: Axes, study: Along, rows: Sequence[Row]) -> None:
    """Scale and label the horizontal axis: every value tried is a tick where there are few."""
    values = sorted(set(study.places(rows)))
    if not study.name:
        names = ["\n".join(textwrap.wrap(f"{row['workload']} on {row['machine']}", 24)) for row in rows]
        ax.set_xticks(values, names, fontsize=8)
        return
    if values[0] > 0 and values[-1] > WIDE_RANGE * values[0]:
        ax.set_xscale("log")
    if len(values) <= MOST_TICKS:
        ax.set_xticks(values, [digits_text(value) for value in values])
        ax.set_xticks([], minor=True)
    ax.set_xlabel(axis_title(study.name))


def axis_title(name: str) -> str:
    """Return the name of a column as an axis has it: in words, with its unit."""
    if " [" in name:
        return name
    for ending, unit in (("_hz", "Hz"), ("_nm", "nm"), ("_v", "V"), ("_s", "s")):
        if name.endswith(ending) and name != "channels":
            return f"{name.removesuffix(ending).replace('_', ' ')} [{unit}]"
    return name.replace("_", " ")


def set_power(ax: Axes, *, label: str) -> None:
    """Make the vertical axis one of powers, logarithmic."""
    from matplotlib.ticker import EngFormatter

    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(EngFormatter(unit="W", sep=" "))
    ax.set_ylabel(label)


def known(rows: Sequence[Row], name: str) -> list[float]:
    """Return a column's numbers, not a number where there is none."""
    return [float(row[name]) if row.get(name) is not None else math.nan for row in rows]


def say_left_out(ax: Axes, study: Along) -> None:
    """Say below the plot how many lines are not drawn."""
    if study.left_out:
        text = f"{study.left_out} more combinations are in points.csv, not drawn"
        ax.annotate(text, (0.0, 1.01), xycoords="axes fraction", fontsize=7.5, color="#6e7781", va="bottom")


def write_figure(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write a figure as PDF and PNG, and return the files; the same figure gives the same bytes."""
    from matplotlib import rc_context

    written: list[Path] = []
    with rc_context(STYLE):
        for suffix in PRINTED:
            buffer = io.BytesIO()
            figure.savefig(buffer, format=suffix.removeprefix("."), dpi=DPI, metadata=FORMATS[suffix])
            path = folder / f"{name}{suffix}"
            with disk_errors(path):
                write_whole(path, buffer.getvalue())
            written.append(path)
    return written
