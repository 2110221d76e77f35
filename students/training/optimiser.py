"""AdamW with cosine decay, over the parameters of a student and of a loss module."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from students.layers.grid import LEARNED_THRESHOLD
from students.spec import Training

FUSED_DEVICES = frozenset(("cpu", "cuda"))
"""Where torch has one function that updates all parameters; elsewhere it calls a dozen for each."""


def optimiser_over(
    named: Iterable[tuple[str, nn.Parameter]], settings: Training, device: torch.device
) -> torch.optim.Optimizer:
    """Return AdamW (arXiv 1711.05101) whose decay spares biases, norms, scales and neuron constants.

    Parameters
    ----------
    named : iterable of (str, Parameter)
        Parameters with their names, on the device.
    settings : Training
    device : torch.device
    """
    decayed, spared = list[nn.Parameter](), list[nn.Parameter]()
    for name, parameter in named:
        # A threshold per channel has a weight's dimensions; as a logarithm, decay would draw it towards one.
        is_weight = parameter.ndim > 1 and not name.endswith(LEARNED_THRESHOLD)
        (decayed if is_weight else spared).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]
    wanted = [group for group in groups if group["params"]]
    return torch.optim.AdamW(wanted, lr=settings.learning_rate, fused=device.type in FUSED_DEVICES)


def set_rate(optimiser: torch.optim.Optimizer, settings: Training, epochs_done: float) -> None:
    """Set the rate to ``lr (1 + cos(pi epochs_done / epochs)) / 2`` (arXiv 1608.03983, without restarts)."""
    for group in optimiser.param_groups:
        group["lr"] = settings.learning_rate * (1 + math.cos(math.pi * epochs_done / settings.epochs)) / 2
