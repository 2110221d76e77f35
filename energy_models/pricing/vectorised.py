"""One workload on very many hardware points at once: every constant may be an array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from energy_models.errors import PriceError, unknown_name
from energy_models.hardware import Absent, HardwareProfile, Site
from energy_models.pricing.constants import bands, made_from, with_made
from energy_models.pricing.cost_terms import CostTerms, cost_terms_of
from energy_models.pricing.regulator import regulated, regulator_loss_w, regulator_paths
from energy_models.pricing.report import OUTSIDE_DECODER, Cause
from energy_models.pricing.terms import Array, Term, evaluate, merged, paths
from energy_models.pricing.unaccounted import unaccounted_gathering, unaccounted_work
from energy_models.workload import Workload


@dataclass(frozen=True, slots=True)
class VectorisedEstimate:
    """The estimates of many hardware points, shape (points,) each.

    Parameters
    ----------
    power_w : mapping of Cause to array
        Average power by cause [W].
    decode_energy_j : array
        Energy of one decode on the machine [J].
    latency_s : array
        Time of one decode [s].
    unaccounted : tuple of str
        What is in no figure, as in `EnergyReport`: where it is not empty every power is a lower bound.
    """

    power_w: Mapping[Cause, Array]
    decode_energy_j: Array
    latency_s: Array
    unaccounted: tuple[str, ...] = ()

    @property
    def total_power_w(self) -> Array:
        """Average power of the whole device [W]."""
        return np.sum(list(self.power_w.values()), axis=0)

    @property
    def decoder_power_w(self) -> Array:
        """Average power without front end, converter, radio, stimulation and regulator [W]."""
        return np.sum([power for cause, power in self.power_w.items() if cause not in OUTSIDE_DECODER], axis=0)


def estimate_vectorised(
    workload: Workload,
    profile: HardwareProfile,
    site: Site | None,
    *,
    decode_rate_hz: float,
    constants: Mapping[str, Array],
) -> VectorisedEstimate:
    """Return what a workload costs at many hardware points; what `constants` leaves out stays at its nominal value.

    Parameters
    ----------
    workload : Workload
    profile : HardwareProfile
        Its structure (style, array size, memories, placement) is that of every point.
    site : Site or None
    decode_rate_hz : float
        Decisions per second [Hz].
    constants : mapping of path to array, shape (points,)
        In SI; paths as in `EnergyReport.assumed` without the profile's name, those of the site after ``site.``.

    Raises
    ------
    PriceError
        A path that is no constant of this machine at this site, arrays of different lengths, or a value below zero.
    WorkloadError
        As `estimate`.
    """
    costs = cost_terms_of(workload, profile, site, decode_rate_hz=decode_rate_hz)
    nominal = {path: band.nominal for path, band in bands(profile, site).items()}
    points = _points(constants, nominal)
    zeros = np.zeros(points)
    needed = _needed(costs, site)
    values = {path: constants[path] if path in constants else np.full(1, nominal[path]) for path in needed}
    values = with_made(values)
    power: dict[Cause, Array] = {cause: evaluate(terms, values, zeros) for cause, terms in costs.power_w.items()}
    if site is not None and not isinstance(site.regulator, Absent):
        load: Array = np.sum(regulated(power), axis=0)
        power["regulator"] = regulator_loss_w(site.regulator, load, values)
    energy, latency = (evaluate(terms, values, zeros) for terms in (_decode_terms(costs), costs.latency_s))
    missing = unaccounted_work(workload, costs.layers)
    if site is not None and site.gathered_by == "machine" and profile.gathering is None:
        missing = (*missing, unaccounted_gathering(profile.name))
    return VectorisedEstimate(power, energy, latency + workload.delay_s, missing)


def _decode_terms(costs: CostTerms) -> tuple[Term, ...]:
    return merged(term for layer in costs.layers for terms in layer.price.energy_j.values() for term in terms)


def _needed(costs: CostTerms, site: Site | None) -> set[str]:
    """Return the given constants that the cost terms rest on."""
    power = (term for terms in costs.power_w.values() for term in terms)
    found = paths((*_decode_terms(costs), *costs.latency_s, *power))
    needed = {base for path in found for base in made_from(path)}
    return needed if site is None else needed | regulator_paths(site.regulator)


def _points(constants: Mapping[str, Array], known: Mapping[str, float]) -> int:
    """Return how many points there are."""
    for path, values in constants.items():
        if path not in known:
            raise PriceError(f"{path!r} is no constant here", remedy=unknown_name("constants", path, known))
        if values.ndim != 1 or not bool(np.all(values >= 0)):
            raise PriceError(
                f"constant {path!r} is not a list of numbers from 0 up", remedy="Give shape (points,), in SI"
            )
    lengths = {len(values) for values in constants.values()}
    if len(lengths) != 1:
        raise PriceError(f"arrays of {sorted(lengths)} points", remedy="Give at least one array, all of one length")
    return lengths.pop()
