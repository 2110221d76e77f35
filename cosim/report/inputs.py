"""What a page is made of: the files of a run folder, read and joined once."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from cosim.engine.files import read_json
from cosim.tables.decoders import DECODERS, DecoderScore
from cosim.tables.differences import DIFFERENCES, Difference, read_differences
from cosim.tables.results import Priced, Score, read_parquet
from cosim.tables.summary import score_table, summarise
from energy_models.errors import CosimError
from energy_models.hardware import load_profile, load_site, profile_names, site_names

Row = Mapping[str, Any]
NEEDED = (
    "name", "title", "question", "dataset", "protocol", "metric", "chance", "seeds", "profiles", "sites",
    "decode_rate_hz", "command", "versions",
)


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run, ready to be shown.

    Parameters
    ----------
    study : mapping
        The file ``study.json``.
    summary : tuple of rows
        `cosim.tables.summary.summarise`, each with its decoder's ``number``.
    decoders : tuple of rows
        `cosim.tables.summary.score_table`, best first, teachers included, each with its ``number``.
    gates : tuple of rows
    scores : DataFrame
    differences : tuple of Difference
    """

    study: Mapping[str, Any]
    summary: tuple[Row, ...]
    decoders: tuple[Row, ...]
    gates: tuple[Row, ...]
    scores: Any
    differences: tuple[Difference, ...]

    @property
    def machines(self) -> tuple[str, ...]:
        """Machines that were priced, in the study's order."""
        return _ordered([str(row["profile"]) for row in self.summary], self.study["profiles"])

    @property
    def sites(self) -> tuple[str, ...]:
        """Sites that were judged, in the study's order."""
        return _ordered([str(row["site"]) for row in self.summary], self.study["sites"])

    def at(self, machine: str, site: str) -> tuple[Row, ...]:
        """Return the summary rows of one place, cheapest first."""
        return tuple(row for row in self.summary if row["profile"] == machine and row["site"] == site)

    def at_site(self, site: str) -> tuple[Row, ...]:
        """Return the summary rows of one site on every machine."""
        return tuple(row for row in self.summary if row["site"] == site)


def _ordered(found: list[str], wanted: list[str]) -> tuple[str, ...]:
    """Return the distinct names found, those wanted first and in their order."""
    names = [name for name in wanted if name in found]
    return tuple(dict.fromkeys([*names, *found]))


def read_run(folder: Path) -> Run:
    """Return a run folder's contents.

    Raises
    ------
    CosimError
        When a file is missing or malformed, or no finished decoder was priced.
    """
    study = cast(dict[str, Any], read_json(folder / "study.json"))
    lacking = [name for name in NEEDED if name not in study]
    if lacking:
        raise CosimError(f"it lacks {', '.join(lacking)}", where=str(folder / "study.json"),
                         remedy="It was written by another version; run the study again.")  # fmt: skip
    scores = read_parquet(folder / "scores.parquet", Score)
    pooled = read_parquet(folder / DECODERS, DecoderScore)
    summary = summarise(scores, pooled, read_parquet(folder / "priced.parquet", Priced))
    if summary.empty:
        raise CosimError("no finished decoder was priced", where=str(folder), remedy="Run the study to the end first.")
    table = score_table(scores, pooled).sort_values("score_mean", ascending=False, kind="stable")
    decoders = cast(list[dict[str, Any]], table.to_dict("records"))
    for number, row in enumerate(decoders, start=1):
        row["number"] = number
    numbers = {row["decoder_id"]: row["number"] for row in decoders}
    rows = cast(list[dict[str, Any]], summary.to_dict("records"))
    gates = cast(list[dict[str, Any]], read_json(folder / "gates.json").get("gates", []))
    return Run(study, tuple({**row, "number": numbers[row["decoder_id"]]} for row in rows), tuple(decoders),
               tuple(gates), scores, tuple(read_differences(folder / DIFFERENCES)))  # fmt: skip


def machine_title(name: str) -> str:
    """Return a machine's title; the name itself for one that does not ship."""
    return load_profile(name).title if name in profile_names() else name


def site_title(name: str) -> str:
    """Return a site's title; the name itself for one that does not ship."""
    return load_site(name).title if name in site_names() else name
