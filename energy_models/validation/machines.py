"""Machines as the rows see them: event-driven chips part by part, and the machines that no row holds."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib.resources import files

from energy_models.hardware import load_profile, profile_names
from energy_models.pricing import estimate
from energy_models.quantities import Band, find_unit
from energy_models.validation.boards import PROFILE_OF
from energy_models.validation.events import OF_A_RATE, at_clock, load_events, network_band, network_workload


@dataclass(frozen=True, slots=True)
class EventParts:
    """What a figure with all power of an event-driven chip in it is made of.

    Parameters
    ----------
    machine, profile, what : str
    static_w, clock_w : Band
        Drawn without events: static with what memories keep, and by the clock where the profile has it apart (0 where
        it is in static) [W].
    event_j : Band
        Of one synaptic operation alone [J].
    rate_hz : float
        Synaptic operations a second at which the figure was taken.
    predicted_j, measured_j : float
        All power over the operations [J].
    """

    machine: str
    profile: str
    what: str
    static_w: Band
    clock_w: Band
    event_j: Band
    rate_hz: float
    predicted_j: float
    measured_j: float


def event_parts() -> tuple[EventParts, ...]:
    """Return the parts of every figure that has a rate and events."""
    found: list[EventParts] = []
    for one in load_events().networks:
        if one.quantity not in OF_A_RATE or one.rate is None or not one.spikes:
            continue
        profile = at_clock(load_profile(one.profile), one.clock)
        rate = one.rate.band.nominal * one.spikes * one.neurons
        alone = one.model_copy(update={"quantity": "energy per operation", "rate": None})
        whole = one.model_copy(update={"quantity": "energy per operation, all power in it"})
        cycle = profile.energy_per_clock_cycle
        clock = Band(0.0, 0.0, 0.0) if cycle is None else cycle.band.times(profile.clock.band.nominal)
        report = estimate(network_workload(one), profile, None, decode_rate_hz=one.rate.band.nominal)
        kept = report.power_w["retention"]
        measured = one.measured.value * find_unit(one.measured.unit).factor
        found.append(EventParts(
            one.machine, one.profile, one.what, profile.static.band + kept, clock, network_band(alone), rate,
            network_band(whole).nominal, measured / rate if one.quantity == "power" else measured,
        ))  # fmt: skip
    return tuple(found)


def unvalidated() -> tuple[str, ...]:
    """Return the names of the shipped machines that no row of a chip is held against."""
    events = load_events()
    held = {*PROFILE_OF.values(), *(one.profile for one in (*events.networks, *events.shares))}
    path = files("energy_models.data") / "validation" / "chips.csv"
    held |= {record["machine"] for record in csv.DictReader(path.read_text(encoding="utf-8").splitlines())}
    return tuple(name for name in profile_names() if name not in held)
