"""The one-call path: a workload, a machine, perhaps a site, and how often a decision is needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from energy_models.errors import WorkloadError
from energy_models.mapping import tally_workload
from energy_models.placement import place
from energy_models.pricing import PricedLayer, price_layer, quotient
from energy_models.profile import HardwareProfile, ProgrammableCore
from energy_models.quantity import Quantity
from energy_models.report import CAUSES, ZERO, Band, Cause, EnergyReport, LayerEnergy, total
from energy_models.site import Site
from energy_models.system import (
    NOTHING,
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
        Gives sampling rate, converter width and message length; without one, front end, converter and radio are not
        charged and the report says so.
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
    loads = _system_loads(workload, profile, site, decode_rate_hz)
    loads["retention"] = retention_power(profile, placement)
    power = _power(work, loads, workload, profile, decode_rate_hz)
    loss = regulator_loss(profile, total(power.values()))
    power["regulator"] = loss.power_w
    cycles = total(priced.cycles for tally, priced in work if tally.cadence == "decode")
    constants = _constants(work, (*loads.values(), loss), profile, site)
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
        incomplete=_incomplete(workload, unpriced, profile, site),
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


def _power(
    work: Work, loads: Mapping[Cause, Load], workload: Workload, profile: HardwareProfile, decode_rate_hz: float
) -> dict[Cause, Band]:
    """Return the average power by cause [W], without the regulator."""
    power: dict[Cause, Band] = {cause: load.power_w for cause, load in loads.items()}
    for tally, priced in work:
        rate_hz = _rate_hz(tally, workload, decode_rate_hz)
        for cause, energy in priced.energy_j.items():
            name: Cause = "features" if tally.kind in FEATURE_KINDS else cause
            power[name] = power.get(name, ZERO) + energy.times(rate_hz)
    power["static"] = profile.static.band
    power["wake"] = profile.wake.energy.band.times(decode_rate_hz)
    return power


def _system_loads(
    workload: Workload, profile: HardwareProfile, site: Site | None, decode_rate_hz: float
) -> dict[Cause, Load]:
    """Return what surrounds the decoder at a site; nothing where no site is given."""
    if site is None:
        return {"front_end": NOTHING, "converter": NOTHING, "radio": NOTHING}
    return {
        "front_end": front_end_power(profile, workload.channels),
        "converter": converter_power(profile, site, workload.channels),
        "radio": radio_power(profile, site, decode_rate_hz),
    }


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


def _incomplete(
    workload: Workload, unpriced: tuple[str, ...], profile: HardwareProfile, site: Site | None
) -> tuple[str, ...]:
    """Return what the figures leave out."""
    lines = [f"uncounted: {item.layer} {item.operation} ({item.reason})" for item in workload.uncounted]
    lines += [f"unpriced: {line}" for line in unpriced]
    if profile.regulator.model == "absent":
        lines.append(f"regulator loss not charged: {profile.regulator.reason}")
    if site is None:
        return (*lines, "no site given: front end, converter and radio not charged")
    for part, model in (("front end", profile.front_end), ("converter", profile.converter)):
        if model.model == "absent":
            lines.append(f"{part} not charged: {model.reason}")
    if site.link is not None and profile.radio.model == "absent":
        lines.append(f"radio not charged: {profile.radio.reason}")
    return tuple(lines)


def _constants(
    work: Work, loads: tuple[Load, ...], profile: HardwareProfile, site: Site | None
) -> dict[str, Quantity]:
    """Return every constant used, by its path; those of the site carry its name."""
    used = _ALWAYS.union(*(priced.used for _, priced in work), *(load.used for load in loads))
    found = {path: profile.quantity_at[path] for path in sorted(used)}
    if site is not None:
        for path in sorted(frozenset[str]().union(*(load.site_used for load in loads))):
            section, name = path.split(".")
            found[f"{site.name}.{path}"] = getattr(getattr(site, section), name)
    return found
