"""A value with guaranteed bounds, and sums of such values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Band:
    """A value with guaranteed bounds; the unit stands in the name of the field that holds it."""

    low: float
    nominal: float
    high: float

    def __add__(self, other: Band) -> Band:
        return Band(self.low + other.low, self.nominal + other.nominal, self.high + other.high)

    def times(self, factor: float) -> Band:
        """Return the band scaled by a non-negative exact factor."""
        return Band(self.low * factor, self.nominal * factor, self.high * factor)


ZERO = Band(0.0, 0.0, 0.0)


def total(bands: Iterable[Band]) -> Band:
    """Return the sum of bands, bounds added (every quantity at its low, or every one at its high)."""
    low = nominal = high = 0.0
    for band in bands:  # no band for each partial sum: tables hold hundreds of thousands of these sums
        low, nominal, high = low + band.low, nominal + band.nominal, high + band.high
    return Band(low, nominal, high)
