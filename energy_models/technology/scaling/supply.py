"""What a change of supply does to the energy of an operation and to the clock a circuit reaches.

Energy goes as ``C V^2``, delay as ``C V / I``. The drive current ``I = Ion ln^a(1 + exp((V - Vth) / (a n kT/q)))`` is
exponential below the threshold and a power of the overdrive above it.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from energy_models.errors import ProfileError
from energy_models.quantities import Band
from energy_models.quantities.number import Number
from energy_models.technology.scaling.node import interpolated
from energy_models.technology.scaling.technology import Technology, load_technology

BOLTZMANN_J_PER_K = 1.380649e-23
ELEMENTARY_CHARGE_C = 1.602176634e-19
REFERENCE_K = 300.0
"""Temperature of the thermal voltage in the laws of supply."""


def thermal_slope_v(technology: Technology | None = None) -> float:
    """Return the gate voltage that changes a subthreshold current by a factor e at 300 K [V]: ``n kT/q``."""
    slope = (technology or load_technology()).supply.slope_factor.band.nominal
    return slope * BOLTZMANN_J_PER_K * REFERENCE_K / ELEMENTARY_CHARGE_C


def nominal_supply_v(node_nm: float, technology: Technology | None = None) -> float:
    """Return the supply at which a node's energies are given [V].

    Raises
    ------
    ProfileError
        When the node is outside the table.
    """
    rows = (technology or load_technology()).nominal_supplies
    return interpolated(node_nm, [(row.node_nm, row.supply.band.nominal) for row in rows])


def highest_supply_v(node_nm: float, technology: Technology | None = None) -> float:
    """Return the supply above which the laws are refused [V]: the highest nominal supply and its headroom.

    Raises
    ------
    ProfileError
        When the node is outside the table.
    """
    constants = technology or load_technology()
    points = [(row.node_nm, row.supply.band.high) for row in constants.nominal_supplies]
    return interpolated(node_nm, points) * constants.range.headroom.band.nominal


def check_supply(supply_v: float, node_nm: float, technology: Technology, *, where: str) -> None:
    """Refuse a supply outside the range of the laws at a node.

    Raises
    ------
    ProfileError
        When the supply is not a number between the lowest one and the highest nominal one with its headroom.
    """
    low, high = technology.range.lowest_supply.band.nominal, highest_supply_v(node_nm, technology)
    if not low <= supply_v <= high:
        remedy = (
            f"Give a supply from {low:g} to {high:.3g} V: a higher one feeds a regulator inside the chip, below the "
            "lowest one variation and memories decide"
        )
        what = f"supply {supply_v:g} V is outside {low:g} to {high:.3g} V at {node_nm:g} nm"
        raise ProfileError(what, where=where, remedy=remedy)


def dynamic_factor(from_v: float, to_v: float, technology: Technology | None = None) -> Band:
    """Return what a switching energy becomes at another supply: ``(V2/V1)^2``, bounds from other exponents.

    No polynomial of the supply is used: those of Stillmaker and Baas turn upward below 0.47 to 0.59 V.

    Parameters
    ----------
    from_v, to_v : float
        Supplies, or supplies over the nominal ones of their nodes.
    technology : Technology, optional
    """
    exponent = (technology or load_technology()).supply.exponent.band
    at = [(to_v / from_v) ** power for power in (exponent.low, exponent.nominal, exponent.high)]
    return Band(min(at), at[1], max(at))


def frequency_factor(from_v: float, to_v: float, technology: Technology | None = None) -> Band:
    """Return what the clock a circuit reaches becomes at another supply: ``I(V)/V`` over the same before.

    Bounds: threshold and velocity exponent both at their low, or both at their high end.

    References
    ----------
    keller2014 (transregional drive current), sakurai1990 (exponent above the threshold).
    """
    constants = technology or load_technology()
    law, slope = constants.supply, thermal_slope_v(constants)
    threshold, power = law.threshold.band, law.velocity_exponent.band
    corners = ((threshold.low, power.low), (threshold.nominal, power.nominal), (threshold.high, power.high))
    at = [float(drive_speed(to_v, *corner, slope) / drive_speed(from_v, *corner, slope)) for corner in corners]
    return Band(min(at), at[1], max(at))


def drive_speed(supply_v: Number, threshold_v: float, power: float, slope_v: float) -> Number:
    """Return the reciprocal delay ``I(V)/V`` of a circuit in arbitrary units; only its ratios mean anything."""
    overdrive = cast(Number, np.logaddexp(0.0, (supply_v - threshold_v) / (power * slope_v)))
    return overdrive**power / supply_v
