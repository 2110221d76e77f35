"""The joint front: each decoder on its own machine, filled, joined to the fixed machine on which it draws least."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cosim.report.figures.axes import Chart, chart, colour_of, power_axis, titled
from cosim.report.figures.front import level_text
from cosim.report.figures.numbers import SQUARE_MILLIMETRE_M2, band_text, quantity_text, score_text
from cosim.report.figures.points import GROUPS, METRICS, Point, score_range, staircase

HEIGHT = 460
MOST_NUMBERED = 40
WIDE = 100.0
ROOM = 1.3
"""Factor by which the axis of power goes beyond the marks."""
LINE = "#808890"


@dataclass(frozen=True, slots=True)
class Pair:
    """A decoder on its own machine, on the best fixed one (None: none runs it), and its machine's area [m^2]."""

    own: Point
    fixed: Point | None
    area_m2: float | None


def pairs_chart(pairs: Sequence[Pair], *, metric: str, levels: Mapping[str, float]) -> Chart:
    """Return the joint front as a chart.

    Parameters
    ----------
    pairs : sequence of Pair
        One at least.
    metric : str
    levels : mapping of str to float
        Horizontal lines, such as chance.
    """
    own = [pair.own for pair in pairs]
    every = [*own, *(pair.fixed for pair in pairs if pair.fixed is not None)]
    span = score_range(own, levels)
    powers = [point.power[1] for point in every]
    ends = (min(powers) / ROOM, max(powers) * ROOM)
    data = [_joins(pairs), *_front(own, ends[1])]
    for index, group in enumerate(GROUPS):
        some = [pair for pair in pairs if pair.own.group == group]
        if some:
            data += _marks(some, group, colour_of(index), span[0])
    data.append(_hollow_key())
    lines = {name: value for name, value in levels.items() if span[0] <= value <= span[1]}
    names = [
        {"xref": "paper", "x": 1.0, "xanchor": "right", "y": value, "yanchor": "bottom", "showarrow": False,
         "font": {"size": 11}, "text": level_text(name, value, span)}
        for name, value in lines.items()
    ]  # fmt: skip
    shapes = [
        {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": value, "y1": value,
         "line": {"dash": "dash", "width": 1.2, "color": LINE}}
        for value in lines.values()
    ]  # fmt: skip
    axis = power_axis("power of the decoder: filled on its own machine, hollow on the best fixed one", ends,
                      (math.log10(ends[0]), math.log10(ends[1])))  # fmt: skip
    axis |= _ticks(ends)
    return chart(data, height=HEIGHT, xaxis=axis, yaxis=titled(METRICS.get(metric, metric), range=list(span)),
                 shapes=shapes, annotations=names, margin={"l": 62, "r": 16, "t": 30, "b": 96})  # fmt: skip


def _ticks(ends: tuple[float, float]) -> dict[str, Any]:
    """Return the ticks of an axis of less than two decades, each with its unit; wider ones keep one a decade."""
    if ends[1] / ends[0] >= WIDE:
        return {}
    exponents = range(math.floor(math.log10(ends[0])), math.ceil(math.log10(ends[1])) + 1)
    values = [factor * 10.0**exponent for exponent in exponents for factor in (1, 2, 5)]
    shown = [value for value in values if ends[0] <= value <= ends[1]]
    return {"tickmode": "array", "tickvals": shown, "ticktext": [quantity_text(value, "W") for value in shown],
            "ticksuffix": ""}  # fmt: skip


def _hollow_key() -> dict[str, Any]:
    """Return the line of the legend that says what a hollow mark is."""
    return {"type": "scatter", "mode": "markers", "x": [None], "y": [None], "name": "best fixed machine",
            "hoverinfo": "skip", "marker": {"symbol": "circle-open", "size": 9, "color": LINE}}  # fmt: skip


def _joins(pairs: Sequence[Pair]) -> dict[str, Any]:
    x: list[float | None] = []
    y: list[float | None] = []
    for pair in pairs:
        if pair.fixed is not None:
            x += [pair.fixed.power[1], pair.own.power[1], None]
            y += [pair.own.score[1], pair.own.score[1], None]
    return {"type": "scatter", "mode": "lines", "x": x, "y": y, "line": {"color": LINE, "width": 1},
            "opacity": 0.5, "hoverinfo": "skip", "showlegend": False}  # fmt: skip


def _front(own: Sequence[Point], end: float) -> list[dict[str, Any]]:
    corners = staircase(own)
    if not corners:
        return []
    return [{
        "type": "scatter", "mode": "lines", "name": "front, machine free", "x": [x for x, _ in corners] + [end],
        "y": [y for _, y in corners] + [corners[-1][1]], "line": {"shape": "hv", "color": "#c2185b", "width": 2},
        "hoverinfo": "skip",
    }]  # fmt: skip


def _marks(pairs: Sequence[Pair], group: str, colour: str, lowest: float) -> list[dict[str, Any]]:
    numbered = "markers+text" if len(pairs) <= MOST_NUMBERED else "markers"
    fixed = [(pair, pair.fixed) for pair in pairs if pair.fixed is not None]
    hollow = {
        "type": "scatter", "mode": "markers", "showlegend": False, "hoverinfo": "text", "cliponaxis": False,
        "x": [point.power[1] for _, point in fixed], "y": [max(point.score[1], lowest) for _, point in fixed],
        "marker": {"symbol": "circle-open", "size": 9, "color": colour},
        "hovertext": [_hover(point, point.machine) for _, point in fixed],
    }  # fmt: skip
    filled = {
        "type": "scatter", "mode": numbered, "name": group, "hoverinfo": "text", "cliponaxis": False,
        "x": [pair.own.power[1] for pair in pairs], "y": [max(pair.own.score[1], lowest) for pair in pairs],
        "text": [f"<b>{pair.own.number}</b>" if pair.own.on_front else str(pair.own.number) for pair in pairs],
        "textposition": "middle left", "textfont": {"size": 11},
        "marker": {"color": colour, "size": [13 if pair.own.on_front else 9 for pair in pairs]},
        "hovertext": [_hover(pair.own, _machine(pair)) for pair in pairs],
    }  # fmt: skip
    return [hollow, filled]


def _machine(pair: Pair) -> str:
    area = "area not known" if pair.area_m2 is None else f"{pair.area_m2 / SQUARE_MILLIMETRE_M2:.3g} mm²"
    return f"its own machine, {area}"


def _hover(point: Point, machine: str) -> str:
    score = score_text(point.score[1], point.score[0], point.score[2])
    return f"<b>{point.number} {point.label}</b><br>{machine}<br>{score}<br>{band_text(*point.power, 'W')}"
