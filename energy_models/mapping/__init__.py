"""One closed form per execution style: from the work of a layer to what the machine does for it."""

from __future__ import annotations

from energy_models.hardware.profile import (
    EventCycles,
    EventDriven,
    EventTable,
    HardwareProfile,
    InputBroadcast,
    OutputStationaryArray,
    StreamingRing,
    WeightStationaryArray,
)
from energy_models.mapping.action_counts import Tally, shared_out
from energy_models.mapping.event_cycles import roles, tally_event_cycles
from energy_models.mapping.event_driven import tally_event_driven
from energy_models.mapping.event_table import tally_event_table
from energy_models.mapping.input_broadcast import tally_input_broadcast
from energy_models.mapping.output_stationary import tally_output_stationary
from energy_models.mapping.placement import Placement
from energy_models.mapping.programmable_core import fused_epilogues, tally_programmable_core
from energy_models.mapping.streaming_ring import tally_streaming_ring
from energy_models.mapping.weight_stationary import tally_weight_stationary
from energy_models.workload.layers import LayerWork, Workload


def tally_workload(workload: Workload, profile: HardwareProfile, placement: Placement) -> tuple[Tally, ...]:
    """Return what the machine does for each layer in one decode.

    A layer that works in one of several decodes is tallied as it works, then shared out over them.
    """
    layers = tuple(layer.at_work() for layer in workload.layers)
    tallies = _tally_at_work(layers, profile, placement)
    pairs = zip(workload.layers, tallies, strict=True)
    return tuple(shared_out(tally, layer.decodes_per_call) for layer, tally in pairs)


def _tally_at_work(layers: tuple[LayerWork, ...], profile: HardwareProfile, placement: Placement) -> tuple[Tally, ...]:
    execution = profile.execution
    if isinstance(execution, WeightStationaryArray):
        return tuple(tally_weight_stationary(layer, execution, placement) for layer in layers)
    if isinstance(execution, OutputStationaryArray):
        return tuple(tally_output_stationary(layer, execution, placement) for layer in layers)
    if isinstance(execution, InputBroadcast):
        return tuple(tally_input_broadcast(layer, execution, placement) for layer in layers)
    if isinstance(execution, StreamingRing):
        return tuple(tally_streaming_ring(layer, execution, placement) for layer in layers)
    if isinstance(execution, EventDriven):
        return tuple(tally_event_driven(layer, placement) for layer in layers)
    if isinstance(execution, EventTable):
        return tuple(tally_event_table(layer, execution.synapse) for layer in layers)
    if isinstance(execution, EventCycles):
        return tuple(tally_event_cycles(layer, role) for layer, role in zip(layers, roles(layers), strict=True))
    epilogues = fused_epilogues(layers)
    return tuple(tally_programmable_core(layer, execution, placement, epilogues=epilogues) for layer in layers)
