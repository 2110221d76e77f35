"""Input codes that keep a state or filter: rates, random rates, envelopes of bands. They compute in integers.

A signal is first put on a grid of 16 bits in steps of 2^-10, which holds 32 deviations of a standardised signal to
either side; from there on every number is an integer of a stated width, in training as on a device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy import signal as _signal  # pyright: ignore[reportMissingTypeStubs]
from torch import Tensor, nn
from torch.nn import functional

from energy_models.errors import StudentError
from students.neurons.random_numbers import RANDOM_BITS, REGISTER_BITS, random_numbers

CODE_BITS, CODE_POINT = 16, 10
"""Width of a signal inside a code, sign included, and its fractional bits."""

CODE_STEP, CODE_HIGHEST = 2.0**-CODE_POINT, 2 ** (CODE_BITS - 1) - 1
EVENT_BITS = 2  # -1, 0 or 1
COEFFICIENT_BITS = 16  # of a filter, as in preprocessing
ON_GRID = {"multiply": 1, "add": 1, "compare": 2}
"""What puts a number on the grid: a multiplier, an offset, two limits."""


def on_code_grid(signal: Tensor) -> Tensor:
    """Return the integers of a signal on the codes' grid, as float64 of the same shape."""
    return (signal * 2.0**CODE_POINT).round().clamp(-CODE_HIGHEST, CODE_HIGHEST).double()


def code_units(number: float, what: str, where: str) -> int:
    """Return a number in steps of the codes' grid.

    Raises
    ------
    StudentError
        One that is less than two steps, or beyond the grid's end.
    """
    steps = number / CODE_STEP
    if not 2 <= steps <= CODE_HIGHEST:
        raise StudentError(
            f"{what} of {number:g}", where=where,
            remedy=f"Give one from {2 * CODE_STEP:g} to {CODE_HIGHEST * CODE_STEP:g}, in units of the signal",
        )
    return round(steps)


@dataclass(frozen=True, slots=True)
class CodeState:
    """Words of one width that a code keeps from step to step.

    Parameters
    ----------
    words, bits : int
        Of each channel, or of all channels together; their width [bits].
    reads, writes : int
        Of these words, in each step.
    name : str
        Behind that of the layer; empty for the first.
    shared : bool
        Whether all channels have the same ones.
    """

    words: int
    bits: int
    reads: int
    writes: int
    name: str = ""
    shared: bool = False


@dataclass(frozen=True, slots=True)
class CodeWork:
    """What a code does for one channel in one step.

    Parameters
    ----------
    operations : mapping of str to int
        In each step, by a name of `energy_models.workload.OPERATIONS`; besides what puts the signal on its grid.
    states : tuple of CodeState
    output_bits : int
        Width of an event, or of a number that it makes [bits].
    event_operations : mapping of str to int
        More, in a step in which it sends something.
    shared_operations : mapping of str to int
        More in each step, once for all channels.
    signals : int
        It makes of the channel.
    span : int
        Steps before the newest one that it looks back on.
    constants, own_constants, constant_bits : int
        Coefficients, the same for all channels and of each channel, and their width [bits].
    """

    operations: Mapping[str, int]
    states: tuple[CodeState, ...]
    output_bits: int = EVENT_BITS
    event_operations: Mapping[str, int] | None = None
    shared_operations: Mapping[str, int] | None = None
    signals: int = 1
    span: int = 0
    constants: int = 0
    own_constants: int = 0
    constant_bits: int = 0


class RateCode(nn.Module):
    """Events of either sign whose number follows the signal: one neuron a channel that integrates, without a leak.

        v[t] = clip(v[t-1] + x[t], -most unit, most unit),  s[t] = 1 where v > unit / 2, -1 where v < -unit / 2,
        v[t] -= s[t] unit

    so that the sum of events is never further than `most` from that of the signal, in units. Work of a channel in a
    step: an addition, two limits and two comparisons, and a subtraction where it sends; one word is kept.

    Parameters
    ----------
    unit : float
        Signal that one event stands for.
    most : float
        What it remembers at most, in units.

    Raises
    ------
    StudentError
        A unit that the codes' grid does not hold.
    """

    def __init__(self, unit: float = 1.0, most: float = 2.0) -> None:
        super().__init__()
        self.unit, self.most = unit, most
        self.steps = code_units(unit, "a unit", "RateCode")
        self.limit = code_units(unit * most, "a memory", "RateCode")

    @property
    def work(self) -> CodeWork:
        """What it does for one channel in one step."""
        bits = self.limit.bit_length() + 1
        return CodeWork({"add": 1, "compare": 4}, (CodeState(1, bits, 1, 1),), event_operations={"reset": 1})

    def forward(self, signal: Tensor) -> Tensor:
        """Map ``(batch, channels, steps)`` to -1, 0 and 1, same shape."""
        kept, sent = torch.zeros_like(signal[..., 0], dtype=torch.float64), list[Tensor]()
        for given in on_code_grid(signal).unbind(-1):
            kept = (kept + given).clamp(-self.limit, self.limit)
            event = (2 * kept > self.steps).double() - (2 * kept < -self.steps).double()
            kept = kept - event * self.steps
            sent.append(event.to(signal.dtype))
        return torch.stack(sent, dim=-1) if sent else torch.zeros_like(signal)

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"unit={self.unit}, most={self.most}"


