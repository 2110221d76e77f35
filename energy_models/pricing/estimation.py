"""From a workload, a machine, perhaps a site, and how often a decision is needed, to a report.

What a machine does is the same wherever it lives: `estimate_machine` prices that once, `surroundings` what a site adds
for so many channels, and `at_site` puts the two together. `estimate` is the three in one call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from energy_models.hardware import Absent, HardwareProfile, Regulator, Site
from energy_models.mapping import MemoryUse
from energy_models.pricing.constants import SITE, bands, made_from, site_bands
from energy_models.pricing.cost_terms import ChargedLayer, CostTerms, cost_terms_of
from energy_models.pricing.regulator import regulated, regulator_loss, regulator_paths
from energy_models.pricing.report import CAUSES, Cause, EnergyReport, LayerEnergy, Reload
from energy_models.pricing.system import Decisions, gathering_terms, site_terms
from energy_models.pricing.terms import band, paths
from energy_models.pricing.unaccounted import unaccounted_gathering, unaccounted_work, unpriced_work
from energy_models.quantities import ZERO, Band, Quantity, total
from energy_models.workload import Workload

_ALWAYS = frozenset({"clock", "static", "wake.energy", "wake.time"})
_NO_SITE = ("no site given: front end, converter, radio, stimulation and regulator not charged",)


@dataclass(frozen=True, slots=True)
class Used:
    """Constants that figures rest on: keys of their sources, and by path a line for each that is assumed."""

    sources: frozenset[str]
    assumed: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MachineEstimate:
    """What a workload costs on a machine, wherever it lives; fields as those of `EnergyReport`.

    `power_w` holds the machine's causes only, `channels` how many the workload reads; `gathering` is what it draws
    where it gathers samples itself [W], with the constants of that, None where nobody knows.
    """

    workload: str
    channels: int
    profile: str
    profile_hash: str
    decode_rate_hz: float
    layers: tuple[LayerEnergy, ...]
    power_w: Mapping[Cause, Band]
    latency_s: Band
    cycles: Band
    busy: Band
    memories: tuple[MemoryUse, ...]
    reload: Reload | None
    infeasibilities: tuple[str, ...]
    unaccounted: tuple[str, ...]
    used: Used
    gathering: tuple[Band, Used] | None
    area_m2: Band | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a site adds to every machine that decodes so many channels so often.

    Parameters
    ----------
    power_w : mapping of Cause to Band
        Of front end, converter, radio and stimulation [W]; the regulator's loss depends on the machine.
    regulator : Regulator
    constants : mapping of path to Band
        The site's, in SI.
    not_charged : tuple of str
    used : Used
    """

    power_w: Mapping[Cause, Band]
    regulator: Regulator
    constants: Mapping[str, Band]
    not_charged: tuple[str, ...]
    used: Used
    gathered_by: Literal["machine"] | None = None


def estimate(
    workload: Workload, profile: HardwareProfile, site: Site | None, *, decode_rate_hz: float
) -> EnergyReport:
    """Return what a workload costs on a machine when `decode_rate_hz` decisions per second are needed.

    Parameters
    ----------
    workload : Workload
    profile : HardwareProfile
    site : Site or None
        Gives front end, converter, radio, stimulator and regulator, the same for every machine; without one they are
        not charged and the report says so.
    decode_rate_hz : float
        Decisions per second [Hz].

    Raises
    ------
    WorkloadError
        When the rate is not positive, or the workload holds no decode or lacks operand widths.
    """
    machine = estimate_machine(workload, profile, decode_rate_hz=decode_rate_hz)
    return at_site(
        machine, None if site is None else surroundings(site, workload.channels, decode_rate_hz=decode_rate_hz)
    )


def estimate_machine(workload: Workload, profile: HardwareProfile, *, decode_rate_hz: float) -> MachineEstimate:
    """Return what a workload costs on a machine itself, without anything that a site adds.

    Raises
    ------
    WorkloadError
        As `estimate`.
    """
    costs = cost_terms_of(workload, profile, None, decode_rate_hz=decode_rate_hz)
    constants = bands(profile, None)
    busy = band(costs.busy, constants)
    return MachineEstimate(
        workload=workload.name,
        channels=workload.channels,
        profile=profile.name,
        profile_hash=profile.digest,
        decode_rate_hz=decode_rate_hz,
        layers=tuple(_layer(layer, constants) for layer in costs.layers),
        power_w={cause: band(terms, constants) for cause, terms in costs.power_w.items()},
        latency_s=band(costs.latency_s, constants) + Band(*(workload.delay_s,) * 3),
        cycles=band(costs.cycles, constants),
        busy=busy,
        memories=costs.placement.uses,
        reload=None if costs.reload is None else costs.reload.summary,
        infeasibilities=(
            *costs.placement.infeasibilities, *unpriced_work(costs.layers),
            *_overload(busy, profile),
        ),
        unaccounted=unaccounted_work(workload, costs.layers),
        used=_used(_machine_paths(costs), profile.quantity_at, profile.name, ""),
        gathering=_gathering(profile, constants),
        area_m2=None if profile.area is None else profile.area.band,
    )


