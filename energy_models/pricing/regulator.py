"""What a regulator loses at a load: for one number, or for arrays of hardware points.

The load is the average one. A device that sleeps and works in bursts meets the curve at both ends of it, so that its
loss is rather less than said where the curve rises.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import TypeVar, cast

import numpy as np

from energy_models.hardware import Absent, CurveRegulator, Regulator
from energy_models.pricing.constants import SITE
from energy_models.pricing.report import UNREGULATED, Cause
from energy_models.pricing.terms import Value
from energy_models.quantities import Band

EFFICIENCY = f"{SITE}regulator.efficiency"
QUIESCENT = f"{SITE}regulator.quiescent"
_Power = TypeVar("_Power")


def regulator_paths(regulator: Regulator) -> frozenset[str]:
    """Return the constants a regulator's loss rests on; the loads of a curve are its structure."""
    if isinstance(regulator, Absent):
        return frozenset()
    if isinstance(regulator, CurveRegulator):
        return frozenset({QUIESCENT, *(_efficiency_path(place) for place in range(len(regulator.points)))})
    return frozenset({EFFICIENCY})


def regulated(power_w: Mapping[Cause, _Power]) -> list[_Power]:
    """Return the powers that a regulator feeds [W]: all but a stimulator's, in the form in which they are given."""
    return [power for cause, power in power_w.items() if cause not in UNREGULATED]


def regulator_loss_w(regulator: Regulator, load_w: Value, values: Mapping[str, Value]) -> Value:
    """Return the power lost in a regulator at a load [W]; zero where there is none.

    One efficiency: ``load (1/efficiency - 1)``. A curve: the same with the efficiency at that load, linear in the
    logarithm of the load between the stated ones, and never less than the quiescent power. It grows with the load.

    Parameters
    ----------
    regulator : Regulator
    load_w : float or array, shape (points,)
        Power the device draws behind it [W].
    values : mapping of path to float or array
        Holds `regulator_paths`; an efficiency above 1 counts as 1.
    """
    if isinstance(regulator, Absent):
        return load_w * 0.0
    if not isinstance(regulator, CurveRegulator):
        return _loss_w(load_w, values[EFFICIENCY])
    loss = _loss_w(load_w, _efficiency_at(regulator, load_w, values))
    return cast(Value, np.maximum(loss, values[QUIESCENT]))


def regulator_loss(regulator: Regulator, load_w: Band, bands: Mapping[str, Band]) -> Band:
    """Return the power lost at a load with bounds [W]: least load at the best efficiencies, most at the worst."""
    paths = regulator_paths(regulator)
    best = {path: bands[path].low if path == QUIESCENT else bands[path].high for path in paths}
    worst = {path: bands[path].high if path == QUIESCENT else bands[path].low for path in paths}
    middle = {path: bands[path].nominal for path in paths}
    low, nominal, high = (
        float(regulator_loss_w(regulator, load, values))
        for load, values in ((load_w.low, best), (load_w.nominal, middle), (load_w.high, worst))
    )
    return Band(low, nominal, high)


def _efficiency_path(place: int) -> str:
    return f"{SITE}regulator.points[{place}].efficiency"


def _loss_w(load_w: Value, efficiency: Value) -> Value:
    return load_w * (1.0 / cast(Value, np.minimum(efficiency, 1.0)) - 1.0)


def _efficiency_at(regulator: CurveRegulator, load_w: Value, values: Mapping[str, Value]) -> Value:
    """Return the efficiency at a load: one step towards each further point, as far as the load lies past the last."""
    loads = [point.load.band.nominal for point in regulator.points]
    logarithm = np.log(np.maximum(load_w, loads[0]))
    efficiency = values[_efficiency_path(0)]
    for place, (before, after) in enumerate(pairwise(loads), start=1):
        share = np.clip((logarithm - math.log(before)) / math.log(after / before), 0.0, 1.0)
        step = values[_efficiency_path(place)] - values[_efficiency_path(place - 1)]
        efficiency = cast(Value, efficiency + share * step)
    return efficiency
