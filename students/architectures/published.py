"""What a source publishes about a network, beside what is counted here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from energy_models.workload import Workload
from students.architectures.build import outline, parameter_count
from students.architectures.schema import Architecture, Figure


@dataclass(frozen=True, slots=True)
class Comparison:
    """A published figure and its count here; `what` is ``parameters`` or ``products``."""

    what: str
    figure: Figure
    count: int

    @property
    def is_met(self) -> bool:
        """True where the two differ by no more than the file explains."""
        return abs(self.count - self.figure.value) <= self.figure.tolerance * self.figure.value

    @property
    def difference(self) -> str:
        """``equal``, or by how much the count is off."""
        return "equal" if self.count == self.figure.value else f"{self.count / self.figure.value - 1:+.2%}"


def comparisons(architecture: Architecture, workload: Workload) -> Iterator[Comparison]:
    """Yield every figure the sources give, with the count."""
    published = architecture.published
    if published.parameters is not None:
        yield Comparison("parameters", published.parameters, parameter_count(outline(architecture)))
    if published.products is not None:
        yield Comparison("products", published.products, counted_products(workload, published.products))


def counted_products(workload: Workload, figure: Figure | None) -> int:
    """Return the textbook products of a decode that a figure covers, or all of them without a figure."""
    stored_only = figure is not None and figure.covers == "stored_weights"
    layers = [layer for layer in workload.layers if layer.products is not None]
    return sum(
        layer.products.dense_full.total // workload.decodes
        for layer in layers
        if layer.products is not None and (layer.weights or not stored_only)
    )
