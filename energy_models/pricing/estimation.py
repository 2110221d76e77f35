"""The one-call path: a workload, a machine, perhaps a site, and how often a decision is needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from energy_models.hardware import Absent, HardwareProfile, Site
from energy_models.pricing.constants import SITE, bands, made_from
from energy_models.pricing.cost_terms import ChargedLayer, CostTerms, cost_terms_of
from energy_models.pricing.regulator import regulated, regulator_loss, regulator_paths
from energy_models.pricing.report import CAUSES, Cause, EnergyReport, LayerEnergy
from energy_models.pricing.terms import band, paths
from energy_models.quantities import ZERO, Band, Quantity, total
from energy_models.workload import Workload

_ALWAYS = frozenset({"clock", "static", "wake.energy", "wake.time"})


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
    costs = cost_terms_of(workload, profile, site, decode_rate_hz=decode_rate_hz)
    constants = bands(profile, site)
    power: dict[Cause, Band] = {cause: band(terms, constants) for cause, terms in costs.power_w.items()}
    if site is not None:
        power["regulator"] = regulator_loss(site.regulator, total(regulated(power)), constants)
    used = _used(costs, profile, site)
    unpriced = _unpriced(costs.layers)
    return EnergyReport(
        workload=workload.name,
        profile=profile.name,
        profile_hash=profile.digest,
        decode_rate_hz=decode_rate_hz,
        layers=tuple(_layer(layer, constants) for layer in costs.layers),
        power_w={cause: power.get(cause, ZERO) for cause in CAUSES},
        latency_s=band(costs.latency_s, constants),
        cycles=band(costs.cycles, constants),
        memories=costs.placement.uses,
        reload=None if costs.reload is None else costs.reload.summary,
        infeasibilities=(
            *costs.placement.infeasibilities, *unpriced, *_overload(costs, profile, decode_rate_hz, constants)
        ),
        unaccounted=(
            *(f"uncounted: {item.layer} {item.operation} ({item.reason})" for item in workload.uncounted),
            *(f"unpriced: {line}" for line in unpriced),
        ),
        not_charged=_not_charged(site),
        sources=tuple(sorted({quantity.source for quantity in used.values()})),
        assumed=tuple(
            f"{path}: {quantity.value:g} {quantity.unit} ({quantity.note})"
            for path, quantity in used.items()
            if quantity.basis == "assumed"
        ),
    )


def _layer(layer: ChargedLayer, constants: Mapping[str, Band]) -> LayerEnergy:
    energy: dict[Cause, Band] = {cause: band(terms, constants) for cause, terms in layer.price.energy_j.items()}
    return LayerEnergy(layer.counts.layer, layer.counts.kind, energy, layer.price.unpriced)


def _overload(
    costs: CostTerms, profile: HardwareProfile, decode_rate_hz: float, constants: Mapping[str, Band]
) -> tuple[str, ...]:
    """Return a line where the nominal work takes more time than there is."""
    clock = profile.clock
    busy = decode_rate_hz * band(costs.latency_s, constants).nominal
    for layer in costs.layers:
        if layer.counts.cadence != "decode":
            busy += band(layer.price.cycles, constants).nominal / clock.band.nominal * layer.rate_hz
    if busy <= 1.0:
        return ()
    return (f"profile {profile.name!r} needs {busy:.3g} s of work per second at {clock.value:g} {clock.unit}",)


def _unpriced(layers: Iterable[ChargedLayer]) -> tuple[str, ...]:
    """Return one line for each thing without a price, with the layers that need it."""
    needed: dict[str, list[str]] = {}
    for layer in layers:
        for what in layer.price.unpriced:
            needed.setdefault(what, []).append(layer.counts.layer)
    return tuple(f"{what} (needed by {', '.join(names)})" for what, names in needed.items())


def _not_charged(site: Site | None) -> tuple[str, ...]:
    """Return the parts of the device that the figures leave out."""
    if site is None:
        return ("no site given: front end, converter, radio, stimulation and regulator not charged",)
    parts: list[tuple[str, object]] = [
        ("front end", site.front_end), ("converter", site.converter), ("regulator loss", site.regulator),
        ("stimulation", site.stimulation),
    ]
    if site.link is not None:
        parts.append(("radio", site.radio))
    return tuple(f"{part} not charged: {model.reason}" for part, model in parts if isinstance(model, Absent))


def _used(costs: CostTerms, profile: HardwareProfile, site: Site | None) -> dict[str, Quantity]:
    """Return every given constant that was used, by its path with the profile's or the site's name in front."""
    terms = [term for some in costs.power_w.values() for term in some]
    terms += [term for layer in costs.layers for some in layer.price.energy_j.values() for term in some]
    found = paths(term for term in (*terms, *costs.latency_s) if term.count) | _ALWAYS
    found |= frozenset() if site is None else regulator_paths(site.regulator)
    used: dict[str, Quantity] = {}
    for path in sorted({base for one in found for base in made_from(one)}):
        if not path.startswith(SITE):
            used[f"{profile.name}.{path}"] = profile.quantity_at[path]
        elif site is not None:
            own = path.removeprefix(SITE)
            used[f"{site.name}.{own}"] = site.quantity_at[own]
    return used
