"""Setting layers up: before a datapath begins a pass it fetches a descriptor and drains its pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from energy_models.mapping.action_counts import ActionCounts, CycleCount
from energy_models.mapping.styles.passes import streamed_passes
from energy_models.workload import LayerWork

SET_UP_CYCLES = "execution.cycles_per_layer"


def with_set_up(layers: Sequence[LayerWork], counted: Sequence[ActionCounts]) -> tuple[ActionCounts, ...]:
    """Return the counts of layers with the cycles of setting each pass up: time, and no energy of acts.

    Once each decode in which the layer works.

    Layers that work on the stream of another are set up with it. A layer that runs many times in a decode (a time loop)
    keeps its descriptor; loops over several layers would set them up at each step, which is not counted.
    """
    heads = {id(one.head) for one in streamed_passes(layers) if one.reads == "memory"}
    return tuple(
        replace(counts, cycles=(*counts.cycles, CycleCount(SET_UP_CYCLES, 1.0 / layer.decodes_per_call)))
        if id(layer) in heads and counts.cycles else counts
        for layer, counts in zip(layers, counted, strict=True)
    )
