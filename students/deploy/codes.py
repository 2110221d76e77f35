"""Nodes of input codes that keep a state: rates, random rates, envelopes of bands, energies of lock-in amplifiers.

Each takes a signal (channels, steps) of 16 bits in steps of 2^-10, and does what `students.neurons.input_codes` and
`students.neurons.lock_in` say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from students.deploy.cells import State
from students.deploy.fixed_point import shifted
from students.deploy.ranges import Integers, Range

KeptWords = tuple[str, int, int]
"""What ends a state's name, how many words it has, and their width [bits]."""


@dataclass(frozen=True, slots=True)
class Rates:
    """``v = clip(v + x, -limit, limit)``, an event where v is beyond half a unit to either side, v less the unit then.

    Parameters
    ----------
    name, source : str
    result : Range
    unit, limit : int
    """

    name: str
    source: str
    result: Range
    unit: int
    limit: int

    def first_state(self, examples: int) -> State:
        """Return the state before the first step: zeros."""
        return (np.zeros((examples, self.result.shape[0]), dtype=np.int64),)

    def run(self, signal: Integers, state: State) -> tuple[Integers, State]:
        """Return the events, shape (examples, channels, steps), and the state after them."""
        (kept,), found = state, np.empty_like(signal)
        for step in range(signal.shape[2]):
            kept = np.clip(kept + signal[:, :, step], -self.limit, self.limit)
            found[:, :, step] = (2 * kept > self.unit).astype(np.int64) - (2 * kept < -self.unit)
            kept = kept - found[:, :, step] * self.unit
        return found, (kept,)

    def kept(self) -> tuple[KeptWords, ...]:
        """Return the words that wait for the next step."""
        return (("", self.result.shape[0], self.limit.bit_length() + 1),)


@dataclass(frozen=True, slots=True)
class RandomRates:
    """An event of the signal's sign where ``2^bits |x| > number unit``, the number a register's upper bits.

    Parameters
    ----------
    name, source : str
    result : Range
    unit : int
    first : ndarray of int64, shape (channels,)
        What registers of 32 bits hold before the first step, none of them zero.
    shifts : (int, int, int)
        A register moves on by ``s ^= s << shifts[0]``, ``s ^= s >> shifts[1]``, ``s ^= s << shifts[2]``.
    bits : int
        Of a number.
    """

    name: str
    source: str
    result: Range
    unit: int
    first: Integers
    shifts: tuple[int, int, int]
    bits: int

    REGISTER_BITS = 32

    def first_state(self, examples: int) -> State:
        """Return the registers before the first step."""
        return (np.broadcast_to(self.first, (examples, len(self.first))),)

    def run(self, signal: Integers, state: State) -> tuple[Integers, State]:
        """Return the events, shape (examples, channels, steps), and the registers after them."""
        (register,), found, mask = state, np.empty_like(signal), 2**self.REGISTER_BITS - 1
        up, down, again = self.shifts
        for step in range(signal.shape[2]):
            register = register ^ (register << up & mask)
            register = register ^ (register >> down)
            register = register ^ (register << again & mask)
            given, drawn = signal[:, :, step], register >> (self.REGISTER_BITS - self.bits)
            found[:, :, step] = np.sign(given) * (np.abs(given) << self.bits > drawn * self.unit)
        return found, (register,)

    def kept(self) -> tuple[KeptWords, ...]:
        """Return the words that wait for the next step."""
        return (("", len(self.first), self.REGISTER_BITS),)


