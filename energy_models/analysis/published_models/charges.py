"""What an estimate of IND's power may have charged: one case per assumption, at both widths."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from energy_models.analysis.published_models.networks import stored_path
from energy_models.analysis.published_models.reconcile import (
    Both,
    Carrier,
    arithmetic_j,
    operand_bits,
    products,
    published_w,
    rate_and_static,
    shipped,
    stored_bits,
    weight_bits,
)
from energy_models.workload import Workload, at_widths, read_workload

FIRST_AFTER_WAVELETS = "linear"
NEARLY = 0.01
"""Rates this close to each other count as one, though a static power just below zero would be needed."""

ONCE = "weights once"
FETCHES = {
    ONCE: stored_bits, "a weight for each product": weight_bits, "both operands of each product": operand_bits,
}
NETWORK, STREAMED, WAVELETS = "network", "network + wavelets once a sample", "network + wavelets every decision"
CASES: tuple[tuple[str, str | None, str | None], ...] = (
    (NETWORK, None, None),
    (NETWORK, ONCE, "sram_1m"),
    (NETWORK, ONCE, "dram"),
    (NETWORK, "a weight for each product", "sram_1m"),
    (NETWORK, "a weight for each product", "lpddr4"),
    (NETWORK, "a weight for each product", "dram"),
    (NETWORK, "both operands of each product", "sram_1m"),
    (NETWORK, "both operands of each product", "lpddr4"),
    (NETWORK, "both operands of each product", "dram"),
    (STREAMED, "a weight for each product", "dram"),
    (WAVELETS, None, None),
    (WAVELETS, "both operands of each product", "sram_8k"),
    (WAVELETS, "both operands of each product", "dram"),
)


@dataclass(frozen=True, slots=True)
class Charge:
    """One case: what it draws at any rate [W], and the rate and static power at which both figures hold.

    `energy_j` is that of one decision [J], `steady_w` what is drawn whatever the decision rate [W].
    """

    scope: str
    fetched: str
    energy_j: Both[float]
    steady_w: Both[float]
    rate_hz: float
    static_w: float

    def power_w(self, rate_hz: float) -> Both[float]:
        """Return the power at a decision rate, without anything static [W]."""
        return Both(
            self.steady_w.float32 + rate_hz * self.energy_j.float32,
            self.steady_w.w8a8 + rate_hz * self.energy_j.w8a8,
        )

    @property
    def rates_hz(self) -> Both[float]:
        """The decision rate at which each figure holds by itself, nothing being static [Hz]."""
        power = published_w()
        return Both(
            (power.float32 - self.steady_w.float32) / self.energy_j.float32,
            (power.w8a8 - self.steady_w.w8a8) / self.energy_j.w8a8,
        )

    @property
    def off(self) -> float:
        """How far the two rates are apart, as a share of one: 0 where one rate gives both figures."""
        return abs(self.rates_hz.float32 / self.rates_hz.w8a8 - 1)

    @property
    def verdict(self) -> str:
        """Whether both figures hold: a rate a decoder may have, and no static power below zero."""
        rate = shipped().published.rate.band
        if self.rate_hz > rate.high:
            return "no: more decisions than samples"
        if self.rate_hz < rate.low:
            return "no: less than a decision a window"
        if self.static_w >= 0:
            return "**yes**"
        return "**nearly**" if self.off < NEARLY else "no: static below zero"

    @property
    def holds(self) -> bool:
        """Whether the verdict is yes or nearly."""
        return not self.verdict.startswith("no")


@cache
def workloads(scope: str) -> Both[Workload]:
    """Return the stored IND at both widths; its wavelets only where every decision makes them."""
    found = read_workload(stored_path("ind_wavelets_64"))
    if scope != WAVELETS:
        first = [layer.name for layer in found.layers].index(FIRST_AFTER_WAVELETS)
        found = found.replace(layers=found.layers[first:])
    return Both(found, at_widths(found, weight_bits=8, activation_bits=8))


def total_products(scope: str) -> float:
    """Return the textbook products of one decision; the same at both widths."""
    return sum(map(products, workloads(scope).float32.layers))


def steady_w(scope: str) -> Both[float]:
    """Return what wavelets draw that are made once, as samples arrive: their products of a window over its time [W]."""
    if scope != STREAMED:
        return Both(0.0, 0.0)
    whole, after = arithmetic_j(workloads(WAVELETS)), arithmetic_j(workloads(NETWORK))
    window_s = workloads(WAVELETS).float32.window_s
    return Both((whole.float32 - after.float32) / window_s, (whole.w8a8 - after.w8a8) / window_s)


def energy_of(scope: str, fetched: str | None, carrier: Carrier | None) -> Both[float]:
    """Return the energy of one decision: its products, and what is fetched [J]."""
    spent = arithmetic_j(workloads(scope))
    if fetched is None or carrier is None:
        return spent
    bits, each_j = workloads(scope).map(FETCHES[fetched]), carrier.energy.band.nominal
    return Both(spent.float32 + bits.float32 * each_j, spent.w8a8 + bits.w8a8 * each_j)


def charges() -> list[Charge]:
    """Return every case with what it needs."""
    power, found = published_w(), list[Charge]()
    for scope, fetched, key in CASES:
        carrier = None if key is None else shipped().carriers[key]
        energy, steady = energy_of(scope, fetched, carrier), steady_w(scope)
        left = Both(power.float32 - steady.float32, power.w8a8 - steady.w8a8)
        text = "nothing" if carrier is None else f"{fetched}, {carrier.title}"
        found.append(Charge(scope, text, energy, steady, *rate_and_static(left, energy)))
    return found
