"""``docs/codesign.md`` and its pictures from the rows of ``benchmarks/codesign.py``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from codesign_findings import findings
from codesign_text import BITS, BOUNDS, DEADLINES, HEAD, HOW, NODES, NOT_MODELLED, RATES, STUDIES
from markdown_tables import number, percent, row
from matplotlib import pyplot, ticker
from matplotlib.lines import Line2D

from energy_models.design.draws import CLEAR

DOCS = Path(__file__).resolve().parents[1]
ROWS = DOCS / "results" / "codesign"
CAUSES = ("compute", "memory", "state", "control", "static", "retention", "wake", "features")
COLOURS = ("#0072b2", "#009e73", "#56b4e9", "#999999", "#d55e00", "#e69f00", "#cc79a7", "#f0e442")
KINDS = {"quantised": "#0072b2", "spiking": "#d55e00", "classical": "#555555"}
TICKS = (0.5, 1, 2, 3, 5, 10, 20, 30, 50, 100)
KIB, MICRO, MILLI, MICRO_HZ, CENT = 8192, 1e6, 1e3, 1e6, 100.0
Row = Mapping[str, Any]


Parts = Mapping[str, Sequence[Row]]


def read_parts() -> Parts:
    """Return the rows of every part that was run."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8"))["rows"] for path in sorted(ROWS.glob("*.json"))}


def page(parts: Parts) -> str:
    """Return the page of some parts; those that were not run are said to be missing."""
    sections = {
        "bits": _bits, "studies": _studies, "rates": _rates, "deadlines": _deadlines, "nodes": _nodes,
        "bounds": _bounds,
    }
    texts = {name: make(parts[name]) for name, make in sections.items() if name in parts}
    found = findings(parts) if all(name in parts for name in ("studies", "rates", "deadlines", "bits")) else ""
    text = HEAD + found + HOW + "".join(texts.values())
    missing = [name for name in (*sections, "array") if name not in parts]
    text += f"\nNot run: {', '.join(missing)}.\n" if missing else ""
    return text + NOT_MODELLED


def write_page(folder: Path = DOCS) -> None:
    """Write the page and its pictures into a folder."""
    parts = read_parts()
    (folder / "codesign.md").write_text(page(parts), encoding="utf-8")
    pictures = {
        "bits": _causes_picture, "studies": _fronts_picture, "array": _array_picture, "nodes": _shares_picture,
        "bounds": _bounds_picture,
    }
    for name, draw in pictures.items():
        if name in parts:
            draw(parts[name], folder / f"codesign_{name}.svg")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [row(head), row(["---"] + ["---:"] * (len(head) - 1)), *(row(cells) for cells in rows)]
    return "\n" + "".join(lines)


def _machine(one: Row) -> list[str]:
    memory = " / ".join(
        f"{one[name + '_bank_bits'] / KIB:g} KiB {one[name + '_cell']}, {one[name + '_word_bits']:g} b"
        for name in ("weight", "data")
    )
    array = f"{one['rows']:g} × {one['columns']:g}"
    style, area = one["style"].replace("_", " "), number(one["area_m2"] * MICRO)
    return [style, array, f"{one['supply_v']:g}", memory.replace("_", " "), area]


MACHINE_HEAD = ("template", "cells", "supply [V]", "banks and words, weights / data", "area [mm²]")


def _bits(rows: Sequence[Row]) -> str:
    cells = [
        [f"`{one['form']}`", number(one["fixed_w"] * MICRO), number(one["power_w"] * MICRO),
         f"{one['fixed_w'] / one['power_w']:.1f}", *_machine(one)]
        for one in rows
    ]
    head = ["form", "asic65_near_memory [µW]", "own machine [µW]", "times", *MACHINE_HEAD]
    ratio = [rows[0][key] / rows[-2][key] for key in ("fixed_w", "power_w")]
    return BITS.format(fixed=f"{ratio[0]:.2f}", own=f"{ratio[1]:.2f}") + _table(head, cells)


def _studies(rows: Sequence[Row]) -> str:
    cells: list[list[str]] = []
    for one in rows:
        fixed = {name: power for name, power in one["fixed_w"].items() if power is not None}
        least = min(fixed, key=fixed.__getitem__) if fixed else None
        cells.append([
            f"{one['study']}: {one['decoder']}",
            f"{one['score']:.3f} [{one['score_low']:.3f}, {one['score_high']:.3f}]",
            "–" if least is None else f"{number(fixed[least] * MICRO)} ({least})", number(one["power_w"] * MICRO),
            *_machine(one),
        ])  # fmt: skip
    head = ["decoder", "score", "best fixed machine [µW]", "own machine [µW]", *MACHINE_HEAD]
    return STUDIES + _table(head, cells)


