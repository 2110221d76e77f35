"""The constants a price is made of: those of the machine and of the site by path, and those made from them.

Paths of the machine are its profile's own (``execution.active_power``); those of the site begin with ``site.``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np

from energy_models.hardware import HardwareProfile, Memory, Site
from energy_models.pricing.terms import Value
from energy_models.quantities import Band, Quantity

SITE = "site."
CONTROL_FACTOR = "execution.control_factor"
CONTROL_OVERHEAD = "execution.control_factor - 1"
"""What control adds to each joule of the datapath."""
GATED_RESIDUAL, GATED = "gated_residual", "1 - gated_residual"
"""Share of static power that stays while the machine sleeps, and the share that is switched off."""
RAIL_EFFICIENCY = "memory_rail.efficiency"
CONVERTER_WORD, EFFECTIVE_BITS = f"{SITE}sampling.converter", f"{SITE}converter.effective_bits"
CONVERTER_LEVELS = f"{SITE}converter levels"
"""Levels a converter resolves: two to the smaller of its word and its effective bits."""

_BASE: Mapping[str, tuple[str, ...]] = {
    CONTROL_OVERHEAD: (CONTROL_FACTOR,),
    GATED: (GATED_RESIDUAL,),
    CONVERTER_LEVELS: (CONVERTER_WORD, EFFECTIVE_BITS),
}


def rail_of(profile: HardwareProfile, memory: Memory) -> tuple[str, ...]:
    """Return what the energy of a memory is divided by: the efficiency of its rail, where it has one of its own."""
    return (RAIL_EFFICIENCY,) if profile.on_rail(memory) else ()


def made_from(path: str) -> tuple[str, ...]:
    """Return the paths of the given constants that a constant is made from; itself where it is given."""
    return _BASE.get(path, (path,))


def with_made(values: Mapping[str, Value]) -> dict[str, Value]:
    """Return constants, floats or arrays in SI, together with those made from them."""
    found = dict(values)
    if CONTROL_FACTOR in found:
        found[CONTROL_OVERHEAD] = cast(Value, np.maximum(found[CONTROL_FACTOR] - 1.0, 0.0))
    if GATED_RESIDUAL in found:
        found[GATED] = cast(Value, np.maximum(1.0 - found[GATED_RESIDUAL], 0.0))
    if CONVERTER_WORD in found and EFFECTIVE_BITS in found:
        found[CONVERTER_LEVELS] = cast(Value, np.exp2(np.minimum(found[CONVERTER_WORD], found[EFFECTIVE_BITS])))
    return found


def given(profile: HardwareProfile, site: Site | None) -> dict[str, Quantity]:
    """Return every given constant of a machine at a site, by path."""
    found = dict(profile.quantity_at)
    if site is not None:
        found |= {f"{SITE}{path}": quantity for path, quantity in site.quantity_at.items()}
    return found


def bands(profile: HardwareProfile, site: Site | None) -> dict[str, Band]:
    """Return every constant that a price may hold, with its bounds, in SI."""
    found = _with_made_bands(profile.bands)
    return found if site is None else found | site_bands(site)


def site_bands(site: Site) -> dict[str, Band]:
    """Return every constant of a site that a price may hold, with its bounds, in SI."""
    return _with_made_bands({f"{SITE}{path}": band for path, band in site.bands.items()})


def _with_made_bands(found: Mapping[str, Band]) -> dict[str, Band]:
    needed = {path: found[path] for base in _BASE.values() for path in base if path in found}
    lows, nominals, highs = (
        with_made({path: getattr(band, end) for path, band in needed.items()}) for end in ("low", "nominal", "high")
    )
    made: dict[str, Band] = {}
    for path in (path for path in _BASE if path in nominals):
        ends = (float(lows[path]), float(highs[path]))  # what is made falls or grows with what it is made from
        made[path] = Band(min(ends), float(nominals[path]), max(ends))
    return {**found, **made}
