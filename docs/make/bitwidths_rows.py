"""The rows of ``docs/bitwidths.md``: scores, paired losses, memory and power of one archived run of every form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
BARS = {"share": (0.005, 0.02, 0.03), "r2": (0.005, 0.02, 0.04)}
"""Bars of the loss at 8 bits, at 4, and of the best mixed form of 2 to 4: of a share of decisions, and of R²."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Float less form, with its 95 % interval where there is one."""

    mean: float
    low: float | None
    high: float | None


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
    losses : mapping of str to Loss
        By how it was made: ``labels``, ``taught``, ``ptq``, ``gptq``.
    power_w : tuple of float or None
        Decoder power on each of `MACHINES` [W]; None where it cannot run.
    """

    text: str
    widths: str
    stored_bytes: int
    score: tuple[float, float, float] | None
    validation: Mapping[str, float]
    losses: Mapping[str, Loss]
    power_w: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class PartTable:
    """All forms on one set of recordings; `over` says what its intervals range over."""

    name: str
    metric: str
    over: str
    seeds: int
    folds: str
    site: str
    rate_hz: float
    forms: tuple[Form, ...]


@dataclass(frozen=True, slots=True)
class _Tables:
    """What a run's folder holds: pooled scores and losses by decoder, workloads by digest, the study's hardware."""

    pooled: Any
    losses: Mapping[str, Loss]
    workloads: Mapping[str, Workload]
    hardware: Any


def read_part(folder: Path, name: str) -> PartTable:
    """Return the table of one archived run."""
    scores: Any = read_parquet(folder / SCORES, Score)
    pooled: Any = read_parquet(folder / DECODERS, DecoderScore).set_index("decoder_id")
    losses = {
        one.decoder_id: Loss(-one.mean, *((None, None) if math.isnan(one.high) else (-one.high, -one.low)))
        for one in read_differences(folder / DIFFERENCES)
        if one.kind == "form"
    }
    hardware = planned_hardware(folder)
    groups: dict[str, dict[str, Any]] = {}
    for decoder, rows in scores.groupby("decoder_id", sort=False):
        first = rows.iloc[0]
        how, text = _made(first)
        groups.setdefault(text, {})[how] = (str(decoder), rows)
    wanted = {rows.iloc[0]["workload_digest"] for ways in groups.values() for _, rows in ways.values()}
    tables = _Tables(pooled, losses, read_workloads(folder, wanted), hardware)
    any_score: Any = pooled.iloc[0]
    return PartTable(
        name, _metric(str(any_score["metric"])), over_text(int(any_score["score_count"]), str(any_score["score_over"])),
        int(any_score["seeds"]), _folds(int(any_score["folds"])), hardware.sites[0], float(hardware.decode_rate_hz),
        tuple(_form(text, groups[text], tables) for text in sorted(groups, key=_order)),
    )  # fmt: skip


def _order(text: str) -> tuple[object, ...]:
    """Return a key that sorts forms from wide to narrow."""
    form = parse_form(text)
    if not isinstance(form, Quantised):
        return (0,)
    return 1, -form.weight_bits, -form.activation_bits, isinstance(form.weight, str), form.edge_bits is not None


def _made(row: Any) -> tuple[str, str]:
    """Return how a form was made, and the form without that."""
    first, _, rest = str(row["form"]).partition(" ")
    if first in AFTER:
        return first, rest
    return ("taught" if row["method"] else "labels"), str(row["form"])


def _form(text: str, ways: Mapping[str, Any], tables: _Tables) -> Form:
    decoder, rows = ways.get("labels") or next(iter(ways.values()))
    work = tables.workloads[rows.iloc[0]["workload_digest"]]
    score = tables.pooled.loc[decoder] if "labels" in ways else None
    weights, inputs = (_shortened(one) for one in widths_by_layer(work))
    return Form(
        text, f"{weights} × {inputs}", work.packed_bytes,
        None if score is None else (score["score_mean"], score["score_low"], score["score_high"]),
        {how: float(found["validation_score"].mean()) for how, (_, found) in ways.items()},
        {how: tables.losses[one] for how, (one, _) in ways.items() if one in tables.losses},
        tuple(_power(work, machine, tables.hardware) for machine in MACHINES),
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
