"""What surrounds the decoder: front end, converter, radio, stimulator, retention and the duty cycle.

The whole device draws ``P_static + P_retention + f (E_wake + E_decode) + P_features + P_front_end + P_converter +
P_radio + P_stimulation``, and what the regulator loses at that load. The first four are the machine's, the others the
site's; a stimulator makes its own voltage from the supply and is behind no regulator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from energy_models.constants import CONVERTER_LEVELS, CONVERTER_WORD, SITE
from energy_models.periphery import Absent, ConnectedRadio, PerChannelFrontEnd, PulseStimulator, WaldenConverter
from energy_models.placement import Placement
from energy_models.profile import HardwareProfile
from energy_models.report import Cause, MemoryUse
from energy_models.site import Site
from energy_models.terms import Term, Terms

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


Sending = Decisions | RawSamples


def retention_terms(profile: HardwareProfile, placement: Placement, *, off: Mapping[str, Terms]) -> Terms:
    """Return the power that keeps the used banks of every volatile memory: ``ceil(used/bank) bank retention`` [W].

    Parameters
    ----------
    profile : HardwareProfile
    placement : Placement
    off : mapping of str to terms
        Memories that are switched off between decodes, with the share of the time they are on [1].
    """
    terms: list[Term] = []
    for index, memory in enumerate(profile.memories):
        kept = kept_bits(placement.uses[index], memory.bank.band.nominal, memory.capacity.band.nominal)
        if kept > 0 and memory.retention is not None:
            shares = off.get(memory.name, (Term(1.0),))
            terms += [share.priced(f"memories[{index}].retention").times(kept) for share in shares]
    return tuple(terms)


def woken_memories(profile: HardwareProfile, placement: Placement) -> tuple[Terms, Terms]:
    """Return what waking the non-volatile memories that hold something takes, once a decode: energy [J], time [s]."""
    used = [
        f"memories[{index}].non_volatile"
        for index, memory in enumerate(profile.memories)
        if memory.non_volatile is not None and any(placement.memory_of[one] is memory for one in placement.held)
    ]
    return tuple(Term(1.0, (f"{one}.wake",)) for one in used), tuple(Term(1.0, (f"{one}.wake_time",)) for one in used)


def kept_bits(use: MemoryUse, bank_bits: float, capacity_bits: float) -> float:
    """Return the bits of the banks that hold something; never more than the memory has."""
    return min(ceil(use.used_bits / bank_bits) * bank_bits, capacity_bits)


def site_terms(site: Site, channels: int, sending: Sending) -> dict[Cause, Terms]:
    """Return the average power of what every machine at a site shares [W], without the regulator.

    Front end: per channel. Converter: ``figure_of_merit 2^bits rate`` per channel (Walden). Radio: energy per bit of
    what is sent, and where it keeps a connection its upkeep and a start-up for each message; none where the site has no
    link. Stimulation: the mean over its bursts, whatever is decided.
    """
    found: dict[Cause, Terms] = {}
    if isinstance(site.front_end, PerChannelFrontEnd):
        found["front_end"] = (Term(channels, (f"{SITE}front_end.power",)),)
    if isinstance(site.converter, WaldenConverter):
        constants = (f"{SITE}converter.figure_of_merit", CONVERTER_LEVELS, f"{SITE}sampling.rate")
        found["converter"] = (Term(channels, constants),)
    if site.link is not None and not isinstance(site.radio, Absent):
        found["radio"] = _radio_terms(site, channels, sending)
    if isinstance(site.stimulation, PulseStimulator):
        found["stimulation"] = (Term(1.0, _STIMULATION, (f"{SITE}stimulation.efficiency",)),)
    return found


def bit_rate_terms(channels: int, sending: Sending) -> Terms:
    """Return the payload of the radio [bit/s]: ``rate message``, or ``channels sampling_rate converter_bits``."""
    if isinstance(sending, RawSamples):
        return (Term(channels, (f"{SITE}sampling.rate", CONVERTER_WORD)),)
    return (Term(sending.rate_hz, (f"{SITE}link.message",)),)


def _radio_terms(site: Site, channels: int, sending: Sending) -> Terms:
    terms = [term.priced(f"{SITE}radio.energy") for term in bit_rate_terms(channels, sending)]
    if isinstance(site.radio, ConnectedRadio):
        terms.append(Term(1.0, (f"{SITE}radio.upkeep",)))
        if isinstance(sending, Decisions):
            terms.append(Term(sending.rate_hz, (f"{SITE}radio.startup",)))
    return tuple(terms)
