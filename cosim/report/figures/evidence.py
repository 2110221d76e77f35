"""What stands behind a score: bits, paired differences, groups, confusions, trajectories, learning curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cosim.report.figures.axes import SYMBOLS, Chart, chart, colour_of, faint, titled
from cosim.report.figures.points import HIGHEST_SCORE, METRICS

Band = tuple[float, float, float]
HEIGHT, TWO_LINES_PX = 340, 36
MOST_EPOCH_TICKS = 10
MOST_SHOWN = 6  # lines that are drawn at once; the others wait in the legend


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart: values by name, with low, nominal and high; nan for none. `place` gives its look."""

    name: str
    values: Mapping[str, Band]
    place: int


def series_chart(
    series: Sequence[Series], order: Sequence[str], *, title: str, scale: Literal["score", "power"],
    x_title: str, most: int = MOST_SHOWN,
) -> Chart:
    """Return lines over named places.

    Parameters
    ----------
    series : sequence of Series
    order : sequence of str
        Names along the horizontal axis.
    title : str
        Of the vertical axis, with its unit.
    scale : {'score', 'power'}
        A score's axis ends at `HIGHEST_SCORE`; power is in µW on a logarithmic one.
    x_title : str
    most : int
        Lines that are drawn at once.
    """
    data = [_line_of(one, order, shown=index < most) for index, one in enumerate(series)]
    axis = titled(title, **(_power_axis(series) if scale == "power" else _score_axis(series[:most])))
    across = titled(x_title, type="category", categoryorder="array", categoryarray=list(order))
    return chart(data, height=HEIGHT + 18 * len(series), xaxis=across, yaxis=axis, showlegend=True)


def _score_axis(series: Sequence[Series]) -> dict[str, Any]:
    ends = [end for one in series for band in one.values.values() for end in band if math.isfinite(end)]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    pad = max(0.06 * (high - low), 0.02)
    return {"range": [low - pad, min(high + pad, HIGHEST_SCORE)], "tickformat": ".2f"}


def _power_axis(series: Sequence[Series]) -> dict[str, Any]:
    ends = [end for one in series for band in one.values.values() for end in band if end > 0]
    few = max(ends, default=1.0) < 20 * min(ends, default=1.0)
    return {"type": "log", "dtick": "D2" if few else 1}


def _line_of(one: Series, order: Sequence[str], *, shown: bool) -> dict[str, Any]:
    places = [name for name in order if name in one.values]
    bands = [one.values[name] for name in places]
    colour = colour_of(one.place)
    return {
        "type": "scatter", "mode": "lines+markers", "name": one.name, "x": places, "y": [band[1] for band in bands],
        "marker": {"color": colour, "symbol": SYMBOLS[one.place % len(SYMBOLS)], "size": 9}, "line": {"color": colour},
        "cliponaxis": False, "visible": True if shown else "legendonly",
        "error_y": {"type": "data", "array": [_gap(b[2], b[1]) for b in bands], "thickness": 1.2, "width": 3,
                    "arrayminus": [_gap(b[1], b[0]) for b in bands], "color": faint(colour, 0.6)},
    }  # fmt: skip


def _gap(high: float, low: float) -> float:
    return 0.0 if math.isnan(high) or math.isnan(low) else high - low


def differences_chart(rows: Sequence[tuple[str, str, Band]], *, metric: str) -> Chart:
    """Return one bar an interval about zero.

    Parameters
    ----------
    rows : sequence of (str, str, (float, float, float))
        The pair, its kind, and low, mean and high of the difference; nan bounds where there is no interval.
    metric : str
    """
    kinds = list(dict.fromkeys(kind for _, kind, _ in rows))
    data: list[dict[str, Any]] = []
    for index, kind in enumerate(kinds):
        mine = [(pair, band) for pair, one, band in rows if one == kind]
        data.append({
            "type": "scatter", "mode": "markers", "name": kind, "y": [pair for pair, _ in mine],
            "x": [band[1] for _, band in mine], "marker": {"color": colour_of(index), "size": 9},
            "error_x": {"type": "data", "array": [_gap(b[2], b[1]) for _, b in mine], "width": 4,
                        "arrayminus": [_gap(b[1], b[0]) for _, b in mine], "color": colour_of(index)},
        })  # fmt: skip
    zero = {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": 0, "x1": 0, "line": {"width": 1, "dash": "dash",
            "color": "#808890"}}  # fmt: skip
    axis = titled("", type="category", categoryorder="array", categoryarray=[pair for pair, _, _ in rows][::-1])
    return chart(data, height=TWO_LINES_PX * len(rows) + 150, yaxis=axis, shapes=[zero], showlegend=True,
                 xaxis=titled(f"Δ {METRICS.get(metric, metric)}"))  # fmt: skip


