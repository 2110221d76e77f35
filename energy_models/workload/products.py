"""Products of weights and activations, as they are counted: two classes of sites under four conventions."""

from __future__ import annotations

from dataclasses import dataclass

from energy_models.workload.count import Count


@dataclass(frozen=True, slots=True)
class Products:
    """Weight x activation sites under one counting convention, split per element.

    `accumulate` counts sites whose activation is in {-1, 0, 1} (on its integer grid if quantised), and all of a layer
    with binary or ternary weights: no multiplier is needed. `multiply_accumulate` counts the others.
    """

    multiply_accumulate: Count
    accumulate: Count

    @property
    def total(self) -> int:
        """Sites over all observed decodes, either class."""
        return self.multiply_accumulate.total + self.accumulate.total

    @property
    def mean(self) -> float:
        """Sites per decode, either class."""
        return self.multiply_accumulate.mean + self.accumulate.mean

    def times(self, factor: int) -> Products:
        """Return so many times the sites in every decode."""
        return Products(self.multiply_accumulate.times(factor), self.accumulate.times(factor))


CONVENTIONS = ("dense_full", "dense_valid", "effective_input", "effective")
"""The four ways to count products, the fields of `Conventions`."""


@dataclass(frozen=True, slots=True)
class Conventions:
    """The four conventions, always all of them.

    dense_full >= dense_valid >= effective_input >= effective, site by site:
    textbook; without padding taps; with non-zero input; and with non-zero weight after quantisation.
    """

    dense_full: Products
    dense_valid: Products
    effective_input: Products
    effective: Products

    def times(self, factor: int) -> Conventions:
        """Return so many times the sites in every decode."""
        four = (self.dense_full, self.dense_valid, self.effective_input, self.effective)
        return Conventions(*(one.times(factor) for one in four))
