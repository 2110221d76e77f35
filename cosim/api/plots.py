"""Charts of `cosim.report` as figures of plotly: zoom, hover, export."""

# plotly ships no stubs.
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from cosim.report.figures.axes import Chart

TITLE_CHARACTERS, TITLE_LINE_PX = 44, 20  # of a line of a title on a phone
TOOLS_PX = 40  # plotly's buttons stand above the title


def figure_of(chart: Chart, title: str) -> Figure:
    """Return a chart as a figure under a title that is folded for a narrow screen."""
    from plotly.graph_objects import Figure

    lines = textwrap.wrap(title, TITLE_CHARACTERS)
    layout: dict[str, Any] = dict(chart["layout"])
    above = TOOLS_PX + TITLE_LINE_PX * (len(lines) - 1)
    margin = layout["margin"] | {"t": layout["margin"]["t"] + above}
    heading = {
        "text": "<br>".join(lines), "font": {"size": 15}, "x": 0, "xanchor": "left", "yref": "container", "y": 1,
        "yanchor": "top", "pad": {"l": 12, "t": TOOLS_PX},
    }  # fmt: skip
    return Figure({
        "data": chart["data"],
        "layout": layout | {"title": heading, "margin": margin, "height": layout["height"] + above,
                            "paper_bgcolor": "white", "plot_bgcolor": "white"},
    })  # fmt: skip