def confusion_chart(counts: Sequence[Sequence[int]], names: Sequence[str]) -> Chart:
    """Return the share of each true class that was given each class, with the counts.

    Parameters
    ----------
    counts : sequence of sequences of int, shape (classes, classes)
        True classes by rows.
    names : sequence of str
    """
    sums = [max(sum(row), 1) for row in counts]
    shares = [[100 * value / total for value in row] for row, total in zip(counts, sums, strict=True)]
    texts = [[f"{share:.0f} %<br>{value}" for share, value in zip(row, counted, strict=True)]
             for row, counted in zip(shares, counts, strict=True)]  # fmt: skip
    heat: dict[str, Any] = {
        "type": "heatmap", "z": shares, "x": list(names), "y": list(names), "zmin": 0, "zmax": 100,
        "colorscale": [[0, "#f2f6fb"], [0.5, "#7fb2dd"], [1, "#0b4f8a"]], "showscale": False, "hovertemplate":
        "true %{y}, given %{x}: %{z:.1f} %<extra></extra>",
    }  # fmt: skip
    if len(names) <= 12:
        heat |= {"text": texts, "texttemplate": "%{text}", "textfont": {"size": 12}}
    return chart([heat], height=max(320, 44 * len(names) + 110), xaxis=titled("decoded class", type="category"),
                 yaxis=titled("true class", type="category", autorange="reversed"))  # fmt: skip


def trajectory_chart(
    times_s: Sequence[float], target: Sequence[float | None], estimates: Mapping[str, Sequence[float | None]], *,
    axis: str,
) -> Chart:
    """Return a kinematic axis over time as it was and as decoders estimate it."""
    true: dict[str, Any] = {
        "type": "scatter", "mode": "lines", "name": "recorded", "x": list(times_s), "y": list(target),
        "line": {"color": "#808890", "width": 3},
    }  # fmt: skip
    lines = [
        {"type": "scatter", "mode": "lines", "name": name, "x": list(times_s), "y": list(values),
         "line": {"color": colour_of(index), "width": 1.6}}
        for index, (name, values) in enumerate(estimates.items())
    ]  # fmt: skip
    return chart([true, *lines], height=HEIGHT, xaxis=titled("time [s]"), yaxis=titled(axis), showlegend=True)


def curves_chart(curves: Mapping[str, Mapping[str, Any]]) -> Chart:
    """Return validation loss by epoch, and training loss dotted.

    `curves` as `cosim.tables.outcomes.learning_curves` by name.
    """
    data: list[dict[str, Any]] = []
    for index, (name, curve) in enumerate(curves.items()):
        shown: Any = True if index < 2 else "legendonly"
        for part, dash in (("train", "dot"), ("validation", "solid")):
            data.append({
                "type": "scatter", "mode": "lines", "name": name, "y": list(curve[part]), "legendgroup": name,
                "showlegend": part == "validation", "hovertemplate": f"{name}, {part}: %{{y:.3g}}<extra></extra>",
                "x": list(range(1, len(curve[part]) + 1)), "visible": shown,
                "line": {"color": colour_of(index), "dash": dash, "width": 1.8},
            })  # fmt: skip
    longest = max((len(line["x"]) for line in data), default=1)
    epochs = titled("epoch", tickformat="d", **({"dtick": 1} if longest <= MOST_EPOCH_TICKS else {}))
    return chart(data, height=HEIGHT + 18 * len(curves), xaxis=epochs, yaxis=titled("loss", type="log"),
                 showlegend=True)  # fmt: skip
