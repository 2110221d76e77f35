"""The one-call path: a workload, a machine, perhaps a site, and how often a decision is needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from energy_models.errors import WorkloadError
from energy_models.mapping import tally_workload
from energy_models.periphery import Absent
from energy_models.placement import place
from energy_models.pricing import PricedLayer, price_layer, quotient
from energy_models.profile import HardwareProfile, ProgrammableCore
from energy_models.quantity import Quantity
from energy_models.report import CAUSES, ZERO, Band, Cause, EnergyReport, LayerEnergy, total
from energy_models.site import Site
from energy_models.system import (
    Load,
    converter_power,
    front_end_power,
    radio_power,
    regulator_loss,
    retention_power,
)
from energy_models.tally import CycleCount, Tally, check_widths
from energy_models.workload import Workload

FEATURE_KINDS = frozenset({"filter", "feature"})
Work = Sequence[tuple[Tally, PricedLayer]]
_ALWAYS = frozenset({"clock", "static", "wake.energy", "wake.time"})
_DECODE_PATH = "execution.cycles_per_decode"


def estimate(
    workload: Workload, profile: HardwareProfile, site: Site | None, *, decode_rate_hz: float
) -> EnergyReport:
    """Return what a workload costs on a machine when `decode_rate_hz` decisions per second are needed.

    Parameters
    ----------
    workload : Workload
    profile : HardwareProfile
    site : Site or None
        Gives front end, converter, radio and regulator, the same for every machine; without one they are not charged
        and the report says so.
    decode_rate_hz : float
        Decisions per second [Hz].

    Raises
    ------
    WorkloadError
        When the rate is not positive, or the workload holds no decode or lacks operand widths.
    """
    if not (math.isfinite(decode_rate_hz) and decode_rate_hz > 0):
        raise WorkloadError(f"decode rate {decode_rate_hz} Hz", remedy="Give a finite rate above 0 Hz")
    if workload.decodes < 1:
        raise WorkloadError("no decode was observed", where=workload.name, remedy="Observe at least one decode")
    check_widths(workload)
    placement = place(workload, profile)
    tallies = (*tally_workload(workload, profile, placement), *_per_decode(profile))
    work = tuple((tally, price_layer(tally, profile, placement)) for tally in tallies)
    retention = retention_power(profile, placement)
    power = _machine_power(work, retention, workload, profile, decode_rate_hz)
    loads = {} if site is None else _site_loads(site, workload, power, decode_rate_hz)
    power |= {cause: load.power_w for cause, load in loads.items()}
    cycles = total(priced.cycles for tally, priced in work if tally.cadence == "decode")
    constants = _machine_constants(work, retention, profile) | _site_constants(loads, site)
    unpriced = _unpriced(work)
    return EnergyReport(
        workload=workload.name,
        profile=profile.name,
        profile_hash=profile.digest,
        decode_rate_hz=decode_rate_hz,
        layers=tuple(LayerEnergy(tally.layer, tally.kind, priced.energy_j) for tally, priced in work),
        power_w={cause: power.get(cause, ZERO) for cause in CAUSES},
        latency_s=quotient(cycles, profile.clock.band) + profile.wake.time.band,
        cycles=cycles,
        memories=placement.uses,
        misfits=(*placement.misfits, *unpriced, *_overload(work, workload, profile, decode_rate_hz)),
        incomplete=_incomplete(workload, unpriced, site),
        sources=tuple(sorted({quantity.source for quantity in constants.values()})),
        assumed=tuple(
            f"{path}: {quantity.value:g} {quantity.unit} ({quantity.note})"
            for path, quantity in constants.items()
            if quantity.basis == "assumed"
        ),
    )


def _per_decode(profile: HardwareProfile) -> tuple[Tally, ...]:
    """Return the work a programmable core does once per decode, as a layer of its own."""
    if not isinstance(profile.execution, ProgrammableCore):
        return ()
    return (Tally("(per decode)", "overhead", "decode", cycles=(CycleCount(_DECODE_PATH, 1.0),)),)


def _rate_hz(tally: Tally, workload: Workload, decode_rate_hz: float) -> float:
    """Return how often a layer's counted work is done: per decision, or once per window of new samples."""
    return decode_rate_hz if tally.cadence == "decode" else 1.0 / workload.window_s