def _rates(rows: Sequence[Row]) -> str:
    cells = [
        [f"{one['rate_hz']:g}", number(one["power_w"] * MICRO), _leading(one["causes_w"]),
         number(one["latency_s"] * MILLI), *_machine(one)]
        for one in rows
    ]
    return RATES + _table(["decodes a second", "own machine [µW]", "what leads", "latency [ms]", *MACHINE_HEAD], cells)


def _deadlines(rows: Sequence[Row]) -> str:
    cells = [
        [f"{one['deadline_s'] * MILLI:g}", number(one["power_w"] * MICRO), _leading(one["causes_w"]),
         number(one["latency_s"] * MILLI), f"{one['clock_hz'] / MICRO_HZ:.0f}", *_machine(one)]
        for one in rows
    ]
    head = ["deadline [ms]", "own machine [µW]", "what leads", "latency [ms]", "clock [MHz]", *MACHINE_HEAD]
    return DEADLINES + _table(head, cells)


def _leading(causes: Mapping[str, float]) -> str:
    whole = sum(causes.values())
    first = sorted(causes, key=causes.__getitem__, reverse=True)[:2]
    return ", ".join(f"{name} {percent(causes[name] / whole)}" for name in first)


def _nodes(rows: Sequence[Row]) -> str:
    ordered = sorted(rows, key=lambda one: float(one["power_w"]))
    cells = [
        [f"{one['node_nm']:g} nm, {one['style'].replace('_', ' ')}", number(one["power_w"] * MICRO),
         "{} / {} / {}".format(*(number(point * MICRO) for point in one["power_quantiles_w"])), percent(one["share"]),
         *_machine(one)[1:]]
        for one in ordered
    ]
    shares: dict[float, float] = {}
    for one in rows:
        shares[one["node_nm"]] = shares.get(one["node_nm"], 0.0) + one["share"]
    best = max(shares, key=shares.__getitem__)
    head = ["node and template", "nominal [µW]", "5 / 50 / 95 % [µW]", "least in", *MACHINE_HEAD[1:]]
    return NODES.format(best=f"{best:g}", share=percent(shares[best])) + _table(head, cells)


def _bounds(rows: Sequence[Row]) -> str:
    least = rows[0]["power_w"]
    cells = [
        [one["bound"], number(one["power_w"] * MICRO), f"+{(one['power_w'] - least) * MICRO:.2f}", *_machine(one)]
        for one in rows
    ]
    return BOUNDS + _table(["taken away", "own machine [µW]", "costs [µW]", *MACHINE_HEAD], cells)


def _causes_picture(rows: Sequence[Row], path: Path) -> None:
    """Draw power by cause, on the fixed machine and on its own, a pair of bars a form."""
    figure, axes = pyplot.subplots(figsize=(7.5, 3.6))
    for place, one in enumerate(rows):
        for shift, key in ((-0.2, "fixed_causes_w"), (0.2, "causes_w")):
            below = 0.0
            for cause, colour in zip(CAUSES, COLOURS, strict=True):
                value = one[key].get(cause, 0.0) * MICRO
                label = cause if place == 0 and shift < 0 else None
                axes.bar(place + shift, value, 0.36, below, color=colour, label=label)
                below += value
            axes.annotate(f"{below:.1f}", (place + shift, below), ha="center", va="bottom", fontsize=8)
    axes.set_xticks(range(len(rows)), [f"{one['form']}\nfixed | own" for one in rows])
    axes.set_ylabel("decoder power [µW]")
    axes.margins(y=0.1)
    axes.legend(ncols=2, fontsize=8, frameon=False)
    _save(figure, path)


def _fronts_picture(rows: Sequence[Row], path: Path) -> None:
    """Draw score against power: hollow on the best fixed machine, filled on its own, joined."""
    names = sorted({one["study"] for one in rows})
    figure, plots = pyplot.subplots(2, 3, figsize=(11, 6.2))
    for axes, name in zip(plots.flat, names, strict=False):
        for one in (one for one in rows if one["study"] == name):
            fixed = [power for power in one["fixed_w"].values() if power is not None]
            colour = KINDS[one["kind"]]
            own = one["power_w"] * MICRO
            if fixed:
                least = min(fixed) * MICRO
                axes.plot([least, own], [one["score"]] * 2, "-", color=colour, linewidth=0.8, alpha=0.6)
                axes.plot(least, one["score"], "o", markerfacecolor="white", color=colour, markersize=6)
            axes.plot(own, one["score"], "o", color=colour, markersize=6)
        axes.set_xscale("log")
        low, high = axes.get_xlim()
        ticks = [tick for tick in TICKS if low <= tick <= high]
        axes.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
        axes.xaxis.set_minor_locator(ticker.NullLocator())
        axes.set_title(name.replace("_", " "), fontsize=10)
        axes.set_xlabel("decoder power [µW]", fontsize=9)
        axes.grid(alpha=0.25)
    plots[0][0].set_ylabel("score")
    plots[1][0].set_ylabel("score")
    for axes in list(plots.flat)[len(names):]:
        axes.axis("off")
    grey = "#555555"
    marks = [_mark(grey, "o", "best fixed machine", face="white"), _mark(grey, "o", "own machine")]
    marks += [_mark(colour, "s", label) for label, colour in KINDS.items()]
    figure.legend(handles=marks, loc="lower center", fontsize=9, frameon=False, ncols=5)
    _save(figure, path, below=0.05)


