"""The points of a sweep as people read them: the answer, why some cannot run, one line a point."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cosim.api.sweeps.grid import CHARGES, DUTY, UPDATES
from cosim.report.estimate_tables import FLOAT_HINT, NO_FLOAT, few_layers
from cosim.report.figures.numbers import digits_text, duration_text, quantity_text, score_text, varied_text
from cosim.tables.readable import BETWEEN, CANNOT_RUN

Row = Mapping[str, Any]
FITTING = ("fits", "fits nominally")
MOST_REASONS, MOST_VALUES = 3, 6
WIDTHS, AS_COUNTED = "widths", "as counted"
AVERAGE = "average_power_w"
SAME = 1e-9
"""Powers that differ by less than this share are one power, summed in another order."""
OVER_TIME = (DUTY, CHARGES, UPDATES)
"""What changes the mean power or the life of a cell, not the power of a device that is on."""
OVER_TIME_COLUMNS = {
    AVERAGE: ("average power", "W"), "recalibration_power_w": ("recalibration power", "W"),
    "charge_lasts_s": ("one charge lasts", "s"), "cell_lasts_s": ("cell lasts", "s"),
}


def answer_line(rows: Sequence[Row], varied: Sequence[str]) -> str:
    """Return how many points fit, and which of them draws least; of equal ones none is named."""
    fitting = [row for row in rows if row["verdict"] in FITTING]
    run = [row for row in fitting or rows if row["verdict"] != CANNOT_RUN]
    if not run:
        return "It runs at none of the points."
    averaged = [row for row in run if _is_known(row, AVERAGE)]
    ranked = AVERAGE if averaged else "power_w"
    least = min(averaged or run, key=lambda row: float(row[ranked]))
    alike = [row for row in averaged or run if math.isclose(float(row[ranked]), float(least[ranked]), rel_tol=SAME)]
    decoder, device = (quantity_text(least[name], "W") for name in ("decoder_power_w", "power_w"))
    power = f"{decoder} for the decoder, {device} in all"
    if ranked == AVERAGE:
        power = f"{quantity_text(least[AVERAGE], 'W')} on average ({power}, while it is on)"
    judged = f"{len(fitting)} of {counted(len(rows))} {'fits' if len(fitting) == 1 else 'fit'}. "
    if not rows[0]["site"]:
        judged = ""
    return f"{judged}Least power{' of those' if fitting and len(rows) > 1 else ''}: {power}{_where(alike, varied)}."


def _where(alike: Sequence[Row], varied: Sequence[str]) -> str:
    """Return where a power is drawn: what tells its point from others, and of several equal ones what they share."""
    cells = [point_cells(row, varied) for row in alike]
    shared = ", ".join(f"{name} {text}" for name, text in cells[0].items() if all(one[name] == text for one in cells))
    return (f", at {shared}" if shared else "") + (f", alike at {counted(len(alike))}" if len(alike) > 1 else "")


def notes(rows: Sequence[Row], varied: Sequence[str]) -> Iterator[str]:
    """Yield what must be read beside the points: at which values any fits, assumed widths, why some cannot run."""
    yield from _fitting_values(rows, varied)
    if any(str(row.get(WIDTHS, AS_COUNTED)).startswith("assumed") for row in rows):
        yield "Widths are assumed: the network is neither quantised nor trained at them."
    cannot = [row for row in rows if row["verdict"] == CANNOT_RUN]
    of_work = _texts(cannot, "infeasibilities")
    learning = _texts([row for row in cannot if row.get("recalibration") == CANNOT_RUN], "recalibration_reasons")
    reasons = [*of_work, *(f"recalibration: {reason}" for reason in learning if reason not in of_work)]
    if any(NO_FLOAT in reason for reason in reasons):
        yield FLOAT_HINT[0].upper() + FLOAT_HINT[1:]
    for reason in reasons[:MOST_REASONS]:
        yield f"Cannot run: {few_layers(reason)}"
    if len(reasons) > MOST_REASONS:
        columns = "columns infeasibilities and recalibration_reasons" if learning else "column infeasibilities"
        yield f"Cannot run: and {len(reasons) - MOST_REASONS} reasons more, in the {columns}"


def _texts(rows: Sequence[Row], column: str) -> list[str]:
    """Return the different texts of a column that joins several with `BETWEEN`, empty ones left out."""
    return [text for text in dict.fromkeys(one for row in rows for one in str(row[column]).split(BETWEEN)) if text]


def _fitting_values(rows: Sequence[Row], varied: Sequence[str]) -> Iterator[str]:
    """Yield the values of each thing varied at which some point fits, where that is not all of them."""
    cells = [(point_cells(row, varied), row["verdict"] in FITTING) for row in rows]
    if not any(fits for _, fits in cells):
        return
    for name in cells[0][0]:
        every = dict.fromkeys(each[name] for each, _ in cells)
        fitting = dict.fromkeys(each[name] for each, fits in cells if fits)
        if 2 < len(every) > len(fitting):
            yield f"Fits only at {name} {_few(list(fitting))}."


def _few(values: Sequence[str]) -> str:
    return ", ".join(values) if len(values) <= MOST_VALUES else f"{values[0]} to {values[-1]}"


def point_lines(rows: Sequence[Row], varied: Sequence[str]) -> list[dict[str, object]]:
    """Return one line a point: what tells it apart, score, powers, latency, verdict and the limit that binds."""
    over_time = any(name in rows[0] for name in OVER_TIME) if rows else False
    shown = [name for name in OVER_TIME_COLUMNS if over_time and any(_is_known(row, name) for row in rows)]
    return [_line(row, varied, shown) for row in rows]


def _is_known(row: Row, name: str) -> bool:
    return name in row and math.isfinite(float(row[name]))


def _line(row: Row, varied: Sequence[str], over_time: Sequence[str]) -> dict[str, object]:
    cells: dict[str, object] = {**point_cells(row, varied)}
    if "score" in row:
        cells["score"] = score_text(*(float(row[name]) for name in ("score", "score_low", "score_high")))
    if row["verdict"] == CANNOT_RUN:
        unknown = {OVER_TIME_COLUMNS[name][0]: None for name in over_time}
        return {**cells, "decoder power": None, "device power": None, **unknown, "latency": None, "verdict": CANNOT_RUN,
                "binding limit": None, "headroom": None}  # fmt: skip
    sign = "" if row["complete"] else "≥ "
    headroom = float(row["headroom"])
    return {
        **cells,
        "decoder power": sign + quantity_text(row["decoder_power_w"], "W"),
        "device power": sign + quantity_text(row["power_w"], "W"),
        **{OVER_TIME_COLUMNS[name][0]: _over_time(row, name) for name in over_time},
        "latency": sign + quantity_text(row["latency_s"], "s"), "verdict": row["verdict"] or "no site",
        "binding limit": row["binding_limit"] or None,
        "headroom": None if math.isnan(headroom) else digits_text(headroom),
    }  # fmt: skip


def _over_time(row: Row, name: str) -> str | None:
    unit = OVER_TIME_COLUMNS[name][1]
    if not _is_known(row, name):
        return None
    return duration_text(float(row[name])) if unit == "s" else quantity_text(row[name], unit)


def told_apart(varied: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that tell points apart for a reader; a width says what is assumed of it."""
    hidden = {WIDTHS, "workload", *(("decoder",) if "form" in varied else ())}
    return tuple(name for name in varied if name not in hidden)


def point_cells(row: Row, varied: Sequence[str]) -> dict[str, str]:
    """Return what tells a point from others, by name, constants with a unit that fits them."""
    return dict(varied_text(name, row[name]) for name in told_apart(varied))


def counted(points: int) -> str:
    """Return a number of points in words."""
    return f"{points} point{'' if points == 1 else 's'}"
