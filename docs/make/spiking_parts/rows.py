"""The rows of ``docs/spiking.md``: scores, work and power of the archived runs of ``benchmarks/spiking.py``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosim.report.comparison import over_text
from cosim.tables.decoders import DECODERS, DecoderScore
from cosim.tables.prices import planned_hardware
from cosim.tables.results import Score, read_parquet
from cosim.tables.scores import SCORES
from cosim.tables.workloads import read_workloads
from energy_models.analysis import BreakEven, Design, break_even
from energy_models.errors import WorkloadError
from energy_models.hardware import load_profile, load_site
from energy_models.pricing import estimate
from energy_models.workload import LayerWork, Workload, read_workload

MACHINES = ("event_core_28nm", "asic65_near_memory", "cortex_m4f")
PAIRS = (
    *((machine, machine) for machine in MACHINES), ("event_core_28nm", "asic65_near_memory"),
    ("event_core_28nm", "cortex_m4f"),
)  # fmt: skip
"""Machine of the spiking form, and of the one without spikes."""
BITS_A_BYTE = 8


@dataclass(frozen=True, slots=True)
class Work:
    """What a decoder does in one decode, its preprocessing left out but for power.

    Parameters
    ----------
    rate : float or None
        Events per neuron and step, one of value k as k; None without neurons that fire.
    bin_rate : float or None
        Events per neuron and bin, over all steps of a bin; None without neurons that fire, or without bins (windows).
    products, on_events : float
        Non-zero inputs times non-zero weights, and those of them whose inputs are events of neurons.
    updates : float
        Of neurons.
    state_bytes : float
        Read and written.
    power_w : mapping of str to float or None
        By machine; None where it has no price for its numbers.
    """

    rate: float | None
    bin_rate: float | None
    products: float
    on_events: float
    updates: float
    state_bytes: float
    power_w: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Row:
    """One decoder of a part.

    Parameters
    ----------
    label : str
    score : tuple of float
        Mean, low and high.
    validation : float
    seeds : int
    difference : tuple of float or None
        Less the first decoder in float, with the 95 % interval where there is one.
    work : Work
    workload : Workload
    is_spiking : bool
    form : str
    """

    label: str
    score: tuple[float, float, float]
    validation: float
    seeds: int
    difference: tuple[float, float | None, float | None]
    work: Work
    workload: Workload
    is_spiking: bool
    form: str


@dataclass(frozen=True, slots=True)
class PartTable:
    """All decoders on one set of recordings.

    Parameters
    ----------
    name, metric, over : str
    against : str
        The decoder without spikes in float that the others are compared with.
    folds, seeds : int
    site : str
    rate_hz : float
    rows : tuple of Row
        Networks, then classical decoders.
    not_run : tuple of str
        Labels of networks that were left out.
    """

    name: str
    metric: str
    over: str
    against: str
    folds: int
    seeds: int
    site: str
    rate_hz: float
    rows: tuple[Row, ...]
    not_run: tuple[str, ...]


def read_part(folder: Path, machines: Sequence[str] = MACHINES) -> PartTable:
    """Return the table of the archived run of one part, its converted students behind those they were made of."""
    scores: Any = read_parquet(folder / SCORES, Score)
    pooled: Any = read_parquet(folder / DECODERS, DecoderScore).set_index("decoder_id")
    hardware = planned_hardware(folder)
    site, rate = hardware.sites[0], float(hardware.decode_rate_hz)
    works = read_workloads(folder, set(scores["workload_digest"]) - {""})
    gaps = json.loads((folder / "against_float.json").read_text(encoding="utf-8"))
    differences = {one["decoder_id"]: (one["mean"], one["low"], one["high"]) for one in gaps["differences"]}
    rows: list[Row] = []
    shown = scores[scores["role"] != "teacher"].sort_values("role", key=lambda one: one == "baseline", kind="stable")
    for decoder, found in shown.groupby("decoder_id", sort=False):
        first, known = found.iloc[0], pooled.loc[decoder]
        row = Row(
            str(first["decoder"]), (known["score_mean"], known["score_low"], known["score_high"]),
            float(found["validation_score"].mean()), int(known["seeds"]), differences[decoder],
            work_of(works[first["workload_digest"]], site, rate, machines), works[first["workload_digest"]],
            bool(first["spiking"]), str(first["form"]),
        )  # fmt: skip
        rows.append(row)
        if (folder / "converted" / f"{decoder}.json").is_file():
            rows.append(_converted(row, folder / "converted" / f"{decoder}.json", site, rate, machines))
    any_score: Any = pooled.iloc[0]
    over = over_text(int(any_score["score_count"]), str(any_score["score_over"]))
    metric = {"r2": "R²"}.get(str(any_score["metric"]), str(any_score["metric"]).replace("_", " "))
    folds, seeds = int(any_score["folds"]), int(pooled["seeds"].max())
    left_out = tuple(gaps["not_run"])
    return PartTable(folder.name, metric, over, gaps["against"], folds, seeds, site, rate, tuple(rows), left_out)


def _converted(row: Row, path: Path, site: str, rate: float, machines: Sequence[str]) -> Row:
    """Return the row of a quantised student that is run with spikes: of its scores, with the work of spikes."""
    workload = read_workload(path)
    work = work_of(workload, site, rate, machines)
    named = f"{row.label} as spikes"
    return Row(named, row.score, row.validation, row.seeds, row.difference, work, workload, True, row.form)


def work_of(workload: Workload, site: str, rate_hz: float, machines: Sequence[str] = MACHINES) -> Work:
    """Return what is shown of a workload, at today's prices."""
    layers = [one for one in workload.layers if not one.name.startswith("pipeline")]
    neurons = [one for one in layers if one.kind == "neuron"]
    fire = [one for one in neurons if one.output_events is not None]
    events = sum(count.mean for one in fire if (count := one.output_units or one.output_events) is not None)
    firing = sum(one.outputs / one.calls for one in fire)
    return Work(
        events / sum(one.outputs for one in fire) if fire else None,
        events / (firing * workload.steps_per_decode) if fire and workload.mode == "stream" else None,
        sum(map(_products, layers)), sum(map(_products, _hearing(layers))),
        sum(_mean(one.updates_active) + _mean(one.updates_idle) for one in neurons),
        sum((one.state_reads + one.state_writes) * one.state_bits for one in layers) / BITS_A_BYTE,
        {machine: _power(workload, machine, site, rate_hz) for machine in machines},
    )  # fmt: skip


