"""What all event-driven styles count alike: events that reach a layer, neuron updates, time steps.

In memory are the sums of every output of a layer, at accumulator width. Activations, quantisers, norms and neurons work
on them as they are finished: what a layer hands on is as wide as the last of these makes it, a spike one bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, prod

from energy_models.errors import WorkloadError
from energy_models.mapping.action_counts import ActionCounts, CycleCount
from energy_models.mapping.styles.common import other_operations
from energy_models.mapping.styles.style import ActPrices
from energy_models.workload import LayerWork, Workload

MESSAGE_CYCLES, _STEP_CYCLES = "execution.messages.cycles", "execution.step.cycles"
MESSAGE_AND_STEP: Mapping[str, ActPrices] = {
    "message": (
        ("control", ("execution.messages.packet",)),
        ("control", ("execution.messages.hop", "execution.messages.hops")),
    ),
    "step": (("control", ("execution.step.energy",)),),
}
"""Prices of a message to a layer and of a time step."""
# What a neuron circuit does in its update, and what a layer of synapses adds to its sums.
_IN_UPDATE = frozenset({"leak", "leak_shift", "reset", "compare", "add", "multiply"})
_IN_SYNAPSES = frozenset({"add"})
_SPIKE_BITS = 2
_RECURRENT = "recurrent"


def events_in(layer: LayerWork) -> float:
    """Return the non-zero inputs of a layer with products per decode; all of its inputs where they were not counted.

    Raises
    ------
    WorkloadError
        When products met a non-zero input, and no input was one.
    """
    events = float(layer.inputs) if layer.input_events is None else layer.input_events.mean
    if events == 0 and layer.products is not None and layer.products.effective_input.total:
        raise WorkloadError(
            "products with non-zero inputs, but no input event", where=f"layer {layer.name!r}",
            remedy="Count input_events and effective_input on the same decodes",
        )
    return events


def times_repeated(layer: LayerWork) -> float | None:
    """Return how many single spikes stand for one event of a layer's inputs, on average; 1 where each is one.

    None where events are numbers, which are no counts of spikes.
    """
    graded = layer.products is not None and layer.products.effective_input.multiply_accumulate.total > 0
    if layer.input_units is None:
        return None if graded else 1.0
    return layer.input_units.mean / events_in(layer) if layer.input_units.total else 1.0


def delay_steps(layer: LayerWork) -> int:
    """Return the steps over which a layer's inputs reach its synapses with a delay; 0 where none has any.

    A product over the last steps of a stream has one synapse for each delay of an input: it reads its ring buffer.
    """
    if layer.products is None or layer.kind == _RECURRENT or not layer.state_reads:
        return 0
    return ceil(layer.state_reads / max(prod(layer.input_shape), 1))


def neuron_updates(layer: LayerWork) -> tuple[tuple[str, float], ...]:
    """Return the active and the idle updates of a layer's neurons per decode, where there are any."""
    pairs: tuple[tuple[str, float], ...] = (
        ("active_update", 0.0 if layer.updates_active is None else layer.updates_active.mean),
        ("idle_update", 0.0 if layer.updates_idle is None else layer.updates_idle.mean),
    )
    return tuple((act, count) for act, count in pairs if count)


def time_steps(workload: Workload) -> float:
    """Return the time steps of one decode: the most calls that any layer with products or neurons makes in it."""
    found = [
        layer.calls / layer.decodes_per_call
        for layer in workload.layers
        if layer.cadence == "decode" and (layer.products is not None or layer.updates_active is not None)
    ]
    return max(found, default=0.0)


def outside_spiking(layer: LayerWork) -> tuple[str, ...]:
    """Return what a layer needs beyond binary spikes, synapses without delays and neurons: one line each.

    Raises
    ------
    WorkloadError
        When an operation of the layer has no operand width.
    """
    found: list[str] = []
    if layer.products is not None and layer.products.effective_input.total:
        signs = layer.weight_form != "graded" and layer.activation_bits > _SPIKE_BITS
        if layer.products.effective_input.multiply_accumulate.total or signs:
            found.append(f"{layer.arithmetic} products of graded events")
        if delay_steps(layer):
            found.append(f"{layer.arithmetic} products with delays of up to {delay_steps(layer)} steps")
        if not layer.weights:
            found.append(f"{layer.arithmetic} products of kind {layer.kind} without stored weights")
    if layer.output_units is not None:
        found.append(f"{layer.arithmetic} neurons with several events a step: {layer.output_bits} bits an event")
    inside = _IN_UPDATE if layer.kind == "neuron" else _IN_SYNAPSES if layer.products is not None else frozenset[str]()
    found += [f"{layer.arithmetic} {one.name}" for one in other_operations(layer) if one.name not in inside]
    return tuple(found)


def sums_of_every_output(layer: LayerWork, execution: object) -> int:
    """Return the unfinished sums of one call that are in memory at once: an event may reach any output."""
    return prod(layer.output_shape)


def per_time_step(workload: Workload) -> tuple[ActionCounts, ...]:
    """Return what keeps the neurons in the same time step, as a layer of its own."""
    steps = time_steps(workload)
    cycles = (CycleCount(_STEP_CYCLES, steps),)
    return (ActionCounts("(time steps)", "overhead", "decode", control=(("step", steps),), cycles=cycles),)
