"""Figures of a feasibility study: power, its causes, headroom, raw streaming, what would make it fit, the battery."""

# matplotlib's annotations are partial.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cosim.report.figures.axes import CAUSE_COLOURS, COLOURS
from cosim.report.figures.numbers import digits_text, quantity_text
from cosim.report.review.canvas import (
    Along,
    Line,
    axis_title,
    known,
    new_figure,
    say_left_out,
    set_axis,
    set_power,
)
from cosim.tables.feasibility import LIMIT, NOT_CHECKED
from energy_models.feasibility import CHECK_NAMES
from energy_models.pricing import CAUSES
from energy_models.quantities import DAY_S, HOUR_S, YEAR_S

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
FITTING = ("fits", "fits nominally")
GREY = "#6e7781"
MOST_LEVERS = 12
LEAST_SHARE = 1.0
"""Share of a bar [%] below which a cause cannot be seen in it."""
KEY_CHARACTERS, KEY_SPACE = 112, 9
"""Characters of a legend's row, and what a mark and its distance take of it."""


def power_figure(study: Along, title: str) -> Figure:
    """Return power of the device and of the decoder with their bounds along the axis, and what limits allow."""
    figure, (ax,) = new_figure(f"{title}: power, and what the limits allow")
    allowed = [known(line.rows, "power_allowed_w") for line in study.lines]
    alike = all(str(one) == str(allowed[0]) for one in allowed)
    for place, line in enumerate(study.lines):
        colour = COLOURS[place % len(COLOURS)]
        name = f"{line.name}: " if line.name else ""
        _band(ax, study, line, "power", (colour, f"{name}whole device", "-"))
        _band(ax, study, line, "decoder_power", (colour, f"{name}decoder alone", ":"))
        if any(map(math.isfinite, allowed[place])) and (place == 0 or not alike):
            ax.plot(study.places(line.rows), allowed[place], "--", color=GREY if alike else colour, linewidth=1.2,
                    label=f"{'' if alike else name}allowed by {_allowed_by(line.rows)}")  # fmt: skip
    set_axis(ax, study, study.lines[0].rows)
    set_power(ax, label="average power")
    ax.plot([], [], "o", color=GREY, markerfacecolor="white", label="hollow: does not fit")
    _legend(figure)
    say_left_out(ax, study)
    return figure


def _allowed_by(rows: Sequence[Row]) -> str:
    return ", ".join(dict.fromkeys(str(row["power_allowed_by"]).replace("_", " ") for row in rows))


def _band(ax: Axes, study: Along, line: Line, name: str, look: tuple[str, str, str]) -> None:
    """Draw a power with its bounds; `look` is colour, label and line style."""
    colour, label, style = look
    places = study.places(line.rows)
    low, middle, high = (known(line.rows, f"{name}{end}_w") for end in ("_low", "", "_high"))
    ax.plot(places, middle, style, color=colour, linewidth=1.4, label=label)
    _bounds(ax, study, places, (low, high), colour)
    for place, value, row in zip(places, middle, line.rows, strict=True):
        fill = colour if row["verdict"] in FITTING else "white"
        ax.plot([place], [value], "o", color=colour, markerfacecolor=fill, markersize=4.5)


def _bounds(
    ax: Axes, study: Along, places: Sequence[float], ends: tuple[Sequence[float], Sequence[float]], colour: str
) -> None:
    """Draw bounds: a surface where there is one line, strokes where there are several, or no axis."""
    if study.name and len(study.lines) == 1:
        ax.fill_between(places, *ends, color=colour, alpha=0.16, linewidth=0)
    else:
        ax.vlines(places, *ends, color=colour, alpha=0.45, linewidth=1)


