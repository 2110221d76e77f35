"""What of our neurons the nodes of NIR say, one value for each neuron."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from students.neurons import LIF, MultiSpikeLIF, ParametricLIF, RecurrentLIF, SynapticLIF
from students.neurons.parameters import in_use, limit_in_use

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Firing:
    """Neurons of one membrane that fire.

    Parameters
    ----------
    decay, threshold, gain : ndarray, shape (neurons,)
    reset : {'zero', 'fed back'}
        ``zero``: NIR's own reset.
    back : ndarray, shape (neurons, neurons), or None
        What an event adds to the membranes in the next step.
    most : int
    synaptic : ndarray, shape (neurons,), or None
        Decay of the current.
    bias : ndarray, shape (neurons,), or None
        Added in every step.
    """

    decay: Floats
    threshold: Floats
    gain: Floats
    reset: Literal["zero", "fed back"]
    back: Floats | None = None
    most: int = 1
    synaptic: Floats | None = None
    bias: Floats | None = None


def firing_of(neurons: nn.Module, width: int) -> Firing | str:
    """Return neurons as NIR has them, or why it has none."""
    ones = np.ones(width)
    if isinstance(neurons, ParametricLIF):
        gain = _each(neurons.w.sigmoid(), width)
        return Firing(1.0 - gain, _each(neurons.threshold, width), gain, "zero")
    if not isinstance(neurons, LIF | MultiSpikeLIF | SynapticLIF | RecurrentLIF):
        return "NIR has no such neurons"
    decay, threshold = _each(in_use(neurons.beta), width), _each(limit_in_use(neurons.threshold), width)
    most = neurons.most if isinstance(neurons, MultiSpikeLIF) else 1
    if isinstance(neurons, MultiSpikeLIF) and neurons.start:
        return "NIR has no membranes that start above zero"
    if neurons.reset == "zero":
        if isinstance(neurons, LIF) or (isinstance(neurons, MultiSpikeLIF) and most == 1):
            return Firing(decay, threshold, ones, "zero")
        return "NIR has no neurons of this kind that are reset to zero"
    back = {"subtract": -threshold, "residue": -threshold * decay}.get(neurons.reset)
    matrix = None if back is None else np.diag(back)
    synaptic = _each(in_use(neurons.alpha), width) if isinstance(neurons, SynapticLIF) else None
    bias = None
    if isinstance(neurons, RecurrentLIF):
        own = _array(torch.as_tensor(neurons.recurrent.weight))
        matrix = (np.diag(own) if own.ndim == 1 else own) + (0.0 if matrix is None else matrix)
        bias = None if neurons.recurrent.bias is None else _array(torch.as_tensor(neurons.recurrent.bias))
    return Firing(decay, threshold, ones, "fed back", matrix, most, synaptic, bias)


def _array(tensor: Tensor) -> Floats:
    return tensor.detach().cpu().double().numpy()


def _each(values: Tensor, width: int) -> Floats:
    return np.broadcast_to(_array(values), (width,)).copy()
