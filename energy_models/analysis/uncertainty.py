"""How far an estimate may be off, and whether one design beats another, by sampling the constants.

A constant's bounds are read as its 5 % and 95 % points. It is drawn from a log-normal with a spread of its own on
either side of the nominal value, ``x = value (high/value)^(z/z95)`` for z > 0 and ``value (value/low)^(z/z95)``
below, where z is standard normal and z95 = 1.645; where the low bound is zero the same is done without the logarithm.

Constants of one source err together: ``z = sqrt(rho) z_source + sqrt(1 - rho) z_own``. Judgements of this project's own
(sources with ``read = "own"``) stand under one key and have nothing else in common: they err alone. A constant that
two designs share (the same machine, the same site) is drawn once for both, so that a comparison is far surer than
either figure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri as _ndtri  # pyright: ignore[reportMissingTypeStubs]
from scipy.stats import qmc as _qmc  # pyright: ignore[reportMissingTypeStubs]

from energy_models.errors import PriceError
from energy_models.hardware import HardwareProfile, Site
from energy_models.pricing import SITE, Array, VectorisedEstimate, estimate_vectorised, given
from energy_models.quantities import Quantity, load_sources
from energy_models.workload import Workload

ndtri: Any = _ndtri  # scipy ships no types
qmc: Any = _qmc
Z95 = float(ndtri(0.95))
SOURCE_CORRELATION = 0.5
"""Share of a constant's spread that it has in common with the others of its source; assumed, no data decide it."""
MOST_DRAWS = 1 << 18
MOST_DRAWN, MOST_EXPONENT = 1e60, 700.0  # SI, of constants of 1e30 at most; of e
QUANTILES = (0.05, 0.5, 0.95)


@dataclass(frozen=True, slots=True)
class Design:
    """A decoder on a machine at a site, deciding so often [Hz]."""

    workload: Workload
    profile: HardwareProfile
    site: Site | None
    decode_rate_hz: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether design A draws less than design B.

    Parameters
    ----------
    probability_less : float
        Share of the draws in which A draws less.
    ratio : tuple of float
        5 %, 50 % and 95 % points of A's power over B's.
    """

    probability_less: float
    ratio: tuple[float, float, float]


def sample_designs(
    designs: Sequence[Design], *, draws: int, seed: int, source_correlation: float = SOURCE_CORRELATION
) -> tuple[VectorisedEstimate, ...]:
    """Return each design's estimates on the same draws of all constants.

    Parameters
    ----------
    designs : sequence of Design
    draws : int
        A power of two up to `MOST_DRAWS`, as Sobol sequences want.
    seed : int
        Of the scrambling.
    source_correlation : float
        Correlation of two constants of one source, 0 to 1.

    Raises
    ------
    PriceError
        Draws that are no power of two, a correlation outside 0..1, a seed below 0, or no design.
    """
    drawn = sample_constants(designs, draws=draws, seed=seed, source_correlation=source_correlation)
    return tuple(
        estimate_vectorised(
            design.workload, design.profile, design.site, decode_rate_hz=design.decode_rate_hz, constants=constants
        )
        for design, constants in zip(designs, drawn, strict=True)
    )


def sample_constants(
    designs: Sequence[Design], *, draws: int, seed: int, source_correlation: float = SOURCE_CORRELATION
) -> tuple[dict[str, Array], ...]:
    """Return draws of each design's constants by path [SI], shape (draws,) each; what designs share is drawn once.

    Parameters and errors as of `sample_designs`.
    """
    drawable = 2 <= draws <= MOST_DRAWS and not draws & (draws - 1) and seed >= 0
    if not drawable or not 0.0 <= source_correlation <= 1.0 or not designs:
        raise PriceError(
            f"{draws:,} draws of {len(designs)} designs at source correlation {source_correlation}, seed {seed}",
            remedy=f"Give at least one design, a power of two of draws up to {MOST_DRAWS}, a correlation from 0 to 1, "
            "and a seed from 0",
        )
    keys = [_keys(design) for design in designs]
    constants = {key: quantity for found in keys for key, _, quantity in found}
    drawn = _draw(constants, draws, seed, source_correlation, _shared_sources(designs))
    return tuple({path: drawn[key] for key, path, _ in found} for found in keys)


def compare(first: Array, second: Array) -> Comparison:
    """Return how surely the first power is less than the second, draw by draw, shape (draws,) each."""
    low, middle, high = (float(one) for one in np.quantile(first / second, QUANTILES))
    return Comparison(float(np.mean(first < second)), (low, middle, high))


def spread(values: Array) -> tuple[float, float, float]:
    """Return the 5 %, 50 % and 95 % points of sampled values, shape (draws,)."""
    low, middle, high = (float(one) for one in np.quantile(values, QUANTILES))
    return low, middle, high


def _keys(design: Design) -> list[tuple[str, str, Quantity]]:
    """Return for each constant a key that designs of the same machine or site share, its path, and itself."""
    found: list[tuple[str, str, Quantity]] = []
    for path, quantity in given(design.profile, design.site).items():
        owner = design.site if path.startswith(SITE) else design.profile
        found.append((f"{'' if owner is None else owner.digest}:{path}", path, quantity))
    return found


def _shared_sources(designs: Sequence[Design]) -> frozenset[str]:
    """Return the keys of sources whose constants err together, those of the designs' own files among them."""
    records = dict(load_sources())
    for design in designs:
        records |= design.profile.sources
        records |= {} if design.site is None else design.site.sources
    return frozenset(key for key, record in records.items() if record.errs_as_one)


