"""An energy report compared with every limit of a site: what is used, what is left, and how certain that is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from energy_models.feasibility.battery import battery_life_s, battery_power_w
from energy_models.hardware import (
    LIMIT_NAMES,
    Battery,
    LimitName,
    Package,
    Site,
    Tissue,
    equal_area_radius_m,
    pennes_sphere_rise_k_per_w,
    perfusion_length_m,
)
from energy_models.pricing import EnergyReport
from energy_models.quantities import Band, Quantity

LimitVerdict = Literal["fits", "fits nominally", "fits only at best", "exceeds"]
LIMIT_VERDICTS: tuple[LimitVerdict, ...] = ("fits", "fits nominally", "fits only at best", "exceeds")
"""From the surest to none."""
CheckName = LimitName | Literal["temperature_sphere"]
CHECK_NAMES: tuple[CheckName, ...] = (*LIMIT_NAMES[:3], "temperature_sphere", *LIMIT_NAMES[3:])


@dataclass(frozen=True, slots=True)
class LimitCheck:
    """One limit compared with one report.

    Parameters
    ----------
    name : str
        Which limit of the site; ``temperature`` by the slope, ``temperature_sphere`` by the Pennes sphere.
    unit : {'W', 'W/m2', 'K', 'bit/s', 's', 'm2'}
        SI unit of `limit` and `value`.
    limit, value : Band
        What is allowed, and what is used.
    headroom : float
        ``limit.nominal / value.nominal``: 4 means a quarter is used, 0.25 that four times too much is. With
        unaccounted work the value is a lower bound, and this an upper one.
    verdict : {'fits', 'fits nominally', 'fits only at best', 'exceeds'}
    spare_w : Band or None
        How much more the whole device may draw before this limit is reached [W]; what must be saved where it is below
        zero. None where the limit is not one of power.
    lasts_s : Band or None
        Of the battery: how long it carries the device [s].
    """

    name: CheckName
    unit: str
    limit: Band
    value: Band
    headroom: float
    verdict: LimitVerdict
    spare_w: Band | None
    lasts_s: Band | None = None


def limit_verdict(limit: Band, value: Band) -> LimitVerdict:
    """Return how surely a value keeps a limit.

    ``fits``: even the worst value is under the strictest limit. ``fits nominally``: the nominal value is under the
    nominal limit, but not every bound. ``fits only at best``: some bound is under the limit, the nominal is not.
    ``exceeds``: even the best value is over the widest limit.
    """
    if value.high <= limit.low:
        return "fits"
    if value.low > limit.high:
        return "exceeds"
    return "fits nominally" if value.nominal <= limit.nominal else "fits only at best"


def sphere_slope_k_per_w(tissue: Tissue, package: Package) -> Band:
    """Return the rise per watt of the Pennes sphere of the package's surface [K/W].

    Its bounds take every constant, and the surface, at the end that cools most, or least.
    """
    k, w, c = (quantity.band for quantity in (tissue.conductivity, tissue.perfusion, tissue.blood_heat))
    surface = package.surface_m2

    def rise(area_m2: float, conductivity: float, perfusion: float, heat: float) -> float:
        length = perfusion_length_m(conductivity, perfusion, heat)
        return pennes_sphere_rise_k_per_w(equal_area_radius_m(area_m2), conductivity, length)

    return Band(
        rise(surface.high, k.high, w.high, c.high),
        rise(surface.nominal, k.nominal, w.nominal, c.nominal),
        rise(surface.low, k.low, w.low, c.low),
    )


@dataclass(frozen=True, slots=True)
class PowerLimit:
    """A limit that power uses up: what is allowed, and what a watt of the whole device uses of it."""

    name: CheckName
    unit: str
    limit: Band
    per_watt: Band


@dataclass(frozen=True, slots=True)
class SiteLimits:
    """All limits of a site, worked out once for any number of reports.

    Parameters
    ----------
    power : tuple of PowerLimit
    battery : Battery or None
    message, link : Band or None
        What one decode sends [bit], and what may be sent [bit/s].
    deadline : Band or None
        Of one decode [s].
    silicon_area, silicon_power_density : Band or None
        Of the machine [m^2], and of the decoder's power over it [W/m^2].
    """

    power: tuple[PowerLimit, ...]
    battery: Battery | None
    message: Band | None
    link: Band | None
    deadline: Band | None
    silicon_area: Band | None
    silicon_power_density: Band | None


def site_limits(site: Site) -> SiteLimits:
    """Return the limits of a site, to be held against reports by `check_site_limits`."""
    return SiteLimits(
        tuple(_power_limits(site)),
        site.battery,
        None if site.link is None else site.link.message.band,
        None if site.link is None else site.link.rate.band,
        None if site.deadline is None else site.deadline.band,
        None if site.silicon_area is None else site.silicon_area.band,
        None if site.silicon_power_density is None else site.silicon_power_density.band,
    )


def _power_limits(site: Site) -> Iterator[PowerLimit]:
    if site.power_budget is not None:
        yield PowerLimit("power_budget", "W", site.power_budget.band, _ONE)
    if site.power_density is not None and site.package is not None:
        area = site.package.surface_m2
        per_watt = Band(1 / area.high, 1 / area.nominal, 1 / area.low)
        yield PowerLimit("power_density", "W/m2", site.power_density.band, per_watt)
    if site.temperature is not None:
        allowed = site.temperature.limit.band
        if site.temperature.slope is not None:
            yield PowerLimit("temperature", "K", allowed, site.temperature.slope.band)
        if site.temperature.tissue is not None and site.package is not None:
            slope = sphere_slope_k_per_w(site.temperature.tissue, site.package)
            yield PowerLimit("temperature_sphere", "K", allowed, slope)
    if site.harvest is not None:
        yield PowerLimit("harvest", "W", site.harvest.band, _ONE)
    if site.battery is not None:
        yield PowerLimit("battery", "W", battery_power_w(site.battery), _ONE)


_ONE = Band(1.0, 1.0, 1.0)


def _checks(limits: SiteLimits, report: EnergyReport, average_w: Band | None) -> Iterator[LimitCheck]:
    on_w = report.total_power_w
    for one in limits.power:
        limit, per_watt = one.limit, one.per_watt
        power = on_w if average_w is None or one.name != "battery" else average_w
        value = Band(power.low * per_watt.low, power.nominal * per_watt.nominal, power.high * per_watt.high)
        spare = Band(
            _over(limit.low, per_watt.high) - power.high,
            _over(limit.nominal, per_watt.nominal) - power.nominal,
            _over(limit.high, per_watt.low) - power.low,
        )
        battery = limits.battery if one.name == "battery" else None
        lasts = None if battery is None else battery_life_s(battery, power)
        yield _check(one.name, one.unit, limit, value, spare_w=spare, lasts_s=lasts)
    if limits.message is not None and limits.link is not None:
        sent = limits.message.times(report.decode_rate_hz)
        yield _check("link", "bit/s", limits.link, sent)
    if limits.deadline is not None:
        yield _check("deadline", "s", limits.deadline, report.latency_s)
    if report.area_m2 is not None:
        yield from _silicon_checks(limits, report, report.area_m2)


def _silicon_checks(limits: SiteLimits, report: EnergyReport, area: Band) -> Iterator[LimitCheck]:
    if limits.silicon_area is not None:
        yield _check("silicon_area", "m2", limits.silicon_area, area)
    if limits.silicon_power_density is not None:
        power = report.decoder_power_w
        density = Band(power.low / area.high, power.nominal / area.nominal, power.high / area.low)
        yield _check("silicon_power_density", "W/m2", limits.silicon_power_density, density)


def unchecked_limits(limits: SiteLimits, report: EnergyReport) -> tuple[str, ...]:
    """Return a line for each limit that cannot be held against a report: of silicon whose area is not known."""
    given = {"silicon_area": limits.silicon_area, "silicon_power_density": limits.silicon_power_density}
    if report.area_m2 is not None:
        return ()
    return tuple(
        f"{name} not checked: the silicon area of {report.profile} is not known"
        for name, limit in given.items() if limit is not None
    )


def _over(limit: float, used: float) -> float:
    """Return how often what is used goes into a limit; infinitely often where nothing is used."""
    return limit / used if used > 0 else math.inf


def _check(
    name: CheckName, unit: str, limit: Band, value: Band, *, spare_w: Band | None = None, lasts_s: Band | None = None
) -> LimitCheck:
    headroom = _over(limit.nominal, value.nominal)
    return LimitCheck(name, unit, limit, value, headroom, limit_verdict(limit, value), spare_w, lasts_s)


def check_limits(site: Site, report: EnergyReport) -> tuple[LimitCheck, ...]:
    """Return every limit of the site compared with the report, least headroom first.

    All electrical power is taken to end as heat in the package. Power, power density, temperature, harvest and battery
    look at the whole device; the deadline at the latency of one decode; the link at one message per decode; limits on
    silicon at the machine, where its area is known (`unchecked_limits` names those that are not compared). Where the
    report has unaccounted work, what is priced can show that a limit is broken, never that it is kept.
    """
    return check_site_limits(site_limits(site), report)


def check_site_limits(
    limits: SiteLimits, report: EnergyReport, *, average_w: Band | None = None
) -> tuple[LimitCheck, ...]:
    """Return what `check_limits` does, for limits that `site_limits` worked out before.

    Parameters
    ----------
    limits : SiteLimits
    report : EnergyReport
    average_w : Band, optional
        Mean power of a device that is not always on [W], which its battery follows; every other limit holds while it
        is on.
    """
    checks = _checks(limits, report, average_w)
    found = (_doubted(check) for check in checks) if report.unaccounted else checks
    return tuple(sorted(found, key=lambda check: (check.headroom, CHECK_NAMES.index(check.name))))


def _doubted(check: LimitCheck) -> LimitCheck:
    """Return the check of a value that is only known from below."""
    if check.name in ("link", "silicon_area"):
        return check
    return replace(check, verdict=limit_verdict(check.limit, Band(check.value.low, math.inf, math.inf)))


def limit_quantities(site: Site) -> tuple[tuple[str, Quantity], ...]:
    """Return every quantity that a site's limits were taken from, by its path with the site's name in front.

    What the site records, sends and feeds with is named by the report that charged it.
    """
    limiting = {*LIMIT_NAMES, "package"}
    found = site.quantity_at.items()
    return tuple((f"{site.name}.{path}", quantity) for path, quantity in found if path.split(".")[0] in limiting)
