"""A bank of band-pass filters in 16-bit arithmetic: cascades of second-order sections, at rest before every window.

y[n] = b0 x[n] + b1 x[n-1] + b2 x[n-2] - a1 y[n-1] - a2 y[n-2] with inputs and outputs kept (direct form I), so every
kept word is a 16-bit signal. Steps of signals are powers of two, so that changing between them is a shift.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal as _signal  # pyright: ignore[reportMissingTypeStubs]

from cosim.baselines.numerics.fixed_point import WIDTH_BITS, Grid, saturated
from cosim.baselines.numerics.work import stage_row
from energy_models.errors import DataError
from energy_models.workload import LayerWork

signal: Any = _signal  # scipy ships no types
ORDER = 2
FEEDBACK_BITS = 14  # fraction bits of a1 and a2, whose magnitude is below two
COEFFICIENTS = 5  # b0 b1 b2 a1 a2
KEPT = 2  # samples kept of each signal
TOP = 2 ** (WIDTH_BITS - 1) - 1
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Band = tuple[float, float]


def sections(band: Band, step_rate_hz: float, *, where: str) -> Floats:
    """Return the second-order sections of a Butterworth band-pass, shape (sections, 6).

    Raises
    ------
    DataError
        If the band does not end under half the step rate.
    """
    low, high = band
    if high >= step_rate_hz / 2:
        raise DataError(f"the band {low:g}-{high:g} Hz does not end under half of {step_rate_hz:g} Hz", where=where,
                        remedy="Leave it out of bands_hz.")  # fmt: skip
    designed: Any = signal.butter(ORDER, [low, high], btype="bandpass", fs=step_rate_hz, output="sos")
    return np.asarray(designed, dtype=np.float64)


def filtered(cascade: Floats, signals: Floats) -> Floats:
    """Return signals of shape (..., steps) behind the sections, in float64 and from rest."""
    found: Any = signal.sosfilt(cascade, signals, axis=-1)
    return np.asarray(found, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class FixedBand:
    """One band's sections in 16-bit arithmetic, for several signals.

    Parameters
    ----------
    forward : ndarray of int64, shape (sections, 3)
        b0 b1 b2, each section on a grid of its own.
    backward : ndarray of int64, shape (sections, 2)
        a1 a2 with `FEEDBACK_BITS` fraction bits.
    shifts : ndarray of int64, shape (sections, signals)
        By how many bits the sum of the forward products is shifted left to the unit of the backward ones.
    """

    forward: Integers
    backward: Integers
    shifts: Integers

    def run(self, signals: Integers) -> Integers:
        """Return filtered signals of shape (examples, signals, steps), from rest."""
        found = signals
        for section in range(len(self.forward)):
            found = self._section(section, found)
        return found

    def _section(self, section: int, signals: Integers) -> Integers:
        before = np.concatenate([np.zeros((*signals.shape[:2], KEPT), dtype=np.int64), signals], axis=2)
        steps = signals.shape[2]
        sums = sum(int(weight) * before[:, :, KEPT - lag : KEPT - lag + steps]
                   for lag, weight in enumerate(self.forward[section]))  # fmt: skip
        driven = saturated(np.rint(np.asarray(sums) * 2.0 ** self.shifts[section][:, None]))
        first, second = (int(weight) for weight in self.backward[section])
        unit = Grid(np.asarray(2.0**FEEDBACK_BITS))
        kept = np.zeros((*signals.shape[:2], steps + KEPT), dtype=np.int64)
        for step in range(steps):
            fed_back = first * kept[:, :, step + 1] + second * kept[:, :, step]
            kept[:, :, step + KEPT] = unit.integers(saturated(driven[:, :, step] - fed_back))
        return kept[:, :, KEPT:]

    def operations(self, signals: int, steps: int) -> dict[str, int]:
        """Return the operations of a window: 5 multiplications, 4 additions, a shift and a rounding a visit."""
        visits = len(self.forward) * signals * steps
        return {"multiply": COEFFICIENTS * visits, "add": (COEFFICIENTS - 1) * visits, "requantise": 2 * visits}

    def kept_words(self, signals: int) -> int:
        """Return how many samples are kept: two of the input and of every section's output."""
        return KEPT * (len(self.forward) + 1) * signals

    @property
    def coefficients(self) -> int:
        """Stored coefficients."""
        return COEFFICIENTS * len(self.forward)


def fixed_band(cascade: Floats, signals: Integers) -> FixedBand:
    """Return the sections rounded to 16 bits, the steps of their outputs taken from training signals.

    Parameters
    ----------
    cascade : ndarray, shape (sections, 6)
    signals : ndarray of int64, shape (examples, signals, steps)
    """
    forward: list[Floats] = []
    backward: list[Floats] = []
    shifts: list[Integers] = []
    exponent = np.zeros(signals.shape[1], dtype=np.int64)  # of a signal's step; the input's step is the unit
    values = signals.astype(np.float64)
    for section in cascade:
        values = filtered(section[None], values)
        fraction = WIDTH_BITS - 1 - math.ceil(math.log2(np.abs(section[:3]).max() * (1 + 1 / TOP)))
        forward.append(np.rint(section[:3] * 2.0**fraction))
        backward.append(np.rint(section[4:] * 2.0**FEEDBACK_BITS))
        largest = np.maximum(np.abs(values).max(axis=(0, 2)), 1 / TOP)
        after = np.ceil(np.log2(largest / TOP)).astype(np.int64)
        shifts.append(exponent - after - fraction + FEEDBACK_BITS)
        exponent = after
    return FixedBand(np.array(forward, dtype=np.int64), np.array(backward, dtype=np.int64), np.array(shifts))


def banded(bands: Sequence[tuple[FixedBand, int]], components: Integers) -> Integers:
    """Return components, shape (examples, steps, components), each behind its own band's sections."""
    parts: list[Integers] = []
    start = 0
    for band, number in bands:
        parts.append(band.run(components[:, :, start : start + number].transpose(0, 2, 1)).transpose(0, 2, 1))
        start += number
    return np.concatenate(parts, axis=2)


def bands_row(name: str, bands: Sequence[tuple[FixedBand, int]], steps: int, decodes: int) -> LayerWork:
    """Return the row of a filter bank: every band's sections on its own number of signals."""
    signals = sum(number for _, number in bands)
    operations: dict[str, int] = {}
    for band, number in bands:
        for kind, amount in band.operations(number, steps).items():
            operations[kind] = operations.get(kind, 0) + amount
    row = stage_row(name, operations, inputs=signals * steps, outputs=signals * steps, decodes=decodes,
                    arithmetic="integer", kind="filter",
                    weights=sum(band.coefficients for band, _ in bands))  # fmt: skip
    kept = sum(band.kept_words(number) for band, number in bands)
    visits = sum(len(band.forward) * number * steps for band, number in bands)
    # A section reads two inputs and two outputs of before; each signal, the bank's input too, is written once a step.
    return dataclasses.replace(row, state_elements=kept, state_bits=WIDTH_BITS, state_reads=4 * visits,
                               state_writes=visits + signals * steps)  # fmt: skip
