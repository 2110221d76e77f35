"""snnTorch's own neuron as the reference our fused one is held against; the only importer of snnTorch."""

from __future__ import annotations

import snntorch
import torch
from snntorch import surrogate
from torch import Tensor

from students.lif import LIF, LeakyIntegrator

__all__ = ["LIF", "LeakyIntegrator", "leaky_reference"]


def leaky_reference(layer: LIF, current: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return spikes and membranes of ``snntorch.Leaky`` with a layer's parameters, stepped in a Python loop.

    Gradients flow into `layer`'s own parameters. About eight times slower than the fused form; for tests.

    Parameters
    ----------
    layer : LIF
    current : Tensor, shape (batch, channels, steps)
    state : Tensor, shape (batch, channels), or None

    Returns
    -------
    tuple of Tensor
        Spikes and membranes, both of shape (batch, channels, steps).
    """
    neuron = snntorch.Leaky(
        beta=0.0,
        spike_grad=surrogate.atan(alpha=layer.surrogate_alpha),  # type: ignore[no-untyped-call]
        reset_mechanism=layer.reset,
    )
    # snnTorch keeps every neuron it made in a class-level list: a leak, and its reset reaches other networks.
    snntorch.SpikingNeuron.instances[:] = [one for one in snntorch.SpikingNeuron.instances if one is not neuron]
    for name, value in (("beta", layer.beta), ("threshold", layer.threshold)):
        neuron._buffers.pop(name, None)
        setattr(neuron, name, value)
    membrane = torch.zeros_like(current[..., 0]) if state is None else state
    spikes: list[Tensor] = []
    membranes: list[Tensor] = []
    for drive in current.unbind(-1):
        spike, membrane = neuron(drive, membrane)
        spikes.append(spike)
        membranes.append(membrane)
    return torch.stack(spikes, dim=-1), torch.stack(membranes, dim=-1)
