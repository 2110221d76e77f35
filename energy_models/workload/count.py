"""An exact count summed over decodes, with what its standard error needs."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Count:
    """An exact count summed over the observed decodes, and the sum of its squares per decode.

    Parameters
    ----------
    total : int
        Sum over decodes [events].
    squares : int
        Sum over decodes of the per-decode count squared [events^2].
    decodes : int
        Number of decodes summed.
    """

    total: int
    squares: int
    decodes: int

    @classmethod
    def constant(cls, per_decode: int, decodes: int) -> Count:
        """Return a count that is the same in every decode."""
        return cls(per_decode * decodes, per_decode * per_decode * decodes, decodes)

    @classmethod
    def of(cls, per_decode: list[int]) -> Count:
        """Return the count of a list that holds one exact integer per decode."""
        return cls(sum(per_decode), sum(n * n for n in per_decode), len(per_decode))

    @property
    def mean(self) -> float:
        """Events per decode."""
        return self.total / self.decodes

    @property
    def standard_error(self) -> float:
        """Standard error of the mean over decodes; nan where fewer than two decodes were observed."""
        n = self.decodes
        if n < 2:
            return math.nan
        variance = (self.squares - self.total * self.total / n) / (n - 1)
        return math.sqrt(max(variance, 0.0) / n)

    def __add__(self, other: Count) -> Count:
        """Return the counts of further decodes joined to these (more decodes, not more work per decode)."""
        return Count(self.total + other.total, self.squares + other.squares, self.decodes + other.decodes)

    def plus(self, per_decode: int) -> Count:
        """Return the count with a constant number of events more in every decode."""
        squares = self.squares + 2 * per_decode * self.total + per_decode * per_decode * self.decodes
        return Count(self.total + per_decode * self.decodes, squares, self.decodes)

    def times(self, factor: int) -> Count:
        """Return the count with so many times the events in every decode."""
        return Count(self.total * factor, self.squares * factor * factor, self.decodes)
