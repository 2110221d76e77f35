"""The leaderboard's picture: published score against our power, a panel a task."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from leaderboard_parts.entries import Leaderboard
from leaderboard_parts.page import by_score, protocol_letters
from leaderboard_parts.rows import DESIGNED, Row, of_decoder

MICRO = 1e6
NAMES_SHARE, LINE = 0.42, 0.066
"""Width left for names over that of the marks, and the height of a line of text over a panel's."""
LEAST = 3
"""Decoders with a score and a price from which on a task has a panel."""
MACHINES = {
    DESIGNED: ("own machine, 65 nm, with its 90 % band", "#0072b2", "o"),
    "asic65_near_memory": ("65 nm ASIC as it ships", "#009e73", "s"),
    "cortex_m4f": ("Cortex-M4F", "#d55e00", "^"),
}
STYLE: Any = {  # matplotlib's own type of keys is private
    "svg.fonttype": "none", "svg.hashsalt": "cosim", "font.family": "sans-serif", "font.size": 9,
    "axes.spines.top": False, "axes.spines.right": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Point:
    """A decoder's name with its protocol's letter, its score, and its rows on the machines that it fits."""

    name: str
    score: float
    fits: Mapping[str, Row]


def draw(board: Leaderboard, rows: Sequence[Row], path: Path) -> None:
    """Write the picture: decoders whose score was read, on three machines."""
    panels = {task: found for task in board.tasks if len(found := list(_points(board, task, rows))) >= LEAST}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 3.1 * ((len(panels) + 1) // 2)), layout="constrained")
        axes = figure.subplots((len(panels) + 1) // 2, 2, squeeze=False).ravel()
        for place, (task, points) in enumerate(panels.items()):
            _panel(axes[place], points)
            axes[place].set_title(board.tasks[task].title, loc="left", fontsize=9.5, weight="bold")
            axes[place].set_ylabel(board.tasks[task].metric)
        for left in axes[len(panels):]:
            left.set_axis_off()
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
        figure.savefig(path, metadata={"Date": None})


def _points(board: Leaderboard, task: str, rows: Sequence[Row]) -> Iterator[Point]:
    """Yield the decoders of a task that have a score that was read, and a price."""
    letters = protocol_letters(board, task)
    for decoder in by_score(board, task):
        found = of_decoder(rows, decoder)
        if found and decoder.scores and decoder.scores[0].basis != "assumed":
            first = decoder.scores[0]
            fits = {name: found[name] for name in MACHINES if found[name].power_w is not None and not found[name].said}
            if fits:
                yield Point(f"{decoder.name.split(' (')[0]}  {letters[first.protocol]}", first.value, fits)


def _micro(power_w: float | None) -> float:
    """Return a power in microwatts; nan, which is not drawn, where there is none."""
    return math.nan if power_w is None else power_w * MICRO


def _panel(axes: Axes, points: Sequence[Point]) -> None:
    axes.set_xscale("log")
    for one in points:
        powers = [_micro(row.power_w) for row in one.fits.values()]
        axes.plot(powers, [one.score] * len(powers), color="#d5dade", lw=1, zorder=1)
        if DESIGNED in one.fits:
            own = one.fits[DESIGNED]
            axes.plot([_micro(own.power_low_w), _micro(own.power_high_w)], [one.score] * 2, color="#0072b2", lw=2.5,
                      alpha=0.35, zorder=2, solid_capstyle="butt")  # fmt: skip
    for machine, (label, colour, shape) in MACHINES.items():
        fits = [(_micro(one.fits[machine].power_w), one.score) for one in points if machine in one.fits]
        axes.plot(*zip(*fits, strict=True) if fits else ([], []), shape, color=colour, ms=5, label=label, zorder=3)
    low, high = axes.get_xlim()
    axes.set_xlim(low / (high / low) ** NAMES_SHARE, high)
    axes.margins(y=0.1)
    _write_names(axes, points)
    axes.xaxis.set_major_formatter(FuncFormatter(_power_text))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("power of the decoder")
    axes.grid(color="#eceff1", lw=0.8)
    axes.set_axisbelow(True)


def _write_names(axes: Axes, points: Sequence[Point]) -> None:
    """Write each name at the left, lines apart, with a thin line to its first mark."""
    low, high = axes.get_ylim()
    heights = apart(sorted((one.score - low) / (high - low) for one in points), LINE)
    for one, height in zip(sorted(points, key=lambda one: one.score), heights, strict=True):
        first = min(
            _micro(row.power_low_w if name == DESIGNED else row.power_w) for name, row in one.fits.items()
        )
        axes.annotate(
            one.name, (first, one.score), xytext=(0.27, height), textcoords="axes fraction", ha="right", va="center",
            fontsize=7.5, arrowprops={"arrowstyle": "-", "color": "#b8c0c8", "lw": 0.6, "shrinkA": 1, "shrinkB": 1},
        )  # fmt: skip


def apart(heights: Sequence[float], least: float) -> list[float]:
    """Return ascending heights moved no less than `least` apart, upwards, then down where they leave the top."""
    found: list[float] = []
    for height in heights:
        found.append(max(height, found[-1] + least) if found else height)
    for place in range(len(found) - 1, -1, -1):
        limit = 1.0 if place == len(found) - 1 else found[place + 1] - least
        found[place] = min(found[place], limit)
    return found


def _power_text(power_uw: float, _: int) -> str:
    unit, scale = ("W", 1e6) if power_uw >= 1e6 else ("mW", 1e3) if power_uw >= 1e3 else ("µW", 1.0)
    return f"{power_uw / scale:g} {unit}"
