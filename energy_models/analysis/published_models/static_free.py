"""BrainDistill's two figures with nothing static: what is left is fixed by them, and what a bit must then cost."""

from __future__ import annotations

from dataclasses import dataclass

from energy_models.analysis.published_models.charges import FETCHES, NETWORK, workloads
from energy_models.analysis.published_models.reconcile import (
    Both,
    Carrier,
    Split,
    arithmetic_j,
    input_bits_per_s,
    no_static,
    published_w,
    shipped,
)

WIDTH_RATIO = 4.0
RADIO = "every input sample, 64 channels at 500 Hz"


def arithmetic_ratio() -> float:
    """Return how many times less a product takes at 8 bits than at 32, by the 45 nm models."""
    energy = arithmetic_j(workloads(NETWORK))
    return energy.float32 / energy.w8a8


def static_free() -> tuple[Split, Split, Split]:
    """Return the parts with nothing static: least, nominal and most arithmetic by the last digits."""
    given = shipped().published
    high, low = given.float32.band, given.w8a8.band
    least, middle, most = (
        no_static(power, width_ratio=WIDTH_RATIO, arithmetic_ratio=arithmetic_ratio())
        for power in (Both(high.low, low.high), published_w(), Both(high.high, low.low))
    )
    return least, middle, most


@dataclass(frozen=True, slots=True)
class Traffic:
    """What may be all the traffic at 32 bits with nothing static: its bits, and what each must then cost."""

    what: str
    bits_per_s: float
    energy_per_bit_j: float


def static_free_traffic() -> list[Traffic]:
    """Return each kind of traffic at the decision rate that arithmetic alone sets."""
    parts, network = static_free()[1], workloads(NETWORK).float32
    rate_hz = parts.arithmetic_w / arithmetic_j(workloads(NETWORK)).float32
    flows = {what: fetch(network) * rate_hz for what, fetch in FETCHES.items()} | {RADIO: input_bits_per_s(network)}
    return [Traffic(what, bits, parts.traffic_w / bits) for what, bits in flows.items()]


def nearest(energy_j: float) -> tuple[Carrier, float]:
    """Return the carrier whose bounds lie nearest to an energy a bit, and that energy over the bound (1 within)."""
    def times(carrier: Carrier) -> float:
        band = carrier.energy.band
        return energy_j / min(max(energy_j, band.low), band.high)

    best = min(shipped().carriers.values(), key=lambda one: max(times(one), 1 / times(one)))
    return best, times(best)
