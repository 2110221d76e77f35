"""The front: score against power, every decoder marked, with bounds, chance and teacher."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

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
from cosim.report.figures.labels import Box, Placed, Sheet, Side, freer_side, place_labels
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
ANY_WIDTH = tuple(map(_screen, (350.0, 480.0, 640.0, 820.0, 1080.0, 1340.0)))
MOST_KEYS = 40  # decoders named below a chart that stands alone
LEGEND_LESS_PX = 30  # of the lower edge that holds the legend of a chart on a page
SIDES_OF_LEVELS: tuple[Side, Side] = ("left", "right")
Names = Literal["beside", "below"]


def front_chart(
    points: Sequence[Point], *, metric: str, power_label: str, levels: Mapping[str, float],
    groups: Sequence[str] = GROUPS, pick: tuple[int, str] = (0, ""), names: Names = "beside",
) -> Chart:
    """Return the chart of one machine, or of several when `groups` are machines.

    Every point carries its decoder's number.

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
    names : {'beside', 'below'}
        ``beside``: those of the front, and the best of each group, also carry their names where there is room; labels
        are placed for a laptop and, in ``layout.meta.narrow``, for a phone. ``below``: numbers alone, placed for any
        width at once, and a key of names below, for a chart outside of a page.

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
    common: dict[str, Any] = {
        "xaxis": power_axis(f"{power_label} [W]", axes[0], (math.log10(axes[0][0]), math.log10(axes[0][1]))),
        "yaxis": titled(METRICS.get(metric, metric), range=list(axes[1])), "shapes": _level_lines(levels, axes[1]),
    }  # fmt: skip
    margin = {"l": EDGES["left"], "r": EDGES["right"], "t": EDGES["top"], "b": EDGES["bottom"]}
    if names == "beside":
        wide, narrow = (_marks(points, axes, [screen], levels) for screen in (WIDE, NARROW))
        return chart(data, height=HEIGHT, margin=margin, annotations=wide, meta={"narrow": narrow}, **common)
    data += _key(points, groups, colours="by group" if not machines else "grey")
    said = [str(one["name"]) for one in data if one.get("showlegend") is not False]
    more = key_height(said) - LEGEND_LESS_PX
    marks = [{**mark, "bgcolor": "rgba(255,255,255,0.7)"} for mark in _marks(points, axes, ANY_WIDTH, levels)]
    return chart(data, height=HEIGHT + more, margin=margin | {"b": EDGES["bottom"] + more}, legend=key_legend(said),
                 annotations=marks, **common)  # fmt: skip


def _key(
    points: Sequence[Point], groups: Sequence[str], *, colours: Literal["by group", "grey"]
) -> list[dict[str, Any]]:
    """Return a line of the legend for each decoder, by number, of very many the best."""
    best: dict[int, Point] = {}
    for point in sorted(points, key=merit, reverse=True):
        best.setdefault(point.number, point)
    kept = dict(sorted(list(best.items())[:MOST_KEYS]))
    return [
        {
            "type": "scatter", "mode": "markers", "x": [None], "y": [None], "name": f"{number} {point.label}",
            "hoverinfo": "skip", "marker": {"size": 7, "symbol": "circle-open", "color": "#808890"
            if colours == "grey" else colour_of(groups.index(point.group))},
        }
        for number, point in kept.items()
    ]  # fmt: skip


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


def _level_lines(levels: Mapping[str, float], span: tuple[float, float]) -> list[dict[str, Any]]:
    """Return the lines of the levels that lie inside the axis."""
    return [
        {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": value, "y1": value,
         "line": {"dash": "dash", "width": 1.2, "color": "#808890"}}
        for value in levels.values() if span[0] <= value <= span[1]
    ]  # fmt: skip


def _level_note(name: str, value: float, span: tuple[float, float], side: Side) -> dict[str, Any]:
    """Return the name of a level at an end of its line, with an arrow to what lies outside."""
    return {
        "xref": "paper", "x": float(side == "right"), "xanchor": side, "y": min(max(value, span[0]), span[1]),
        "yanchor": "bottom", "showarrow": False, "font": {"size": 11}, "text": level_text(name, value, span),
    }  # fmt: skip


def level_text(name: str, value: float, span: tuple[float, float]) -> str:
    """Return the name of a level with its value, and an arrow where it lies outside of the axis."""
    arrow = " ↓" if value < span[0] else " ↑" if value > span[1] else ""
    return f"{name} {value:.2f}{arrow}".replace("-", "−")


def _level_box(name: str, value: float, span: tuple[float, float], screen: Screen, side: Side) -> Box:
    """Return where the name of a level stands [px]."""
    left, upper, right, lower = screen.area
    y = lower - (min(max(value, span[0]), span[1]) - span[0]) / (span[1] - span[0]) * (lower - upper)
    wide = 8 * (len(name) + 7)
    return (right - wide, y - 17, right, y) if side == "right" else (left, y - 17, left + wide, y)


def _marks(
    points: Sequence[Point], axes: Axes, screens: Sequence[Screen], levels: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Return the names of the levels, and each point's label as an annotation that stays with it when zoomed.

    Names of decoders stand on a laptop alone; elsewhere their numbers, where they are free on every screen.
    """
    ordered = sorted(points, key=lambda point: (not point.on_front, -point.score[1], point.power[1]))
    best = {id(max((p for p in points if p.group == group), key=merit)) for group in {p.group for p in points}}
    named = {id(p) for p in ordered if p.on_front or id(p) in best or len(points) <= MOST_NAMED}
    texts = [_texts(p, axes[1][0], p.label if screens == [WIDE] and id(p) in named else "") for p in ordered]
    bare = [Sheet([one.place(point, axes) for point in ordered], one.area) for one in screens]
    taken: list[list[Box]] = [[] for _ in screens]
    notes: list[dict[str, Any]] = []
    for name, value in levels.items():
        left, right = ([_level_box(name, value, axes[1], one, side) for one in screens] for side in SIDES_OF_LEVELS)
        side = freer_side(bare, left, right)
        notes.append(_level_note(name, value, axes[1], side))
        for boxes, box in zip(taken, left if side == "left" else right, strict=True):
            boxes.append(box)
    sheets = [sheet._replace(taken=boxes) for sheet, boxes in zip(bare, taken, strict=True)]
    labels = place_labels(sheets, texts, size=FONT)
    marks = [_mark(point, label, axes[1][0]) for point, label in zip(ordered, labels, strict=True) if label is not None]
    return [*notes, *marks]


def _texts(point: Point, lowest: float, name: str) -> list[str]:
    """Return what may stand at a point, the longest first: with its name, with its score where that lies below."""
    number = str(point.number)
    wanted = [f"{number} {name}", number] if name else [number]
    if point.score[1] >= lowest:
        return wanted
    below = f" {point.score[1]:.2f} ↓".replace("-", "−")
    return [*(text + below for text in wanted), f"{number} ↓"]


def _mark(point: Point, label: Placed, lowest: float) -> dict[str, Any]:
    return {
        "x": math.log10(point.power[1]), "y": max(point.score[1], lowest),
        "text": f"<b>{label.text}</b>" if point.on_front else label.text,
        "ax": round(label.dx, 1), "ay": round(label.dy, 1), "showarrow": True, "arrowhead": 0, "arrowwidth": 0.7,
        "arrowcolor": "#808890", "standoff": 5, "font": {"size": FONT}, "borderpad": 0,
    }  # fmt: skip
