"""What surrounds the decoder: front end, converter, controller, radio, stimulator, retention and the duty cycle.

The whole device draws ``P_static + P_retention(f) + f (E_wake + E_decode) + P_features + P_front_end + P_converter +
P_controller + P_radio + P_stimulation``, and what the regulator loses at that load. The first four are the machine's,
the others the site's; a stimulator makes its own voltage from the supply and is behind no regulator.
"""

from __future__ import annotations

from dataclasses import dataclass

from energy_models.hardware import (
    Absent,
    ConnectedRadio,
    HardwareProfile,
    PerChannelFrontEnd,
    PulseStimulator,
    Site,
    WaldenConverter,
)
from energy_models.mapping import Placement
from energy_models.pricing.constants import (
    CONVERTER_LEVELS,
    CONVERTER_WORD,
    GATED,
    GATED_RESIDUAL,
    SITE,
    rail_of,
)
from energy_models.pricing.report import Cause
from energy_models.pricing.terms import Term, Terms
from energy_models.quantities import is_zero
from energy_models.technology import TABLE_BITS

_STIMULATION = tuple(
    f"{SITE}stimulation.{name}" for name in ("amplitude", "compliance", "pulse_width", "pulse_rate", "burst", "bursts")
)


@dataclass(frozen=True, slots=True)
class Decisions:
    """The radio sends the site's message for each decision, so often [Hz]."""

    rate_hz: float


@dataclass(frozen=True, slots=True)
class RawSamples:
    """The radio sends every sample of every channel; a stream starts once, so no message start-up is charged."""


Payload = Decisions | RawSamples


def static_terms(profile: HardwareProfile, *, busy: Terms) -> Terms:
    """Return what is drawn beside work and retention [W].

    ``always_on_power + static (residual + (1 - residual) busy) + energy_per_clock_cycle clock``, the last term times
    `busy` where the clock stops in sleep.

    Parameters
    ----------
    profile : HardwareProfile
    busy : terms
        Share of the time in which a decode runs [1]; above 1 it counts as 1.
    """
    terms = [] if profile.always_on_power is None else [Term(1.0, ("always_on_power",))]
    if profile.gated_residual is None:
        terms.append(Term(1.0, ("static",)))
    else:
        terms += [Term(1.0, ("static", GATED_RESIDUAL)), Term(1.0, ("static", GATED), share=busy)]
    if profile.energy_per_clock_cycle is not None:
        share = () if profile.clock_runs == "always" else busy
        terms.append(Term(1.0, ("energy_per_clock_cycle", "clock"), share=share))
    return tuple(terms)


def gathering_terms(profile: HardwareProfile) -> Terms:
    """Return what a machine draws that gathers samples itself [W], the whole time; nothing where that is not known.

    Work comes on top of it: too much by the share of the time in which a decode runs.
    """
    return () if profile.gathering is None else (Term(1.0, ("gathering",)),)


def retention_terms(profile: HardwareProfile, placement: Placement, *, busy: Terms, reloaded: str | None) -> Terms:
    """Return the power that keeps the used banks of every volatile memory: ``ceil(used/bank) bank retention`` [W].

    Banks that hold only what ends with a decode are on for the share `busy` of the time, where a machine can switch
    them off; a bank that holds anything lasting as well is kept. While the machine is busy every bank that is on draws
    its `awake_leakage` besides.

    Parameters
    ----------
    profile : HardwareProfile
    placement : Placement
    busy : terms
        Share of the time in which a decode runs [1]; above 1 it counts as 1.
    reloaded : str or None
        The memory that is off between decodes, its content read back for each.
    """
    terms: list[Term] = []
    for index, memory in enumerate(profile.memories):
        if memory.retention is None:
            continue
        rail = rail_of(profile, memory)
        path = (f"memories[{index}].retention",)
        used = placement.kept_bits[index]
        lasting = placement.lasting_bits[index] if memory.idle_banks == "off" else used
        share = busy if memory.name == reloaded else ()
        terms += [] if is_zero(lasting) else [Term(lasting, path, rail, share)]
        terms += [] if is_zero(used - lasting) else [Term(used - lasting, path, rail, busy)]
        if memory.awake_leakage is not None and not is_zero(used):
            terms.append(Term(used, (f"memories[{index}].awake_leakage",), rail, busy))
    return tuple(terms)


