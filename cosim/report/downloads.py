"""The tables of a page as files that a reader takes away without a network: CSV with plain numbers, LaTeX as shown."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from cosim.report.comparison import difference_rows, task_rows
from cosim.report.figures.numbers import BITS_PER_BYTE
from cosim.report.figures.points import group_of
from cosim.report.inputs import Row, Run
from cosim.report.own_machines import OwnMachines
from cosim.report.sections import KILO, MICRO, MILLI
from cosim.report.selection import foremost_decoders, foremost_differences

BANDS = (("decoder_power", "w", "uw", MICRO), ("decode_energy", "j", "uj", MICRO), ("latency", "s", "ms", MILLI))
MINUS = str.maketrans({"−": "-", "\u00a0": " "})


def downloads_text(
    run: Run, rows: Sequence[Mapping[str, Any]], prices: Sequence[Row], *, own: OwnMachines | None = None
) -> str:
    """Return the page's tables by name, each as ``csv`` and ``latex``, as JSON that may stand in a script element.

    Parameters
    ----------
    run : Run
    rows : sequence of mappings
        Of `cosim.report.sections.table_rows`.
    prices : sequence of rows
        Summary rows at the first site, those of `rows`.
    own : OwnMachines or None
        Machines sized to decoders, where the run has any.
    """
    decoders, differences = foremost_decoders(run), foremost_differences(run)
    gaps = [
        {"kind": one.kind, "decoder": one.decoder, "against": one.against, "difference": one.mean, "low": one.low,
         "high": one.high, "over": one.over, "count": one.count}
        for one in differences
    ]  # fmt: skip
    shown = [{
        "no.": row["number"], "decoder": row["decoder"], "machine": row["machine"], "score": row["score"],
        "decoder power [µW]": row["power"], "energy [µJ]": row["energy"], "latency [ms]": row["latency"],
        "memory [kB]": row["memory"],
    } for row in rows]  # fmt: skip
    tables = {
        "decoders": _pair([_price(row) for row in prices], shown),
        "scores": _pair([_score(row) for row in decoders], task_rows(decoders)),
        "differences": _pair(gaps, difference_rows(differences)),
    }
    if own is not None:
        tables["own"] = _pair(own.numbers, [_own(row) for row in own.rows])
    return json.dumps(tables, separators=(",", ":")).replace("<", "\\u003c")


def _pair(numbers: Sequence[Mapping[str, Any]], shown: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    texts = [{name: str(value).translate(MINUS) for name, value in row.items()} for row in shown]
    latex = pd.DataFrame(texts).to_latex(index=False, escape=True, longtable=True) if texts else ""
    return {"csv": pd.DataFrame(list(numbers)).to_csv(index=False), "latex": latex}


def _own(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of the table of own machines as LaTeX shows it."""
    return {
        "no.": row["number"], "decoder": row["decoder"], "score": row["score"], "own machine [µW]": row["power"],
        "area [mm²]": row["area"], "best fixed machine [µW]": row["fixed"], "which": row["machine"],
        "times": row["times"], "on the front of": row["front"],
    }  # fmt: skip


def _price(row: Row) -> dict[str, Any]:
    runs = row["infeasibilities"] == "[]"
    found: dict[str, Any] = {
        "number": row["number"], "decoder": row["decoder"], "kind": group_of(row), "machine": row["profile"],
        "score": row["score_mean"], "score_low": row["score_low"], "score_high": row["score_high"],
    }
    for name, unit, written, factor in BANDS:
        for end in ("low", "nominal", "high"):
            found[f"{name}_{end}_{written}"] = float(row[f"{name}_{end}_{unit}"]) / factor if runs else math.nan
    found["memory_used_kb"] = float(row["memory_used_bits"]) / BITS_PER_BYTE / KILO
    found["parameters"] = int(row["parameters"])
    found["front"] = row["membership"] if runs else ""
    return found


def _score(row: Row) -> dict[str, Any]:
    names = ("number", "decoder", "role", "form", "weight_bits", "activation_bits", "score_mean", "score_low",
             "score_high", "score_over", "score_count", "chance", "p_value", "validation_mean", "parameters")
    return {name: row[name] for name in names}
