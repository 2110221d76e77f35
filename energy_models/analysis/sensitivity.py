"""Which constant decides: each one moved alone between its bounds, and its share of the spread of all together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from energy_models.analysis.uncertainty import MOST_DRAWS, Design, quantity_draws
from energy_models.errors import PriceError
from energy_models.pricing import Array, estimate_vectorised, given


@dataclass(frozen=True, slots=True)
class Swing:
    """What one constant does to the device's power.

    Parameters
    ----------
    path : str
        The constant; those of the site begin with ``site.``.
    source : str
    basis : str
    low_w, high_w : float
        Power with this constant at its low and high bound, all others nominal [W].
    """

    path: str
    source: str
    basis: str
    low_w: float
    high_w: float

    @property
    def swing_w(self) -> float:
        """Distance between the two [W]."""
        return abs(self.high_w - self.low_w)


def tornado(design: Design) -> tuple[Swing, ...]:
    """Return every constant that moves the device's power, the strongest first."""
    constants = {path: q for path, q in given(design.profile, design.site).items() if q.low < q.high}
    nominal = {path: quantity.band.nominal for path, quantity in constants.items()}
    order = list(constants)
    if not order:
        return ()
    values = {path: np.full(2 * len(order), nominal[path]) for path in order}
    for place, path in enumerate(order):
        values[path][2 * place : 2 * place + 2] = constants[path].band.low, constants[path].band.high
    power = _power(design, values)
    swings = [
        Swing(path, constants[path].source, constants[path].basis, float(power[2 * place]), float(power[2 * place + 1]))
        for place, path in enumerate(order)
    ]
    return tuple(sorted((s for s in swings if s.swing_w > 0), key=lambda s: (-s.swing_w, s.path)))


def total_order(design: Design, *, draws: int, seed: int) -> dict[str, float]:
    """Return each constant's total-order Sobol index of the logarithm of the device's power, constants independent.

    ``S_T = E[(f(A) - f(A with constant i of B))^2] / (2 Var f)`` (Jansen 1999): the share of the variance that would
    be left if every other constant were known.

    Raises
    ------
    PriceError
        Fewer than two draws, or more than `MOST_DRAWS`.
    """
    if not 2 <= draws <= MOST_DRAWS:
        raise PriceError(f"{draws:,} draws", remedy=f"Give at least two, better some thousands, {MOST_DRAWS} at most")
    constants = {path: q for path, q in given(design.profile, design.site).items() if q.low < q.high}
    chance = np.random.default_rng(seed)
    first, second = (
        {path: quantity_draws(q, chance.standard_normal(draws)) for path, q in constants.items()} for _ in range(2)
    )
    base = np.log(_power(design, first))
    variance = float(np.var(np.concatenate((base, np.log(_power(design, second))))))
    if variance == 0.0:
        return dict.fromkeys(constants, 0.0)
    found: dict[str, float] = {}
    for path in constants:
        moved = np.log(_power(design, {**first, path: second[path]}))
        found[path] = float(np.mean((base - moved) ** 2)) / (2.0 * variance)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _power(design: Design, values: dict[str, Array]) -> Array:
    points = estimate_vectorised(
        design.workload, design.profile, design.site, decode_rate_hz=design.decode_rate_hz, constants=values
    )
    return points.total_power_w
