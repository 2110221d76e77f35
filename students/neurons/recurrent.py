"""Leaky integrate-and-fire neurons that hear the spikes of their own layer one step later.

The recurrence is that of ``snntorch.RLeaky`` (`students.kernels.neurons.recurrent_fire`):

    B[t] = beta U[t-1] + I[t] + W S[t-1] + b,   S[t] = (U[t] > threshold),   R[t] = (U[t-1] > threshold)

with U[t] = B[t] - R[t] threshold (``subtract``), B[t] (1 - R[t]) (``zero``: a neuron that has fired hears nothing for
one step) or B[t] (``none``). Work of one neuron in one step is that of `students.neurons.lif`, and one further `add`
where the recurrent current is not zero; the recurrent weights are a product of their own on spikes, hence accumulates.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from students.kernels.neurons.fire import Reset
from students.kernels.neurons.recurrent_fire import fire_recurrently
from students.neurons.dynamics import Dynamics
from students.neurons.lif import STEPS_AXIS, by_steps
from students.neurons.parameters import (
    Learnable,
    Parameters,
    decay_parameter,
    in_use,
    learned,
    limit_in_use,
    threshold_parameter,
)

Wiring = Literal["all to all", "one to one"]


@runtime_checkable
class Feedback(Protocol):
    """Recurrent weights that do not act as they are stored."""

    def in_use(self) -> tuple[Tensor, Tensor | None]:
        """Return weights and bias as they act."""
        ...


def weights_in_use(recurrent: Any) -> tuple[Tensor, Tensor | None]:
    """Return the weights and the bias of a recurrent product, a layer of torch's or ours, as they act."""
    return recurrent.in_use() if isinstance(recurrent, Feedback) else (recurrent.weight, recurrent.bias)


class OneToOne(nn.Module):
    """A weight from each neuron to itself.

    Parameters
    ----------
    channels : int
    bias : {'learned', 'none'}
    """

    bias: nn.Parameter | None

    def __init__(self, channels: int, bias: Literal["learned", "none"]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.register_parameter("bias", nn.Parameter(torch.zeros(channels)) if bias == "learned" else None)

    def forward(self, spikes: Tensor) -> Tensor:
        """Return the currents of spikes, shape (batch, channels)."""
        currents = spikes * self.weight
        return currents if self.bias is None else currents + self.bias


class RecurrentLIF(nn.Module):
    """Leaky integrate-and-fire neurons with recurrent weights on their own spikes.

    Parameters
    ----------
    channels : int
        Neurons.
    beta : float
        Decay of the membrane per step, clamped to 0..1 in use.
    threshold : float
        Membrane above which a neuron fires; the amount subtracted by the reset. Positive, and kept so in use.
    wiring : {'all to all', 'one to one'}
        Who hears whom: a matrix, drawn as ``nn.Linear`` draws its own, or a weight a neuron, which starts at one.
    bias : {'learned', 'none'}
        Of the recurrent weights. A bias of the product in front of the neurons does the same.
    parameters : {'of the layer', 'of each neuron'}
        One decay and one threshold for all, or for each.
    learnable : {'nothing', 'beta', 'threshold', 'both'}
        Beside the recurrent weights.
    reset : {'subtract', 'zero', 'none'}
    surrogate_alpha : float
        Steepness of the arctangent surrogate gradient; 2 is snnTorch's.

    Raises
    ------
    StudentError
        A decay outside 0..1, a threshold that is not positive, or a current of the wrong shape.
    """

    def __init__(
        self,
        channels: int,
        beta: float,
        threshold: float,
        *,
        wiring: Wiring = "all to all",
        bias: Literal["learned", "none"] = "none",
        parameters: Parameters = "of the layer",
        learnable: Learnable = "nothing",
        reset: Reset = "subtract",
        surrogate_alpha: float = 2.0,
    ) -> None:
        super().__init__()
        self.channels, self.surrogate_alpha = channels, surrogate_alpha
        self.reset: Reset = reset
        self.beta = decay_parameter(beta, channels, parameters, learned(learnable, "beta"))
        self.threshold = threshold_parameter(threshold, channels, parameters, learned(learnable, "threshold"))
        dense = wiring == "all to all"
        self.recurrent: nn.Module = (
            nn.Linear(channels, channels, bias == "learned") if dense else OneToOne(channels, bias)
        )

    def forward(self, current: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return spikes in {0, 1}, shape (batch, channels, steps), and the membrane, shape (batch, channels).

        Parameters
        ----------
        current : Tensor, shape (batch, channels, steps)
        state : Tensor, shape (batch, channels), or None
            Membrane returned by the previous call, which says who has just fired; None: zero, and nobody has.
        """
        drive = by_steps(current, self.channels)
        beta, threshold = self._in_use()
        weight, bias = weights_in_use(self.recurrent)
        spikes, after = fire_recurrently(
            drive, state, beta, threshold, weight=weight, bias=bias,
            alpha=self.surrogate_alpha, reset=self.reset,
        )  # fmt: skip
        return spikes.permute(1, 2, 0), after

    def heard(self, spikes: Tensor, state: Tensor | None = None) -> Tensor:
        """Return the spikes that the recurrent weights see in each step, shape of `spikes`: those of the step before.

        Parameters
        ----------
        spikes : Tensor, shape (batch, channels, steps)
            As `forward` returned them.
        state : Tensor, shape (batch, channels), or None
            As it was given to `forward`.
        """
        first = torch.zeros_like(spikes[..., :1])
        if state is not None:
            first = (state > self._in_use()[1]).to(spikes.dtype).unsqueeze(-1)
        return torch.cat((first, spikes[..., :-1]), -1)

    def dynamics(self) -> Dynamics:
        """Return what these neurons do in a step."""
        decay, threshold = self._in_use()
        return Dynamics((decay,), threshold, reset=self.reset, steps_axis=STEPS_AXIS, product="recurrent")

    def _in_use(self) -> tuple[Tensor, Tensor]:
        """Return decay and threshold within their bounds."""
        return in_use(self.beta), limit_in_use(self.threshold)

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"{self.channels}, reset={self.reset}"
