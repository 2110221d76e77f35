"""Older workload files: what each schema lacked, as one table. A field that is added is a new schema and a row here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast


@dataclass(frozen=True, slots=True)
class Migration:
    """How a file of one schema becomes one of the next.

    Parameters
    ----------
    to : str
        The next schema.
    workload, layer : mapping of str to JSON
        Fields that the next schema added, with the value that is true of every older file.
    unknown : mapping of str to str
        What older files do not say, with why; each becomes an entry of ``uncounted``, so that figures are incomplete.
    """

    to: str
    workload: Mapping[str, Any] = field(default_factory=dict[str, Any])
    layer: Mapping[str, Any] = field(default_factory=dict[str, Any])
    unknown: Mapping[str, str] = field(default_factory=dict[str, str])


MIGRATIONS: Mapping[str, Migration] = {
    "cosim.workload/1": Migration(
        to="cosim.workload/2",
        workload={"products": None, "warm_up_steps": 0, "warm_up": []},
        layer={"weight_form": "graded", "constants": 0, "constant_bits": 0, "decodes_per_call": 1},
        unknown={"stored constants": "files of schema 1 do not hold multipliers, decays, thresholds and tables"},
    ),
    "cosim.workload/2": Migration(to="cosim.workload/3", layer={"kernel": []}),
    # Events were single spikes or numbers: neurons that fire several times in a step came with schema 4.
    "cosim.workload/3": Migration(to="cosim.workload/4", layer={"input_units": None, "output_units": None}),
}


def migrated(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a workload's document in the newest schema that `MIGRATIONS` leads to; fields that are there stay."""
    found = dict(document)
    while isinstance(found.get("schema"), str) and found["schema"] in MIGRATIONS:
        step = MIGRATIONS[found["schema"]]
        found = {**step.workload, **found, "schema": step.to}
        for name in ("layers", "warm_up"):
            found[name] = _with_defaults(found.get(name, []), step.layer)
        entries = [{"layer": "", "operation": what, "reason": why} for what, why in step.unknown.items()]
        if entries and isinstance(found.get("uncounted"), list):
            found["uncounted"] = [*cast("list[Any]", found["uncounted"]), *entries]
    return found


def _with_defaults(layers: Any, defaults: Mapping[str, Any]) -> Any:
    """Return layers with the fields they lack; what is no list of tables stays for the reader to refuse."""
    if not isinstance(layers, list):
        return layers
    rows = cast("list[Any]", layers)
    return [{**defaults, **cast("dict[str, Any]", one)} if isinstance(one, dict) else one for one in rows]
