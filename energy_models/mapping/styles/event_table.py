"""Event-driven core with published energies per event: counts of events, nothing built up from words and widths.

Per decode:

    synapses  = products with a non-zero input (``effective_input``); lists, on machines that have them, hold non-zero
                weights only (``effective``)
    neurons   = every neuron accessed in every step, those with input current updated too
    spikes    = non-zero outputs of neurons
    messages  = non-zero inputs of layers with synapses: each is carried to the layer once

All are counts and contain the spike rate already; nothing multiplies by a rate again.
"""

from __future__ import annotations

from energy_models.hardware import EventTable, Synapses
from energy_models.mapping.action_counts import ActionCounts, CycleCount
from energy_models.mapping.placement import WordWidths
from energy_models.mapping.styles.events import (
    MESSAGE_AND_STEP,
    MESSAGE_CYCLES,
    events_in,
    neuron_updates,
    outside_spiking,
    per_time_step,
    sums_of_every_output,
)
from energy_models.mapping.styles.style import Style, each_layer
from energy_models.workload import LayerWork

_EVENT_CYCLES = "execution.cycles_per_event"
_UPDATE_CYCLES = "execution.cycles_per_update"
_SPIKE_CYCLES = "execution.cycles_per_spike"
_SHARED_KERNELS = frozenset({"conv", "depthwise", "pointwise"})
LIST_DENSITY = 0.5
"""Share of non-zero weights below which a layer is stored as lists; a design choice, an index costs about a weight."""


def connections(layer: LayerWork, synapse: Synapses) -> str:
    """Return how a layer's synapses are stored on a machine with these forms of synapses."""
    if layer.kind in _SHARED_KERNELS:
        return "convolutional_synapse"
    lists = synapse.sparse is not None and layer.weights_nonzero < LIST_DENSITY * layer.weights
    return "sparse_synapse" if lists else "dense_synapse"


def count_layer(layer: LayerWork, execution: EventTable, placement: WordWidths) -> ActionCounts:
    """Return the events of one layer in one decode.

    Raises
    ------
    WorkloadError
        When an operation of the layer has no operand width, or its events contradict its products.
    """
    synapse = execution.synapse
    control: list[tuple[str, float]] = []
    cycles: list[CycleCount] = []
    outside = outside_spiking(layer)
    if layer.kind in _SHARED_KERNELS and synapse.convolutional is None:
        outside = (*outside, f"products of kind {layer.kind}: kernels are not shared between positions")
    priced = not any("products" in line for line in outside)
    if layer.products is not None and priced and layer.products.effective_input.total:
        stored = connections(layer, synapse)
        live = layer.products.effective if stored == "sparse_synapse" else layer.products.effective_input
        arrived = events_in(layer)
        control.append((stored, live.mean))
        control.append(("message", arrived))
        cycles += [CycleCount(_EVENT_CYCLES, live.mean), CycleCount(MESSAGE_CYCLES, arrived)]
    for act, count in neuron_updates(layer):
        control.append((act, count))
        cycles.append(CycleCount(_UPDATE_CYCLES, count))
    if layer.kind == "neuron" and layer.output_events is not None:
        control.append(("spike", layer.output_events.mean))
        cycles.append(CycleCount(_SPIKE_CYCLES, layer.output_events.mean))
    return ActionCounts(
        layer.name, layer.kind, layer.cadence, control=tuple(control), cycles=tuple(cycles), unpriced=outside
    )


EVENT_TABLE = Style(
    name="event_table",
    count=each_layer(count_layer),
    sums_in_memory=sums_of_every_output,
    per_decode=per_time_step,
    act_prices={
        **MESSAGE_AND_STEP,
        "dense_synapse": (("compute", ("execution.synapse.dense",)),),
        "sparse_synapse": (("compute", ("execution.synapse.sparse",)),),
        "convolutional_synapse": (("compute", ("execution.synapse.convolutional",)),),
        "active_update": (("state", ("execution.neuron_access",)), ("state", ("execution.neuron_update",))),
        "idle_update": (("state", ("execution.neuron_access",)),),
        "spike": (("control", ("execution.spike",)),),
    },
)
