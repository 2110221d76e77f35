"""What surrounds the decoder: front end, converter, radio, regulator, retention and the duty cycle.

The whole device draws ``P_static + P_retention + f (E_wake + E_decode) + P_features + P_front_end + P_converter +
P_radio``, divided by the regulator's efficiency. The first four are the machine's, the others the site's.
"""

from __future__ import annotations

from math import ceil

from energy_models.constants import CONVERTER_LEVELS, SITE
from energy_models.periphery import EfficiencyRegulator, PerBitRadio, PerChannelFrontEnd, WaldenConverter
from energy_models.placement import Placement
from energy_models.profile import HardwareProfile
from energy_models.report import Band, Cause, MemoryUse
from energy_models.site import Site
from energy_models.terms import Term, Terms, Value

EFFICIENCY = f"{SITE}regulator.efficiency"


def retention_terms(profile: HardwareProfile, placement: Placement) -> Terms:
    """Return the power that keeps the used banks of every memory: ``ceil(used/bank) bank retention`` [W]."""
    terms: list[Term] = []
    for index, memory in enumerate(profile.memories):
        kept = kept_bits(placement.uses[index], memory.bank.band.nominal, memory.capacity.band.nominal)
        if kept > 0:
            terms.append(Term(kept, (f"memories[{index}].retention",)))
    return tuple(terms)


def kept_bits(use: MemoryUse, bank_bits: float, capacity_bits: float) -> float:
    """Return the bits of the banks that hold something; never more than the memory has."""
    return min(ceil(use.used_bits / bank_bits) * bank_bits, capacity_bits)


def site_terms(site: Site, channels: int, decode_rate_hz: float) -> dict[Cause, Terms]:
    """Return the average power of what every machine at a site shares [W], without the regulator.

    Front end: per channel. Converter: ``figure_of_merit 2^bits rate`` per channel (Walden). Radio: the site's message
    for each decision; none where the site has no link.
    """
    found: dict[Cause, Terms] = {}
    if isinstance(site.front_end, PerChannelFrontEnd):
        found["front_end"] = (Term(channels, (f"{SITE}front_end.power",)),)
    if isinstance(site.converter, WaldenConverter):
        constants = (f"{SITE}converter.figure_of_merit", CONVERTER_LEVELS, f"{SITE}sampling.rate")
        found["converter"] = (Term(channels, constants),)
    if site.link is not None and isinstance(site.radio, PerBitRadio):
        found["radio"] = (Term(decode_rate_hz, (f"{SITE}radio.energy", f"{SITE}link.message")),)
    return found


def regulator_loss_w(load_w: Value, efficiency: Value) -> Value:
    """Return the power lost in a regulator at a load [W]: ``load (1/efficiency - 1)``."""
    return load_w * (1.0 / efficiency - 1.0)


def regulator_loss(site: Site, load_w: Band) -> Band | None:
    """Return the power lost in the site's regulator at a load [W]; None where the site has none."""
    if not isinstance(site.regulator, EfficiencyRegulator):
        return None
    efficiency = site.regulator.efficiency.band
    return Band(
        regulator_loss_w(load_w.low, efficiency.high),
        regulator_loss_w(load_w.nominal, efficiency.nominal),
        regulator_loss_w(load_w.high, efficiency.low),
    )
