"""One closed form per execution style: from the work of a layer to what the machine does for it."""

from __future__ import annotations

from energy_models.hardware import (
    EventCycles,
    EventDriven,
    EventTable,
    HardwareProfile,
    InputBroadcast,
    OutputStationaryArray,
    StreamingRing,
    WeightStationaryArray,
)
from energy_models.mapping.action_counts import ActionCounts, amortised
from energy_models.mapping.event_cycles import roles, tally_event_cycles
from energy_models.mapping.event_driven import tally_event_driven
from energy_models.mapping.event_table import tally_event_table
from energy_models.mapping.input_broadcast import tally_input_broadcast
from energy_models.mapping.output_stationary import tally_output_stationary
from energy_models.mapping.placement import Placement
from energy_models.mapping.programmable_core import fused_epilogues, tally_programmable_core
from energy_models.mapping.streaming_ring import tally_streaming_ring
from energy_models.mapping.weight_stationary import tally_weight_stationary
from energy_models.workload import LayerWork, Workload


def count_actions(workload: Workload, profile: HardwareProfile, placement: Placement) -> tuple[ActionCounts, ...]:
    """Return what the machine does for each layer in one decode.

    A layer that works in one of several decodes is counted in that one, then amortised over them.
    """
    layers = tuple(layer.per_active_decode() for layer in workload.layers)
    counted = _per_active_decode(layers, profile, placement)
    pairs = zip(workload.layers, counted, strict=True)
    return tuple(amortised(counts, layer.decodes_per_call) for layer, counts in pairs)


def _per_active_decode(
    layers: tuple[LayerWork, ...], profile: HardwareProfile, placement: Placement
) -> tuple[ActionCounts, ...]:
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
