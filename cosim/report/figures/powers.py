"""Powers with their bounds: a row each, or lines over what was varied."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cosim.report.figures.axes import (
    SYMBOLS,
    Chart,
    chart,
    colour_of,
    faint,
    key_height,
    key_legend,
    power_axis,
    titled,
)
from cosim.report.figures.numbers import band_text
from energy_models.errors import StudyError

Band = tuple[float, float, float]
HEIGHT, BOTTOM_PX, LINE_PX, ROW_GAP_PX = 400, 64, 17, 14
LABEL_CHARACTERS = 24  # of a line of a row's name, so that a phone keeps room for the bars
MOST_SHOWN = 24        # lines that are drawn at once; the others wait in the legend
LOGARITHMIC: dict[str, Any] = {
    "type": "log", "exponentformat": "SI", "minexponent": 0, "dtick": "D2", "tickangle": 0,
}  # fmt: skip
WIDE_RANGE = 20.0      # ratio of ends from which an axis is logarithmic


@dataclass(frozen=True, slots=True)
class Line:
    """Powers [W], with low, nominal and high, at ascending values of what was varied; none where it cannot run."""

    name: str
    points: Sequence[tuple[float, Band]]


def bands_chart(rows: Sequence[tuple[str, Band]], *, title: str) -> Chart:
    """Return a marker and its bounds for each row, the numbers below its name.

    Parameters
    ----------
    rows : sequence of (str, (float, float, float))
        Name, and low, nominal and high power [W]; those without any power have no place on a logarithmic axis.
    title : str
        Of the horizontal axis.

    Raises
    ------
    StudyError
        When no row has a power above zero.
    """
    shown = [(_wrapped(name, band_text(*band, "W")), band) for name, band in rows if band[1] > 0]
    ends = _ends([band for _, band in shown])
    names, bands = [name for name, _ in shown], [band for _, band in shown]
    marks = {
        "type": "scatter", "mode": "markers", "y": names, "x": [band[1] for band in bands],
        "marker": {"color": colour_of(0), "size": 10}, "hoverinfo": "y", "showlegend": False,
        "error_x": {"type": "data", "array": [high - middle for _, middle, high in bands], "width": 5,
                    "arrayminus": [middle - low for low, middle, _ in bands], "color": faint(colour_of(0), 0.6)},
    }  # fmt: skip
    height = sum(LINE_PX * (name.count("<br>") + 1) + ROW_GAP_PX for name in names)
    return chart([marks], height=height + BOTTOM_PX + 30, yaxis=titled("", autorange="reversed", type="category"),
                 xaxis=_power_axis(title, ends))  # fmt: skip


def lines_chart(lines: Sequence[Line], *, x_title: str, title: str) -> Chart:
    """Return power with its bounds over what was varied, a line each, all named below.

    Parameters
    ----------
    lines : sequence of Line
    x_title, title : str
        Of the axes.

    Raises
    ------
    StudyError
        When no point has a power above zero.
    """
    ends = _ends([band for line in lines for _, band in line.points])
    places = [x for line in lines for x, _ in line.points]
    data = [_line(line, index) for index, line in enumerate(lines)]
    names = [str(one["name"]) for one in data]
    more = key_height(names)
    wide = min(places) > 0 and max(places) > WIDE_RANGE * min(places)
    return chart(
        data, height=HEIGHT + more, margin={"l": 62, "r": 16, "t": 30, "b": BOTTOM_PX + more}, showlegend=True,
        legend=key_legend(names), yaxis=_power_axis(title, ends),
        xaxis=titled(x_title, **(LOGARITHMIC if wide else {})),
    )  # fmt: skip


def _line(line: Line, index: int) -> dict[str, Any]:
    colour = colour_of(index)
    points = [(x, band) for x, band in line.points if band[1] > 0]
    return {
        "type": "scatter", "mode": "lines+markers", "name": line.name if points else f"{line.name}: cannot run",
        "x": [x for x, _ in points] or [None], "y": [band[1] for _, band in points] or [None],
        "marker": {"color": colour, "symbol": SYMBOLS[index % len(SYMBOLS)], "size": 8}, "line": {"color": colour},
        "visible": True if index < MOST_SHOWN else "legendonly", "cliponaxis": False,
        "hovertext": [band_text(*band, "W") for _, band in points], "hoverinfo": "x+text+name",
        "error_y": {"type": "data", "array": [high - middle for _, (_, middle, high) in points], "width": 3,
                    "arrayminus": [middle - low for _, (low, middle, _) in points], "color": faint(colour)},
    }  # fmt: skip


def _ends(bands: Sequence[Band]) -> tuple[float, float]:
    found = [end for band in bands for end in band if end > 0]
    if not found:
        raise StudyError("nothing here has a power above zero", where="figure", remedy="Name a machine that can run it")
    return min(found) / 1.3, max(found) * 1.3


def _power_axis(title: str, ends: tuple[float, float]) -> dict[str, Any]:
    return power_axis(f"{title} [W]", ends, (math.log10(ends[0]), math.log10(ends[1])))


def _wrapped(name: str, number: str) -> str:
    return "<br>".join([*textwrap.wrap(name.replace("_", " "), LABEL_CHARACTERS), number])
