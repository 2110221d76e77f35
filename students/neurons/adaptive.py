"""Leaky integrate-and-fire neurons whose threshold rises with every spike and falls again (adaptive neurons).

    A[t] = rho A[t-1] + S[t-1],   L[t] = threshold + strength A[t]
    U[t] = beta U[t-1] + I[t] - S[t-1] threshold,   S[t] = (U[t] > L[t])

after Bellec et al. (2018, arXiv 1803.09574); the reset is detached and subtracts the threshold at rest. Work of one
neuron in one step: two `leak`, one `add` (the current where it is not zero), one `multiply` and one `add` (the raised
threshold), one `compare`; after a spike one `reset` and one `add` (to A). Three state words are read and written:
membrane, adaptation, and whether it has just fired.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.kernels.neurons.surrogates import ARCTANGENT, Surrogate, spike
from students.neurons.dynamics import Dynamics
from students.neurons.lif import STEPS_AXIS, by_steps
from students.neurons.parameters import Learnable, Parameters, in_use, limit_in_use, two_decays_and_threshold

State = tuple[Tensor, Tensor, Tensor]


class AdaptiveLIF(nn.Module):
    """Leaky integrate-and-fire neurons with a threshold that adapts.

    Parameters
    ----------
    channels : int
        Neurons.
    beta, rho : float
        Decay of membrane and adaptation per step, clamped to 0..1 in use.
    threshold : float
        At rest. Positive, and kept so in use.
    strength : float
        Rise of the threshold by one spike; not negative.
    parameters : {'of the layer', 'of each neuron'}
    learnable : {'nothing', 'beta', 'threshold', 'both'}
        ``beta`` means both decays.
    surrogate : Surrogate

    Raises
    ------
    StudentError
        A decay outside 0..1, a threshold that is not positive, a negative strength, or a current of the wrong shape.
    """

    strength: Tensor

    def __init__(
        self, channels: int, beta: float, rho: float, threshold: float, strength: float, *,
        parameters: Parameters = "of the layer", learnable: Learnable = "nothing",
        surrogate: Surrogate = ARCTANGENT,
    ) -> None:  # fmt: skip
        super().__init__()
        if strength < 0.0:
            raise StudentError(
                f"a spike raises the threshold or leaves it, found a strength of {strength}", where="strength",
                remedy="Use for example 0.2",
            )
        self.channels, self.surrogate = channels, surrogate
        self.beta, self.rho, self.threshold = two_decays_and_threshold(
            (beta, rho), threshold, channels, parameters, learnable
        )
        self.register_buffer("strength", torch.tensor(strength))

    def forward(self, current: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return spikes in {0, 1}, shape (batch, channels, steps), and the state, three of shape (batch, channels).

        Parameters
        ----------
        current : Tensor, shape (batch, channels, steps)
        state : tuple of Tensor, each of shape (batch, channels), or None
            Membrane, adaptation and last spikes returned by the previous call; None: zero.
        """
        drive = by_steps(current, self.channels)
        membrane, adaptation, fired = (torch.zeros_like(drive[0]),) * 3 if state is None else state
        beta, rho, rest = in_use(self.beta), in_use(self.rho), limit_in_use(self.threshold)
        spikes: list[Tensor] = []
        for given in drive.unbind(0):
            adaptation = rho * adaptation + fired
            membrane = beta * membrane + given - fired.detach() * rest
            fired = spike(membrane - (rest + self.strength * adaptation), self.surrogate)
            spikes.append(fired)
        found = torch.stack(spikes).permute(1, 2, 0) if spikes else torch.zeros_like(current)
        return found, (membrane, adaptation, fired)

    def dynamics(self) -> Dynamics:
        """Return what these neurons do in a step."""
        return Dynamics(
            (in_use(self.beta), in_use(self.rho)), limit_in_use(self.threshold),
            states=("mem", "adaptation", "fired"), reset="subtract", steps_axis=STEPS_AXIS, adds=1, multiplies=1,
            spike_adds=1, constants=(self.strength,),
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"{self.channels}, strength={float(self.strength):g}"
