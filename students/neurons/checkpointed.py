"""Neurons whose training keeps the states between pieces of a signal, and computes a piece again when it is needed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from energy_models.errors import StudentError


class Checkpointed(nn.Module):
    """Neurons that run over pieces of so many steps; a backward pass computes each piece once more.

    What is kept of a signal of T steps are its currents and T / steps states, for one more forward pass. That is less
    for neurons of several state variables, whose steps run in torch (`SynapticLIF`, `AdaptiveLIF`); the others keep one
    number a neuron and step anyway, their membranes. Events have the same bits, gradients those of the neurons up to
    the order of their sums.

    Parameters
    ----------
    neurons : nn.Module
        Maps currents ``(batch, channels, steps)`` and a state, or None, to a signal of that shape and the state after
        it, as all neurons of this package do.
    steps : int
        Of a piece.

    Raises
    ------
    StudentError
        Pieces of no step.
    """

    def __init__(self, neurons: nn.Module, steps: int) -> None:
        super().__init__()
        if steps < 1:
            raise StudentError(f"pieces of {steps} steps", where="Checkpointed", remedy="Use at least one step")
        self.neurons, self.steps = neurons, steps

    def forward(self, current: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Return the signal of all steps, shape of `current`, and the state after the last one."""
        if not torch.is_grad_enabled():
            return self.neurons(current, state)
        signals: list[Tensor] = []
        for piece in current.split(self.steps, dim=-1):
            signal, state = checkpoint(self.neurons, piece, state, use_reentrant=False, preserve_rng_state=False)
            signals.append(signal)
        return torch.cat(signals, dim=-1), state

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"steps={self.steps}"
