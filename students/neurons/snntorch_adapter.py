"""snnTorch: its neurons described for counting, and its Leaky as the reference ours is held against.

The only importer of snnTorch. The descriptions follow the code of version 1.0 (``snntorch/_neurons``), step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import snntorch
import torch
from snntorch import surrogate
from torch import Tensor, nn

from students.neurons.dynamics import Dynamics
from students.neurons.lif import LIF, LeakyIntegrator

__all__ = ["LIF", "LeakyIntegrator", "dynamics_of", "is_neuron", "leaky_reference"]

NEURONS = "snntorch._neurons"
PARTS = frozenset(("RecurrentOneToOne",))
"""Modules of that package that are parts of neurons."""


def is_neuron(module: nn.Module) -> bool:
    """True for a neuron of snnTorch, or of a class derived from one."""
    mine = any(base.__module__.startswith(NEURONS) for base in type(module).__mro__)
    return mine and type(module).__name__ not in PARTS


def dynamics_of(module: nn.Module) -> Dynamics | None:
    """Return what a neuron of snnTorch does in a step; None for one that has no description here."""
    describe = DESCRIBED.get(type(module))
    return None if describe is None else describe(module)


def _common(neuron: Any) -> dict[str, Any]:
    """Return what all neurons derived from ``SpikingNeuron`` share."""
    return {
        "threshold": neuron.threshold,
        "reset": neuron.reset_mechanism,
        "reset_time": "next step" if getattr(neuron, "reset_delay", True) else "same step",
        "spike_factor": neuron.graded_spikes_factor,
    }


def _membrane(neuron: Any, *states: str, **more: Any) -> Dynamics:
    """Return the dynamics of a neuron stepped by the caller; `state_quant` puts each state on its levels."""
    quantised = len(states) if neuron.state_quant else 0
    winner = "strongest" if neuron.inhibition else "all"
    return Dynamics(states=states, winner=winner, requantisations=quantised, **_common(neuron), **more)


def _leaky(neuron: Any) -> Dynamics:
    """U = beta U + I, minus the threshold after a spike."""
    return _membrane(neuron, "mem", decays=(neuron.beta.clamp(0, 1),))


def _recurrent_leaky(neuron: Any) -> Dynamics:
    """U = beta U + I + V S[t-1]."""
    return _membrane(neuron, "mem", decays=(neuron.beta.clamp(0, 1),), product="recurrent")


def _synaptic_decays(neuron: Any) -> tuple[Tensor, Tensor]:
    return neuron.alpha.clamp(0, 1), neuron.beta.clamp(0, 1)


def _synaptic(neuron: Any) -> Dynamics:
    """I_syn = alpha I_syn + I; U = beta U + I_syn."""
    return _membrane(neuron, "syn", "mem", decays=_synaptic_decays(neuron), relay="syn")


def _recurrent_synaptic(neuron: Any) -> Dynamics:
    """I_syn = alpha I_syn + I + V S[t-1]; U = beta U + I_syn."""
    return _membrane(neuron, "syn", "mem", decays=_synaptic_decays(neuron), relay="syn", product="recurrent")


def _alpha(neuron: Any) -> Dynamics:
    """I_exc = alpha I_exc + I; I_inh = beta I_inh - I; U = tau (I_exc + I_inh).

    Reset by subtraction takes the threshold from I_exc, clears I_inh (a selection) and adds the old I_inh to U.
    """
    alpha, beta = _synaptic_decays(neuron)
    tau = torch.log(alpha) / (torch.log(beta) - torch.log(alpha)) + 1
    return _membrane(
        neuron, "syn_exc", "syn_inh", "mem",
        decays=(alpha, beta), current_adds=2, adds=1, multiplies=1, resets=2, constants=(tau,),
    )  # fmt: skip


def _lapicque(neuron: Any) -> Dynamics:
    """U = (1 - dt / RC) U + (dt / C) I."""
    step = neuron.time_step / neuron.C
    return _membrane(neuron, "mem", decays=(1 - step / neuron.R,), gain=step)


def _lstm(neuron: Any) -> Dynamics:
    """A gated cell whose hidden state is the membrane; its states and gates are the cell's."""
    quantised = 2 if neuron.state_quant else 0
    return Dynamics(
        decays=(), states=(), current="always", current_adds=0, product="lstm_cell",
        requantisations=quantised, **_common(neuron),
    )  # fmt: skip


def _convolutional_lstm(neuron: Any) -> Dynamics:
    """Cell state sigmoid(f) c + sigmoid(i) tanh(g); U = sigmoid(o) tanh(c): 5 look-ups, 3 products, 1 sum.

    The membrane is an input of the convolution, which keeps it; the cell state is kept here.
    """
    quantised = 2 if neuron.state_quant else 0
    return Dynamics(
        decays=(), states=("syn",), current="always", current_adds=0, product="conv",
        lookups=5, multiplies=3, adds=1, requantisations=quantised, **_common(neuron),
    )  # fmt: skip


def _state_leaky(neuron: Any) -> Dynamics | None:
    """U = exp(-1 / tau) U + I over a whole stretch (steps, batch, channels), without reset.

    A truncated kernel is no recurrence, and has no description.
    """
    if neuron.kernel_truncation_steps is not None:
        return None
    threshold, factor = (neuron.threshold, neuron.graded_spikes_factor**2) if neuron.output else (None, None)
    return Dynamics(
        decays=(torch.exp(-1 / neuron.tau),), threshold=threshold, spike_factor=factor, steps_axis=0,
        requantisations=int(bool(neuron.state_quant)),
    )  # fmt: skip


def _linear_leaky(neuron: Any) -> Dynamics | None:
    """A linear layer in front of `_state_leaky`."""
    plain = _state_leaky(neuron)
    return None if plain is None else replace(plain, product="linear")


DESCRIBED: Mapping[type[nn.Module], Callable[[Any], Dynamics | None]] = {
    snntorch.Leaky: _leaky,
    snntorch.RLeaky: _recurrent_leaky,
    snntorch.Synaptic: _synaptic,
    snntorch.RSynaptic: _recurrent_synaptic,
    snntorch.Alpha: _alpha,
    snntorch.Lapicque: _lapicque,
    snntorch.SLSTM: _lstm,
    snntorch.SConv2dLSTM: _convolutional_lstm,
    snntorch.StateLeaky: _state_leaky,
    snntorch.LinearLeaky: _linear_leaky,
}
"""By exact class: a class derived from one of these may do something else."""


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
