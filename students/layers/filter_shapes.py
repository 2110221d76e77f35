"""Taps of given filters: band passes as windowed sinc functions, and wavelets. None of them is learned."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from energy_models.errors import StudentError

STEEPEST = 0.5
"""Highest edge or centre, in cycles per step: half the step rate."""


def band_passes(bands_hz: Sequence[tuple[float, float]], taps: int, rate_hz: float) -> Tensor:
    """Return linear-phase band passes, shape (bands, taps): ``h(t) = w(t) 2 (b sinc(2 b t) - a sinc(2 a t))``.

    w is a Hamming window; a and b are the edges in cycles per step, at half the amplitude.

    Parameters
    ----------
    bands_hz : sequence of (low, high) [Hz]
    taps : int
        Odd numbers have their delay, ``(taps - 1) / 2`` steps, in whole steps.
    rate_hz : float
        Steps per second [Hz].

    Raises
    ------
    StudentError
        Edges that do not rise, or lie outside (0, rate / 2).
    """
    time = torch.arange(taps, dtype=torch.float64) - (taps - 1) / 2
    window = 0.54 + 0.46 * torch.cos(2 * math.pi * time / max(taps - 1, 1))  # Hamming
    found: list[Tensor] = []
    for low_hz, high_hz in bands_hz:
        low, high = low_hz / rate_hz, high_hz / rate_hz
        if not 0 < low < high < STEEPEST:
            raise StudentError(
                f"a band from {low_hz:g} to {high_hz:g} Hz at {rate_hz:g} steps a second", where="filter bank",
                remedy=f"Choose edges that rise, between 0 and {STEEPEST * rate_hz:g} Hz",
            )
        found.append(window * (2 * high * torch.sinc(2 * high * time) - 2 * low * torch.sinc(2 * low * time)))
    return torch.stack(found).to(torch.float32)


def wavelets(centres_hz: Sequence[float], cycles: float, taps: int, rate_hz: float) -> Tensor:
    """Return real Morlet wavelets that end at the present step, shape (wavelets, taps), each of unit energy.

    ``h(t) = exp(-t^2 / 2 s^2) cos(2 pi f t)`` less its mean, with ``s = cycles / (2 pi f)`` and at most a sixth of the
    taps, so that the bell fits between them.

    Parameters
    ----------
    centres_hz : sequence of float
        f [Hz]; 0 is the bell alone, a sixth of the taps wide: a low-pass, whose mean is kept.
    cycles : float
        Cycles in the bell, as `s` says.
    taps : int
    rate_hz : float
        Steps per second [Hz].

    Raises
    ------
    StudentError
        A centre outside [0, rate / 2).
    """
    time = (torch.arange(taps, dtype=torch.float64) - (taps - 1) / 2) / rate_hz
    found: list[Tensor] = []
    for centre_hz in centres_hz:
        if not 0 <= centre_hz < STEEPEST * rate_hz:
            raise StudentError(
                f"a wavelet of {centre_hz:g} Hz at {rate_hz:g} steps a second", where="filter bank",
                remedy=f"Choose centres between 0 and {STEEPEST * rate_hz:g} Hz",
            )
        longest = taps / rate_hz / 6
        width = min(cycles / (2 * math.pi * centre_hz), longest) if centre_hz else longest
        shape = torch.exp(-(time**2) / (2 * width**2)) * torch.cos(2 * math.pi * centre_hz * time)
        shape = shape - shape.mean() if centre_hz and taps > 2 else shape
        found.append(shape / shape.norm())
    return torch.stack(found).to(torch.float32)
