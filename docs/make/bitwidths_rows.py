"""The rows of ``docs/bitwidths.md``: scores, paired losses, memory and power of the archived runs of every form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markdown_tables import Banded

from cosim.report.comparison import over_text
from cosim.tables.decoders import DECODERS, DecoderScore
from cosim.tables.differences import DIFFERENCES, read_differences
from cosim.tables.prices import planned_hardware
from cosim.tables.results import Score, read_parquet
from cosim.tables.scores import SCORES
from cosim.tables.widths import widths_by_layer
from cosim.tables.workloads import read_workloads
from energy_models.hardware import load_profile, load_site
from energy_models.pricing import estimate
from energy_models.workload import Workload
from students.spec import Quantised, parse_form

MACHINES = ("asic65_near_memory", "gap9", "cortex_m4f")
AFTER = ("ptq", "gptq")
SETS = ("uniform", "mixed", "teacher")
"""Sets of forms, each a run of its own."""
BARS = {"share": (0.005, 0.02, 0.03), "r2": (0.005, 0.02, 0.04)}
"""Bars of the loss at 8 bits, at 4, and of the best mixed form of 2 to 4: of a share of decisions, and of R²."""


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a decoder, whichever way it was made.

    Parameters
    ----------
    text : str
        Without ``ptq`` and ``gptq``.
    widths : str
        Weights × inputs of products [bits].
    stored_bytes : int
    score : tuple of float or None
        Mean, low and high of the one trained from labels.
    validation : mapping of str to float
        Mean score on validation, by how it was made.
    losses : mapping of str to Banded
        Float less form, by how it was made: ``labels``, ``taught``, ``teacher``, ``ptq``, ``gptq``.
    power_w : tuple of float or None
        Decoder power on each of `MACHINES` [W]; None where it cannot run.
    """

    text: str
    widths: str
    stored_bytes: int
    score: tuple[float, float, float] | None
    validation: Mapping[str, float]
    losses: Mapping[str, Banded]
    power_w: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class PartTable:
    """All forms on one set of recordings.

    Parameters
    ----------
    name, metric, folds, site : str
    over : str
        What intervals range over.
    seeds : mapping of str to int
        By set of forms, of those that were run.
    rate_hz : float
    forms : tuple of Form
    teaching : str
        Who the teacher is and in how many runs it taught; empty where none was run.
    """

    name: str
    metric: str
    over: str
    seeds: Mapping[str, int]
    folds: str
    site: str
    rate_hz: float
    forms: tuple[Form, ...]
    teaching: str = ""


@dataclass(frozen=True, slots=True)
class _Run:
    """What the archived run of a set of forms holds: rows of scores, and what is joined to them."""

    scores: Any
    pooled: Any
    losses: Mapping[str, Banded]
    workloads: Mapping[str, Workload]
    hardware: Any


@dataclass(frozen=True, slots=True)
class _Made:
    """A decoder of a run: its rows of scores."""

    run: _Run
    decoder: str
    rows: Any


def read_part(folder: Path, name: str) -> PartTable:
    """Return the table of the archived runs of one part."""
    runs = {forms: _read_run(folder / forms) for forms in SETS if (folder / forms).is_dir()}
    groups: dict[str, dict[str, _Made]] = {}
    for forms, run in runs.items():
        for decoder, rows in run.scores[run.scores["role"] == "student"].groupby("decoder_id", sort=False):
            how, text = _way(rows.iloc[0], forms)
            groups.setdefault(text, {}).setdefault(how, _Made(run, str(decoder), rows))
    first = next(iter(runs.values()))
    any_score: Any = first.pooled.iloc[0]
    return PartTable(
        name, _metric(str(any_score["metric"])), over_text(int(any_score["score_count"]), str(any_score["score_over"])),
        {forms: int(run.pooled["seeds"].max()) for forms, run in runs.items()}, _folds(int(any_score["folds"])),
        first.hardware.sites[0], float(first.hardware.decode_rate_hz),
        tuple(_form(text, groups[text]) for text in sorted(groups, key=_order)),
        _teaching(runs["teacher"].scores) if "teacher" in runs else "",
    )  # fmt: skip


def _read_run(folder: Path) -> _Run:
    scores: Any = read_parquet(folder / SCORES, Score)
    pooled: Any = read_parquet(folder / DECODERS, DecoderScore).set_index("decoder_id")
    losses = {
        one.decoder_id: Banded(-one.mean, *((None, None) if math.isnan(one.high) else (-one.high, -one.low)))
        for one in read_differences(folder / DIFFERENCES)
        if one.kind == "form"
    }
    wanted = set(scores["workload_digest"]) - {""}
    return _Run(scores, pooled, losses, read_workloads(folder, wanted), planned_hardware(folder))


def _teaching(scores: Any) -> str:
    """Return who taught, and in how many of the runs the gate let it; elsewhere the float student taught."""
    (teacher,) = scores[scores["role"] == "teacher"]["family"].unique()
    quantised = scores[(scores["role"] == "student") & (scores["method"] != "") & (scores["form"] != "float32")]
    (passed, of) = (len(rows.drop_duplicates(["fold", "seed"])) for rows in
                    (quantised[quantised["distilled_from"] == "teacher"], quantised))  # fmt: skip
    return (
        f"{teacher}, which taught in {passed} of {of} folds and seeds; where it is not better than the student on "
        "validation the float form teaches"
    )


def _order(text: str) -> tuple[object, ...]:
    """Return a key that sorts forms from wide to narrow."""
    form = parse_form(text)
    if not isinstance(form, Quantised):
        return (0,)
    return (1, -form.weight_bits, -form.activation_bits, isinstance(form.weight, str), form.edge_bits is not None,
            len(form.overrides), text)  # fmt: skip


def _way(row: Any, forms: str) -> tuple[str, str]:
    """Return how a form was made, and the form without that."""
    first, _, rest = str(row["form"]).partition(" ")
    if first in AFTER:
        return first, rest
    if not row["method"]:
        return "labels", str(row["form"])
    return ("teacher" if forms == "teacher" else "taught"), str(row["form"])


def _form(text: str, ways: Mapping[str, _Made]) -> Form:
    made = ways.get("labels") or next(iter(ways.values()))
    work = made.run.workloads[made.rows.iloc[0]["workload_digest"]]
    score = made.run.pooled.loc[made.decoder] if "labels" in ways else None
    weights, inputs = (_shortened(one) for one in widths_by_layer(work))
    return Form(
        text, f"{weights} × {inputs}", work.packed_bytes,
        None if score is None else (score["score_mean"], score["score_low"], score["score_high"]),
        {how: float(one.rows["validation_score"].mean()) for how, one in ways.items()},
        {how: one.run.losses[one.decoder] for how, one in ways.items() if one.decoder in one.run.losses},
        tuple(_power(work, machine, made.run.hardware) for machine in MACHINES),
    )  # fmt: skip


def _power(work: Workload, machine: str, hardware: Any) -> float | None:
    report = estimate(
        work, load_profile(machine), load_site(hardware.sites[0]), decode_rate_hz=float(hardware.decode_rate_hz)
    )
    return None if report.infeasibilities else report.decoder_power_w.nominal


def _shortened(widths: str) -> str:
    found = set(widths.split("/"))
    return found.pop() if len(found) == 1 else widths


def _metric(name: str) -> str:
    return {"r2": "R²"}.get(name, name.replace("_", " "))


def _folds(count: int) -> str:
    return f"{count} fold{'s' if count > 1 else ''}"
