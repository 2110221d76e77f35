"""Where the power goes: one bar per decoder, split by cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from cosim.report.figures.numbers import band_text, quantity_text
from cosim.report.figures.svg import CHARACTER, picture, text
from energy_models.pricing import CAUSES

ROW, BAR, FONT, NAME_SIZE = 46.0, 18.0, 12.0, 13.0
# Paul Tol's muted scheme and two greys; neighbours in CAUSES order differ in lightness too.
COLOURS: Mapping[str, str] = {
    "compute": "#332288", "memory": "#88ccee", "state": "#117733", "control": "#ddcc77", "static": "#882255",
    "retention": "#cc6677", "wake": "#999933", "front_end": "#44aa99", "converter": "#0d4f8b", "features": "#e8a33d",
    "radio": "#aa4499", "stimulation": "#f2c1a0", "regulator": "#8c939b",
}  # fmt: skip
LIGHT = frozenset({"memory", "control", "features", "front_end", "stimulation"})


def breakdown_figure(
    rows: Sequence[tuple[str, Mapping[str, Sequence[float]]]], *, title: str, width: float = 880
) -> str:
    """Return stacked bars of the share of each cause, with the total in watts beside the name.

    Parameters
    ----------
    rows : sequence of (str, mapping)
        Name of a decoder, and per cause its power's low, nominal and high [W].
    title : str
        Read aloud by screen readers.
    width : float
        Of the picture [px].
    """
    parts: list[str] = []
    for index, (name, causes) in enumerate(rows):
        top = 6 + index * ROW
        total = [sum(band[end] for band in causes.values()) for end in range(3)]
        watts = band_text(total[0], total[1], total[2], "W")
        if (len(name) + len(watts) + 1) * NAME_SIZE * CHARACTER > width:  # a phone: the bounds stand in the table
            watts = quantity_text(total[1], "W")
        parts.append(text(0, top + 12, name, size=NAME_SIZE, look="i f"))
        parts.append(text(width, top + 12, watts, size=NAME_SIZE, anchor="end", look="i"))
        parts.append(_bar(causes, total[1], top + 18, width))
    used = [cause for cause in CAUSES if any(cause in causes and causes[cause][1] > 0 for _, causes in rows)]
    legend, height = _legend(used, 6 + len(rows) * ROW + 6, width)
    return picture(width, height, title, [*parts, *legend])


def _bar(causes: Mapping[str, Sequence[float]], total: float, top: float, width: float) -> str:
    left, parts = 0.0, list[str]()
    for cause in CAUSES:
        band = causes.get(cause)
        if band is None or band[1] <= 0 or total <= 0:
            continue
        share = band[1] / total
        wide = share * width
        hint = escape(f"{name_of(cause)}: {band_text(band[0], band[1], band[2], 'W')}, {share:.0%}")
        parts.append(
            f'<g><title>{hint}</title><rect x="{left:.1f}" y="{top:.1f}" width="{max(wide, 0.6):.1f}" height="{BAR:g}" '
            f'class="m" fill="{COLOURS[cause]}"/>'
        )
        label = f"{name_of(cause)} {share:.0%}"
        if wide > len(label) * 11 * CHARACTER + 8:
            ink = "on-light" if cause in LIGHT else "on-dark"
            parts.append(text(left + 5, top + 13, label, size=11, look=ink))
        parts.append("</g>")
        left += wide
    return "".join(parts)


def _legend(causes: Sequence[str], top: float, width: float) -> tuple[list[str], float]:
    x, parts = 0.0, list[str]()
    for cause in causes:
        wide = 32 + len(name_of(cause)) * FONT * CHARACTER
        if x + wide > width:
            x, top = 0.0, top + 18
        parts.append(f'<rect x="{x:.1f}" y="{top:.1f}" width="11" height="11" fill="{COLOURS[cause]}"/>')
        parts.append(text(x + 16, top + 10, name_of(cause), size=FONT, look="i"))
        x += wide
    return parts, top + 20


def name_of(cause: str) -> str:
    """Return a cause as words."""
    return cause.replace("_", " ")