def _mark(colour: str, marker: str, label: str, *, face: str | None = None) -> Any:
    return Line2D([], [], color=colour, marker=marker, markerfacecolor=face or colour, linestyle="", label=label)


def _array_picture(rows: Sequence[Row], path: Path) -> None:
    """Draw power over rows and columns, the least marked."""
    one = rows[0]
    power, sides = np.array(one["power_w"]) * MICRO, one["sides"]
    figure, axes = pyplot.subplots(figsize=(6, 4.6))
    image = axes.imshow(np.log10(power), origin="lower", cmap="viridis_r", aspect="auto")
    axes.set_xticks(range(len(sides)), sides)
    axes.set_yticks(range(len(sides)), sides)
    axes.set_xlabel("columns (filters)")
    axes.set_ylabel("rows (products of an output)")
    least = np.unravel_index(int(np.argmin(power)), power.shape)
    axes.plot(least[1], least[0], "w*", markersize=14, markeredgecolor="black")
    axes.set_title(f"least {power[least]:.2f} µW at {sides[least[0]]} × {sides[least[1]]}", fontsize=10)
    bar = figure.colorbar(image)
    ticks = [tick for tick in TICKS if power.min() <= tick <= power.max()]
    bar.set_ticks([float(np.log10(tick)) for tick in ticks], labels=[f"{tick:g}" for tick in ticks])
    bar.set_label("decoder power [µW]")
    _save(figure, path)


def _bounds_picture(rows: Sequence[Row], path: Path) -> None:
    """Draw what is gained where each bound is relaxed, a bar a bound, the most first."""
    least = rows[0]["power_w"]
    gained = {one["bound"]: (one["power_w"] - least) * MICRO for one in rows[1:]}
    ordered = sorted(gained, key=gained.__getitem__)
    figure, axes = pyplot.subplots(figsize=(7.5, 4))
    axes.barh(range(len(ordered)), [gained[name] for name in ordered], color=COLOURS[0], height=0.7)
    for place, name in enumerate(ordered):
        axes.annotate(f"{gained[name]:.2f}", (gained[name], place), xytext=(3, 0), textcoords="offset points",
                      va="center", fontsize=8)  # fmt: skip
    axes.set_yticks(range(len(ordered)), ordered, fontsize=9)
    axes.set_xlabel(f"µW gained where the bound on the left is relaxed (free: {number(least * MICRO)} µW)")
    axes.margins(x=0.1, y=0.02)
    axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def _shares_picture(rows: Sequence[Row], path: Path) -> None:
    """Draw in which share of the draws each node draws least, a bar a node, parted by template."""
    nodes = sorted({one["node_nm"] for one in rows})
    styles = sorted({one["style"] for one in rows}, key=lambda style: -sum(_share(rows, style, None)))
    figure, axes = pyplot.subplots(figsize=(7.5, 2.9))
    below = np.zeros(len(nodes))
    for style, colour in zip(styles, COLOURS, strict=False):
        shares = np.array([sum(_share(rows, style, node)) for node in nodes]) * CENT
        label = f"{style.replace('_', ' ')} {shares.sum():.0f} %"
        axes.barh(range(len(nodes)), shares, left=below, color=colour, label=label, height=0.7)
        below = below + shares
    for place, whole in enumerate(below):
        axes.annotate(f"{whole:.0f} %", (whole, place), xytext=(3, 0), textcoords="offset points", va="center",
                      fontsize=9)  # fmt: skip
    axes.axvline(CLEAR * CENT, color="#999999", linestyle="--", linewidth=1)
    axes.annotate(f"clear above {CLEAR:.0%}", (CLEAR * CENT, len(nodes) - 0.6), ha="right", va="top", fontsize=8,
                  color="#666666", rotation=90, xytext=(-2, 0), textcoords="offset points")  # fmt: skip
    axes.set_yticks(range(len(nodes)), [f"{node:g} nm" for node in nodes])
    axes.set_xlim(0, CLEAR * CENT * 1.1)
    axes.set_xlabel("share of the draws in which it draws least [%]")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, loc="center right", bbox_to_anchor=(0.88, 0.6))
    _save(figure, path)


def _share(rows: Sequence[Row], style: str, node: float | None) -> list[float]:
    return [one["share"] for one in rows if one["style"] == style and node in (None, one["node_nm"])]


def _save(figure: Any, path: Path, *, below: float = 0.0) -> None:
    pyplot.rcParams["svg.hashsalt"] = "cosim"
    figure.tight_layout(rect=(0.0, below, 1.0, 1.0))
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


if __name__ == "__main__":
    write_page()
