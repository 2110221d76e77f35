"""From the work of a layer to what a machine does for it, by the machine's execution style."""

from __future__ import annotations

from energy_models.mapping.action_counts import ActionCounts, amortised
from energy_models.mapping.placement import WordWidths
from energy_models.mapping.styles import Executes, style_of
from energy_models.workload import Workload


def count_actions(workload: Workload, execution: Executes, placement: WordWidths) -> tuple[ActionCounts, ...]:
    """Return what the machine does for each layer in one decode.

    A layer that works in one of several decodes is counted in that one, then amortised over them.
    """
    layers = tuple(layer.per_active_decode() for layer in workload.layers)
    counted = style_of(execution).count(layers, execution, placement)
    pairs = zip(workload.layers, counted, strict=True)
    return tuple(amortised(counts, layer.decodes_per_call) for layer, counts in pairs)


def count_per_decode(workload: Workload, execution: Executes) -> tuple[ActionCounts, ...]:
    """Return the work a machine does once per decode or per time step, as layers of their own."""
    return style_of(execution).per_decode(workload)