def _machine_power(
    work: Work, retention: Load, workload: Workload, profile: HardwareProfile, decode_rate_hz: float
) -> dict[Cause, Band]:
    """Return the average power by cause of the machine alone [W]."""
    power: dict[Cause, Band] = {
        "static": profile.static.band,
        "retention": retention.power_w,
        "wake": profile.wake.energy.band.times(decode_rate_hz),
    }
    for tally, priced in work:
        rate_hz = _rate_hz(tally, workload, decode_rate_hz)
        for cause, energy in priced.energy_j.items():
            name: Cause = "features" if tally.kind in FEATURE_KINDS else cause
            power[name] = power.get(name, ZERO) + energy.times(rate_hz)
    return power


def _site_loads(
    site: Site, workload: Workload, machine_w: Mapping[Cause, Band], decode_rate_hz: float
) -> dict[Cause, Load]:
    """Return what surrounds any machine at a site; the regulator feeds all of it and the machine."""
    loads: dict[Cause, Load] = {
        "front_end": front_end_power(site, workload.channels),
        "converter": converter_power(site, workload.channels),
        "radio": radio_power(site, decode_rate_hz),
    }
    fed = total((*machine_w.values(), *(load.power_w for load in loads.values())))
    return {**loads, "regulator": regulator_loss(site, fed)}


def _overload(
    work: Work, workload: Workload, profile: HardwareProfile, decode_rate_hz: float
) -> tuple[str, ...]:
    """Return a line where the nominal work takes more time than there is."""
    clock = profile.clock
    busy = decode_rate_hz * profile.wake.time.band.nominal
    for tally, priced in work:
        seconds = priced.cycles.nominal / clock.band.nominal
        busy += seconds * _rate_hz(tally, workload, decode_rate_hz)
    if busy <= 1.0:
        return ()
    return (f"profile {profile.name!r} needs {busy:.3g} s of work per second at {clock.value:g} {clock.unit}",)


def _unpriced(work: Work) -> tuple[str, ...]:
    """Return one line for each thing without a price, with the layers that need it."""
    layers: dict[str, list[str]] = {}
    for tally, priced in work:
        for what in priced.unpriced:
            layers.setdefault(what, []).append(tally.layer)
    return tuple(f"{what} (needed by {', '.join(names)})" for what, names in layers.items())


def _incomplete(workload: Workload, unpriced: tuple[str, ...], site: Site | None) -> tuple[str, ...]:
    """Return what the figures leave out."""
    lines = [f"uncounted: {item.layer} {item.operation} ({item.reason})" for item in workload.uncounted]
    lines += [f"unpriced: {line}" for line in unpriced]
    if site is None:
        return (*lines, "no site given: front end, converter, radio and regulator not charged")
    parts: list[tuple[str, object]] = [
        ("front end", site.front_end), ("converter", site.converter), ("regulator loss", site.regulator),
    ]
    if site.link is not None:
        parts.append(("radio", site.radio))
    lines += [f"{part} not charged: {model.reason}" for part, model in parts if isinstance(model, Absent)]
    return tuple(lines)


def _machine_constants(work: Work, retention: Load, profile: HardwareProfile) -> dict[str, Quantity]:
    """Return every constant of the profile that was used, by its path with the profile's name in front."""
    used = _ALWAYS.union(retention.used, *(priced.used for _, priced in work))
    return {f"{profile.name}.{path}": profile.quantity_at[path] for path in sorted(used)}


def _site_constants(loads: Mapping[Cause, Load], site: Site | None) -> dict[str, Quantity]:
    """Return every constant of the site that was used, by its path with the site's name in front."""
    if site is None:
        return {}
    used = frozenset[str]().union(*(load.used for load in loads.values()))
    return {f"{site.name}.{path}": site.quantity_at[path] for path in sorted(used)}
