"""AdamW with cosine decay, over the parameters of a student and of a loss module."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from students.layers.grid import LEARNED_THRESHOLD
from students.spec import Training

FUSED_DEVICES = frozenset(("cpu", "cuda"))
"""Where torch has one function that updates all parameters; elsewhere it calls a dozen for each."""

BETAS, EPSILON = (0.9, 0.999), 1e-8
"""Decays of the moments and what keeps the divisor from zero, as arXiv 1412.6980 and torch have them."""

MOMENTS = ("step", "exp_avg", "exp_avg_sq")
"""What is kept for each parameter, by torch's names: updates so far, mean gradient, mean squared gradient."""


@dataclass(slots=True)
class AdamW:
    """AdamW (arXiv 1711.05101): torch's own update, without the groups, hooks and options of `torch.optim.Optimizer`.

    These take as long as the update of a small student, and importing the compiler that they ask for takes a second.

    Parameters
    ----------
    groups : list of (float, list of Parameter)
        Weight decays and the parameters that have them.
    rate : float
        Learning rate.
    is_fused : bool
        Whether one call updates all parameters.
    """

    groups: list[tuple[float, list[nn.Parameter]]]
    rate: float
    is_fused: bool
    _state: dict[Tensor, tuple[Tensor, Tensor, Tensor]] = field(default_factory=dict, init=False)

    def step(self) -> None:
        """Update every parameter that has a gradient."""
        with torch.no_grad():
            for decay, group in self.groups:
                learning: list[Tensor] = [one for one in group if one.grad is not None]
                if not learning:
                    continue
                gradients = [one.grad for one in learning if one.grad is not None]
                steps, means, squares = map(list, zip(*map(self._moments, learning), strict=True))
                adamw(
                    learning, gradients, means, squares, [], steps,
                    fused=self.is_fused, amsgrad=False, beta1=BETAS[0], beta2=BETAS[1], lr=self.rate,
                    weight_decay=decay, eps=EPSILON, maximize=False,
                )  # fmt: skip

    def clear_gradients(self) -> None:
        """Drop the gradients of all parameters."""
        for _, group in self.groups:
            for parameter in group:
                parameter.grad = None

    def moments(self) -> dict[str, Tensor]:
        """Return what the next update depends on, by the parameter's place and the moment's name: ``3/exp_avg``."""
        return {
            f"{place}/{name}": value
            for place, parameter in enumerate(self._parameters())
            if parameter in self._state
            for name, value in zip(MOMENTS, self._state[parameter], strict=True)
        }

    def load_moments(self, moments: Mapping[str, Tensor]) -> None:
        """Go on from what `moments` returned for the same parameters; tensors are copied to their devices."""
        self._state.clear()
        for place, parameter in enumerate(self._parameters()):
            if f"{place}/{MOMENTS[0]}" in moments:
                for own, kept in zip(self._moments(parameter), (moments[f"{place}/{n}"] for n in MOMENTS), strict=True):
                    own.copy_(kept)

    def _parameters(self) -> list[nn.Parameter]:
        return [parameter for _, group in self.groups for parameter in group]

    def _moments(self, parameter: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        found = self._state.get(parameter)
        if found is None:
            step = torch.zeros((), device=parameter.device if self.is_fused else "cpu")
            found = step, torch.zeros_like(parameter), torch.zeros_like(parameter)
            self._state[parameter] = found
        return found


def optimiser_over(named: Iterable[tuple[str, nn.Parameter]], settings: Training, device: torch.device) -> AdamW:
    """Return AdamW whose decay spares biases, norms, scales and neuron constants.

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
    groups = [(settings.weight_decay, decayed), (0.0, spared)]
    return AdamW(groups, settings.learning_rate, device.type in FUSED_DEVICES)


def set_rate(optimiser: AdamW, settings: Training, epochs_done: float) -> None:
    """Set the rate to ``lr (1 + cos(pi epochs_done / epochs)) / 2`` (arXiv 1608.03983, without restarts)."""
    optimiser.rate = settings.learning_rate * (1 + math.cos(math.pi * epochs_done / settings.epochs)) / 2
