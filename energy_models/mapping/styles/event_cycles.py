"""Clocked spiking core: the cycle law of Xylo, after Rockpool's ``power_cycles_model`` (SYNS63300).

Per decode, over its time steps:

    input      channels cycles_per_input + events of the first layer  cycles_per_input_event
    recurrent  events between hidden neurons  cycles_per_recurrent_event
    read-out   hidden spikes cycles_per_readout_spike + events of the last layer  cycles_per_readout_event
    neurons    hidden updates cycles_per_hidden_update + hidden spikes cycles_per_hidden_spike
               + read-out updates cycles_per_readout_update

Input and read-out rows are full (``effective_input``), recurrent ones lists of non-zero weights (``effective``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from energy_models.hardware import EventCycles
from energy_models.mapping.action_counts import ActionCounts, CycleCount
from energy_models.mapping.placement import WordWidths
from energy_models.mapping.styles.events import events_in, neuron_updates, outside_spiking, sums_of_every_output
from energy_models.mapping.styles.style import Style
from energy_models.workload import LayerWork

Position = Literal["input", "hidden", "readout"]
"""Position of a layer in a network: fed by the input, between hidden neurons, or read out."""


def positions(layers: Sequence[LayerWork]) -> tuple[Position, ...]:
    """Return the position of each layer: the first with products, the last (if another), neurons after it, the rest."""
    held = [place for place, layer in enumerate(layers) if layer.products is not None]
    first, last = (held[0], held[-1]) if held else (-1, -1)

    def position(place: int) -> Position:
        if first < last <= place:
            return "readout"
        return "input" if place == first else "hidden"

    return tuple(position(place) for place in range(len(layers)))


def count_layer(layer: LayerWork, position: Position) -> ActionCounts:
    """Return the cycles of one layer in one decode.

    Raises
    ------
    WorkloadError
        When an operation of the layer has no operand width, or its events contradict its products.
    """
    counts: list[tuple[str, float]] = []
    outside = outside_spiking(layer)
    priced = not any("products" in line for line in outside)
    if layer.products is not None and priced:
        full, lists = layer.products.effective_input.mean, layer.products.effective.mean
        counts += {
            "input": [("input", float(layer.inputs)), ("input_event", full)],
            "hidden": [("recurrent_event", lists)],
            "readout": [("readout_spike", events_in(layer)), ("readout_event", full)],
        }[position]
    if layer.kind == "neuron":
        updates = sum(count for _, count in neuron_updates(layer))
        spikes = 0.0 if layer.output_events is None else layer.output_events.mean
        readout: list[tuple[str, float]] = [("readout_update", updates)]
        counts += readout if position == "readout" else [("hidden_update", updates), ("hidden_spike", spikes)]
    cycles = tuple(CycleCount(f"execution.cycles_per_{act}", count) for act, count in counts)
    return ActionCounts(layer.name, layer.kind, layer.cadence, cycles=cycles, unpriced=outside)


def count_layers(
    layers: Sequence[LayerWork], execution: EventCycles, placement: WordWidths
) -> tuple[ActionCounts, ...]:
    """Return the cycles of every layer in one decode, by its position.

    Raises
    ------
    WorkloadError
        As `count_layer`.
    """
    return tuple(count_layer(layer, where) for layer, where in zip(layers, positions(layers), strict=True))


EVENT_CYCLES = Style(
    name="event_cycles",
    count=count_layers,
    sums_in_memory=sums_of_every_output,
    cycle_power="execution.active_power",
)
