"""SpikingJelly: its plain neurons described, after the code of version 2.0 (``activation_based.neuron``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from students.neurons.dynamics import Dynamics

NEURONS = "spikingjelly.activation_based.neuron"


def _integrating(neuron: Any, **more: Any) -> Dynamics | None:
    """Return the dynamics of a neuron of one membrane; None where it gives a smooth function instead of spikes."""
    if not getattr(neuron.surrogate_function, "spiking", True):
        return None
    elsewhere = (torch.tensor(float(neuron.v_reset)),) if neuron.v_reset else ()
    return Dynamics(
        states=("v",),
        constants=elsewhere,
        threshold=torch.tensor(float(neuron.v_threshold)),
        reset="subtract" if neuron.v_reset is None else "zero",
        steps_axis=0 if neuron.step_mode == "m" else None,
        **more,
    )


def _integrate_and_fire(neuron: Any) -> Dynamics | None:
    """V = V + X."""
    return _integrating(neuron, decays=())


def _leaky(neuron: Any, rate: Tensor) -> Dynamics | None:
    """V = (1 - r) V + r V_reset + X, X times r where the input decays too; r = 1 / tau."""
    gain = rate if neuron.decay_input else None
    return _integrating(neuron, decays=(1 - rate,), gain=gain, adds=int(bool(neuron.v_reset)))


def _leaky_integrate_and_fire(neuron: Any) -> Dynamics | None:
    return _leaky(neuron, torch.tensor(1.0 / float(neuron.tau)))


def _parametric(neuron: Any) -> Dynamics | None:
    return _leaky(neuron, neuron.w.detach().sigmoid())


DESCRIBED: Mapping[str, Callable[[Any], Dynamics | None]] = {
    f"{NEURONS}.integrate_and_fire.IFNode": _integrate_and_fire,
    f"{NEURONS}.lif.LIFNode": _leaky_integrate_and_fire,
    f"{NEURONS}.plif.ParametricLIFNode": _parametric,
}
