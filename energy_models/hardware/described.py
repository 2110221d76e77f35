"""What every file of a machine or a site has: a content hash, and its quantities by path."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from pydantic import Field

from energy_models.quantities import Band, Frozen, Quantity, content_digest, html_table, quantities


class Described(Frozen):
    """Base of a machine and of a place: its name in files and tables, and what it is for people."""

    name: str = Field(pattern="^[a-z][a-z0-9_]*$")
    title: str = Field(min_length=1)
    description: str = Field(min_length=1)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content, independent of the file's layout."""
        return content_digest(self)

    @cached_property
    def quantity_at(self) -> Mapping[str, Quantity]:
        """Every quantity by its dotted path."""
        return dict(quantities(self))

    @cached_property
    def bands(self) -> Mapping[str, Band]:
        """Every quantity's value and bounds in SI, by its dotted path."""
        return {path: quantity.band for path, quantity in self.quantity_at.items()}

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name}, {self.title}; {len(self.quantity_at)} constants>"

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        rows = [
            {
                "constant": path, "low": one.low, "value": one.value, "high": one.high, "unit": one.unit,
                "basis": one.basis, "source": one.source,
            }
            for path, one in self.quantity_at.items()
        ]
        return html_table(f"{self.title} ({self.name})", rows)
