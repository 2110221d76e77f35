"""Prints a sweep: the answer, then one row a point."""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Mapping
from typing import Any, cast

from cosim.api.sweep import SweepTable
from cosim.cli.output import print_json, print_rows, tell
from cosim.report.figures import quantity_text
from cosim.tables.readable import CANNOT_RUN

FITTING = ("fits", "fits nominally")
LEAST = ("latency", "binding limit")


def print_sweep(table: SweepTable, form: str) -> None:
    """Print a sweep as a table with its answer first, as JSON or as CSV; `form` is table, json or csv."""
    rows = [{name: _plain(value) for name, value in row.items()} for row in _records(table)]
    if form == "json":
        print_json(rows)
    elif form == "csv":
        writer = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    else:
        tell(table.title)
        tell(_answer(table, rows))
        tell("")
        print_rows([_line(row, _shown(table)) for row in rows], "table", least=LEAST)


def _records(table: SweepTable) -> list[Mapping[str, Any]]:
    frame: Any = table.frame
    return cast("list[Mapping[str, Any]]", frame.to_dict("records"))


def _plain(value: Any) -> Any:
    """Return a cell as JSON has it: numbers of Python, and none where there is no finite one."""
    found = value.item() if hasattr(value, "item") else value
    return None if isinstance(found, float) and not math.isfinite(found) else found


def _answer(table: SweepTable, rows: list[dict[str, Any]]) -> str:
    fitting = [row for row in rows if row["verdict"] in FITTING]
    run = [row for row in fitting or rows if row["power_w"] is not None]
    if not run:
        return "It runs at none of the points."
    least = min(run, key=lambda row: float(row["power_w"]))
    at = ", ".join(f"{name} {text}" for name, text in _point(least, _shown(table)).items())
    decoder, device = (quantity_text(least[name], "W") for name in ("decoder_power_w", "power_w"))
    power = f"{decoder} for the decoder, {device} in all"
    judged = f"{len(fitting)} of {len(rows)} points fit. " if rows[0]["site"] else ""
    return f"{judged}Least power{' of those' if fitting else ''}: {power}, at {at or 'every point'}."


def _line(row: Mapping[str, Any], varied: tuple[str, ...]) -> dict[str, object]:
    cells: dict[str, object] = {**_point(row, varied)}
    if row["verdict"] == CANNOT_RUN:
        return {**cells, "decoder": None, "device": None, "latency": None, "verdict": CANNOT_RUN, "binding limit": "",
                "headroom": None}  # fmt: skip
    sign = "" if row["complete"] else "≥ "
    return {
        **cells,
        "decoder": sign + quantity_text(row["decoder_power_w"], "W"),
        "device": sign + quantity_text(row["power_w"], "W"),
        "latency": sign + quantity_text(row["latency_s"], "s"), "verdict": row["verdict"] or "no site",
        "binding limit": row["binding_limit"] or "", "headroom": row["headroom"],
    }  # fmt: skip


def _shown(table: SweepTable) -> tuple[str, ...]:
    """Return the columns that tell points apart; a width says what is assumed of it."""
    return tuple(name for name in table.varied if name not in ("widths", "workload"))


def _point(row: Mapping[str, Any], varied: tuple[str, ...]) -> dict[str, str]:
    """Return what tells a point from others, by name, constants with a unit that fits them."""
    cells: dict[str, str] = {}
    for name in varied:
        value, (path, _, unit) = row[name], name.partition(" [")
        plain = f"{value:g}" if isinstance(value, float) else str(value)
        above, per, below = unit.removesuffix("]").partition("/")
        cells[path] = f"{quantity_text(value, above)}{per}{below}" if unit else plain
    return cells