def causes_figure(study: Along, title: str) -> Figure | None:
    """Return the shares of the device's nominal power by cause, a bar a point of the first line; None: none runs."""
    line = study.lines[0]
    rows = [row for row in line.rows if math.isfinite(float(row["power_w"]))]
    if not rows:
        return None
    of = f" ({line.name})" if line.name else ""
    figure, (ax,) = new_figure(f"{title}: where the power goes{of}")
    below, small = [0.0] * len(rows), list[str]()
    for cause in CAUSES:
        values = [value if math.isfinite(value) else 0.0 for value in known(rows, f"{cause}_power_w")]
        shares = [100 * value / float(row["power_w"]) for value, row in zip(values, rows, strict=True)]
        if max(shares) <= 0:
            continue
        seen = max(shares) >= LEAST_SHARE
        small += [] if seen else [cause.replace("_", " ")]
        ax.bar(range(len(rows)), shares, bottom=below, color=CAUSE_COLOURS[cause],
               label=cause.replace("_", " ") if seen else "")  # fmt: skip
        below = [before + share for before, share in zip(below, shares, strict=True)]
    for place, row in enumerate(rows):
        sign = "" if row["complete"] else "≥ "
        ax.annotate(f"{sign}{quantity_text(float(row['power_w']), 'W')}", (place, 101), ha="center", fontsize=8)
    names = [digits_text(float(row[study.name])) if study.name else str(row["machine"]) for row in rows]
    ax.set_xticks(range(len(rows)), names)
    ax.set_xlabel(axis_title(study.name) if study.name else "")
    ax.set_ylabel("share of the device's nominal power [%]")
    ax.set_ylim(0, 110)
    ax.grid(visible=False, axis="x")
    unknown = [cause for cause in CAUSES if all(math.isnan(value) for value in known(rows, f"{cause}_power_w"))]
    said = [f"not charged, in no bar: {', '.join(unknown)}".replace("_", " ")] if unknown else []
    said += [f"below {LEAST_SHARE:g} % of every bar: {', '.join(small)}"] if small else []
    if said:
        ax.annotate("\n".join(said), (0, 1.01), xycoords="axes fraction", fontsize=7.5, color=GREY, va="bottom")
    _legend(figure)
    return figure


def headroom_figure(study: Along, title: str) -> Figure | None:
    """Return the headroom of every limit along the axis, of the first line; None where none is checked."""
    line = study.lines[0]
    names = [
        name for name in CHECK_NAMES if any(map(math.isfinite, known(line.rows, f"{LIMIT}{name}_headroom")))
    ]
    if not names:
        return None
    of = f" ({line.name})" if line.name else ""
    figure, (ax,) = new_figure(f"{title}: headroom of each limit, nominal{of}")
    places = study.places(line.rows)
    for place, name in enumerate(names):
        values = known(line.rows, f"{LIMIT}{name}_headroom")
        style = "-" if place < len(COLOURS) else "--"
        ax.plot(places, values, style, marker="o", markersize=4, color=COLOURS[place % len(COLOURS)],
                label=name.replace("_", " "))  # fmt: skip
    ax.axhline(1.0, color=GREY, linewidth=1.2, linestyle="--", label="1: from here up the limit is kept")
    set_axis(ax, study, line.rows)
    ax.set_yscale("log")
    ax.set_ylabel("limit over what is used")
    missing = [name for name in CHECK_NAMES if any(row[f"{LIMIT}{name}"] == NOT_CHECKED for row in line.rows)]
    if missing:
        text = f"not checked: {', '.join(missing)}".replace("_", " ")
        ax.annotate(text, (0, 1.01), xycoords="axes fraction", fontsize=7.5, color=GREY, va="bottom")
    _legend(figure)
    return figure


def streaming_figure(study: Along, odds: Sequence[Row], title: str) -> Figure | None:
    """Return decoding on board beside raw streaming, and how surely decoding draws less; None: not compared.

    Parameters
    ----------
    study : Along
    odds : sequence of mapping
        Rows with ``probability_decoding_saves``, each at the ``place`` of its point.
    title : str
    """
    chance = {id(row): float(one["probability_decoding_saves"]) for row, one in _paired(study, odds)}
    if not any(map(math.isfinite, chance.values())):
        return None
    figure, (upper, lower) = new_figure(f"{title}: decoding on board against sending every sample", rows=2,
                                        size=(7.2, 5.8))  # fmt: skip
    for place, line in enumerate(study.lines):
        colour = COLOURS[place % len(COLOURS)]
        name = f"{line.name}: " if line.name else ""
        _band(upper, study, line, "power", (colour, f"{name}decoding on board", "-"))
        places = study.places(line.rows)
        upper.plot(places, known(line.rows, "raw_power_w"), "--", color=colour, marker="s", markersize=4,
                   label=f"{name}raw streaming")  # fmt: skip
        low, high = (known(line.rows, f"raw_power{end}_w") for end in ("_low", "_high"))
        _bounds(upper, study, places, (low, high), GREY)
        lower.plot(places, [chance[id(row)] for row in line.rows], "o-", color=colour, markersize=4)
    set_axis(upper, study, study.lines[0].rows)
    set_axis(lower, study, study.lines[0].rows)
    set_power(upper, label="power of the device")
    lower.set_ylim(-0.04, 1.04)
    lower.axhline(0.5, color=GREY, linewidth=1, linestyle="--")
    lower.set_ylabel("probability that\ndecoding draws less")
    _legend(figure)
    say_left_out(upper, study)
    return figure


