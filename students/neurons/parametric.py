"""Leaky integrate-and-fire neurons with a learned time constant (PLIF, Fang et al. 2021, arXiv 2007.05785).

    g = sigmoid(w) = 1 / tau,   U[t] = C[t] + g (I[t] - C[t]) = (1 - g) C[t] + g I[t],   S[t] = (U[t] > threshold)

with C[t] = U[t-1] (1 - S[t-1]): a neuron that fires starts anew from zero. A membrane at the threshold does not fire,
where SpikingJelly's does. Deployed, the factor g on the current folds into the product before it, so that the work is
that of `students.neurons.lif` with the reset ``zero``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.kernels.neurons.events import fire_events
from students.kernels.neurons.surrogates import ARCTANGENT, Surrogate
from students.neurons.dynamics import Dynamics
from students.neurons.lif import STEPS_AXIS, by_steps
from students.neurons.parameters import checked_threshold


class ParametricLIF(nn.Module):
    """Leaky integrate-and-fire neurons whose time constant is learned; one for the layer.

    Parameters
    ----------
    channels : int
        Neurons.
    tau : float
        Time constant where learning starts [steps]; above 1.
    threshold : float
        Membrane above which a neuron fires; it is not learned.
    surrogate : Surrogate

    Raises
    ------
    StudentError
        A time constant that is not above 1, a threshold that is not positive, or a current of the wrong shape.
    """

    def __init__(self, channels: int, tau: float, threshold: float = 1.0, surrogate: Surrogate = ARCTANGENT) -> None:
        super().__init__()
        if not 1.0 < tau < math.inf:
            raise StudentError(
                f"the time constant of these neurons is above one step, found {tau}", where="tau",
                remedy="Use for example 2",
            )
        self.channels, self.surrogate = channels, surrogate
        self.w = nn.Parameter(torch.tensor(-math.log(tau - 1.0)))
        self.threshold = nn.Parameter(torch.tensor(checked_threshold(threshold)), requires_grad=False)

    def forward(self, current: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return spikes in {0, 1}, shape (batch, channels, steps), and the membrane, shape (batch, channels).

        Parameters
        ----------
        current : Tensor, shape (batch, channels, steps)
        state : Tensor, shape (batch, channels), or None
            Membrane returned by the previous call; None: zero.
        """
        drive = by_steps(current, self.channels)
        membrane = torch.zeros_like(drive[0]) if state is None else state
        gain = torch.sigmoid(self.w)
        spikes, after = fire_events(
            drive * gain, membrane, 1.0 - gain, self.threshold, most=1, surrogate=self.surrogate, reset="zero"
        )
        return spikes.permute(1, 2, 0), after

    def dynamics(self) -> Dynamics:
        """Return what these neurons do in a step."""
        return Dynamics((1.0 - torch.sigmoid(self.w),), self.threshold, reset="zero", steps_axis=STEPS_AXIS)

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"{self.channels}"
