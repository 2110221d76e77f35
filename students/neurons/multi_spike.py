"""Leaky integrate-and-fire neurons that may fire several times in a step (`students.kernels.neurons.events`).

    N[t] = #{j in 1..most : U[t] > j threshold},   U[t] = beta U[t-1] + I[t] - N[t-1] threshold

An event of value n stands for n spikes; a bin of 70 ms holds as many. With ``most = 1`` these are the neurons of
`students.neurons.lif`. Work of one neuron in one step: one `leak`, one `add` (the current; none where it is zero), a
`compare` with the first threshold and one more for each event but the last possible, and a `reset` (a subtraction of
the threshold) for each event. One state word is read and written.

Integrate-and-fire neurons without a leak are those of ``beta = 1``; `start` is then half a threshold in a network
converted from a quantised one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.kernels.neurons.events import EventReset, fire_events
from students.kernels.neurons.surrogates import ARCTANGENT, Surrogate
from students.neurons.dynamics import Dynamics
from students.neurons.lif import STEPS_AXIS, by_steps
from students.neurons.parameters import (
    Learnable,
    Parameters,
    checked_most,
    decay_parameter,
    in_use,
    learned,
    limit_in_use,
    threshold_parameter,
)


class MultiSpikeLIF(nn.Module):
    """Leaky integrate-and-fire neurons with up to `most` events a step.

    Parameters
    ----------
    channels : int
        Neurons.
    beta : float
        Decay of the membrane per step, clamped to 0..1 in use; 1 does not leak.
    threshold : float
        Membrane above which a neuron fires once, above twice of it twice. Positive, and kept so in use.
    most : int
        Most events of one neuron in one step.
    parameters : {'of the layer', 'of each neuron'}
        One decay and one threshold for all, or for each.
    learnable : {'nothing', 'beta', 'threshold', 'both'}
    reset : {'subtract', 'residue', 'zero', 'none'}
        ``subtract``: a threshold for each event of the step before, after the leak, as in the equation. ``residue``:
        before the leak, so that what was left over leaks on. ``zero``: a neuron that has fired starts anew.
    surrogate : Surrogate
    start : float
        Membrane before the first step, in thresholds; at most 1, so that nobody has just fired.

    Raises
    ------
    StudentError
        A decay outside 0..1, a threshold that is not positive, less than one event, a start outside 0..1, or a current
        of the wrong shape.
    """

    def __init__(
        self, channels: int, beta: float, threshold: float, most: int, *, parameters: Parameters = "of the layer",
        learnable: Learnable = "nothing", reset: EventReset = "subtract", surrogate: Surrogate = ARCTANGENT,
        start: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0.0 <= start <= 1.0:
            raise StudentError(
                f"a membrane starts between 0 and one threshold, found {start}", where="start", remedy="Use 0 or 0.5"
            )
        self.channels, self.most, self.surrogate, self.start = channels, checked_most(most), surrogate, start
        self.reset: EventReset = reset
        self.beta = decay_parameter(beta, channels, parameters, learned(learnable, "beta"))
        self.threshold = threshold_parameter(threshold, channels, parameters, learned(learnable, "threshold"))

    def forward(self, current: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return events in 0..most, shape (batch, channels, steps), and the membrane, shape (batch, channels).

        Parameters
        ----------
        current : Tensor, shape (batch, channels, steps)
        state : Tensor, shape (batch, channels), or None
            Membrane returned by the previous call, which says how often each neuron has just fired; None: `start`.
        """
        drive = by_steps(current, self.channels)
        limit = limit_in_use(self.threshold)
        if state is None:
            state = torch.zeros_like(drive[0]) + self.start * limit if self.start else torch.zeros_like(drive[0])
        events, after = fire_events(
            drive, state, in_use(self.beta), limit, most=self.most, surrogate=self.surrogate, reset=self.reset
        )
        return events.permute(1, 2, 0), after

    def dynamics(self) -> Dynamics:
        """Return what these neurons do in a step."""
        limit = limit_in_use(self.threshold)
        start = (self.start * limit,) if self.start else ()
        reset = "subtract" if self.reset == "residue" else self.reset
        return Dynamics(
            (in_use(self.beta),), limit, reset=reset, steps_axis=STEPS_AXIS, most=self.most, constants=start
        )

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"{self.channels}, most={self.most}, reset={self.reset}"
