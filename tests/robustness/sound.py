"""Invariants of what was read: finite and ordered prices, counts that are not silently zero."""

from __future__ import annotations

import math
from collections.abc import Iterable

from cosim.report.estimate_tables import estimate_tables
from energy_models.hardware import HardwareProfile, Site
from energy_models.quantities import Band
from energy_models.workload import Workload
from tests.robustness.outcomes import UnsoundError

DRAWS = 64


def demand(holds: object, said: str) -> None:
    """Raise where an invariant does not hold."""
    if not holds:
        raise UnsoundError(said)


def check_bands(bands: Iterable[tuple[str, Band]]) -> None:
    """Demand bounds that are finite, in order and not negative."""
    for name, band in bands:
        ends = (band.low, band.nominal, band.high)
        demand(all(map(math.isfinite, ends)) and 0 <= band.low <= band.nominal <= band.high, f"{name} is {ends}")


def check_price(workload: Workload, machine: HardwareProfile, site: Site | None) -> None:
    """Price a workload and demand a price that is one: none of zero, unless what is missing is told."""
    tables = estimate_tables(workload, machine, site, decode_rate_hz=2.0, draws=DRAWS, seed=0)
    report = tables.report
    if report.infeasibilities:
        return
    check_bands([("decode energy", report.decode_energy_j), ("latency", report.latency_s), *report.power_w.items(),
                 ("decoder power", report.decoder_power_w), ("total power", report.total_power_w)])  # fmt: skip
    check_bands((f"{one.layer} {cause}", band) for one in report.layers for cause, band in one.energy_j.items())
    demand(report.decode_energy_j.nominal > 0 or report.unaccounted, "a decode takes no energy, and nothing is missing")
    demand(report.total_power_w.nominal > 0, "the device draws nothing")
    tables.document()


def check_counts(workload: Workload, *, products: str = "dense_full") -> None:
    """Demand counts that are not negative, and products where there were some, or a note on what is missing."""
    for layer in workload.layers:
        demand(min(layer.weights, layer.weights_nonzero) >= 0, f"{layer.name} holds {layer.weights} weights")
    if workload.products is None:
        return
    found = getattr(workload.products, products)
    total = found.multiply_accumulate.total + found.accumulate.total
    demand(total >= 0, f"{total} products")
    demand(total > 0 or not workload.complete, "no products, and nothing is said to be missing")
