"""One closed form per execution style: from the work of a layer to what the machine does for it."""

from __future__ import annotations

from energy_models.mapping.event_driven import tally_event_driven
from energy_models.mapping.programmable_core import fused_epilogues, tally_programmable_core
from energy_models.mapping.weight_stationary import tally_weight_stationary
from energy_models.placement import Placement
from energy_models.profile import EventDriven, HardwareProfile, WeightStationaryArray
from energy_models.tally import Tally
from energy_models.workload import Workload


def tally_workload(workload: Workload, profile: HardwareProfile, placement: Placement) -> tuple[Tally, ...]:
    """Return what the machine does for each layer in one decode."""
    execution = profile.execution
    if isinstance(execution, WeightStationaryArray):
        return tuple(tally_weight_stationary(layer, execution, placement) for layer in workload.layers)
    if isinstance(execution, EventDriven):
        return tuple(tally_event_driven(layer, placement) for layer in workload.layers)
    epilogues = fused_epilogues(workload.layers)
    return tuple(tally_programmable_core(layer, execution, epilogues=epilogues) for layer in workload.layers)
