"""Figures of the front door, as plotly draws them: zoom, hover, export."""

# plotly ships no stubs.
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from energy_models.quantities import Band, find_unit

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MICROWATT = "µW"


def bars_of_power(title: str, power_w: Sequence[tuple[str, Band]]) -> Figure:
    """Return horizontal bars of power [µW] with its guaranteed bounds, on a logarithmic axis.

    Parameters
    ----------
    title : str
    power_w : sequence of (str, Band)
        What draws it, and how much [W].
    """
    from plotly.graph_objects import Bar, Figure

    shown = [(name, _micro(band)) for name, band in power_w if band.high > 0]
    bar = Bar(
        x=[band.nominal for _, band in shown], y=[name for name, _ in shown], orientation="h",
        error_x={
            "type": "data", "array": [band.high - band.nominal for _, band in shown],
            "arrayminus": [band.nominal - band.low for _, band in shown],
        },
    )
    figure: Any = Figure(bar)
    figure.update_layout(title=title, template="plotly_white", yaxis={"autorange": "reversed"})
    figure.update_xaxes(title=f"power [{MICROWATT}], bounds guaranteed", type="log")
    return figure


def lines_of(
    frame: Any, *, x: str, y: str, group: Sequence[str], title: str, y_title: str, labels: str = ""
) -> Figure:
    """Return one line with markers for each combination of some columns.

    Parameters
    ----------
    frame : DataFrame
    x, y : str
        Columns.
    group : sequence of str
        Columns that tell the lines apart.
    title, y_title : str
    labels : str
        Column whose text stands at each marker; empty: none.
    """
    from plotly.graph_objects import Figure, Scatter

    figure: Any = Figure()
    for key, part in frame.groupby(list(group), sort=False):
        name = ", ".join(str(item) for item in key if str(item))
        ordered = part.sort_values(x) if not labels else part
        figure.add_trace(
            Scatter(
                x=ordered[x], y=ordered[y], name=name, mode="lines+markers" if not labels else "markers+text",
                text=ordered[labels] if labels else None, textposition="top center",
            )
        )
    figure.update_layout(title=title, template="plotly_white", xaxis={"title": x}, yaxis={"title": y_title})
    return figure


def _micro(band: Band) -> Band:
    return band.times(1 / find_unit("uW").factor)