class RandomRateCode(nn.Module):
    """Events of either sign with a probability that follows the signal: ``min(|x| / unit, 1)``, each on its own.

    Numbers are pseudo-random, 16 bits, of a register of 32 bits a channel (`students.neurons.random_numbers`) that
    starts alike with every signal, so that a recording is always coded alike. An event is sent where
    ``2^16 |x| > number unit``, in integers. Work of a channel in a step: a product, a comparison and one with zero, and
    the register's three shifts and exclusive ors, charged as additions, on one word that is read and written.

    Parameters
    ----------
    unit : float
        Signal from which on every step sends.

    Raises
    ------
    StudentError
        A unit that the codes' grid does not hold.
    """

    work = CodeWork({"multiply": 1, "add": 3, "compare": 2}, (CodeState(1, REGISTER_BITS, 1, 1),), own_constants=1,
                    constant_bits=REGISTER_BITS)  # fmt: skip

    def __init__(self, unit: float = 3.0) -> None:
        super().__init__()
        self.unit, self.steps = unit, code_units(unit, "a unit", "RandomRateCode")

    def forward(self, signal: Tensor) -> Tensor:
        """Map ``(batch, channels, steps)`` to -1, 0 and 1, same shape."""
        drawn = torch.from_numpy(random_numbers(signal.shape[1], signal.shape[2])).to(signal.device)
        given = on_code_grid(signal)
        return (torch.sign(given) * (given.abs() * 2.0**RANDOM_BITS > drawn * self.steps)).to(signal.dtype)

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"unit={self.unit}"


class Envelopes(nn.Module):
    """Envelopes of three octaves of each channel: ``(batch, channels, steps)`` to ``(batch, 3 channels, steps)``.

    Causal band-passes of 32 taps (Hamming windows, 16 bits) at 1/32 to 1/16, 1/8 and 1/4 of the step rate, rounded to
    the codes' grid, magnitudes, and the mean over 8 steps. A channel's bands stand side by side. Work of a channel in a
    step, in each band: 32 products and 31 additions, a comparison (the magnitude), two additions (a running sum, whose
    eighth is a shift); 31 samples wait, and in each band eight magnitudes and their sum.
    """

    TAPS, SMOOTHED, POINT = 32, 8, COEFFICIENT_BITS - 1
    EDGES = (1 / 32, 1 / 16, 1 / 8, 1 / 4)  # of the step rate
    BANDS = len(EDGES) - 1
    STEP = CODE_STEP / SMOOTHED
    taps: Tensor

    def __init__(self) -> None:
        super().__init__()
        bands = [
            _signal.firwin(self.TAPS, (low, high), pass_zero=False, fs=1.0)
            for low, high in zip(self.EDGES, self.EDGES[1:], strict=False)
        ]
        taps = np.rint(np.stack(bands) * 2.0**self.POINT)
        self.largest = int(np.rint(np.abs(taps).sum(axis=1).max() * 2.0 ** (CODE_BITS - 1 - self.POINT)))
        self.register_buffer("taps", torch.as_tensor(taps[:, None, ::-1].copy()), persistent=False)

    @property
    def work(self) -> CodeWork:
        """What it does for one channel in one step."""
        bands, taps = self.BANDS, self.TAPS
        size, total = self.largest.bit_length(), (self.SMOOTHED * self.largest).bit_length()
        states = (
            CodeState(taps - 1, CODE_BITS, taps - 1, 1),
            CodeState(bands * self.SMOOTHED, size, bands, bands, "magnitudes"),
            CodeState(bands, total, bands, bands, "sums"),
        )
        return CodeWork(
            {"multiply": bands * taps, "add": bands * (taps - 1 + 2), "compare": bands}, states, total, signals=bands,
            span=taps + self.SMOOTHED - 2, constants=bands * taps, constant_bits=COEFFICIENT_BITS,
        )  # fmt: skip

    def forward(self, signal: Tensor) -> Tensor:
        """Return the envelopes."""
        given, channels = on_code_grid(signal), signal.shape[1]
        bands = self.taps.double().repeat(channels, 1, 1)
        sums = functional.conv1d(functional.pad(given, (self.TAPS - 1, 0)), bands, groups=channels)
        sizes = (sums * 2.0**-self.POINT).round().abs()
        after = functional.pad(sizes, (self.SMOOTHED, 0)).cumsum(-1)
        return ((after[..., self.SMOOTHED :] - after[..., : -self.SMOOTHED]) * self.STEP).to(signal.dtype)
