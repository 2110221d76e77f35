"""Event-driven core: a non-zero input fetches its row of synapses; zeros cost nothing.

Per decode, with `events` non-zero inputs, ``fanout = effective_input / events`` products per event, L lanes and word
width w:

    synapse words  = events ceil(fanout weight_bits / w); where nothing is stored the row is of activations
    together       = min(L, floor(w / accumulator_bits)), at least 1: sums of one word that lanes take side by side
    state words    = events ceil(fanout / together) ceil(accumulator_bits / w), read and written: the targets' sums are
                     in memory, those of an event one after another
    accumulate     = effective_input; multiply only where the event is graded (not in {-1, 0, 1})
    neurons        = active and idle updates apart, each with its control; their state words read and written
    messages       = events: each is carried to the layer once

Where graded events are ``repeated``, an event of value k is k single spikes: events and products are those of all of
them (products times ``units / events``), and none needs a multiplier. Events that are no counts are refused.

``effective_input`` and `events` are counts: they contain the spike rate, and nothing here multiplies by a rate. A layer
whose events were not counted is taken as dense: every input element is an event.
"""

from __future__ import annotations

from energy_models.hardware import EventDriven, Operand
from energy_models.mapping.action_counts import Access, ActionCounts, CycleCount, Operations
from energy_models.mapping.placement import WordWidths
from energy_models.mapping.styles.common import other_operations, state_access, streamed_access
from energy_models.mapping.styles.events import (
    MESSAGE_AND_STEP,
    MESSAGE_CYCLES,
    events_in,
    neuron_updates,
    per_time_step,
    sums_of_every_output,
    times_repeated,
)
from energy_models.mapping.styles.style import Style, datapath_costs, each_layer
from energy_models.quantities import Number, ceiling, larger, smaller
from energy_models.workload import LayerWork, Products

_EVENT_CYCLES = "execution.cycles_per_event"
_UPDATE_CYCLES = "execution.cycles_per_update"
_OPERATION_CYCLES = "execution.cycles_per_operation"


def count_layer(layer: LayerWork, execution: EventDriven, placement: WordWidths) -> ActionCounts:
    """Return what an event-driven core does for one layer in one decode.

    Raises
    ------
    WorkloadError
        When an operation of the layer has no operand width, or its events contradict its products.
    """
    operations = list(other_operations(layer))
    accesses = list(state_access(layer, placement))
    control: list[tuple[str, Number]] = []
    cycles = [CycleCount(_OPERATION_CYCLES, sum(operation.count for operation in operations))]
    unpriced: tuple[str, ...] = ()
    times = times_repeated(layer) if execution.graded_events == "repeated" else 1.0
    if layer.products is None:
        accesses += streamed_access(layer, placement)
    elif times is None:
        unpriced = (f"{layer.arithmetic} products of graded events that are no counts of spikes",)
    else:
        products = layer.products.effective_input
        sites = products.mean * times
        operations += _product_operations(layer, products, execution, times)
        accesses += _product_access(layer, times, execution.lanes, placement)
        arrived = events_in(layer) * times if products.total else 0.0
        control.append(("event", sites))
        control.append(("message", arrived))
        cycles += [CycleCount(_EVENT_CYCLES, sites), CycleCount(MESSAGE_CYCLES, arrived)]
    for act, count in neuron_updates(layer):
        control.append((act, count))
        cycles.append(CycleCount(_UPDATE_CYCLES, count))
    return ActionCounts(
        layer.name, layer.kind, layer.cadence, tuple(operations), tuple(accesses), tuple(control), tuple(cycles),
        unpriced,
    )


def _product_operations(
    layer: LayerWork, products: Products, execution: EventDriven, times: float
) -> list[Operations]:
    width, sites = layer.accumulator_bits, products.mean * times
    found = [Operations("accumulate", layer.arithmetic, (width, width), sites)] if products.total else []
    graded = products.multiply_accumulate
    if graded.total and execution.graded_events == "payload":
        widths = (layer.weight_bits or layer.activation_bits, layer.activation_bits)
        found.append(Operations("multiply", layer.arithmetic, widths, graded.mean))
    return found


def _product_access(layer: LayerWork, times: float, lanes: Number, placement: WordWidths) -> list[Access]:
    products = layer.products and layer.products.effective_input
    if products is None or products.total == 0:
        return []
    events = events_in(layer) * times
    sites = products.mean * times
    word = placement.word_bits("state")
    together = larger(1.0, smaller(lanes, -ceiling(-word / layer.accumulator_bits)))
    # fanout is a mean: without sums side by side each takes a word, of a fraction of a target too
    state_words = smaller(sites, events * ceiling(sites / events / together - 1e-9))
    state_words = state_words * ceiling(layer.accumulator_bits / word)
    row: Operand = "weights" if layer.weights else "activations"
    row_bits = sites / events * (layer.weight_bits if layer.weights else layer.activation_bits)
    rows = events * ceiling(row_bits / placement.word_bits(row) - 1e-9)
    return [Access(row, rows, 0.0), Access("state", state_words, state_words)]


EVENT_DRIVEN = Style(
    name="event_driven",
    count=each_layer(count_layer),
    sums_in_memory=sums_of_every_output,
    per_decode=per_time_step,
    operation_costs=datapath_costs,
    act_prices={
        **MESSAGE_AND_STEP,
        "event": (("control", ("execution.control_per_event",)),),
        "active_update": (("control", ("execution.control_per_active_update",)),),
        "idle_update": (("control", ("execution.control_per_idle_update",)),),
    },
)
