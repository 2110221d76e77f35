"""What no figure of an estimate contains: work that nobody counted, work and draws without a price."""

from __future__ import annotations

from collections.abc import Iterable

from energy_models.pricing.cost_terms import ChargedLayer
from energy_models.workload import Workload


def unpriced_work(layers: Iterable[ChargedLayer]) -> tuple[str, ...]:
    """Return one line for each thing without a price, with the layers that need it."""
    needed: dict[str, list[str]] = {}
    for layer in layers:
        for what in layer.price.unpriced:
            needed.setdefault(what, []).append(layer.counts.layer)
    return tuple(f"{what} (needed by {', '.join(names)})" for what, names in needed.items())


def unaccounted_work(workload: Workload, layers: Iterable[ChargedLayer]) -> tuple[str, ...]:
    """Return one line for each piece of work of a workload that is in no figure, uncounted or without a price."""
    return (
        *(f"uncounted: {item.layer} {item.operation} ({item.reason})" for item in workload.uncounted),
        *(f"unpriced: {line}" for line in unpriced_work(layers)),
    )


def unaccounted_gathering(profile: str) -> str:
    """Return the line of a machine that gathers samples and does not say what it draws then."""
    return f"unpriced: what {profile} draws while it gathers samples itself"
