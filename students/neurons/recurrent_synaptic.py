"""Current-based leaky integrate-and-fire neurons that hear the spikes of their own layer one step later.

    A[t] = alpha A[t-1] + I[t] + W S[t-1],   U[t] = beta U[t-1] (1 - S[t-1]) + A[t],   S[t] = (U[t] > threshold)

the neurons of the tinyRSNN of NeuroBench's primate reaching track (Liu, Gygax, Rossbroich, Chua, Zhang and Zenke 2024,
arXiv 2409.02136); the reset to zero is detached. Work of one neuron in one step: two `leak`, an `add` for each current
that is not zero (given, recurrent) and one onto the membrane, one `compare`; the recurrent weights are a product of
their own on spikes. Two state words are read and written.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from students.kernels.neurons.surrogates import ARCTANGENT, Surrogate, spike
from students.neurons.dynamics import Dynamics
from students.neurons.lif import STEPS_AXIS, by_steps
from students.neurons.parameters import Learnable, Parameters, in_use, limit_in_use, two_decays_and_threshold
from students.neurons.recurrent import weights_in_use

State = tuple[Tensor, Tensor]


class RecurrentSynapticLIF(nn.Module):
    """Recurrent leaky integrate-and-fire neurons with a synaptic current.

    Parameters
    ----------
    channels : int
        Neurons.
    alpha, beta : float
        Decay of current and membrane per step, clamped to 0..1 in use.
    threshold : float
        Membrane above which a neuron fires and starts anew. Positive, and kept so in use.
    parameters : {'of the layer', 'of each neuron'}
        One of each for all neurons, or for each.
    learnable : {'nothing', 'beta', 'threshold', 'both'}
        Beside the recurrent weights; ``beta`` means both decays.
    surrogate : Surrogate

    Raises
    ------
    StudentError
        A decay outside 0..1, a threshold that is not positive, or a current of the wrong shape.
    """

    def __init__(
        self, channels: int, alpha: float, beta: float, threshold: float, *, parameters: Parameters = "of the layer",
        learnable: Learnable = "nothing", surrogate: Surrogate = ARCTANGENT,
    ) -> None:
        super().__init__()
        self.channels, self.surrogate = channels, surrogate
        self.alpha, self.beta, self.threshold = two_decays_and_threshold(
            (alpha, beta), threshold, channels, parameters, learnable
        )
        self.recurrent: nn.Module = nn.Linear(channels, channels, bias=False)

    def forward(self, current: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return spikes in {0, 1}, shape (batch, channels, steps), and the state, two of shape (batch, channels).

        Parameters
        ----------
        current : Tensor, shape (batch, channels, steps)
        state : tuple of Tensor, each of shape (batch, channels), or None
            Synaptic current and membrane returned by the previous call, which says who has just fired; None: zero.
        """
        drive = by_steps(current, self.channels)
        flowing, membrane = (torch.zeros_like(drive[0]),) * 2 if state is None else state
        alpha, beta, limit = in_use(self.alpha), in_use(self.beta), limit_in_use(self.threshold)
        fired = (membrane > limit).to(drive.dtype)
        weight, spikes = weights_in_use(self.recurrent)[0].t(), list[Tensor]()
        for given in drive.unbind(0):
            flowing = alpha * flowing + given + fired @ weight
            membrane = beta * membrane * (1.0 - fired.detach()) + flowing
            fired = spike(membrane - limit, self.surrogate)
            spikes.append(fired)
        found = torch.stack(spikes).permute(1, 2, 0) if spikes else torch.zeros_like(current)
        return found, (flowing, membrane)

    def heard(self, spikes: Tensor, state: State | None = None) -> Tensor:
        """Return the spikes that the recurrent weights see in each step, shape of `spikes`: those of the step before.

        Parameters
        ----------
        spikes : Tensor, shape (batch, channels, steps)
            As `forward` returned them.
        state : tuple of Tensor or None
            As it was given to `forward`.
        """
        first = torch.zeros_like(spikes[..., :1])
        if state is not None:
            first = (state[1] > limit_in_use(self.threshold)).to(spikes.dtype).unsqueeze(-1)
        return torch.cat((first, spikes[..., :-1]), -1)

    def dynamics(self) -> Dynamics:
        """Return what these neurons do in a step."""
        return Dynamics(
            (in_use(self.alpha), in_use(self.beta)), limit_in_use(self.threshold), states=("syn", "mem"),
            reset="zero", steps_axis=STEPS_AXIS, product="recurrent", adds=1,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"{self.channels}"