def _draw(
    constants: Mapping[str, Quantity], draws: int, seed: int, correlation: float, shared: frozenset[str]
) -> dict[str, Array]:
    """Return draws of every constant [SI], shape (draws,) each, correlated where the source is `shared`."""
    varied = {key: quantity for key, quantity in constants.items() if quantity.low < quantity.high}
    origins = sorted({quantity.source for quantity in varied.values()} & shared)
    names = [*sorted(varied), *origins]
    uniform: Array = qmc.Sobol(max(len(names), 1), rng=np.random.default_rng(seed)).random(draws)
    inside: Array = np.clip(uniform, np.finfo(np.float64).tiny, 1.0 - np.finfo(np.float64).epsneg)
    deviates: Array = ndtri(inside)
    normal = {name: deviates[:, place] for place, name in enumerate(names)}
    drawn = {key: np.full(draws, quantity.band.nominal) for key, quantity in constants.items() if key not in varied}
    for key, quantity in varied.items():
        z = normal[key]
        if quantity.source in shared:
            z = np.sqrt(correlation) * normal[quantity.source] + np.sqrt(1.0 - correlation) * z
        drawn[key] = quantity_draws(quantity, z)
    return drawn


def quantity_draws(quantity: Quantity, z: Array) -> Array:
    """Return a constant [SI] at standard normal draws, shape of `z`; see the module's text for the law."""
    band = quantity.band
    steps = z / Z95
    if band.low > 0:
        up, down = _log_ratio(band.high, band.nominal), _log_ratio(band.nominal, band.low)
        most = min(math.log(MOST_DRAWN) - math.log(band.nominal), MOST_EXPONENT)
        return band.nominal * np.exp(np.minimum(np.where(steps > 0, steps * up, steps * down), most))
    rise = np.where(steps > 0, steps * (band.high - band.nominal), steps * (band.nominal - band.low))
    return np.maximum(band.nominal + rise, 0.0)


def _log_ratio(above: float, below: float) -> float:
    """Return the logarithm of a ratio, which itself may be too large for a number."""
    ratio = above / below
    return math.log(ratio) if math.isfinite(ratio) else math.log(above) - math.log(below)
