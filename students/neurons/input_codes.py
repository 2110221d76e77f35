"""Modules of input codes that keep a state or filter: rates, random rates, envelopes of bands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy import signal as _signal  # pyright: ignore[reportMissingTypeStubs]
from torch import Tensor, nn
from torch.nn import functional

RANDOM_BITS = 16
EVENT_BITS = 2  # -1, 0 or 1
COEFFICIENT_BITS = 16  # of a filter, as in preprocessing
_MIX = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)  # odd constants of a 32-bit mixing function (xxHash's)
_MASK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class CodeWork:
    """What a code does for one channel in one step.

    Parameters
    ----------
    operations : mapping of str to int
        In each step, by a name of `energy_models.workload.OPERATIONS`.
    event_operations : mapping of str to int
        More, in a step in which it sends something.
    state_words, state_bits : int
        Words it keeps from step to step; their width [bits], 0: that of its input.
    state_reads, state_writes : int
        Of these words, in each step.
    signals : int
        It makes of the channel.
    event_bits : int
        Width of an event [bits]; 0: it makes numbers as wide as its input.
    span : int
        Steps before the newest one that it looks back on.
    constants, constant_bits : int
        Coefficients, the same for all channels, and their width [bits].
    """

    operations: Mapping[str, int]
    event_operations: Mapping[str, int]
    state_words: int
    state_bits: int = 0
    state_reads: int = 1
    state_writes: int = 1
    signals: int = 1
    event_bits: int = EVENT_BITS
    span: int = 0
    constants: int = 0
    constant_bits: int = 0


class RateCode(nn.Module):
    """Events of either sign whose number follows the signal: one neuron a channel that integrates, without a leak.

        v[t] = clip(v[t-1] + x[t] / unit, -most, most),  s[t] = 1 where v > 1/2, -1 where v < -1/2,  v[t] -= s[t]

    so that the sum of events is never further than `most` from that of the signal, in units. Work of a channel in a
    step: a multiplication, an addition, two comparisons, and a subtraction where it sends; one word is kept.

    Parameters
    ----------
    unit : float
        Signal that one event stands for.
    most : float
        What it remembers at most, in units.
    """

    work = CodeWork({"multiply": 1, "add": 1, "compare": 2}, {"reset": 1}, state_words=1)

    def __init__(self, unit: float = 1.0, most: float = 2.0) -> None:
        super().__init__()
        self.unit, self.most = unit, most

    def forward(self, signal: Tensor) -> Tensor:
        """Map ``(batch, channels, steps)`` to -1, 0 and 1, same shape."""
        kept, sent = torch.zeros_like(signal[..., 0]), list[Tensor]()
        for given in (signal / self.unit).unbind(-1):
            kept = (kept + given).clamp(-self.most, self.most)
            event = (kept > 0.5).to(kept.dtype) - (kept < -0.5).to(kept.dtype)
            kept = kept - event
            sent.append(event)
        return torch.stack(sent, dim=-1) if sent else torch.zeros_like(signal)

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"unit={self.unit}, most={self.most}"


class RandomRateCode(nn.Module):
    """Events of either sign with a probability that follows the signal: ``min(|x| / unit, 1)``, each on its own.

    Numbers are pseudo-random, 16 bits, decided by channel and step alone, so that a recording is always coded alike.
    Work of a channel in a step: a multiplication, a comparison with the random number and one with zero, and one random
    number, charged as an addition on a word of 16 bits that is read and written (a linear feedback register takes a
    shift and a few exclusive ors).

    Parameters
    ----------
    unit : float
        Signal from which on every step sends.
    """

    work = CodeWork({"multiply": 1, "add": 1, "compare": 2}, {}, state_words=1, state_bits=RANDOM_BITS)

    def __init__(self, unit: float = 3.0) -> None:
        super().__init__()
        self.unit = unit

    def forward(self, signal: Tensor) -> Tensor:
        """Map ``(batch, channels, steps)`` to -1, 0 and 1, same shape."""
        drawn = random_numbers(signal.shape[1], signal.shape[2]).to(signal)
        return torch.sign(signal) * (signal.abs() / self.unit > drawn).to(signal.dtype)

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"unit={self.unit}"


def random_numbers(channels: int, steps: int) -> Tensor:
    """Return pseudo-random numbers in 0..1 of 16 bits, shape (channels, steps): the first steps of a longer table."""
    mixed = torch.arange(channels)[:, None] * _MIX[0] + torch.arange(steps) * _MIX[1] + _MIX[2]
    for shift, factor in ((15, _MIX[1]), (13, _MIX[2])):
        mixed = mixed & _MASK
        mixed = ((mixed ^ (mixed >> shift)) * (factor & 0x7FFF_FFFF)) & _MASK
    return ((mixed ^ (mixed >> 16)) & (2**RANDOM_BITS - 1)).double() / 2**RANDOM_BITS


class Envelopes(nn.Module):
    """Envelopes of three octaves of each channel: ``(batch, channels, steps)`` to ``(batch, 3 channels, steps)``.

    Causal band-passes of 32 taps (Hamming windows) at 1/32 to 1/16, 1/8 and 1/4 of the step rate, magnitudes, and the
    mean over 8 steps. A channel's bands stand side by side. Work of a channel in a step, in each band: 32 products and
    31 additions, a comparison (the magnitude), two additions (a running sum, whose eighth is a shift); 31 samples wait,
    and in each band eight magnitudes and their sum.
    """

    TAPS, SMOOTHED = 32, 8
    EDGES = (1 / 32, 1 / 16, 1 / 8, 1 / 4)  # of the step rate
    BANDS = len(EDGES) - 1
    work = CodeWork(
        {"multiply": BANDS * TAPS, "add": BANDS * (TAPS - 1 + 2), "compare": BANDS}, {},
        state_words=TAPS - 1 + BANDS * (SMOOTHED + 1), state_reads=TAPS - 1 + 2 * BANDS, state_writes=1 + 2 * BANDS,
        signals=BANDS, event_bits=0, span=TAPS + SMOOTHED - 2, constants=BANDS * TAPS, constant_bits=COEFFICIENT_BITS,
    )  # fmt: skip
    taps: Tensor
    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        bands = [
            _signal.firwin(self.TAPS, (low, high), pass_zero=False, fs=1.0)
            for low, high in zip(self.EDGES, self.EDGES[1:], strict=False)
        ]
        self.register_buffer("taps", torch.as_tensor(np.stack(bands)[:, None, ::-1].copy()).float(), persistent=False)
        self.register_buffer("mean", torch.full((1, 1, self.SMOOTHED), 1.0 / self.SMOOTHED), persistent=False)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the envelopes."""
        channels = signal.shape[1]
        bands = self.taps.to(signal.dtype).repeat(channels, 1, 1)
        passed = functional.conv1d(functional.pad(signal, (self.TAPS - 1, 0)), bands, groups=channels)
        mean = self.mean.to(signal.dtype).repeat(passed.shape[1], 1, 1)
        return functional.conv1d(functional.pad(passed.abs(), (self.SMOOTHED - 1, 0)), mean, groups=passed.shape[1])
