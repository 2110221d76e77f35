"""How often the neurons of a decoder fire, layer by layer, and which layers are silent or fire almost always."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from energy_models.workload.layers import LayerWork

ALWAYS = 0.95
"""Share of neurons and steps with an event from which on a layer says nothing by its events; a design choice."""


@dataclass(frozen=True, slots=True)
class Firing:
    """One layer of neurons.

    Parameters
    ----------
    layer : str
    rate : float
        Share of neurons and steps with an event; a neuron that fires several times in a step counts once.
    """

    layer: str
    rate: float

    @property
    def warning(self) -> str:
        """What is wrong with the rate, in words; empty where nothing is."""
        if self.rate == 0.0:
            return f"{self.layer} never fires"
        return f"{self.layer} fires in {self.rate:.0%} of all steps" if self.rate >= ALWAYS else ""


def firing_rates(layers: Iterable[LayerWork]) -> tuple[Firing, ...]:
    """Return the rates of all layers of neurons that can fire, in their order."""
    return tuple(
        Firing(one.name, one.output_events.mean * one.decodes_per_call / one.outputs)
        for one in layers
        if one.kind == "neuron" and one.output_events is not None and one.outputs
    )
