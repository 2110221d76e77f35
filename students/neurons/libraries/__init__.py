"""Neurons of Norse, Sinabs and SpikingJelly described for counting, by name: none of these libraries is imported.

By exact class: a class derived from one may do something else. A class without a description is counted operation by
operation, as a user's own modules are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from students.neurons.dynamics import Dynamics
from students.neurons.libraries import norse, sinabs, spikingjelly

__all__ = ["library_dynamics"]

DESCRIBED: Mapping[str, Callable[[Any], Dynamics | None]] = {
    **norse.DESCRIBED, **sinabs.DESCRIBED, **spikingjelly.DESCRIBED,
}  # fmt: skip
"""By module and name of the class."""


def library_dynamics(module: nn.Module) -> Dynamics | None:
    """Return what a neuron of one of these libraries does in a step; None for any other module."""
    kind = type(module)
    describe = DESCRIBED.get(f"{kind.__module__}.{kind.__name__}")
    return None if describe is None else describe(module)
