"""What any neuron does in a step: ours, those of the spiking libraries, and snnTorch's where a model can hold them."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from torch import nn

from students.neurons import OWN_NEURONS
from students.neurons.dynamics import Dynamics
from students.neurons.libraries import library_dynamics


def spiking_module() -> Any | None:
    """Return the snnTorch adapter where a model can hold neurons of snnTorch, which is if that was imported."""
    return importlib.import_module("students.neurons.snntorch_adapter") if "snntorch" in sys.modules else None


def neuron_dynamics(module: nn.Module) -> Dynamics | None:
    """Return what a neuron does in a step; None for other modules, and for neurons without a description."""
    if isinstance(module, OWN_NEURONS):
        return module.dynamics()
    found = library_dynamics(module)
    spiking = spiking_module() if found is None else None
    return found if spiking is None else spiking.dynamics_of(module)
