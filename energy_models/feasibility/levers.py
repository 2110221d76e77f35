"""What would make a device fit, one constant at a time: how far each must fall, or may rise, until a limit just holds.

Each lever is moved alone, everything else as it is, by bisection of its logarithm on the nominal figures; a limit is
held where its headroom is 1 or more. A clock moves with the powers that are drawn at it: of a machine whose work is
priced as a power for a time they rise in proportion, so that the energy of a cycle stays (dynamic power is C V^2 f, at
the supply there is). A lever that does not decide within a factor of a thousand either
way says so, and so does one of a device whose silicon cannot be held against the site's limits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from energy_models.feasibility.duty import asleep, average_power_w, off_at_site_w
from energy_models.feasibility.limits import check_site_limits, site_limits, unchecked_limits
from energy_models.feasibility.recalibration import added_power_w
from energy_models.hardware import HardwareProfile, Site, constant_units, with_constants, with_lost_electrodes
from energy_models.mapping import place, style_of
from energy_models.pricing import EnergyReport, at_site, estimate, estimate_machine, surroundings
from energy_models.quantities import ZERO, Band
from energy_models.workload import Workload

DECODE_RATE = "decode_rate_hz"
CLOCK, GATHERING = "profile.clock", "profile.gathering"
COSTS = (
    "site.front_end.power", "site.converter.figure_of_merit", "site.radio.energy", "site.radio.asleep",
    "site.radio.event", "site.radio.startup", "site.controller.active", "site.controller.asleep",
    "site.controller.share", "profile.static", "profile.always_on_power", "profile.gathering",
)
"""Constants that cost power: less of them helps. Those that a device does not have are no levers of it."""
HELPS = (
    "site.power_budget", "site.battery.capacity", "site.package.width", "site.package.area", "site.link.rate",
    "site.regulator.efficiency", "site.radio.interval", "site.deadline", "profile.clock",
)
"""Constants of which more helps."""
SHARES = ("efficiency", "share")
"""Last words of the paths that cannot exceed 1."""
MOST_FACTOR = 1e3
STEPS = 28


@dataclass(frozen=True, slots=True)
class Lever:
    """One constant, what it is, and the value at which every limit is just held.

    Parameters
    ----------
    name : str
        Path of the constant, or ``decode_rate_hz``.
    unit : str
        Of both values, SI.
    now : float
    bound : float or None
        The largest value (of a cost) or the smallest (of what helps) at which the device fits; None where it fits, or
        does not fit, within a factor of a thousand either way.
    is_cost : bool
        Whether less of it helps.
    fits_now : bool
        Whether every limit that can be checked is held.
    unchecked : tuple of str
        Limits that cannot be held against the device, with the reason; `bound` and `fits_now` say nothing of them.
    """

    name: str
    unit: str
    now: float
    bound: float | None
    is_cost: bool
    fits_now: bool
    unchecked: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The lever in a sentence, with what was not checked behind it."""
        return "; ".join((self._found, *self.unchecked))

    @property
    def _found(self) -> str:
        unit = "" if self.unit == "1" else f" {self.unit}"
        sign = "at most" if self.is_cost else "at least"
        if self.bound is None:
            way = "whatever its value" if self.fits_now else "by it alone: no value within a factor of a thousand"
            return f"{self.name} ({self.now:.3g}{unit}): {'fits' if self.fits_now else 'does not fit'} {way}"
        found = f"{sign} {self.bound:.3g}{unit}"
        share = self.bound / self.now
        return f"{self.name}: fits with {found}, {share:.3g} times the {self.now:.3g} of now"