def _gathering(profile: HardwareProfile, constants: Mapping[str, Band]) -> tuple[Band, Used] | None:
    terms = gathering_terms(profile)
    found = _used(paths(terms), profile.quantity_at, profile.name, "")
    return (band(terms, constants), found) if terms else None


def surroundings(site: Site, channels: int, *, decode_rate_hz: float) -> Surroundings:
    """Return what a site adds to every machine that decodes `channels` channels `decode_rate_hz` times a second."""
    terms = site_terms(site, channels, Decisions(decode_rate_hz))
    constants = site_bands(site)
    found = paths(term for some in terms.values() for term in some if term.count) | regulator_paths(site.regulator)
    return Surroundings(
        {cause: band(some, constants) for cause, some in terms.items()}, site.regulator, constants,
        _not_charged(site), _used(found, site.quantity_at, site.name, SITE), site.gathered_by,
    )  # fmt: skip


def at_site(machine: MachineEstimate, place: Surroundings | None) -> EnergyReport:
    """Return the report of a machine in its surroundings; None: whatever stands around it is not charged.

    Parameters
    ----------
    machine : MachineEstimate
    place : Surroundings or None
        For the machine's channels and decode rate.
    """
    power, used, unaccounted = dict(machine.power_w), machine.used, machine.unaccounted
    if place is not None:
        power |= place.power_w
        if place.gathered_by == "machine" and machine.gathering is None:
            unaccounted = (*unaccounted, unaccounted_gathering(machine.profile))
        elif place.gathered_by == "machine" and machine.gathering is not None:
            power["controller"], more = machine.gathering
            used = Used(used.sources | more.sources, {**used.assumed, **more.assumed})
        fed: dict[Cause, Band] = {cause: power[cause] for cause in CAUSES if cause in power}
        power["regulator"] = regulator_loss(place.regulator, total(regulated(fed)), place.constants)
        used = Used(used.sources | place.used.sources, {**used.assumed, **place.used.assumed})
    return EnergyReport(
        workload=machine.workload,
        profile=machine.profile,
        profile_hash=machine.profile_hash,
        decode_rate_hz=machine.decode_rate_hz,
        layers=machine.layers,
        power_w={cause: power.get(cause, ZERO) for cause in CAUSES},
        latency_s=machine.latency_s,
        cycles=machine.cycles,
        busy=machine.busy,
        memories=machine.memories,
        infeasibilities=machine.infeasibilities,
        unaccounted=unaccounted,
        not_charged=_NO_SITE if place is None else place.not_charged,
        sources=tuple(sorted(used.sources)),
        assumed=tuple(used.assumed[path] for path in sorted(used.assumed)),
        reload=machine.reload,
        area_m2=machine.area_m2,
    )


def _layer(layer: ChargedLayer, constants: Mapping[str, Band]) -> LayerEnergy:
    energy: dict[Cause, Band] = {cause: band(terms, constants) for cause, terms in layer.price.energy_j.items()}
    return LayerEnergy(layer.counts.layer, layer.counts.kind, energy, layer.price.unpriced)


def _overload(busy: Band, profile: HardwareProfile) -> tuple[str, ...]:
    """Return a line where the nominal work takes more time than there is."""
    if busy.nominal <= 1.0:
        return ()
    clock = f"{profile.clock.value:g} {profile.clock.unit}"
    return (f"profile {profile.name!r} needs {busy.nominal:.3g} s of work per second at {clock}",)


def _not_charged(site: Site) -> tuple[str, ...]:
    """Return the parts of the device that the figures leave out."""
    parts: list[tuple[str, object]] = [
        ("front end", site.front_end), ("converter", site.converter), ("regulator loss", site.regulator),
        ("stimulation", site.stimulation),
    ]
    if site.link is not None:
        parts.append(("radio", site.radio))
    return tuple(f"{part} not charged: {model.reason}" for part, model in parts if isinstance(model, Absent))


def _machine_paths(costs: CostTerms) -> frozenset[str]:
    """Return the paths of every constant that a machine's figures rest on."""
    terms = [term for some in costs.power_w.values() for term in some]
    terms += [term for layer in costs.layers for some in layer.price.energy_j.values() for term in some]
    return paths(term for term in (*terms, *costs.latency_s) if term.count) | _ALWAYS


def _used(found: Iterable[str], quantity_at: Mapping[str, Quantity], owner: str, prefix: str) -> Used:
    """Return the given constants behind some paths; a line names each with its machine or site in front."""
    given = {base: quantity_at[base.removeprefix(prefix)] for one in found for base in made_from(one)}
    return Used(
        frozenset(quantity.source for quantity in given.values()),
        {
            path: f"{owner}.{path.removeprefix(prefix)}: {quantity.value:g} {quantity.unit} ({quantity.note})"
            for path, quantity in given.items()
            if quantity.basis == "assumed"
        },
    )
