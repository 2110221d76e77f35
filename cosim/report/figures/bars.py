"""Where the power goes: one bar per decoder, or per layer, split by cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cosim.report.figures.axes import (
    CAUSE_COLOURS,
    LEGEND_PX,
    ROW_PX,
    Chart,
    cause_name,
    causes_used,
    chart,
    titled,
)
from cosim.report.figures.numbers import band_text, prefix_of, quantity_text

Causes = Mapping[str, Sequence[float]]
"""Low, nominal and high by cause [W or J]."""


def breakdown_chart(rows: Sequence[tuple[str, Causes]]) -> Chart:
    """Return stacked bars of the share of each cause, the total in watts beside the name.

    Parameters
    ----------
    rows : sequence of (str, mapping)
        Name of a decoder, and per cause its power's low, nominal and high [W].
    """
    totals = [sum(band[1] for band in causes.values()) for _, causes in rows]
    names = [f"{name}<br>{quantity_text(total, 'W')}" for (name, _), total in zip(rows, totals, strict=True)]
    found = [causes for _, causes in rows]
    shares = [{cause: 100 * band[1] / total if total > 0 else 0.0 for cause, band in causes.items()}
              for causes, total in zip(found, totals, strict=True)]  # fmt: skip
    data = [_stack(cause, names, [one.get(cause, 0.0) for one in shares],
                   [_hint(cause, causes, "W") for causes in found]) for cause in causes_used(found)]  # fmt: skip
    return _stacked(data, len(rows), titled("share of power [%]", range=[0, 100]), row_px=ROW_PX + 14)


def layers_chart(layers: Sequence[tuple[str, Causes]]) -> Chart:
    """Return stacked bars of the energy of each layer by cause, one decode, in one prefix of the joule.

    Parameters
    ----------
    layers : sequence of (str, mapping)
        Name of a layer, and per cause its energy's low, nominal and high [J], in the network's order.
    """
    found = [causes for _, causes in layers]
    largest = max((sum(band[1] for band in causes.values()) for causes in found), default=0.0)
    factor, letter = prefix_of(largest) if largest > 0 else (1.0, "")
    data = [
        _stack(cause, [name for name, _ in layers],
               [causes[cause][1] / factor if cause in causes else 0.0 for causes in found],
               [_hint(cause, causes, "J") for causes in found])
        for cause in causes_used(found)
    ]  # fmt: skip
    return _stacked(data, len(layers), titled(f"energy per decode [{letter}J]", rangemode="tozero"), row_px=ROW_PX)


def _hint(cause: str, causes: Causes, unit: str) -> str:
    return f"{cause_name(cause)}: {band_text(*causes[cause], unit)}" if cause in causes else ""  # pyright: ignore[reportCallIssue]


def _stack(cause: str, names: Sequence[str], values: Sequence[float], hints: Sequence[str]) -> dict[str, Any]:
    return {
        "type": "bar", "orientation": "h", "name": cause_name(cause), "y": list(names), "x": list(values),
        "hovertext": list(hints), "hoverinfo": "text+y", "marker": {"color": CAUSE_COLOURS[cause]},
    }  # fmt: skip


def _stacked(data: Sequence[Mapping[str, Any]], count: int, axis: Mapping[str, Any], *, row_px: int) -> Chart:
    height = count * row_px + LEGEND_PX + 90
    return chart(data, height=height, barmode="stack", bargap=0.3, xaxis=axis, showlegend=True,
                 yaxis=titled("", autorange="reversed", type="category"))  # fmt: skip
