"""Leaky integrate-and-fire neurons whose input current decays too (current-based neurons).

The recurrence is that of ``snntorch.Synaptic`` with a delayed, detached reset:

    A[t] = alpha A[t-1] + I[t],   U[t] = beta U[t-1] + A[t],   S[t] = (U[t] > threshold),   R[t] = (U[t-1] > threshold)

after which ``subtract`` takes R[t] threshold from U[t], and ``zero`` clears U[t] where R[t]; ``none`` does neither.
Work of one neuron in one step: two `leak`, two `add` (the input where it is not zero, the current onto the membrane),
one `compare`, and one `reset` after a spike with ``subtract``. Two state words are read and written.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from students.kernels.neurons.fire import Reset
from students.kernels.neurons.surrogates import ARCTANGENT, Surrogate, spike
from students.neurons.dynamics import Dynamics
from students.neurons.lif import STEPS_AXIS, by_steps
from students.neurons.parameters import Learnable, Parameters, in_use, limit_in_use, two_decays_and_threshold

State = tuple[Tensor, Tensor]


class SynapticLIF(nn.Module):
    """Leaky integrate-and-fire neurons with a synaptic current.

    Parameters
    ----------
    channels : int
        Neurons.
    alpha, beta : float
        Decay of current and membrane per step, clamped to 0..1 in use.
    threshold : float
        Membrane above which a neuron fires. Positive, and kept so in use.
    parameters : {'of the layer', 'of each neuron'}
        One of each for all neurons, or for each.
    learnable : {'nothing', 'beta', 'threshold', 'both'}
        ``beta`` means both decays.
    reset : {'subtract', 'zero', 'none'}
    surrogate : Surrogate

    Raises
    ------
    StudentError
        A decay outside 0..1, a threshold that is not positive, or a current of the wrong shape.
    """

    def __init__(
        self, channels: int, alpha: float, beta: float, threshold: float, *, parameters: Parameters = "of the layer",
        learnable: Learnable = "nothing", reset: Reset = "subtract", surrogate: Surrogate = ARCTANGENT,
    ) -> None:
        super().__init__()
        self.channels, self.surrogate = channels, surrogate
        self.reset: Reset = reset
        self.alpha, self.beta, self.threshold = two_decays_and_threshold(
            (alpha, beta), threshold, channels, parameters, learnable
        )

    def forward(self, current: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return spikes in {0, 1}, shape (batch, channels, steps), and the state, two of shape (batch, channels).

        Parameters
        ----------
        current : Tensor, shape (batch, channels, steps)
        state : tuple of Tensor, each of shape (batch, channels), or None
            Synaptic current and membrane returned by the previous call; None: zero.
        """
        drive = by_steps(current, self.channels)
        flowing, membrane = (torch.zeros_like(drive[0]),) * 2 if state is None else state
        alpha, beta, limit = in_use(self.alpha), in_use(self.beta), limit_in_use(self.threshold)
        spikes: list[Tensor] = []
        for given in drive.unbind(0):
            fired = membrane.detach() > limit.detach()
            flowing = alpha * flowing + given
            membrane = beta * membrane + flowing
            if self.reset == "subtract":
                membrane = membrane - fired * limit
            elif self.reset == "zero":
                membrane = membrane.masked_fill(fired, 0.0)
            spikes.append(spike(membrane - limit, self.surrogate))
        found = torch.stack(spikes).permute(1, 2, 0) if spikes else torch.zeros_like(current)
        return found, (flowing, membrane)

    def dynamics(self) -> Dynamics:
        """Return what these neurons do in a step."""
        return Dynamics(
            (in_use(self.alpha), in_use(self.beta)), limit_in_use(self.threshold), states=("syn", "mem"),
            reset=self.reset, steps_axis=STEPS_AXIS, adds=1,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"{self.channels}, reset={self.reset}"
