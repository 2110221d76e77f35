"""A report against every limit of a site: how much is used, how much is left, and whether that is sure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from energy_models.quantity import Quantity
from energy_models.report import Band, EnergyReport
from energy_models.site import LIMIT_NAMES, Battery, LimitName, Package, Site, Temperature
from energy_models.thermal import equal_area_radius_m, pennes_sphere_rise_k_per_w, perfusion_length_m

LimitVerdict = Literal["fits", "fits only at best", "exceeds"]


@dataclass(frozen=True, slots=True)
class LimitCheck:
    """One limit held against one report.

    Parameters
    ----------
    name : str
        Which limit of the site.
    unit : {'W', 'W/m2', 'K', 'bit/s', 's'}
        SI unit of `limit` and `value`.
    limit, value : Band
        What is allowed, and what is used.
    headroom : float
        ``limit.nominal / value.nominal``: 4 means a quarter is used, 0.25 that four times too much is.
    verdict : {'fits', 'fits only at best', 'exceeds'}
    """

    name: LimitName
    unit: str
    limit: Band
    value: Band
    headroom: float
    verdict: LimitVerdict


def limit_verdict(limit: Band, value: Band) -> LimitVerdict:
    """Return ``fits`` only where even the worst value is under the strictest limit.

    ``fits``: value.high <= limit.low. ``exceeds``: value.low > limit.high. Between the two the bounds do not
    decide, and it ``fits only at best``.
    """
    if value.high <= limit.low:
        return "fits"
    return "exceeds" if value.low > limit.high else "fits only at best"


def battery_power_w(battery: Battery) -> Band:
    """Return the constant load that empties the battery exactly at the end of the required lifetime [W].

    With charge lost at rate r of what remains, ``dE/dt = -P - r E`` and E(T) = 0 give
    ``P = r E0 / (exp(r T) - 1)``, and ``E0 / T`` where r = 0.
    """
    capacity, voltage = battery.capacity.band, battery.voltage.band
    loss, life = battery.loss.band, battery.lifetime.band
    return Band(
        _constant_load_w(capacity.low * voltage.low, loss.high, life.high),
        _constant_load_w(capacity.nominal * voltage.nominal, loss.nominal, life.nominal),
        _constant_load_w(capacity.high * voltage.high, loss.low, life.low),
    )


def _constant_load_w(energy_j: float, loss_hz: float, lifetime_s: float) -> float:
    return energy_j / lifetime_s if loss_hz == 0 else loss_hz * energy_j / math.expm1(loss_hz * lifetime_s)


def temperature_slope_k_per_w(temperature: Temperature, package: Package | None) -> Band:
    """Return the rise per watt: the site's own slope, else the Pennes sphere of equal surface [K/W].

    The bounds of the Pennes form take every constant at the end that cools most, or least.
    """
    if temperature.slope is not None:
        return temperature.slope.band
    if temperature.tissue is None or package is None:  # unreachable through Site, which demands both
        raise ValueError("the Pennes sphere needs tissue and package")
    radius = equal_area_radius_m(package.surface_m2)
    k, w, c = (q.band for q in (temperature.tissue.conductivity, temperature.tissue.perfusion,
                                temperature.tissue.blood_heat))

    def rise(conductivity: float, perfusion: float, heat: float) -> float:
        length = perfusion_length_m(conductivity, perfusion, heat)
        return pennes_sphere_rise_k_per_w(radius, conductivity, length)

    return Band(rise(k.high, w.high, c.high), rise(k.nominal, w.nominal, c.nominal), rise(k.low, w.low, c.low))


def _product(first: Band, second: Band) -> Band:
    return Band(first.low * second.low, first.nominal * second.nominal, first.high * second.high)


def _bands(site: Site, report: EnergyReport) -> Iterator[tuple[LimitName, str, Band, Band]]:
    """Yield name, unit, limit and value of every limit the site has."""
    power = report.total_power_w
    if site.power_budget is not None:
        yield "power_budget", "W", site.power_budget.band, power
    if site.power_density is not None and site.package is not None:
        yield "power_density", "W/m2", site.power_density.band, power.times(1.0 / site.package.surface_m2)
    if site.temperature is not None:
        slope = temperature_slope_k_per_w(site.temperature, site.package)
        yield "temperature", "K", site.temperature.limit.band, _product(power, slope)
    if site.battery is not None:
        yield "battery", "W", battery_power_w(site.battery), power
    if site.link is not None:
        yield "link", "bit/s", site.link.rate.band, site.link.message.band.times(report.decode_rate_hz)
    if site.deadline is not None:
        yield "deadline", "s", site.deadline.band, report.latency_s


def check_limits(site: Site, report: EnergyReport) -> tuple[LimitCheck, ...]:
    """Return every limit of the site held against the report, tightest first.

    All electrical power is taken to end as heat in the package. Power, power density, temperature and battery look
    at the whole device; the deadline at the latency of one decode; the link at one message per decode.
    """
    checks = [
        LimitCheck(name, unit, limit, value, _ratio(limit.nominal, value.nominal), limit_verdict(limit, value))
        for name, unit, limit, value in _bands(site, report)
    ]
    return tuple(sorted(checks, key=lambda check: (check.headroom, LIMIT_NAMES.index(check.name))))


def _ratio(limit: float, value: float) -> float:
    """Return limit over value; a value of exactly zero uses nothing of its limit."""
    return limit / value if value > 0 else math.inf


def limit_quantities(site: Site) -> tuple[tuple[str, Quantity], ...]:
    """Return every quantity that a site's limits were taken from, by its path with the site's name in front.

    What the site records, sends and feeds with is named by the report that charged it.
    """
    limiting = {*LIMIT_NAMES, "package"}
    found = site.quantity_at.items()
    return tuple((f"{site.name}.{path}", quantity) for path, quantity in found if path.split(".")[0] in limiting)
