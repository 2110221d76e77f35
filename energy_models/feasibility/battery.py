"""How large a constant load a battery carries for a lifetime, and how long it carries a load: inverse to each other."""

from __future__ import annotations

import math

from energy_models.hardware import Battery
from energy_models.quantities import Band

NO_LOSS = 1e-12
"""Below this share both laws are those without loss, to as many digits; closer to 0 the quotients lose them."""


def battery_power_w(battery: Battery) -> Band:
    """Return the constant load that empties the battery exactly at the end of the required lifetime [W].

    With charge lost at rate r of what remains, ``dE/dt = -P - r E`` and E(T) = 0 give
    ``P = r E0 / (exp(r T) - 1)``, and ``E0 / T`` where r = 0.
    """
    energy, loss, life = _energy_j(battery), battery.loss.band, battery.lifetime.band
    return Band(
        _constant_load_w(energy.low, loss.high, life.high),
        _constant_load_w(energy.nominal, loss.nominal, life.nominal),
        _constant_load_w(energy.high, loss.low, life.low),
    )


def battery_life_s(battery: Battery, load_w: Band) -> Band:
    """Return how long the battery lasts under a constant load [s]; infinite where nothing is drawn.

    ``T = ln(1 + r E0 / P) / r``, and ``E0 / P`` where r = 0: `battery_power_w` solved for the lifetime. An infinite
    life means no load, not a cell that never ages.
    """
    energy, loss = _energy_j(battery), battery.loss.band
    return Band(
        _life_s(energy.low, loss.high, load_w.high),
        _life_s(energy.nominal, loss.nominal, load_w.nominal),
        _life_s(energy.high, loss.low, load_w.low),
    )


def _energy_j(battery: Battery) -> Band:
    capacity, voltage = battery.capacity.band, battery.voltage.band
    return Band(capacity.low * voltage.low, capacity.nominal * voltage.nominal, capacity.high * voltage.high)


def _constant_load_w(energy_j: float, loss_hz: float, lifetime_s: float) -> float:
    lost = loss_hz * lifetime_s
    return loss_hz * energy_j / math.expm1(lost) if lost > NO_LOSS else energy_j / lifetime_s


def _life_s(energy_j: float, loss_hz: float, load_w: float) -> float:
    if load_w == 0:
        return math.inf
    lost = loss_hz * energy_j / load_w
    return math.log1p(lost) / loss_hz if lost > NO_LOSS else energy_j / load_w