def _paired(study: Along, odds: Sequence[Row]) -> list[tuple[Row, Row]]:
    found = {one["place"]: one for one in odds}
    return [(row, found[row["place"]]) for line in study.lines for row in line.rows]


def levers_figure(levers: Sequence[Row], title: str) -> Figure | None:
    """Return by what factor each constant of one point must move for all limits to just hold; None: none decides."""
    shown = [row for row in levers if math.isfinite(float(row["bound"])) and float(row["now"]) > 0][:MOST_LEVERS]
    if not shown:
        return None
    figure, (ax,) = new_figure(title, size=(7.2, 1.4 + 0.32 * len(shown)))
    factors = [float(row["bound"]) / float(row["now"]) for row in shown]
    for place, (row, factor) in enumerate(zip(shown, factors, strict=True)):
        needed = not row["fits_now"]
        ax.barh(place, factor - 1, left=1, color=COLOURS[2] if needed else COLOURS[1], alpha=0.75)
        text = f" {row['fits']} {quantity_text(float(row['bound']), _unit(str(row['unit'])))}{_per(str(row['unit']))} "
        ax.annotate(text, (factor, place), ha="left" if factor > 1 else "right", va="center", fontsize=8)
    ax.set_xscale("log")
    ax.set_xlim(min([*factors, 1.0]) / 12, max([*factors, 1.0]) * 12)
    ax.axvline(1.0, color=GREY, linewidth=1)
    ax.set_yticks(range(len(shown)), [str(row["lever"]) for row in shown], fontsize=8)
    ax.invert_yaxis()
    what = "must move to" if not shown[0]["fits_now"] else "may move to before a limit binds"
    ax.set_xlabel(f"times its value of now: each, alone, {what}")
    ax.grid(visible=False, axis="y")
    return figure


def _unit(unit: str) -> str:
    return "" if unit == "1" else unit.partition("/")[0] if unit != "bit/s" else unit


def _per(unit: str) -> str:
    _, per, below = unit.partition("/")
    return "" if unit == "bit/s" else f"{per}{below}"


def battery_figure(study: Along, title: str) -> Figure | None:
    """Return how long one charge lasts along the axis, and how long it has to; None without a battery."""
    lasting = [value for line in study.lines for value in known(line.rows, "charge_lasts_s") if math.isfinite(value)]
    if not lasting:
        return None
    size, unit = next(((s, u) for s, u in ((YEAR_S, "years"), (DAY_S, "days")) if min(lasting) > 2 * s), (HOUR_S, "h"))
    figure, (ax,) = new_figure(f"{title}: how long one charge lasts")
    for place, line in enumerate(study.lines):
        colour = COLOURS[place % len(COLOURS)]
        places = study.places(line.rows)
        low, middle, high = (
            [value / size for value in known(line.rows, f"charge_lasts{end}_s")] for end in ("_low", "", "_high")
        )
        ax.plot(places, middle, "o-", color=colour, markersize=4, label=line.name or "one charge")
        _bounds(ax, study, places, (low, high), colour)
    required = known(study.lines[0].rows, "charge_required_s")[0] / size
    ax.axhline(required, color=GREY, linestyle="--", linewidth=1.2, label=f"required: {digits_text(required)} {unit}")
    set_axis(ax, study, study.lines[0].rows)
    ax.set_yscale("log")
    ax.set_ylabel(f"one charge lasts [{unit}]")
    _legend(figure)
    say_left_out(ax, study)
    return figure


def _legend(figure: Figure) -> None:
    handles, labels = [], []
    for ax in figure.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            if label not in labels:
                handles, labels = [*handles, handle], [*labels, label]
    columns = KEY_CHARACTERS // (KEY_SPACE + max(map(len, labels), default=1))
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, max(1, columns)), fontsize=8)
