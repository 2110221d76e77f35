"""What surrounds the decoder: front end, converter, radio, regulator, retention and the duty cycle.

The whole device draws ``P_static + P_retention + f (E_wake + E_decode) + P_features + P_front_end + P_converter +
P_radio``, divided by the regulator's efficiency. The first four are the machine's, the others the site's.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from energy_models.periphery import EfficiencyRegulator, PerBitRadio, PerChannelFrontEnd, WaldenConverter
from energy_models.placement import Placement
from energy_models.pricing import product
from energy_models.profile import HardwareProfile
from energy_models.report import ZERO, Band, MemoryUse
from energy_models.site import Site


@dataclass(frozen=True, slots=True)
class Load:
    """One consumer's average power [W] and the paths of the quantities it was computed from.

    The paths are the profile's for retention, and the site's for everything else.
    """

    power_w: Band
    used: frozenset[str] = frozenset()


NOTHING = Load(ZERO)


def retention_power(profile: HardwareProfile, placement: Placement) -> Load:
    """Return the power that keeps the used banks of every memory: ``ceil(used/bank) bank retention`` [W]."""
    power, used = ZERO, set[str]()
    for index, memory in enumerate(profile.memories):
        kept = kept_bits(placement.uses[index], memory.bank.band.nominal, memory.capacity.band.nominal)
        if kept > 0:
            power = power + memory.retention.band.times(kept)
            used.add(f"memories[{index}].retention")
    return Load(power, frozenset(used))


def kept_bits(use: MemoryUse, bank_bits: float, capacity_bits: float) -> float:
    """Return the bits of the banks that hold something; never more than the memory has."""
    return min(ceil(use.used_bits / bank_bits) * bank_bits, capacity_bits)


def front_end_power(site: Site, channels: int) -> Load:
    """Return the power of the channels' amplifiers [W]."""
    if not isinstance(site.front_end, PerChannelFrontEnd):
        return NOTHING
    return Load(site.front_end.power.band.times(channels), frozenset({"front_end.power"}))


def converter_power(site: Site, channels: int) -> Load:
    """Return the power of the channels' converters [W]: ``figure_of_merit 2^bits rate`` each (Walden)."""
    if not isinstance(site.converter, WaldenConverter):
        return NOTHING
    word, effective = site.sampling.converter.band, site.converter.effective_bits.band
    levels = Band(
        2.0 ** min(word.low, effective.low),
        2.0 ** min(word.nominal, effective.nominal),
        2.0 ** min(word.high, effective.high),
    )
    one = product(product(site.converter.figure_of_merit.band, levels), site.sampling.rate.band)
    used = {"converter.figure_of_merit", "converter.effective_bits", "sampling.converter", "sampling.rate"}
    return Load(one.times(channels), frozenset(used))


def radio_power(site: Site, decode_rate_hz: float) -> Load:
    """Return the power that sends the site's message for each decision [W]; none where the site has no link."""
    if site.link is None or not isinstance(site.radio, PerBitRadio):
        return NOTHING
    energy = product(site.radio.energy.band, site.link.message.band)
    return Load(energy.times(decode_rate_hz), frozenset({"radio.energy", "link.message"}))


def regulator_loss(site: Site, load_w: Band) -> Load:
    """Return the power lost in the regulator at a load [W]: ``load (1/efficiency - 1)``."""
    if not isinstance(site.regulator, EfficiencyRegulator):
        return NOTHING
    efficiency = site.regulator.efficiency.band
    lost = Band(1 / efficiency.high - 1, 1 / efficiency.nominal - 1, 1 / efficiency.low - 1)
    return Load(product(load_w, lost), frozenset({"regulator.efficiency"}))