@dataclass(frozen=True, slots=True)
class Bands:
    """Sums of the last magnitudes of band-passes; a channel's bands stand side by side.

    Parameters
    ----------
    name, source : str
    result : Range
    taps : ndarray of int64, shape (bands, taps)
        The newest step's first.
    point : int
        Bits that a band-pass is rounded by.
    smoothed : int
        Magnitudes that are added up.
    largest : int
        Magnitude that none passes.
    """

    name: str
    source: str
    result: Range
    taps: Integers
    point: int
    smoothed: int
    largest: int

    @property
    def channels(self) -> int:
        """Of the source."""
        return self.result.shape[0] // len(self.taps)

    def first_state(self, examples: int) -> State:
        """Return the past samples and magnitudes before the first step: zeros."""
        shapes = (self.channels, self.taps.shape[1] - 1), (self.result.shape[0], self.smoothed)
        return tuple(np.zeros((examples, *shape), dtype=np.int64) for shape in shapes)

    def run(self, signal: Integers, state: State) -> tuple[Integers, State]:
        """Return the sums, shape (examples, channels * bands, steps), and what waits after them."""
        line, (examples, _, steps) = np.concatenate((state[0], signal), axis=-1), signal.shape
        reach = self.taps.shape[1]
        seen = np.lib.stride_tricks.sliding_window_view(line, reach, axis=-1)[..., ::-1]
        passed = np.moveaxis(seen @ self.taps.T, 3, 2).reshape(examples, -1, steps)
        sizes = np.concatenate((state[1], np.abs(shifted(passed, self.point))), axis=-1)
        found = np.lib.stride_tricks.sliding_window_view(sizes, self.smoothed, axis=-1)[:, :, 1:].sum(axis=-1)
        return found, (line[..., line.shape[-1] - reach + 1 :], sizes[..., sizes.shape[-1] - self.smoothed :])

    def kept(self) -> tuple[KeptWords, ...]:
        """Return the words that wait for the next step."""
        many, samples = self.result.shape[0], self.channels * (self.taps.shape[1] - 1)
        bits = self.largest.bit_length()
        return ("", samples, 16), ("magnitudes", many * self.smoothed, bits), ("sums", many, self.result.bits)


@dataclass(frozen=True, slots=True)
class LockIns:
    """Energies of lock-in amplifiers; a channel's frequencies stand side by side.

    Parameters
    ----------
    name, source : str
    result : Range
    cosines : ndarray of int64, shape (256,)
        A period; the sine is read a quarter later.
    increments : ndarray of int64, shape (frequencies,)
        Of phases of 32 bits, in a step.
    shift : int
        The low-passes' time constant is 2^shift steps.
    mixed, halved : int
        Bits that a product with a reference, and an energy, is rounded by.
    highest : int
        Largest mean; the least is its negative.
    """

    name: str
    source: str
    result: Range
    cosines: Integers
    increments: Integers
    shift: int
    mixed: int
    halved: int
    highest: int

    PHASE_BITS = 32

    @property
    def channels(self) -> int:
        """Of the source."""
        return self.result.shape[0] // len(self.increments)

    @property
    def place_bits(self) -> int:
        """Bits that a phase is rounded by to an entry of the table."""
        return self.PHASE_BITS - len(self.cosines).bit_length() + 1

    @property
    def kept_bits(self) -> int:
        """Width of a low-pass's word: a product of a 16-bit signal with the reference 1, 2^shift times [bits]."""
        return ((2**15 - 1) * int(self.cosines.max()) >> self.mixed).bit_length() + 1 + self.shift

    def first_state(self, examples: int) -> State:
        """Return low-passes and phases before the first step: zeros."""
        shapes = (self.channels, len(self.increments), 2), (len(self.increments),)
        return tuple(np.zeros((examples, *shape), dtype=np.int64) for shape in shapes)

    def run(self, signal: Integers, state: State) -> tuple[Integers, State]:
        """Return the energies, shape (examples, channels * frequencies, steps), and the state after them."""
        (kept, phases), entries = state, len(self.cosines)
        found = np.empty((len(signal), self.result.shape[0], signal.shape[2]), dtype=np.int64)
        for step in range(signal.shape[2]):
            place = phases + (1 << self.place_bits - 1) >> self.place_bits
            references = np.stack([self.cosines[(place + late) % entries] for late in (0, 3 * entries // 4)], axis=-1)
            phases = (phases + self.increments) % 2**self.PHASE_BITS
            product = shifted(signal[:, :, step, None, None] * references[:, None], self.mixed)
            kept = kept - shifted(kept, self.shift) + product
            means = np.clip(shifted(kept, self.shift), -self.highest, self.highest)
            found[:, :, step] = shifted((means**2).sum(axis=-1), self.halved).reshape(len(signal), -1)
        return found, (kept, phases)

    def kept(self) -> tuple[KeptWords, ...]:
        """Return the words that wait for the next step; phases are the same for all channels."""
        return ("", 2 * self.result.shape[0], self.kept_bits), ("phases", len(self.increments), self.PHASE_BITS)


Coder = Rates | RandomRates | Bands | LockIns
