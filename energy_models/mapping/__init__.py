"""One closed form per execution style: from the work of a layer to what the machine does for it."""

from __future__ import annotations

from energy_models.mapping.event_driven import tally_event_driven
from energy_models.mapping.programmable_core import tally_programmable_core
from energy_models.mapping.weight_stationary import tally_weight_stationary
from energy_models.placement import Placement
from energy_models.profile import EventDriven, HardwareProfile, WeightStationaryArray
from energy_models.tally import Tally
from energy_models.workload import LayerWork, Workload


def tally_workload(workload: Workload, profile: HardwareProfile, placement: Placement) -> tuple[Tally, ...]:
    """Return what the machine does for each layer in one decode."""
    return tuple(_tally(layer, profile, placement) for layer in workload.layers)


def _tally(layer: LayerWork, profile: HardwareProfile, placement: Placement) -> Tally:
    execution = profile.execution
    if isinstance(execution, WeightStationaryArray):
        return tally_weight_stationary(layer, execution, placement)
    if isinstance(execution, EventDriven):
        return tally_event_driven(layer, placement)
    return tally_programmable_core(layer, execution)
