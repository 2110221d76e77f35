"""Charts of the points of a sweep: score against power where networks were trained, else power over what was varied."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from cosim.report.figures.axes import Chart
from cosim.report.figures.front import front_chart
from cosim.report.figures.numbers import varied_text
from cosim.report.figures.points import Point
from cosim.report.figures.powers import Band, Line, bands_chart, lines_chart
from energy_models.errors import StudyError

Row = Mapping[str, Any]
WHAT = ("form", "decoder", "widths", "weight_bits_by_layer")  # of a trained row: what its number and name say


def scored_chart(rows: Sequence[Row], varied: Sequence[str]) -> Chart:
    """Return score against decoder power, a number a form, a colour for each combination of what else was varied.

    Parameters
    ----------
    rows : sequence of mappings
        Of a table of trained networks: `cosim.tables.flat.flat_results`, with what was varied.
    varied : sequence of str
        Columns in which rows differ.

    Raises
    ------
    StudyError
        When none can run where it was priced.
    """
    running = [row for row in rows if _runs(row)]
    if not running:
        raise StudyError("no network can run on any of these machines", where="plot", remedy="Name another machine")
    apart = [name for name in varied if name not in WHAT] or ["machine"]
    labels = list(dict.fromkeys(str(row["decoder"]) for row in rows))
    points = [
        Point(
            label=str(row["decoder"]), number=labels.index(str(row["decoder"])) + 1, group=_told(row, apart),
            score=(float(row["score_low"]), float(row["score"]), float(row["score_high"])),
            power=_band(row, "decoder_power"),
            on_front=bool(row["front"]), machine=_told(row, apart), note="" if row["complete"] else "price incomplete",
        )
        for row in running
    ]  # fmt: skip
    chance = float(running[0]["chance"])
    return front_chart(
        points, metric=str(running[0]["metric"]), power_label="power of the decoder", names="below",
        levels={"chance": chance} if math.isfinite(chance) else {},
        groups=list(dict.fromkeys(point.group for point in points)),
    )  # fmt: skip


def priced_chart(rows: Sequence[Row], varied: Sequence[str]) -> Chart:
    """Return power over the numbers that were varied, or a row for each point where none was.

    It is the power of the whole device where sites, or something of them, were varied, and else the decoder's.

    Parameters
    ----------
    rows : sequence of mappings
    varied : sequence of str
        Columns in which rows differ; of those that hold numbers the one with the most values is the horizontal axis.

    Raises
    ------
    StudyError
        When none can run where it was priced.
    """
    if not any(_runs(row) for row in rows):
        raise StudyError("nothing can run on any of these machines", where="plot", remedy="Name another machine")
    device = any(name == "site" or name.startswith("site.") for name in varied)
    power, title = ("power", "power of the whole device") if device else ("decoder_power", "power of the decoder")
    numeric = [name for name in varied if all(isinstance(row[name], int | float) for row in rows)]
    across = max(numeric, key=lambda name: len({row[name] for row in rows}), default="")
    apart = [name for name in varied if name not in (across, "widths")] or ["workload"]
    if not across:
        return bands_chart([(_told(row, apart), _band(row, power)) for row in rows if _runs(row)], title=title)
    found: dict[str, list[tuple[float, Band]]] = {}
    for row in rows:
        line = found.setdefault(_told(row, apart), [])
        if _runs(row):
            line.append((float(row[across]), _band(row, power)))
    lines = [Line(name, sorted(points)) for name, points in found.items()]
    return lines_chart(lines, x_title=_axis_title(across), title=title)


def _runs(row: Row) -> bool:
    return math.isfinite(float(row["decoder_power_w"]))


def _band(row: Row, power: str) -> Band:
    return float(row[f"{power}_low_w"]), float(row[f"{power}_w"]), float(row[f"{power}_high_w"])


def _axis_title(name: str) -> str:
    if "." in name:
        return name  # the path of a constant, as it was given
    return (f"{name.removesuffix('_hz')} [Hz]" if name.endswith("_hz") else name).replace("_", " ")


def _told(row: Row, names: Sequence[str]) -> str:
    """Return what tells a row apart: names as they are, numbers with their column."""
    said: list[str] = []
    for name in names:
        path, text = varied_text(name, row[name])
        known = path if "." in path else path.replace("_", " ")
        said.append(f"{known} {text}" if isinstance(row[name], int | float) else text)
    return ", ".join(text for text in said if text)
