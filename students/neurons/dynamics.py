"""What one neuron does in one step, in words that need no spiking library.

A leaky neuron leaks each of its state variables, adds its input current, compares its membrane with a threshold and
resets it after a spike. `Dynamics` says how many of each; which of them happen in a given step, the signals decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Reset = Literal["subtract", "zero", "none"]
ResetTime = Literal["next step", "same step"]
Current = Literal["given", "always"]
Heights = Literal["one", "counts"]


@dataclass(frozen=True, slots=True)
class Dynamics:
    """The update of one layer of neurons.

    Parameters
    ----------
    decays : tuple of Tensor
        Factor per step of each leaking state variable, a scalar or one per neuron.
    threshold : Tensor or None
        None: these neurons never fire.
    states : tuple of str
        State variables, by the attribute that holds them where a module keeps them itself.
    reset : {'subtract', 'zero', 'none'}
        ``zero`` selects what is written to the state and costs no operation.
    reset_time : {'next step', 'same step'}
    resets : int
        Subtractions of one reset.
    steps_axis : int or None
        Axis of the input along which one call runs over steps; None where a call is one step.
    current : {'given', 'always'}
        ``always``: the update is no weighted sum that can be zero (gated cells), so every neuron is active.
    current_adds : int
        Additions a neuron makes where its input current is not zero.
    relay : str
        State variable that is added to the membrane where it is not zero (a synaptic current).
    adds, multiplies, compares, lookups, requantisations : int
        Further operations a neuron makes in each step.
    spike_adds, spike_multiplies : int
        Further operations of a neuron that fires.
    gain : Tensor or None
        Factor on the input current; one multiplication where it is not 1 and the current not zero.
    spike_factor : Tensor or None
        Height of a spike; one multiplication a spike where it is not 1.
    heights : {'one', 'counts'}
        ``counts``: a neuron may fire several times in a step, and its output is how often.
    most : int
        Most events of a neuron in a step; above 1 its output is how many there were, and each is compared and reset
        on its own.
    unfolds : tuple of str
        Attributes that hold the numbers of examples and steps that the first axis of the input is made of.
    winner : {'all', 'strongest'}
        ``strongest``: of the neurons above threshold only the strongest fires, n - 1 comparisons among n.
    constants : tuple of Tensor
        Stored constants besides decays, threshold, gain and spike factor.
    product : str
        Submodule whose product is part of the update: recurrent weights, or a gated cell.
    state_bits : int
        Width of each state variable where it is an integer [bits]; 0: as wide as the numbers of the input.
    adaptation_bits : int
        Width of one further state variable, which raises the threshold [bits]; 0: there is none beside `states`.
    """

    decays: tuple[Tensor, ...]
    threshold: Tensor | None
    states: tuple[str, ...] = ("mem",)
    reset: Reset = "none"
    reset_time: ResetTime = "next step"
    resets: int = 1
    steps_axis: int | None = None
    current: Current = "given"
    current_adds: int = 1
    relay: str = ""
    adds: int = 0
    multiplies: int = 0
    compares: int = 0
    lookups: int = 0
    requantisations: int = 0
    spike_adds: int = 0
    spike_multiplies: int = 0
    gain: Tensor | None = None
    spike_factor: Tensor | None = None
    heights: Heights = "one"
    most: int = 1
    unfolds: tuple[str, ...] = ()
    winner: Literal["all", "strongest"] = "all"
    constants: tuple[Tensor, ...] = ()
    product: str = ""
    state_bits: int = 0
    adaptation_bits: int = 0

    @property
    def fires_bits(self) -> bool:
        """True where the output is spikes of height one."""
        return self.threshold is not None and self.heights == "one" and self.most == 1 and is_one(self.spike_factor)

    @property
    def stored(self) -> int:
        """Constants the neurons read: a shared one once, one per neuron as many times."""
        single = (self.threshold, *(one for one in (self.gain, self.spike_factor) if not is_one(one)))
        return sum(one.numel() for one in (*self.decays, *single, *self.constants) if one is not None)


def is_one(factor: Tensor | None) -> bool:
    """True for a factor that needs no multiplication and no storage: none, or 1 everywhere."""
    return factor is None or bool((factor == 1).all())


def scales(factor: Tensor) -> Tensor:
    """Return where a decay needs arithmetic, shape of `factor`: 1 keeps a state as it is, 0 forgets it."""
    return (factor != 0) & (factor != 1)


def is_shift(decay: Tensor) -> Tensor:
    """Return where a decay is exactly ``1 - 2^-k``, shape of `decay`: an integer state leaks by shift and subtract."""
    mantissa, exponent = torch.frexp(1.0 - decay.double())
    return (mantissa == 0.5) & (exponent <= 0)
