"""Everything a decoder on a machine at a site is charged for, as terms whose constants are still open."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from energy_models.errors import WorkloadError
from energy_models.hardware import Datapath, HardwareProfile, Site
from energy_models.mapping import (
    Access,
    ActionCounts,
    Executes,
    Placement,
    check_widths,
    count_actions,
    count_per_decode,
    holds_window,
    place,
    with_set_up,
    words,
)
from energy_models.pricing.layer import PricedLayer, price_layer
from energy_models.pricing.report import CAUSES, Cause
from energy_models.pricing.system import (
    Decisions,
    gathering_terms,
    retention_terms,
    site_terms,
    static_terms,
    table_terms,
    waking_terms,
)
from energy_models.pricing.terms import Term, Terms, merged, scaled
from energy_models.pricing.weight_reload import ReloadPlan, reload_plan
from energy_models.workload import Workload

FEATURE_KINDS = frozenset({"filter", "feature"})


@dataclass(frozen=True, slots=True)
class ChargedLayer:
    """One layer's price, and how often its counted work is done [Hz]."""

    counts: ActionCounts
    price: PricedLayer
    rate_hz: float


class Structure(NamedTuple):
    """What counts rest on beside a workload: geometry of the datapath, and the placement of operands."""

    execution: Executes
    placement: Placement


@dataclass(frozen=True, slots=True)
class CostTerms:
    """The terms of one estimate.

    Parameters
    ----------
    layers : tuple of ChargedLayer
    power_w : mapping of Cause to terms
        Average power by cause [W], without the regulator, which takes its share of their sum.
    latency_s : terms
        Time of one decode [s].
    cycles : terms
        Clock cycles of one decode.
    busy : terms
        Share of the time in which the machine is awake, for decodes and for work on every sample [1].
    placement : Placement
    reload : ReloadPlan or None
        What becomes of the weights between decodes, where a copy of them is kept.
    """

    layers: tuple[ChargedLayer, ...]
    power_w: Mapping[Cause, Terms]
    latency_s: Terms
    cycles: Terms
    busy: Terms
    placement: Placement
    reload: ReloadPlan | None


def cost_terms_of(
    workload: Workload, profile: HardwareProfile, site: Site | None, *, decode_rate_hz: float,
    structure: Structure | None = None,
) -> CostTerms:
    """Return the terms of what a workload costs on a machine at `decode_rate_hz` decisions per second.

    Parameters
    ----------
    workload : Workload
    profile : HardwareProfile
    site : Site or None
    decode_rate_hz : float
        Decisions per second [Hz].
    structure : Structure, optional
        Those of very many machines with the constants' paths of `profile`; its own if not given.

    Raises
    ------
    WorkloadError
        When the rate is not positive, or the workload holds no decode or lacks operand widths.
    """
    if not (math.isfinite(decode_rate_hz) and decode_rate_hz > 0):
        raise WorkloadError(f"decode rate {decode_rate_hz} Hz", remedy="Give a finite rate above 0 Hz")
    if workload.decodes < 1:
        raise WorkloadError("no decode was observed", where=workload.name, remedy="Observe at least one decode")
    check_widths(workload)
    execution, placement = structure or Structure(profile.execution, place(workload, profile))
    counted = _counted(workload, profile, Structure(execution, placement))
    window_hz = 1.0 / workload.window_s
    rates = {"decode": decode_rate_hz, "sample": window_hz}
    layers = tuple(
        ChargedLayer(counts, price_layer(counts, profile, placement), rates[counts.cadence]) for counts in counted
    )
    cycles = merged(term for layer in layers if layer.counts.cadence == "decode" for term in layer.price.cycles)
    wake_j, wake_s = waking_terms(profile, placement)
    latency = (*(term.priced(under=("clock",)) for term in cycles), *wake_s)
    plan = reload_plan(workload, profile, placement, awake_s=latency, decode_rate_hz=decode_rate_hz)
    reloaded: str | None = None
    if plan is not None and plan.summary.choice == "reloaded":
        wake_j, latency = (*wake_j, *plan.energy_j), (*latency, *plan.time_s)
        reloaded = plan.memory
    busy = _busy(layers, latency, decode_rate_hz)
    kept = retention_terms(profile, placement, busy=busy, reloaded=reloaded)
    if any(operation.name == "lookup" for counts in counted for operation in counts.operations):
        kept = (*kept, *table_terms(profile, placement, busy=busy))
    always: dict[Cause, Terms] = {"static": static_terms(profile, busy=busy), "retention": kept}
    power = _machine_power(layers, always, wake_j, decode_rate_hz)
    if site is not None:
        power |= site_terms(site, workload.channels, Decisions(decode_rate_hz))
        power |= {"controller": gathering_terms(profile)} if site.gathered_by == "machine" else {}
    charged: dict[Cause, Terms] = {cause: power[cause] for cause in CAUSES if cause in power}
    return CostTerms(layers, charged, latency, cycles, busy, placement, plan)


def _counted(workload: Workload, profile: HardwareProfile, structure: Structure) -> tuple[ActionCounts, ...]:
    """Return all that a machine does: layers, with what sets them up, new samples, and what comes once a decode."""
    execution, placement = structure
    layers = count_actions(workload, execution, placement)
    if isinstance(profile.execution, Datapath) and profile.execution.cycles_per_layer is not None:
        layers = with_set_up(workload.layers, layers)
    return (*layers, *_new_samples(workload, profile, placement), *count_per_decode(workload, execution))


def _busy(layers: tuple[ChargedLayer, ...], latency_s: Terms, decode_rate_hz: float) -> Terms:
    """Return the share of the time in which the machine is awake: for decodes, and for work on every sample."""
    gathered = (
        term.times(layer.rate_hz).priced(under=("clock",))
        for layer in layers if layer.counts.cadence != "decode" for term in layer.price.cycles
    )
    return merged((*scaled(latency_s, decode_rate_hz), *gathered))


def _new_samples(workload: Workload, profile: HardwareProfile, placement: Placement) -> tuple[ActionCounts, ...]:
    """Return the writes of arriving samples into the window they slide through, as a layer of its own.

    A sample's channels are packed into words; each is written once, however many decodes read it.
    """
    if profile.execution.contains_memory or not holds_window(workload):
        return ()
    written = workload.steps_per_decode * words(workload.channels, workload.input_bits, placement.word_bits("buffers"))
    return (ActionCounts("(new samples)", "overhead", "sample", accesses=(Access("buffers", 0.0, written),)),)


def _machine_power(
    layers: tuple[ChargedLayer, ...], always: Mapping[Cause, Terms], wake_j: Terms, decode_rate_hz: float
) -> dict[Cause, Terms]:
    """Return the average power by cause of the machine alone [W]; `wake_j` is a wake-up with what it reloads."""
    power: dict[Cause, list[Term]] = {
        **{cause: list(terms) for cause, terms in always.items()},
        "wake": list(scaled(wake_j, decode_rate_hz)),
    }
    for layer in layers:
        for cause, terms in layer.price.energy_j.items():
            name: Cause = "features" if layer.counts.kind in FEATURE_KINDS else cause
            power.setdefault(name, []).extend(scaled(terms, layer.rate_hz))
    return {cause: merged(terms) for cause, terms in power.items()}
