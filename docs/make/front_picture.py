"""The picture on the front page, from the prices of a study's page: ``python docs/make/front_picture.py``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "results" / "intracortical_brown42.md"
PICTURE = ROOT / "docs" / "front.svg"
MACHINES: Mapping[str, tuple[str, str, str]] = {
    "asic65_near_memory": ("65 nm ASIC, memory beside arithmetic", "#0072b2", "o"),
    "event_core_28nm": ("28 nm event-driven core", "#00805e", "s"),
    "cortex_m4f": ("Cortex-M4F microcontroller", "#d55e00", "D"),
    "gap9": ("GAP9, RISC-V cluster", "#7d4a9e", "^"),
}
DECODERS: Mapping[str, str] = {
    "MLP w8a8": "perceptron, 8 bit",
    "ridge (classical)": "ridge regression",
    "Kalman (classical)": "Kalman filter",
    "LIF MLP spiking w8a8": "spiking network, 8 bit",
}
BOUNDED = "MLP w8a8"
LOWEST = 0.43
STYLE: Any = {  # matplotlib's own type of keys is private
    "svg.fonttype": "none", "svg.hashsalt": "cosim", "font.family": "sans-serif", "font.size": 11,
    "axes.spines.top": False, "axes.spines.right": False,
}  # fmt: skip
_ROW = re.compile(r"^\| (\w+) \| \**([^*|]+?)\** \| ([\d.]+) \| ([\d.,]+) \[([\d.,]+), ([\d.,]+)\] \|", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Price:
    """A decoder on a machine: its score, and its power with bounds [µW]."""

    machine: str
    decoder: str
    score: float
    power_uw: float
    low_uw: float
    high_uw: float


def prices(page: str) -> Iterator[Price]:
    """Yield every priced row of a study's page."""
    for machine, decoder, score, *power in _ROW.findall(page):
        yield Price(machine, decoder, float(score), *(float(one.replace(",", "")) for one in power))


def shown(page: str) -> list[Price]:
    """Return the rows that the picture shows.

    Raises
    ------
    SystemExit
        A decoder or a machine of the picture is not on the page.
    """
    found = {(one.decoder, one.machine): one for one in prices(page)}
    wanted = [(decoder, machine) for decoder in DECODERS for machine in MACHINES]
    if missing := [pair for pair in wanted if pair not in found]:
        raise SystemExit(f"{PAGE.name} has no price of {missing}; choose others in {Path(__file__).name}")
    return [found[pair] for pair in wanted]


def description(rows: Sequence[Price]) -> str:
    """Return the picture in words; it stands in the file, and a test compares it with the page."""
    return "R² and decoder power: " + "; ".join(
        f"{one.decoder} on {one.machine} {one.score:g} at {one.power_uw:g} µW [{one.low_uw:g}, {one.high_uw:g}]"
        for one in rows
    )


def draw(rows: Sequence[Price]) -> Figure:
    """Return the picture: a line a decoder, a marker a machine, and below them the bounds of each machine's power."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.4, 4.3), layout="constrained")
        axes = figure.add_subplot()
        for decoder, name in DECODERS.items():
            points = sorted((one for one in rows if one.decoder == decoder), key=lambda one: one.power_uw)
            axes.plot([one.power_uw for one in points], [one.score for one in points], color="#b8c0c8", lw=1, zorder=1)
            axes.annotate(name, (points[0].power_uw, points[0].score), xytext=(-10, 0), textcoords="offset points",
                          ha="right", va="bottom" if decoder == BOUNDED else "center_baseline")  # fmt: skip
        for place, (machine, (label, colour, shape)) in enumerate(MACHINES.items()):
            points = [one for one in rows if one.machine == machine]
            axes.plot([one.power_uw for one in points], [one.score for one in points], shape, color=colour, ms=9,
                      label=label, zorder=3)  # fmt: skip
            bounded = next(one for one in points if one.decoder == BOUNDED)
            level = LOWEST + 0.012 * (len(MACHINES) - place)
            axes.plot([bounded.low_uw, bounded.high_uw], [level, level], color=colour, lw=2.5, alpha=0.6)
        axes.text(0.4, LOWEST + 0.03, f"bounds,\n{DECODERS[BOUNDED]}", ha="right", va="center", fontsize=9)
        _finish(axes)
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def _finish(axes: Axes) -> None:
    axes.set(xscale="log", xlim=(0.1, 700), ylim=(LOWEST, 0.8), ylabel="accuracy (R² of velocity)")
    axes.set_title("The machine decides the power, the network the accuracy", loc="left", fontsize=12, weight="bold")
    axes.set_xlabel("power of the decoder")
    axes.set_xticks([0.1, 1, 10, 100], ["0.1 µW", "1 µW", "10 µW", "100 µW"])
    axes.set_yticks([0.5, 0.6, 0.7, 0.8])
    axes.grid(color="#e3e7eb", lw=0.8)
    axes.set_axisbelow(True)


if __name__ == "__main__":
    found = shown(PAGE.read_text(encoding="utf-8"))
    with mpl.rc_context(STYLE):
        draw(found).savefig(PICTURE, metadata={"Date": None, "Description": description(found)})
