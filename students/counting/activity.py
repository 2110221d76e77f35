"""A remark on spiking networks that are silent, or fire almost always: both are counted, neither is what was meant."""

from __future__ import annotations

from collections.abc import Sequence

from energy_models.workload import LayerWork

ALWAYS = 0.95
"""Share of neurons and steps with a spike from which on a layer says nothing by its spikes; a design choice."""


def activity_remark(layers: Sequence[LayerWork]) -> dict[str, str]:
    """Return a remark under ``spikes`` that names layers which never or almost always fire; empty where none does.

    Parameters
    ----------
    layers : sequence of LayerWork
    """
    silent: list[str] = []
    always: list[str] = []
    for layer in layers:
        if layer.kind != "neuron" or layer.output_events is None or not layer.outputs:
            continue
        share = layer.output_events.mean * layer.decodes_per_call / layer.outputs
        if not layer.output_events.total:
            silent.append(layer.name)
        elif share >= ALWAYS:
            always.append(f"{layer.name} ({share:.0%})")
    said: list[str] = []
    if silent:
        said.append(f"no neuron of {', '.join(silent)} fired, so what their spikes cause is counted as nothing")
    if always:
        said.append(f"almost every neuron of {', '.join(always)} fired in every step, so their spikes say little")
    return {"spikes": f"WARNING: {'; '.join(said)}."} if said else {}
