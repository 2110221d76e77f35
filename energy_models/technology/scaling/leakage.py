"""What leaks, apart from what switches: leakage never follows the energy of an operation."""

from __future__ import annotations

from typing import cast

import numpy as np

from energy_models.quantities import Band
from energy_models.quantities.number import Number
from energy_models.technology.scaling.supply import thermal_slope_v
from energy_models.technology.scaling.technology import Technology, load_technology


def supply_factor(from_v: float, to_v: float, technology: Technology | None = None) -> Band:
    """Return what a leakage power becomes at another supply: ``P = V I0 exp(b V / (n kT/q))``, b the lowered barrier.

    The thermal voltage is that of 300 K: temperature has its own law, and the order of the two does not matter.

    Parameters
    ----------
    from_v, to_v : float
        Supplies [V].
    technology : Technology, optional
    """
    law = (technology or load_technology()).leakage.barrier_lowering.band
    slope = thermal_slope_v(technology)
    at = [float(barrier_factor(from_v, to_v, b, slope)) for b in (law.low, law.nominal, law.high)]
    return Band(min(at), at[1], max(at))


def barrier_factor(from_v: Number, to_v: Number, barrier: float, slope_v: float) -> Number:
    """Return ``(V2/V1) exp(b (V2 - V1) / (n kT/q))`` [1] of supplies [V], lowered barrier [1] and ``n kT/q`` [V]."""
    return cast(Number, (to_v / from_v) * np.exp(barrier * (to_v - from_v) / slope_v))


def temperature_factor(from_k: float, to_k: float, technology: Technology | None = None) -> Band:
    """Return what a leakage power becomes at another temperature: ``2 ^ ((T2 - T1) / doubling)``.

    Parameters
    ----------
    from_k, to_k : float
        Silicon temperatures [K].
    technology : Technology, optional

    References
    ----------
    cacti7: SRAM at 22, 45 and 65 nm, 300 to 360 K.
    """
    doubling = (technology or load_technology()).leakage.doubling.band
    at = [2.0 ** ((to_k - from_k) / rise) for rise in (doubling.low, doubling.nominal, doubling.high)]
    return Band(min(at), at[1], max(at))
