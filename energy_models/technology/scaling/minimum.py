"""The supply at which an operation takes the least energy.

    E(V) = C V^2 + P(V) t(V),    leakage P by `leakage`, delay t by `supply` of this folder

Near the threshold the delay grows exponentially, and leakage with it, so that E has a minimum. It holds for a circuit
that is cut off as soon as it is done. What leaks between decisions too draws its power whatever the clock is: there
less supply always saves, down to the deadline.
"""

from __future__ import annotations

import numpy as np

from energy_models.errors import ProfileError
from energy_models.technology.scaling.leakage import supply_factor
from energy_models.technology.scaling.supply import dynamic_factor, frequency_factor
from energy_models.technology.scaling.technology import Technology

STEP_V = 1e-3


def operation_energy_ratio(
    supply_v: float, reference_v: float, leakage_share: float, technology: Technology | None = None
) -> float:
    """Return the energy of an operation at a supply, leakage included, over its switched energy at another one.

    Parameters
    ----------
    supply_v, reference_v : float
        Supplies [V].
    leakage_share : float
        Leaked over switched energy of an operation at the reference supply, at the clock reached there.
    technology : Technology, optional

    References
    ----------
    zhai2004: the energy of an operation rises again deep below the threshold, as the leaking time grows.
    """
    leaked = supply_factor(reference_v, supply_v, technology).nominal
    faster = frequency_factor(reference_v, supply_v, technology).nominal
    return dynamic_factor(reference_v, supply_v, technology).nominal + leakage_share * leaked / faster


def minimum_energy_supply_v(
    low_v: float, high_v: float, *, reference_v: float, leakage_share: float, technology: Technology | None = None
) -> float:
    """Return the supply between two at which an operation takes the least energy [V], to a millivolt.

    Parameters
    ----------
    low_v, high_v : float
        Supplies to look between [V].
    reference_v, leakage_share : float
        As in `operation_energy_ratio`.
    technology : Technology, optional

    Raises
    ------
    ProfileError
        When the supplies are not in order.
    """
    if not 0 < low_v < high_v:
        raise ProfileError(
            f"no supply lies between {low_v:g} and {high_v:g} V", where="minimum_energy_supply_v",
            remedy="Give a lower and a higher supply above zero",
        )
    supplies = np.linspace(low_v, high_v, 1 + round((high_v - low_v) / STEP_V))
    energies = [operation_energy_ratio(float(one), reference_v, leakage_share, technology) for one in supplies]
    return float(supplies[int(np.argmin(energies))])
