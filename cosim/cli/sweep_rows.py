"""Prints a sweep: the answer, then one row a point."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from typing import Any, cast

from cosim.api.sweeps.sweep import SweepTable
from cosim.cli.output import print_json, print_rows, tell
from cosim.tables.feasibility import plain_cell

LEAST = ("latency", "binding limit")


def print_sweep(table: SweepTable, form: str) -> None:
    """Print a sweep as a table with its answer first, as JSON or as CSV; `form` is table, json or csv."""
    if form == "table":
        for line in (table.title, *table.answer, ""):
            tell(line)
        print_rows(table.lines(), "table", least=LEAST)
        return
    rows = [{name: plain_cell(value) for name, value in row.items()} for row in _records(table)]
    if form == "json":
        print_json(rows)
    else:
        writer = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _records(table: SweepTable) -> list[Mapping[str, Any]]:
    frame: Any = table.frame
    return cast("list[Mapping[str, Any]]", frame.to_dict("records"))
