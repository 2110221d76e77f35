"""Preprocessing in integers: converter samples to the codes that a deployed graph takes, sample by sample.

A sample is an integer of `state_bits` whose unit is the converter's step over ``2^fraction``; products with
coefficients of ``2^point`` are rounded to that grid, ties up. Every stage keeps what it needs between calls, so that a
recording in pieces gives what the whole gives. ``docs/concepts/deployed.md`` has the equations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from energy_models.errors import DataError, StudentError
from students.deploy.fixed_point import shifted
from students.deploy.graph import InputCodes
from students.deploy.ranges import Floats, Integers

MANTISSA_BITS, LOGARITHM_BITS = 9, 10
"""Bits behind the leading one by which a logarithm's table is addressed; fractional bits of a logarithm."""

LOGARITHM_ENTRIES = 2**MANTISSA_BITS + 1

Kept = tuple[Integers, ...]
"""What a stage keeps between samples."""


def rounded(values: Integers, bits: int) -> Integers:
    """Return ``values / 2^bits`` rounded, ties up: an addition and a shift."""
    return (values + (1 << bits >> 1)) >> bits


def _quotient(values: Integers, factor: int, divisor: int) -> Integers:
    """Return ``values * factor / divisor`` rounded, ties up: a division of integers of any size."""
    whole = [(2 * value * factor + divisor) // (2 * divisor) for value in values.tolist()]
    return np.array(whole, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Reference:
    """Subtract the mean over channels: their sum times `multiplier` over ``2^shift``."""

    multiplier: int
    shift: int

    def first(self, _sample: Integers) -> Kept:
        """Return nothing."""
        return ()

    def run(self, samples: Integers, kept: Kept) -> tuple[Integers, Kept]:
        """Return samples of shape (channels, samples) less their mean."""
        return samples - rounded(samples.sum(axis=0) * self.multiplier, self.shift), kept


@dataclass(frozen=True, slots=True)
class Sections:
    """Second-order sections, direct form II transposed; they start as if the first sample had lasted for ever.

    ``y = (b0 x) / 2^point + s1``, ``s1 = (b1 x - a1 y) / 2^point + s2``, ``s2 = (b2 x - a2 y) / 2^point``

    Parameters
    ----------
    coefficients : ndarray of int64, shape (sections, 5)
        b0, b1, b2, a1, a2 in steps of ``2^-point``.
    point : int
    """

    coefficients: Integers
    point: int

    def first(self, sample: Integers) -> Kept:
        """Return the states at rest, each of shape (sections, channels), for a lasting sample (channels,)."""
        one, first, second = 1 << self.point, list[Integers](), list[Integers]()
        for b0, b1, b2, a1, a2 in self.coefficients:
            output = _quotient(sample, int(b0 + b1 + b2), int(one + a1 + a2))
            second.append(rounded(b2 * sample - a2 * output, self.point))
            first.append(rounded(b1 * sample - a1 * output + (second[-1] << self.point), self.point))
            sample = output
        return np.stack(first), np.stack(second)

    def run(self, samples: Integers, kept: Kept) -> tuple[Integers, Kept]:
        """Return filtered samples, shape (channels, samples)."""
        first, second, found = kept[0].copy(), kept[1].copy(), np.empty_like(samples)
        for place in range(samples.shape[1]):
            value = samples[:, place]
            for row, (b0, b1, b2, a1, a2) in enumerate(self.coefficients):
                output = rounded(b0 * value + (first[row] << self.point), self.point)
                first[row] = rounded(b1 * value - a1 * output + (second[row] << self.point), self.point)
                second[row] = rounded(b2 * value - a2 * output, self.point)
                value = output
            found[:, place] = value
        return found, (first, second)


@dataclass(frozen=True, slots=True)
class Polyphase:
    """A low-pass at `up` times the rate of which every `down`-th output is computed; the past equals the first sample.

    Parameters
    ----------
    taps : ndarray of int64, shape (phases, taps of a phase)
        In steps of ``2^-point``; row p holds taps p, p + up, p + 2 up ...
    down : int
    point : int
    """

    taps: Integers
    down: int
    point: int

    def first(self, sample: Integers) -> Kept:
        """Return the first sample, the past relative to it, and how many samples came and went."""
        past = np.zeros((len(sample), self.taps.shape[1] - 1), dtype=np.int64)
        return sample, past, np.zeros(2, dtype=np.int64)

    def run(self, samples: Integers, kept: Kept) -> tuple[Integers, Kept]:
        """Return the samples at the new rate, shape (channels, samples * up / down)."""
        offset, past, counts = kept
        came, went = counts.tolist()
        line = np.concatenate((past, samples - offset[:, None]), axis=1)
        up, reach = self.taps.shape
        last = -(-(came + samples.shape[1]) * up // self.down)  # outputs that stand before the next sample
        places = np.arange(went, last) * self.down
        found = np.empty((len(samples), len(places)), dtype=np.int64)
        for number, place in enumerate(places.tolist()):
            at = place // up - came + reach  # one behind the newest sample that this output sees
            found[:, number] = rounded(line[:, at - reach : at][:, ::-1] @ self.taps[place % up], self.point)
        counts = np.array([came + samples.shape[1], last], dtype=np.int64)
        return found + offset[:, None], (offset, line[:, line.shape[1] - reach + 1 :], counts)


@dataclass(frozen=True, slots=True)
class Keep:
    """Every `factor`-th sample."""

    factor: int

    def first(self, _sample: Integers) -> Kept:
        """Return how many samples came, modulo the factor: none."""
        return (np.zeros(1, dtype=np.int64),)

    def run(self, samples: Integers, kept: Kept) -> tuple[Integers, Kept]:
        """Return the samples that are kept."""
        came = int(kept[0][0])
        return samples[:, -came % self.factor :: self.factor], (
            np.array([(came + samples.shape[1]) % self.factor], dtype=np.int64),
        )


@dataclass(frozen=True, slots=True)
class Root:
    """Integer square root, rounded down: of counts, or of a power.

    Parameters
    ----------
    fraction : int
        By which a number is shifted up before: twice the root's fractional bits less those of what comes in.
    """

    fraction: int

    def first(self, _sample: Integers) -> Kept:
        """Return nothing."""
        return ()

    def run(self, samples: Integers, kept: Kept) -> tuple[Integers, Kept]:
        """Return ``floor(sqrt(samples * 2^fraction))``.

        Raises
        ------
        DataError
            A negative count.
        """
        if samples.size and int(samples.min()) < 0:
            raise DataError(
                "the square root of a negative value was asked for", where="input chain",
                remedy="Use this step on spike counts, or behind a square",
            )
        roots = [math.isqrt(one << self.fraction) for one in samples.ravel().tolist()]
        return np.array(roots, dtype=np.int64).reshape(samples.shape), kept


@dataclass(frozen=True, slots=True)
class Square:
    """The square of each sample, ``samples^2 / 2^shift`` rounded, ties up."""

    shift: int

    def first(self, _sample: Integers) -> Kept:
        """Return nothing."""
        return ()

    def run(self, samples: Integers, kept: Kept) -> tuple[Integers, Kept]:
        """Return the squares."""
        return rounded(samples * samples, self.shift), kept


@dataclass(frozen=True, slots=True)
class Rectify:
    """The size of each sample."""

    def first(self, _sample: Integers) -> Kept:
        """Return nothing."""
        return ()

    def run(self, samples: Integers, kept: Kept) -> tuple[Integers, Kept]:
        """Return the sizes."""
        return np.abs(samples), kept


@dataclass(frozen=True, slots=True)
class Logarithm:
    """The logarithm to base two, in steps of 2^-10: the place of the leading bit, and a table of what follows it.

    Of a number x with its leading bit at place e, ``m = round(x / 2^(e - 9)) - 2^9``, and the result is
    ``2^10 e + entries[m]``. Numbers below `least` count as that.

    Parameters
    ----------
    least : int
    entries : ndarray of int64, shape (513,)
        ``round(2^10 log2(1 + m / 2^9))``.
    """

    least: int
    entries: Integers

    def first(self, _sample: Integers) -> Kept:
        """Return nothing."""
        return ()

    def run(self, samples: Integers, kept: Kept) -> tuple[Integers, Kept]:
        """Return the logarithms."""
        numbers = np.maximum(samples, self.least)
        place = np.frexp(numbers.astype(np.float64))[1].astype(np.int64) - 1  # exact: a state has 32 bits
        more = place - MANTISSA_BITS
        kept_bits = np.where(more > 0, rounded_by(numbers, np.maximum(more, 0)), numbers << np.maximum(-more, 0))
        return (place << LOGARITHM_BITS) + self.entries[kept_bits - (1 << MANTISSA_BITS)], kept


def rounded_by(values: Integers, bits: Integers) -> Integers:
    """Return ``values / 2^bits`` rounded, ties up, by as many bits as each has."""
    return (values + (np.left_shift(np.int64(1), bits) >> 1)) >> bits


def logarithm_entries() -> Integers:
    """Return the table of `Logarithm`."""
    steps = np.arange(LOGARITHM_ENTRIES) / 2.0**MANTISSA_BITS
    return np.rint(2.0**LOGARITHM_BITS * np.log2(1 + steps)).astype(np.int64)


Stage = Reference | Sections | Polyphase | Keep | Root | Square | Rectify | Logarithm


@dataclass(frozen=True, slots=True)
class InputChain:
    """Stages from converter samples to the codes of a graph.

    Parameters
    ----------
    bits, signed : int, bool
        Of a converter's sample.
    channels : int
    fraction : int
        Fractional bits inside.
    stages : tuple of Stage
        In the order in which they run.
    state_bits : int
        Width that holds every number between two stages and every state, sign included.
    output_bits : int
        Of the codes put out, which are signed and limited to their ends.
    output_unit : float
        What one step of such a code is worth, in units of the recording.
    output_shift : int
        Fractional bits that are rounded away at the end, ties to even.
    output_offset : float
        What the code 0 stands for: of a logarithm, that of the units.
    """

    bits: int
    signed: bool
    channels: int
    fraction: int
    stages: tuple[Stage, ...]
    state_bits: int
    output_bits: int
    output_unit: float
    output_shift: int
    output_offset: float = 0.0

    def start(self, sample: Integers) -> tuple[Kept, ...]:
        """Return what the stages keep before the first sample of a recording, shape (channels,).

        Raises
        ------
        DataError
            As `advance`.
        """
        first = self._checked(sample[:, None]) << self.fraction
        kept: list[Kept] = []
        for stage in self.stages:
            kept.append(stage.first(first[:, 0]))
            first, _ = stage.run(first, kept[-1])
        return tuple(kept)

    def advance(self, samples: Integers, kept: Sequence[Kept]) -> tuple[Integers, tuple[Kept, ...]]:
        """Return the codes of new samples, shape (channels, codes), and what is kept after them.

        Parameters
        ----------
        samples : ndarray of integers, shape (channels, samples)
        kept : tuple
            Of `start`, or of the call before.

        Raises
        ------
        DataError
            Samples that are none of the converter's.
        StudentError
            A number that the state's width does not hold.
        """
        signal, after = self._checked(samples) << self.fraction, list[Kept]()
        for stage, before in zip(self.stages, kept, strict=True):
            signal, now = stage.run(signal, before)
            self._within(signal, *now)
            after.append(now)
        highest = 2 ** (self.output_bits - 1) - 1
        return np.clip(shifted(signal, self.output_shift), -highest - 1, highest), tuple(after)

    def run(self, samples: Integers) -> Integers:
        """Return the codes of a whole recording, shape (channels, codes).

        Raises
        ------
        CosimError
            As `advance`.
        """
        if not samples.size:
            raise DataError("a recording without samples", where="input chain", remedy="Give at least one sample")
        return self.advance(samples, self.start(samples[:, 0]))[0]

    def codes(self, mean: Floats, deviation: Floats) -> InputCodes:
        """Return what the chain's codes stand for to a network that was trained on ``(value - mean) / deviation``.

        Parameters
        ----------
        mean, deviation : ndarray, shape () or (channels,)
            In units of the recording.
        """
        return InputCodes(self.output_bits, True, self.output_unit / deviation, (self.output_offset - mean) / deviation)

    def _checked(self, samples: Integers) -> Integers:
        lowest = -(2 ** (self.bits - 1)) if self.signed else 0
        highest = 2 ** (self.bits - self.signed) - 1
        if samples.ndim != 2 or len(samples) != self.channels or not np.issubdtype(samples.dtype, np.integer):
            raise DataError(
                f"samples of {samples.dtype} and shape {samples.shape}, expected integers of shape "
                f"({self.channels}, samples)", where="input chain", remedy="Give what the converter puts out",
            )
        if samples.size and not lowest <= int(samples.min()) <= int(samples.max()) <= highest:
            raise DataError(
                f"samples from {samples.min()} to {samples.max()}, where the converter has {self.bits} bits: "
                f"{lowest} to {highest}", where="input chain", remedy="Give what the converter puts out",
            )
        return samples.astype(np.int64)

    def _within(self, *numbers: Integers) -> None:
        limit = 2 ** (self.state_bits - 1)
        largest = max((int(np.abs(one).max()) for one in numbers if one.size), default=0)
        if largest >= limit:
            raise StudentError(
                f"a filter reached {largest}, where {self.state_bits} bits hold less than {limit}",
                where="input chain", remedy="Widen the state, or keep fewer fractional bits",
            )
