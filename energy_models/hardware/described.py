"""What every file of a machine or a site has: a content hash, and its quantities by path."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from energy_models.quantities import Band, Frozen, Quantity, content_digest, quantities


class Described(Frozen):
    """Base of a machine and of a place."""

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
