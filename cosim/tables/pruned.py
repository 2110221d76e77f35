"""Configurations that a search gave up before all their points were computed: a file, and rows of the results."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pandas as pd

from cosim.engine.files import Json, canonical_json, read_json, to_json, write_atomically
from cosim.engine.points import Decoder

PRUNED = "pruned.json"
GIVEN_UP = "given up"
"""Stands where the verdict of a decoder would: it has no score of all folds and seeds, and is in no comparison."""


def pruned_rows(pruned: Sequence[tuple[Decoder, Mapping[str, Json]]]) -> list[dict[str, Json]]:
    """Return a record of each configuration that was given up: which decoder it is, and why it was given up.

    Parameters
    ----------
    pruned : sequence of (Decoder, mapping)
        What the configuration would have been, with the record of `cosim.engine.search.pruning.GivenUp`.
    """
    rows = list[dict[str, Json]]()
    for decoder, why in pruned:
        rows.append({
            "decoder_id": decoder.id, "decoder": decoder.name, "student": decoder.student, "family": decoder.family,
            "options": canonical_json(decoder.options), "form": decoder.form, "spiking": decoder.spiking,
            "method": decoder.method, **why,
        })  # fmt: skip
    return rows


def write_pruned(root: Path, rows: Sequence[Mapping[str, Json]]) -> None:
    """Keep what was given up and why; where nothing was, there is no such file."""
    if rows:
        write_atomically(root / PRUNED, to_json({"pruned": list(rows)}))
    else:
        (root / PRUNED).unlink(missing_ok=True)


def read_pruned(root: Path) -> list[dict[str, Any]]:
    """Return the records of a run's configurations that were given up.

    Raises
    ------
    CosimError
        If the file is malformed.
    """
    path = root / PRUNED
    return cast("list[dict[str, Any]]", read_json(path)["pruned"]) if path.is_file() else []


def pruned_note(count: int) -> str:
    """Return the sentence of a page on configurations that were given up."""
    one = count == 1
    return (
        f"{count} configuration{'' if one else 's'} of the search {'was' if one else 'were'} given up before all folds "
        f"and seeds: {'it' if one else 'they'} could not reach the search's front (validation score, its one machine) "
        f"any more, and stand{'s' if one else ''} in no comparison, nor in fronts of other machines. "
        f"Which, and why: {PRUNED}."
    )


def reason_text(row: Mapping[str, Any]) -> str:
    """Return why a configuration was given up."""
    best, theirs = (", ".join(_shown(name, value) for name, value in row[key].items()) for key in ("at_best", "theirs"))
    return f"given up after {row['points']} of {row['of']} points: at best {best}; {row['against']} has {theirs}"


def _shown(name: str, value: float) -> str:
    return f"{name} {value:.4g}" + ("" if name == "score" else " W")


def pruned_frame(rows: Sequence[Mapping[str, Any]], like: pd.DataFrame) -> pd.DataFrame:
    """Return rows of the flat table of results for what was given up: no score, no price, the reason as text.

    Parameters
    ----------
    rows : sequence of mapping
        As `read_pruned` returns them.
    like : DataFrame
        The flat table, whose study, dataset and protocol they share.
    """
    known = ("decoder_id", "decoder", "student", "family", "options", "form", "spiking", "method")
    shared: dict[str, Any] = {name: like[name].iloc[0] for name in ("study", "dataset", "protocol", "metric")}
    return pd.DataFrame([
        {
            **shared, **{name: row[name] for name in known}, "role": "student", "verdict": GIVEN_UP,
            "infeasibilities": reason_text(row),
        }
        for row in rows
    ])  # fmt: skip
