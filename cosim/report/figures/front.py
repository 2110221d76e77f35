"""The front: score against power, every decoder marked, with bounds, chance and teacher."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cosim.report.figures.axes import SYMBOLS, Chart, chart, colour_of, faint, power_axis, titled
from cosim.report.figures.labels import Box, Placed, place_labels
from cosim.report.figures.numbers import band_text, score_text
from cosim.report.figures.points import (
    GROUPS,
    METRICS,
    Point,
    merit,
    power_range,
    score_range,
    staircase,
)

HEIGHT, FONT, MOST_NAMED = 480, 12, 14
EDGES = {"left": 62, "right": 16, "top": 30, "bottom": 96}  # around the area of the points [px]

Axes = tuple[tuple[float, float], tuple[float, float]]  # ends of power [W] and of the score


class Screen(NamedTuple):
    """A width for which labels are placed [px]."""

    width: float
    area: Box

    def place(self, point: Point, axes: Axes) -> tuple[float, float]:
        """Return where a point stands [px]; one outside stands at the edge."""
        low, high = (math.log10(end) for end in axes[0])
        bottom, top = axes[1]
        across = (math.log10(max(point.power[1], axes[0][0])) - low) / (high - low)
        up = (min(max(point.score[1], bottom), top) - bottom) / (top - bottom)
        left, upper, right, lower = self.area
        return left + across * (right - left), lower - up * (lower - upper)


def _screen(width: float) -> Screen:
    return Screen(width, (EDGES["left"], EDGES["top"], width - EDGES["right"], HEIGHT - EDGES["bottom"]))


WIDE, NARROW = _screen(1080.0), _screen(350.0)


def front_chart(
    points: Sequence[Point], *, metric: str, power_label: str, levels: Mapping[str, float],
    groups: Sequence[str] = GROUPS, pick: tuple[int, str] = (0, ""),
) -> Chart:
    """Return the chart of one machine, or of several when `groups` are machines.

    Every point carries its decoder's number; those of the front, and the best of each group, also the name where
    there is room.

    Parameters
    ----------
    points : sequence of Point
    metric : str
        Name of the metric on the vertical axis.
    power_label : str
        What the horizontal axis holds.
    levels : mapping of str to float
        Horizontal lines by name: chance, teacher.
    groups : sequence of str
        Order of groups; each has its own symbol and colour.
    pick : (int, str)
        Number and machine of the decoder that the page picks; it is ringed.

    Raises
    ------
    StudyError
        When no point has a power above zero.
    """
    axes = power_range(points), score_range(points, levels)
    points = [point for point in points if point.power[1] > 0]  # a logarithmic axis has no place for zero
    present = [group for group in groups if any(point.group == group for point in points)]
    machines = tuple(groups) != GROUPS
    lines = [[p for p in points if p.group == group] for group in present] if machines else [list(points)]
    data = [_line(part, colour_of(groups.index(part[0].group)) if machines else "#808890", axes[0][1])
            for part in lines if any(p.on_front for p in part)]  # fmt: skip
    data += [
        _group(group, groups.index(group), [p for p in points if p.group == group], axes[1][0]) for group in present
    ]
    data += _ring([p for p in points if (p.number, p.machine) == pick], axes[1][0])
    shapes, notes = _levels(levels, axes[1])
    return chart(
        data, height=HEIGHT, margin={"l": EDGES["left"], "r": EDGES["right"], "t": EDGES["top"], "b": EDGES["bottom"]},
        xaxis=power_axis(f"{power_label} [W]", axes[0], (math.log10(axes[0][0]), math.log10(axes[0][1]))),
        yaxis=titled(METRICS.get(metric, metric), range=list(axes[1])), shapes=shapes,
        annotations=[*notes, *_marks(points, axes, WIDE, levels)],
        meta={"narrow": [*notes, *_marks(points, axes, NARROW, levels)]},
    )  # fmt: skip


def _line(points: Sequence[Point], colour: str, end: float) -> dict[str, Any]:
    corners = staircase(points)
    return {
        "type": "scatter", "mode": "lines", "x": [x for x, _ in corners] + [end],
        "y": [y for _, y in corners] + [corners[-1][1]], "line": {"shape": "hv", "color": colour, "width": 1.5},
        "opacity": 0.6, "hoverinfo": "skip", "showlegend": False,
    }  # fmt: skip


def _group(name: str, index: int, points: Sequence[Point], lowest: float) -> dict[str, Any]:
    colour = colour_of(index)
    low, middle, high = ([point.power[end] for point in points] for end in range(3))
    scores = [max(point.score[1], lowest) for point in points]
    ends = [[0.0 if math.isnan(p.score[end]) or p.score[1] < lowest else abs(p.score[end] - p.score[1])
             for p in points] for end in (2, 0)]  # fmt: skip
    bars = {"type": "data", "color": faint(colour), "thickness": 1.2, "width": 0}
    return {
        "type": "scatter", "mode": "markers", "name": name, "x": middle, "y": scores, "cliponaxis": False,
        "marker": {"color": colour, "symbol": SYMBOLS[index % len(SYMBOLS)],
                   "size": [13 if point.on_front else 9 for point in points]},
        "error_x": {**bars, "array": [h - m for h, m in zip(high, middle, strict=True)],
                    "arrayminus": [m - n for m, n in zip(middle, low, strict=True)]},
        "error_y": {**bars, "array": ends[0], "arrayminus": ends[1]},
        "hovertext": [_hover(point) for point in points], "hoverinfo": "text",
    }  # fmt: skip


def _hover(point: Point) -> str:
    said = [
        f"<b>{point.number} {point.label}</b>", point.machine,
        score_text(point.score[1], point.score[0], point.score[2]),
        band_text(*point.power, "W"), "on the front" if point.on_front else "", point.note,
    ]  # fmt: skip
    return "<br>".join(text for text in said if text)


def _ring(points: Sequence[Point], lowest: float) -> list[dict[str, Any]]:
    if not points:
        return []
    return [{
        "type": "scatter", "mode": "markers", "name": "pick", "x": [p.power[1] for p in points],
        "y": [max(p.score[1], lowest) for p in points], "hoverinfo": "skip", "cliponaxis": False,
        "marker": {"symbol": "circle-open", "size": 20, "color": "#c2185b", "line": {"width": 3}},
    }]  # fmt: skip


def _levels(
    levels: Mapping[str, float], span: tuple[float, float]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the lines inside the axis, and the names of all levels, with an arrow to what lies outside."""
    shapes: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    for name, value in levels.items():
        arrow = " ↓" if value < span[0] else " ↑" if value > span[1] else ""
        if not arrow:
            shapes.append({"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": value, "y1": value,
                           "line": {"dash": "dash", "width": 1.2, "color": "#808890"}})  # fmt: skip
        notes.append({"xref": "paper", "x": 1, "xanchor": "right", "y": min(max(value, span[0]), span[1]),
                      "yanchor": "bottom", "showarrow": False, "font": {"size": 11},
                      "text": f"{name} {value:.2f}{arrow}".replace("-", "−")})  # fmt: skip
    return shapes, notes


