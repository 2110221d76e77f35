"""A device that is on for a share of the time: what it draws while off, and on average.

While off, front end, converter and decisions stop; the machine sleeps and keeps its memories (or, where it has a
non-volatile copy of its weights and that takes less, reloads them), a radio with a connection and a controller draw
their sleep, a stimulator goes on. Starting up again is not charged: it takes seconds, and periods are hours.

Heat follows the power while on, since tissue warms within minutes; a battery follows the average.
"""

from __future__ import annotations

from energy_models.errors import PriceError
from energy_models.hardware import ConnectedRadio, HardwareProfile, Site
from energy_models.pricing import (
    SITE,
    Cause,
    Decisions,
    MachineEstimate,
    band,
    estimate_machine,
    regulated,
    regulator_loss,
    site_bands,
    site_terms,
)
from energy_models.quantities import ZERO, Band, total
from energy_models.workload import Workload

SELDOM_HZ = 1e-9
"""So seldom that decodes add nothing: what is left of a machine's static and retention power is that of sleep."""


def off_power_w(workload: Workload, profile: HardwareProfile, site: Site) -> Band:
    """Return what a device draws while it is off [W].

    Raises
    ------
    WorkloadError
        As `energy_models.pricing.estimate`.
    """
    return off_at_site_w(asleep(workload, profile), site)


def asleep(workload: Workload, profile: HardwareProfile) -> MachineEstimate:
    """Return a machine that is asked so seldom that only its sleep is left: of its power, static and retention.

    Raises
    ------
    WorkloadError
        As `energy_models.pricing.estimate`.
    """
    return estimate_machine(workload, profile, decode_rate_hz=SELDOM_HZ)


def off_at_site_w(machine: MachineEstimate, site: Site) -> Band:
    """Return what a device draws while it is off [W]; `machine` is one that is `asleep`."""
    constants = site_bands(site)
    power: dict[Cause, Band] = {cause: machine.power_w.get(cause, ZERO) for cause in ("static", "retention")}
    if site.controller is not None:
        power["controller"] = constants[f"{SITE}controller.asleep"]
    if isinstance(site.radio, ConnectedRadio):
        power["radio"] = constants[f"{SITE}radio.asleep"]
    surrounding = site_terms(site, machine.channels, Decisions(SELDOM_HZ))
    if "stimulation" in surrounding:
        power["stimulation"] = band(surrounding["stimulation"], constants)
    return total(power.values()) + regulator_loss(site.regulator, total(regulated(power)), constants)


def average_power_w(on_w: Band, off_w: Band, duty_cycle: float) -> Band:
    """Return the mean power of a device that is on for a share of the time [W].

    Raises
    ------
    PriceError
        A share that is not above 0 and at most 1.
    """
    check_duty_cycle(duty_cycle)
    return on_w.times(duty_cycle) + off_w.times(1.0 - duty_cycle)


def longest_duty_cycle(on_w: float, off_w: float, allowed_w: float) -> float | None:
    """Return the largest share of the time for which the average stays at what is allowed; None: not even off.

    ``(allowed - off) / (on - off)``, at most 1.
    """
    if on_w <= allowed_w:
        return 1.0
    if off_w >= allowed_w:
        return None
    return (allowed_w - off_w) / (on_w - off_w)


def check_duty_cycle(share: float) -> None:
    """Refuse a share of the time that is none.

    Raises
    ------
    PriceError
        Not above 0 and at most 1.
    """
    if not 0.0 < share <= 1.0:
        raise PriceError(f"{share:g}", where="duty_cycle", remedy="Give a share of the time above 0 and at most 1")
