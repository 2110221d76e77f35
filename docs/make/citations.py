"""Sources as the generated pages list them."""

from __future__ import annotations

from collections.abc import Iterable

from energy_models.quantities import load_sources


def source_lines(keys: Iterable[str]) -> list[str]:
    """Return one line of markdown for each source, in the order of their keys."""
    records = load_sources()
    return [
        f"- `{key}`: {records[key].authors} ({records[key].year}). {records[key].title}. {records[key].venue}.\n"
        for key in sorted(set(keys))
    ]
