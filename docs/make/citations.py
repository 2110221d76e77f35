"""Sources as the generated pages list them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from energy_models.quantities import Source, load_sources


def source_lines(keys: Iterable[str], own: Mapping[str, Source] | None = None) -> list[str]:
    """Return one line of markdown for each source, shipped or a page's own, in the order of their keys."""
    records = {**load_sources(), **(own or {})}
    return [
        f"- `{key}`: {records[key].authors} ({records[key].year}). {records[key].title}. {records[key].venue}.\n"
        for key in sorted(set(keys))
    ]