def table_terms(profile: HardwareProfile, placement: Placement, *, busy: Terms) -> Terms:
    """Return the power that keeps a look-up table [W]: its bits leak as those of the weights' memory.

    Where weights are kept without power, as those of the first memory that is not. One table of `TABLE_BITS` whatever
    is looked up; on machines whose figures contain their memories it is inside them.

    Parameters
    ----------
    profile : HardwareProfile
    placement : Placement
    busy : terms
        Share of the time in which the machine is awake [1].
    """
    kept = [one for one in profile.memories if one.retention is not None]
    if profile.execution.contains_memory or not kept:
        return ()
    memory = placement.memory_of["weights"]
    memory = memory if memory.retention is not None else kept[0]
    path = f"memories[{profile.memories.index(memory)}]"
    rail = rail_of(profile, memory)
    terms = [Term(TABLE_BITS, (f"{path}.retention",), rail)]
    if memory.awake_leakage is not None:
        terms.append(Term(TABLE_BITS, (f"{path}.awake_leakage",), rail, busy))
    return tuple(terms)


def waking_terms(profile: HardwareProfile, placement: Placement) -> tuple[Terms, Terms]:
    """Return what one wake-up takes, with the non-volatile memories that hold something: energy [J], time [s]."""
    used = [
        f"memories[{index}].non_volatile"
        for index, memory in enumerate(profile.memories)
        if memory.non_volatile is not None and any(placement.memory_of[one] is memory for one in placement.held)
    ]
    energy = (Term(1.0, ("wake.energy",)), *(Term(1.0, (f"{one}.wake",)) for one in used))
    return energy, (Term(1.0, ("wake.time",)), *(Term(1.0, (f"{one}.wake_time",)) for one in used))


def site_terms(site: Site, channels: int, payload: Payload) -> dict[Cause, Terms]:
    """Return the average power of what every machine at a site shares [W], without the regulator.

    Front end: per channel. Converter: ``figure_of_merit 2^bits rate`` per channel (Walden). Controller:
    ``share active + asleep``. Radio: energy per bit of what is sent, and where it keeps a connection its sleep, its
    events and a start-up for each message; none where the site has no link. Stimulation: the mean over its bursts,
    whatever is decided.
    """
    found: dict[Cause, Terms] = {}
    if isinstance(site.front_end, PerChannelFrontEnd):
        found["front_end"] = (Term(channels, (f"{SITE}front_end.power",)),)
    if isinstance(site.converter, WaldenConverter):
        constants = (f"{SITE}converter.figure_of_merit", CONVERTER_LEVELS, f"{SITE}sampling.rate")
        found["converter"] = (Term(channels, constants),)
    if site.controller is not None:
        running = Term(1.0, (f"{SITE}controller.active", f"{SITE}controller.share"))
        found["controller"] = (running, Term(1.0, (f"{SITE}controller.asleep",)))
    if site.link is not None and not isinstance(site.radio, Absent):
        found["radio"] = _radio_terms(site, channels, payload)
    if isinstance(site.stimulation, PulseStimulator):
        found["stimulation"] = (Term(1.0, _STIMULATION, (f"{SITE}stimulation.efficiency",)),)
    return found


def bit_rate_terms(channels: int, payload: Payload) -> Terms:
    """Return the payload of the radio [bit/s]: ``rate message``, or ``channels sampling_rate converter_bits``."""
    if isinstance(payload, RawSamples):
        return (Term(channels, (f"{SITE}sampling.rate", CONVERTER_WORD)),)
    return (Term(payload.rate_hz, (f"{SITE}link.message",)),)


def _radio_terms(site: Site, channels: int, payload: Payload) -> Terms:
    terms = [term.priced(f"{SITE}radio.energy") for term in bit_rate_terms(channels, payload)]
    if isinstance(site.radio, ConnectedRadio):
        terms.append(Term(1.0, (f"{SITE}radio.asleep",)))
        terms.append(Term(1.0, (f"{SITE}radio.event",), (f"{SITE}radio.interval",)))
        if isinstance(payload, Decisions):
            terms.append(Term(payload.rate_hz, (f"{SITE}radio.startup",)))
    return tuple(terms)
