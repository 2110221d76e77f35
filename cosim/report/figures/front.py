"""The front: score against power, every point with its bounds, chance and baselines marked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

from cosim.report.figures.numbers import band_text, score_text
from cosim.report.figures.svg import Box, Frame, Label, axes, line, marker, picture, place_labels, text
from energy_models.errors import StudyError

SHAPES = ("circle", "square", "triangle", "diamond", "inverted", "hexagon")
GROUPS = ("float32", "quantised", "spiking", "classical")
METRICS = {"balanced_accuracy": "balanced accuracy", "r2": "R²"}
LEGEND_ROW = 20.0
LEAST_SPAN = 0.05  # of the score axis, so that near-equal scores do not look far apart
WORKING = 0.4      # share of the way from chance to the best score below which a decoder is drawn at the lower edge
CHANCE_NEAR = 1.5  # spans of the working decoders below them at which chance still gets a line


@dataclass(frozen=True, slots=True)
class Point:
    """One decoder on one machine, as a figure shows it.

    `score` and `power` hold low, nominal, high; a score's bounds are nan where there was one repetition. `number`
    stands for the label in narrow pictures. An empty label leaves the point unlabelled; `name` is then its title.
    """

    label: str
    number: int
    group: str
    score: tuple[float, float, float]
    power: tuple[float, float, float]
    on_front: bool
    note: str = ""
    name: str = ""


def group_of(row: Mapping[str, Any]) -> str:
    """Return which of `GROUPS` the decoder of a row is drawn as."""
    if row["role"] == "baseline":
        return "classical"
    if row["spiking"]:
        return "spiking"
    return "float32" if row["form"] == "float32" else "quantised"


def points_of(rows: Sequence[Mapping[str, Any]], power: str) -> list[Point]:
    """Return the points of summary rows; rows that do not fit the machine have no place in a figure."""
    return [
        Point(
            label=str(row["decoder"]), number=int(row.get("number", index + 1)),
            group=group_of(row),
            score=(float(row["score_low"]), float(row["score_mean"]), float(row["score_high"])),
            power=(float(row[f"{power}_low_w"]), float(row[f"{power}_nominal_w"]), float(row[f"{power}_high_w"])),
            on_front=bool(row["front"]),
            note="price incomplete" if row["incomplete"] != "[]" else "",
        )
        for index, row in enumerate(rows)
        if row["infeasibilities"] == "[]"
    ]  # fmt: skip


def score_range(points: Sequence[Point], levels: Mapping[str, float]) -> tuple[float, float]:
    """Return the score axis: of the decoders that work, so that one at chance does not press the others together."""
    worst, best = (end(point.score[1] for point in points) for end in (min, max))
    floor = levels.get("chance", worst)
    if best <= floor:  # no decoder works
        floor = worst
    cut = floor + WORKING * (best - floor)
    working = [point for point in points if point.score[1] >= cut]
    ends = [end for point in working for end in point.score if not math.isnan(end)]
    low = max(min(ends), floor)
    high = min(max([*ends, *(level for level in levels.values() if level <= best + LEAST_SPAN)]), 1.0)
    if low - floor <= CHANCE_NEAR * (high - low):
        low = floor
    pad = max(0.06 * (high - low), LEAST_SPAN / 2)
    return low - pad, high + pad


def power_range(points: Sequence[Point]) -> tuple[float, float]:
    """Return the power axis [W], over every bound above zero.

    Raises
    ------
    StudyError
        When there is none.
    """
    ends = [end for point in points for end in point.power if end > 0]
    if not ends:
        raise StudyError("no decoder has a power above zero here", where="figure", remedy="Check the profile's prices.")
    return min(ends) / 1.6, max(ends) * 1.6


def front_svg(
    points: Sequence[Point],
    *,
    title: str,
    metric: str,
    power_label: str,
    levels: Mapping[str, float],
    groups: Sequence[str] = GROUPS,
    names: Literal["full", "numbers"] = "full",
    size: tuple[float, float] = (880, 480),
    style: str = "",
) -> str:
    """Return the figure of one machine, or of several when `groups` are machines.

    Parameters
    ----------
    points : sequence of Point
    title : str
        Read aloud by screen readers.
    metric : str
        Name of the metric on the vertical axis.
    power_label : str
        What the horizontal axis holds.
    levels : mapping of str to float
        Horizontal lines by name: chance, teacher.
    groups : sequence of str
        Order of groups; each has its own marker shape, colour and staircase where it holds machines.
    names : {'full', 'numbers'}
        Labels in words, or the points' numbers.
    size : tuple of float
        Width and height [px].
    style : str
        Style sheet put inside, for a picture that stands alone.

    Raises
    ------
    StudyError
        When no point has a power above zero.
    """
    present = [group for group in groups if any(point.group == group for point in points)]
    legend, legend_height = legend_parts(present, groups, size)
    box = (62.0, 34.0, size[0] - 16.0, size[1] - 52.0 - legend_height)
    frame = Frame(*size, box, power_range(points), score_range(points, levels))
    parts = axes(frame, power_label, METRICS.get(metric, metric), "W")
    parts += front_parts(points, frame, levels=levels, groups=groups, names=names)
    return picture(*size, title, [*parts, *legend], style=style)


def front_parts(
    points: Sequence[Point],
    frame: Frame,
    *,
    levels: Mapping[str, float],
    groups: Sequence[str] = GROUPS,
    names: Literal["full", "numbers"] = "full",
) -> list[str]:
    """Return what stands inside a frame: levels, staircases, points with their bounds, labels; see `front_svg`."""
    box, parts, blocked = frame.box, list[str](), list[Box]()
    for name, value in levels.items():
        y = frame.y(value)
        arrow = " ↓" if value < frame.y_range[0] else " ↑" if value > frame.y_range[1] else ""
        shown = f"{name} {value:.2f}{arrow}".replace("-", "−")
        if not arrow:
            parts.append(line(box[0], y, box[2], y, "d"))
        parts.append(text(box[2] - 4, y - 5, shown, size=11, anchor="end", look="s h"))
        blocked.append((box[2] - 8 * len(shown), y - 17, box[2], y + 2))
    present = [group for group in groups if any(point.group == group for point in points)]
    machines = tuple(groups) != GROUPS
    for chosen in [[p for p in points if p.group == group] for group in present] if machines else [list(points)]:
        colour = f"var(--c{groups.index(chosen[0].group) % 6})" if machines else "var(--ink)"
        parts.append(_staircase(frame, [p for p in chosen if p.on_front], colour))
    parts += [_point(frame, point, groups) for point in sorted(points, key=lambda p: p.on_front)]
    return parts + _labels(frame, points, blocked, names, box)


def legend_parts(
    present: Sequence[str], groups: Sequence[str], size: tuple[float, float]
) -> tuple[list[str], float]:
    """Return the legend's pieces, wrapped into rows, and the height they take."""
    rows: list[list[tuple[str, float]]] = [[]]
    x = 62.0
    for name in present:
        width = 32 + 7.2 * len(name)
        if x + width > size[0] - 10 and rows[-1]:
            rows.append([])
            x = 62.0
        rows[-1].append((name, x))
        x += width
    height = LEGEND_ROW * len(rows)
    parts: list[str] = []
    for index, row in enumerate(rows):
        y = size[1] - height + LEGEND_ROW * index + 8
        for name, left in row:
            parts.append(marker(*_look(name, groups, left + 6, y, 5.0)))
            parts.append(text(left + 17, y + 4, name, size=12, look="i"))
    return parts, height


