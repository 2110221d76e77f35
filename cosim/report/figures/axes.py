"""What every chart of a page shares: a plotly figure as plain JSON, its colours, its axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from energy_models.pricing import CAUSES

Chart = dict[str, Any]
"""A plotly figure: ``data`` and ``layout``; ``layout.meta.narrow`` holds what replaces its annotations on a phone."""

COLOURS = ("#0072b2", "#00805e", "#d55e00", "#7d4a9e", "#b8860b", "#3a9bd0")
SYMBOLS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "hexagon")
# Paul Tol's muted scheme and two greys; neighbours in CAUSES order differ in lightness too.
CAUSE_COLOURS: Mapping[str, str] = {
    "compute": "#332288", "memory": "#88ccee", "state": "#117733", "control": "#ddcc77", "static": "#882255",
    "retention": "#cc6677", "wake": "#999933", "front_end": "#44aa99", "converter": "#0d4f8b", "controller": "#b7a99a",
    "features": "#e8a33d", "radio": "#aa4499", "stimulation": "#f2c1a0", "regulator": "#8c939b",
}  # fmt: skip
MARGIN = {"l": 62, "r": 16, "t": 30, "b": 54}
ROW_PX, LEGEND_PX = 26, 60
MOST_TICKS = 5  # of a logarithmic axis, so that they stand side by side on a phone
KEY_ROW_PX, KEY_CHARACTERS = 19, 22  # of a legend in two columns on a phone


def chart(data: Sequence[Mapping[str, Any]], *, height: int, **layout: Any) -> Chart:
    """Return a figure with the page's look."""
    common = {
        "height": height, "margin": MARGIN, "hovermode": "closest", "template": "none", "autosize": True,
        "legend": {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0,
                   "traceorder": "normal"}, "font": {"size": 13},
    }  # fmt: skip
    return {"data": list(data), "layout": common | layout}


def titled(title: str, **settings: Any) -> dict[str, Any]:
    """Return an axis."""
    return {"title": {"text": title, "standoff": 8}, "zeroline": False, "automargin": True, **settings}


def key_height(names: Sequence[str]) -> int:
    """Return what a legend of `key_legend` needs below a chart [px]."""
    return KEY_ROW_PX * math.ceil(len(names) / _key_columns(names))


def key_legend(names: Sequence[str]) -> dict[str, Any]:
    """Return a legend in columns of one width, the same number of them on a laptop and a phone."""
    columns = _key_columns(names)
    return {
        "orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0, "traceorder": "normal",
        "entrywidthmode": "fraction", "entrywidth": 0.98 / columns, "font": {"size": 11},
    }  # fmt: skip


def _key_columns(names: Sequence[str]) -> int:
    longest = max(map(len, names), default=0)
    return 2 if longest <= KEY_CHARACTERS else 1


def power_axis(title: str, ends: tuple[float, float], exponents: tuple[float, float]) -> dict[str, Any]:
    """Return a logarithmic axis of power with prefixed ticks; `ends` [W], `exponents` their decimal logarithms."""
    decades = exponents[1] - exponents[0]
    step = "D2" if decades < 2 and ends[1] / ends[0] < 20 else max(1, math.ceil(decades / MOST_TICKS))
    return titled(title, type="log", range=list(exponents), exponentformat="SI", minexponent=0, ticksuffix="W",
                  dtick=step, tickangle=0)  # fmt: skip


def colour_of(index: int) -> str:
    """Return the colour of a group by its place."""
    return COLOURS[index % len(COLOURS)]


def faint(colour: str, opacity: float = 0.35) -> str:
    """Return a colour that lets others through."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def cause_name(cause: str) -> str:
    """Return a cause as words."""
    return cause.replace("_", " ")


def causes_used(rows: Sequence[Mapping[str, Sequence[float]]]) -> list[str]:
    """Return the causes that draw anything in any row, in their order."""
    return [cause for cause in CAUSES if any(cause in row and row[cause][1] > 0 for row in rows)]
