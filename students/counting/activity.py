"""A remark on spiking networks that are silent, or fire almost always: both are counted, neither is what was meant."""

from __future__ import annotations

from collections.abc import Sequence

from energy_models.workload import LayerWork, firing_rates


def activity_remark(layers: Sequence[LayerWork]) -> dict[str, str]:
    """Return a remark under ``spikes`` that names layers which never or almost always fire; empty where none does.

    Parameters
    ----------
    layers : sequence of LayerWork
    """
    odd = [one for one in firing_rates(layers) if one.warning]
    silent = [one.layer for one in odd if one.rate == 0.0]
    always = [f"{one.layer} ({one.rate:.0%})" for one in odd if one.rate]
    said: list[str] = []
    if silent:
        said.append(f"no neuron of {', '.join(silent)} fired, so what their spikes cause is counted as nothing")
    if always:
        said.append(f"almost every neuron of {', '.join(always)} fired in every step, so their spikes say little")
    return {"spikes": f"WARNING: {'; '.join(said)}."} if said else {}