def _look(group: str, groups: Sequence[str], x: float, y: float, radius: float) -> tuple[str, float, float, float, str]:
    index = groups.index(group)
    return SHAPES[index % len(SHAPES)], x, y, radius, f"var(--c{index % 6})"


def _staircase(frame: Frame, front: Sequence[Point], colour: str) -> str:
    """Return the line below which everything is dominated: along at a score, up where a better one is paid for."""
    if not front:
        return ""
    ordered = sorted(front, key=lambda point: (point.power[1], point.score[1]))
    steps = [f"M{frame.x(ordered[0].power[1]):.1f},{frame.box[3]:.1f}"]
    for point in ordered:
        steps.append(f"H{frame.x(point.power[1]):.1f}V{frame.y(point.score[1]):.1f}")
    steps.append(f"H{frame.box[2]:.1f}")
    return f'<path d="{"".join(steps)}" class="p" stroke="{colour}"/>'


def _point(frame: Frame, point: Point, groups: Sequence[str]) -> str:
    x, y = frame.x(point.power[1]), frame.y(point.score[1])
    colour = f"var(--c{groups.index(point.group) % 6})"
    parts = [line(frame.x(point.power[0]), y, frame.x(point.power[2]), y, "b")]
    if not math.isnan(point.score[0]) and frame.y_range[0] <= point.score[1]:
        parts.append(line(x, frame.y(point.score[0]), x, frame.y(point.score[2]), "b"))
    bars = f'<g stroke="{colour}" opacity="{0.6 if point.on_front else 0.3}">{"".join(parts)}</g>'
    shape = marker(*_look(point.group, groups, x, y, 6.5 if point.on_front else 4.5))
    low, mean, high = point.score
    title = f"{point.name or point.label}\n{score_text(mean, low, high)} at {band_text(*point.power, 'W')}"
    notes = [note for note in ("on the front" if point.on_front else "", point.note) if note]
    return f"<g><title>{escape(chr(10).join([title, *notes]))}</title>{bars}{shape}</g>"


def _labels(frame: Frame, points: Sequence[Point], blocked: list[Box], names: str, area: Box) -> list[str]:
    """Return the labels, those on the front first; markers are kept free."""
    places = [(frame.x(p.power[1]), frame.y(p.score[1])) for p in points]
    taken = blocked + [(x - 6, y - 6, x + 6, y + 6) for x, y in places]
    ordered = sorted(zip(points, places, strict=True), key=lambda pair: (not pair[0].on_front, -pair[0].score[1]))
    labels = [
        Label(x, y, _label(frame, point, names), "h i f" if point.on_front else "h s")
        for point, (x, y) in ordered
        if point.label
    ]
    return place_labels(labels, taken, area, 12.0 if names == "full" else 11.5)


def _label(frame: Frame, point: Point, names: str) -> str:
    label = point.label if names == "full" else str(point.number)
    below = point.score[1] < frame.y_range[0]
    return f"{label} {point.score[1]:.2f} ↓".replace("-", "−") if below else label
