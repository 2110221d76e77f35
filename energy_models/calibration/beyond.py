"""A calibrated profile used beyond what was measured: with another library or at another supply. Its bands say so.

Cycles belong to core and library: with another library they are the profile's, wide by what libraries differ in on
one chip. Power belongs to chip, supply and regulator: behind a linear regulator it goes as the supply, behind a
switched one it stays, and where nobody knows the regulator the band holds both. Both spreads are of the shipped rows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, Literal

from energy_models.calibration.crossval import COVERED
from energy_models.calibration.fit import power_at
from energy_models.calibration.table import BoardRow, Regulator, shipped_rows
from energy_models.errors import ProfileError
from energy_models.hardware import HardwareProfile
from energy_models.quantities import Quantity, load_sources, with_quantities

LibraryOf = Literal["profile", "other"]
_CYCLES = ("execution.cycles_per_product.integer.", "execution.cycles_per_layer")
_POWER = "execution.active_power"


@cache
def library_spread(without_chip: str = "") -> float:
    """Return the factor that holds 90 % of the ratios of cycles of one network, on one chip, with two libraries.

    Parameters
    ----------
    without_chip : str
        A chip whose rows do not count.
    """
    return _spread(
        (row for row in shipped_rows("cortex_m") if row.chip != without_chip),
        lambda first, second: None if first.kernels == second.kernels else first.cycles / second.cycles,
    )


@cache
def power_spread(without_chip: str = "") -> float:
    """Return the factor that holds 90 % of the ratios of power of one network, on one chip, of two boards or libraries.

    Behind a linear regulator the power of both is that of the same current at one supply.
    """

    def ratio(first: BoardRow, second: BoardRow) -> float | None:
        same = first.regulator == second.regulator and (first.supply_v is None) == (second.supply_v is None)
        one, other = first.power_w, power_at(second, first.supply_v)
        return None if not same or one is None or other is None else one / other

    return _spread((row for row in shipped_rows("cortex_m") if row.chip != without_chip), ratio)


def _spread(rows: Iterable[BoardRow], ratio: Callable[[BoardRow, BoardRow], float | None]) -> float:
    alike: dict[tuple[str, str], list[BoardRow]] = {}
    for row in rows:
        alike.setdefault((row.chip, row.network), []).append(row)
    pairs = (pair for some in alike.values() for pair in itertools.combinations(some, 2))
    logs = sorted(abs(math.log(found)) for first, second in pairs if (found := ratio(first, second)) is not None)
    return math.exp(logs[min(len(logs), math.ceil((len(logs) + 1) * COVERED)) - 1])


def used_beyond(
    profile: HardwareProfile,
    *,
    library: LibraryOf = "profile",
    supplies_v: Sequence[float] = (),
    regulator: Regulator = "",
    without_chip: str = "",
) -> HardwareProfile:
    """Return a programmable core as it is used, with bands as wide as what was not measured on it.

    Parameters
    ----------
    profile : HardwareProfile
    library : {'profile', 'other'}
        Whether the kernels are those that the profile was calibrated on.
    supplies_v : sequence of float
        Supply in use [V]; several where it is one of them and nobody knows which; none: the profile's.
    regulator : {'linear', 'switched', ''}
        What makes the core's supply; '' where unknown.
    without_chip : str
        A chip whose measured rows set no spread.

    Raises
    ------
    ProfileError
        When the profile is no programmable core, or a supply is not above 0 V.
    """
    if profile.execution.style != "programmable_core":
        raise ProfileError(
            f"{profile.name} is no programmable core", where="library or supply of a profile",
            remedy="Only cores run libraries; move others by cosim scale",
        )
    if any(not 0 < supply < math.inf for supply in supplies_v):
        raise ProfileError(f"supplies {list(supplies_v)} V", where=profile.name, remedy="Give supplies above 0 V")
    cycles = library_spread(without_chip) if library == "other" else 1.0
    boards = power_spread(without_chip) if library == "other" else 1.0
    least, middle, most = _supply_factors(profile.supply.band.nominal, supplies_v, regulator)
    why = (f"another library than it was calibrated on: factor {cycles:.3g} either way",)
    power_why = [f"another board or library: factor {boards:.3g} either way"] if boards > 1.0 else []
    if (least, most) != (1.0, 1.0):
        named = " or ".join(f"{one:g}" for one in supplies_v)
        power_why.append(f"at {named} V behind {f'a {regulator}' if regulator else 'an unknown'} regulator")

    def moved(path: str, quantity: Quantity) -> Quantity:
        if path.startswith(_CYCLES) and cycles > 1.0:
            return _widened(quantity, (1 / cycles, 1.0, cycles), why)
        if path == _POWER and power_why:
            return _widened(quantity, (least / boards, middle, most * boards), power_why)
        return quantity

    changes: dict[str, Any] = with_quantities(profile, moved)
    return HardwareProfile.model_validate(changes, context={"sources": {**load_sources(), **profile.sources}})


def _supply_factors(own_v: float, supplies_v: Sequence[float], regulator: Regulator) -> tuple[float, float, float]:
    """Return by what power goes from the profile's supply to those in use: least, nominal and most."""
    if not supplies_v or regulator == "switched":
        return 1.0, 1.0, 1.0
    ratios = [supply / own_v for supply in supplies_v] + ([] if regulator == "linear" else [1.0])
    return min(ratios), math.sqrt(min(ratios) * max(ratios)), max(ratios)


def _widened(quantity: Quantity, factors: tuple[float, float, float], why: Sequence[str]) -> Quantity:
    low, middle, high = factors
    note = "; ".join([*why, *([quantity.note] if quantity.note else [])])
    return quantity.model_copy(
        update={
            "low": quantity.low * low, "value": quantity.value * middle, "high": quantity.high * high, "note": note,
        }
    )
