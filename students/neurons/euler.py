"""Neurons of NIR, one step a call, in discrete time.

NIR (Pedersen et al. 2024, doi 10.1038/s41467-024-52259-9) defines them by differential equations. With a step `dt` and
the current held over it, forward Euler gives, before the threshold,

    LIF, LI   tau v' = v_leak - v + R I       v <- (1 - dt/tau) v + (dt/tau) R I + (dt/tau) v_leak
    IF, I     v' = R I                        v <- v + dt R I
    CubaLIF,  tau_syn i' = -i + w_in S        i <- (1 - dt/tau_syn) i + (dt/tau_syn) w_in S
    CubaLI    tau_mem v' = v_leak - v + R i   v <- (1 - dt/tau_mem) v + (dt/tau_mem) R i + (dt/tau_mem) v_leak

with the new `i` in the last line. A neuron fires where v > v_threshold and then starts the next step at v_reset. The
factors (dt/tau) R are one stored gain; offsets and decays are stored as they are used.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from students.neurons.dynamics import Dynamics, is_one


@dataclass(frozen=True, slots=True)
class Membrane:
    """Constants of one step; each a scalar, or one per neuron in the shape of one decode.

    Parameters
    ----------
    decay, gain, offset : Tensor
        ``v <- decay * v + gain * current + offset``
    threshold, reset : Tensor or None
        None: it never fires.
    synaptic_decay, synaptic_gain : Tensor or None
        ``i <- decay * i + gain * input``; None where the input is the current.
    """

    decay: Tensor
    gain: Tensor
    offset: Tensor
    threshold: Tensor | None = None
    reset: Tensor | None = None
    synaptic_decay: Tensor | None = None
    synaptic_gain: Tensor | None = None


class StepNeuron(nn.Module):
    """A layer of neurons that keep their state from call to call; `reset_mem` sets their state to zero.

    Parameters
    ----------
    membrane : Membrane
    """

    decay: Tensor
    gain: Tensor
    offset: Tensor
    threshold: Tensor | None
    reset: Tensor | None
    synaptic_decay: Tensor | None
    synaptic_gain: Tensor | None

    def __init__(self, membrane: Membrane) -> None:
        super().__init__()
        self.mem: Tensor | None = None
        self.syn: Tensor | None = None
        for name in Membrane.__dataclass_fields__:
            self.register_buffer(name, getattr(membrane, name))

    def reset_mem(self) -> None:
        """Forget the state: the next call starts with membranes and currents of zero."""
        self.mem = self.syn = None

    def forward(self, current: Tensor) -> Tensor:
        """Return spikes of 0 or 1, or membranes where these neurons never fire, shape of `current` (batch, ...)."""
        zeros = torch.zeros_like(current)
        membrane = zeros if self.mem is None else self.mem
        drive = current
        if self.synaptic_decay is not None and self.synaptic_gain is not None:
            before = zeros if self.syn is None else self.syn
            self.syn = drive = self.synaptic_decay * before + self.synaptic_gain * current
        membrane = self.decay * membrane + self.gain * drive + self.offset
        if self.threshold is None or self.reset is None:
            self.mem = membrane
            return membrane
        fired = membrane > self.threshold
        self.mem = torch.where(fired, self.reset, membrane)
        return fired.to(current.dtype)

    def dynamics(self) -> Dynamics:
        """Return what these neurons do in a step.

        With a synaptic current, the gain onto the membrane is moved to the input: the current is linear in it.
        """
        gain, decays, states = self.gain, (self.decay,), ("mem",)
        if self.synaptic_decay is not None and self.synaptic_gain is not None:
            gain = self.gain * self.synaptic_gain
            decays, states = (self.decay, self.synaptic_decay), ("mem", "syn")
        offset = bool((self.offset != 0).any())
        at_zero = self.reset is None or not bool((self.reset != 0).any())
        constants = ((self.offset,) if offset else ()) + (() if at_zero or self.reset is None else (self.reset,))
        return Dynamics(
            decays,
            self.threshold,
            states=states,
            reset="none" if self.threshold is None else "zero",
            relay="syn" if len(states) == 2 else "",
            adds=int(offset),
            gain=None if is_one(gain) else gain,
            constants=constants,
        )