def _hearing(layers: list[LayerWork]) -> list[LayerWork]:
    """Return the layers of products behind the first neurons that fire."""
    fired = [place for place, one in enumerate(layers) if one.kind == "neuron" and one.output_events is not None]
    return [] if not fired else [one for one in layers[fired[0] + 1 :] if one.input_events is not None]


def _products(layer: LayerWork) -> float:
    if layer.products is None:
        return 0.0
    found = layer.products.effective
    return found.accumulate.mean + found.multiply_accumulate.mean


def _mean(count: Any) -> float:
    return 0.0 if count is None else float(count.mean)


def _power(workload: Workload, machine: str, site: str, rate_hz: float) -> float | None:
    report = estimate(workload, load_profile(machine), load_site(site), decode_rate_hz=rate_hz)
    refused = report.infeasibilities or any("prices no" in line for line in report.unaccounted)
    return None if refused else report.decoder_power_w.nominal


def break_evens(part: PartTable, row: Row, draws: int = 256) -> Mapping[tuple[str, str], BreakEven | None]:
    """Return, for each pair of machines, at which spike rate a decoder takes what the quantised network without takes.

    None where a machine has no price for its numbers. Power of the decoder, static power included.
    """
    dense = next(one for one in part.rows if one.form == row.form and not one.is_spiking)
    found: dict[tuple[str, str], BreakEven | None] = {}
    for mine, other in PAIRS:
        if row.work.power_w[mine] is None or dense.work.power_w[other] is None:
            found[mine, other] = None
            continue
        site = load_site(part.site)
        designs = (
            Design(row.workload, load_profile(mine), site, part.rate_hz),
            Design(dense.workload, load_profile(other), site, part.rate_hz),
        )
        try:
            found[mine, other] = break_even(*designs, basis="decoder power", draws=draws)
        except WorkloadError:
            found[mine, other] = None
    return found