def levers(
    workload: Workload,
    profile: HardwareProfile,
    site: Site,
    *,
    decode_rate_hz: float,
    duty_cycle: float = 1.0,
    learning_w: Band = ZERO,
    electrodes_lost: int = 0,
) -> tuple[Lever, ...]:
    """Return each lever of a device at a site, those that need the least change first.

    None where the network has no room in the machine or work without a price: no constant mends that.

    Parameters
    ----------
    workload : Workload
    profile : HardwareProfile
    site : Site
    decode_rate_hz : float
        Decisions per second [Hz].
    duty_cycle : float
        Share of the time in which the device is on: its battery follows the average.
    learning_w : Band
        Mean power of learning on the machine, before the regulator [W], which the battery carries too; it is taken to
        stay as it is, whatever lever moves.
    electrodes_lost : int
        Channels of `site` whose front end and converter are off; levers are those of a live channel.

    Raises
    ------
    WorkloadError
        As `estimate`.
    """
    live = with_lost_electrodes(site, electrodes_lost, of=workload.channels)
    report = estimate(workload, profile, live, decode_rate_hz=decode_rate_hz)
    if place(workload, profile).infeasibilities or report.unaccounted:
        return ()
    unchecked = unchecked_limits(site_limits(site), report)
    known = constant_units(profile, site)
    if site.gathered_by is None:
        known.pop(GATHERING, None)  # not charged here
    values = {f"profile.{path}": band.nominal for path, band in profile.bands.items()}
    values |= {f"site.{path}": band.nominal for path, band in site.bands.items()}
    power = style_of(profile.execution).cycle_power
    at_clock = [one for one in (f"profile.{power}", GATHERING) if power and values.get(one, 0.0) > 0]
    machine = estimate_machine(workload, profile, decode_rate_hz=decode_rate_hz)
    resting = None if duty_cycle == 1.0 else asleep(workload, profile)

    def fits_at(changed: HardwareProfile, place_asked: Site, rate_hz: float) -> bool:
        home = with_lost_electrodes(place_asked, electrodes_lost, of=workload.channels)
        same = changed is profile and rate_hz == decode_rate_hz  # a constant of the site leaves the machine as it is
        priced = machine if same else estimate_machine(workload, changed, decode_rate_hz=rate_hz)
        found = at_site(priced, surroundings(home, workload.channels, decode_rate_hz=rate_hz))
        off = None if resting is None else resting if changed is profile else asleep(workload, changed)
        off_w = None if off is None else off_at_site_w(off, home)
        on_w = found.total_power_w
        average_w = on_w if off_w is None else average_power_w(on_w, off_w, duty_cycle)
        if learning_w != ZERO:
            average_w += added_power_w(found, home, learning_w)
        return _fits(home, found, average_w)

    def fits_with(name: str) -> Callable[[float], bool]:
        if name == DECODE_RATE:
            return lambda value: fits_at(profile, site, value)

        def at(value: float) -> bool:
            moved = {one: values[one] * value / values[name] for one in (at_clock if name == CLOCK else ())}
            changed, home = with_constants(profile, site, {name: value, **moved})
            return home is not None and fits_at(changed, home, decode_rate_hz)

        return at

    now = fits_with(DECODE_RATE)(decode_rate_hz)
    found = [_lever(DECODE_RATE, "Hz", decode_rate_hz, fits_with(DECODE_RATE), is_cost=True, fits_now=now)]
    for names, is_cost in ((COSTS, True), (HELPS, False)):
        for name in names:
            if name in known and values[name] > 0:
                found.append(_lever(name, known[name], values[name], fits_with(name), is_cost=is_cost, fits_now=now))
    return tuple(replace(lever, unchecked=unchecked) for lever in sorted(found, key=_change))


def _fits(site: Site, report: EnergyReport, average_w: Band) -> bool:
    if report.infeasibilities or report.unaccounted:
        return False
    return all(one.headroom >= 1.0 for one in check_site_limits(site_limits(site), report, average_w=average_w))


def _lever(
    name: str, unit: str, now: float, fits: Callable[[float], bool], *, is_cost: bool, fits_now: bool
) -> Lever:
    """Return the value at which a device begins to fit, or ceases to, as one constant moves."""
    towards = MOST_FACTOR if is_cost == fits_now else 1 / MOST_FACTOR
    if name.endswith(SHARES):
        towards = min(towards, 1.0 / now)
    if fits(now * towards) == fits_now:
        return Lever(name, unit, now, None, is_cost, fits_now)
    same, other = 0.0, math.log(towards)  # of the factor
    for _ in range(STEPS):
        middle = (same + other) / 2
        same, other = (middle, other) if fits(now * math.exp(middle)) == fits_now else (same, middle)
    return Lever(name, unit, now, now * math.exp(same if fits_now else other), is_cost, fits_now)


def _change(lever: Lever) -> tuple[bool, float]:
    if lever.bound is None:
        return True, 0.0
    return False, max(lever.bound / lever.now, lever.now / lever.bound)