def _level_boxes(levels: Mapping[str, float], span: tuple[float, float], screen: Screen) -> list[Box]:
    """Return where the names of the levels stand [px]."""
    _, upper, right, lower = screen.area
    heights = [lower - (min(max(value, span[0]), span[1]) - span[0]) / (span[1] - span[0]) * (lower - upper)
               for value in levels.values()]  # fmt: skip
    return [(right - 8 * (len(name) + 7), y - 17, right, y) for name, y in zip(levels, heights, strict=True)]


def _marks(
    points: Sequence[Point], axes: Axes, screen: Screen, levels: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Return the label of every point as an annotation that stays with it when the chart is zoomed."""
    ordered = sorted(points, key=lambda point: (not point.on_front, -point.score[1], point.power[1]))
    best = {id(max((p for p in points if p.group == group), key=merit)) for group in {p.group for p in points}}
    named = {id(p) for p in ordered if p.on_front or id(p) in best or len(points) <= MOST_NAMED}
    places = [screen.place(point, axes) for point in ordered]
    texts = [
        [_text(p, axes[1][0], name) for name in ((p.label, "") if screen is WIDE and id(p) in named else ("",))]
        for p in ordered
    ]
    labels = place_labels(places, texts, screen.area, size=FONT, taken=_level_boxes(levels, axes[1], screen))
    return [
        _mark(point, label, axes[1][0]) for point, label in zip(ordered, labels, strict=True) if label is not None
    ]


def _text(point: Point, lowest: float, name: str) -> str:
    below = f" {point.score[1]:.2f} ↓".replace("-", "−") if point.score[1] < lowest else ""
    return f"{point.number}{f' {name}' if name else ''}{below}"


def _mark(point: Point, label: Placed, lowest: float) -> dict[str, Any]:
    return {
        "x": math.log10(point.power[1]), "y": max(point.score[1], lowest),
        "text": f"<b>{label.text}</b>" if point.on_front else label.text,
        "ax": round(label.dx, 1), "ay": round(label.dy, 1), "showarrow": True, "arrowhead": 0, "arrowwidth": 0.7,
        "arrowcolor": "#808890", "standoff": 5, "font": {"size": FONT}, "borderpad": 0,
    }  # fmt: skip
