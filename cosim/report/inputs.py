"""What a page is made of: the files of a run folder, read and joined once."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from cosim.engine.files import read_json, record_errors
from cosim.report.rows import shared_rows
from cosim.tables.decoders import DECODERS, DecoderScore
from cosim.tables.differences import DIFFERENCES, Difference, read_differences
from cosim.tables.flat import MOST_ROWS, first_workloads
from cosim.tables.outcomes import OUTCOMES, read_outcomes
from cosim.tables.price_files import read_detail, read_prices, read_prices_by_machine, rows_of
from cosim.tables.prices import PRICED
from cosim.tables.results import PriceKey, Score, read_parquet
from cosim.tables.scores import GATES, SCORES, STUDY, older_note
from cosim.tables.summary import merged_causes, score_table, summarise_part
from cosim.tables.widths import lag_text, widths_by_layer
from cosim.tables.workloads import WORKLOADS, read_workloads
from energy_models.errors import CosimError
from energy_models.hardware import load_profile, load_site, profile_names, site_names
from energy_models.workload import firing_rates

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
    outcomes : mapping
        What stands behind the scores (`cosim.tables.outcomes`); empty where the run did not keep it.
    folder : Path
        Where details of few rows are read from; see `causes` and `checks`.
    """

    study: Mapping[str, Any]
    summary: tuple[Row, ...]
    decoders: tuple[Row, ...]
    gates: tuple[Row, ...]
    scores: Any
    differences: tuple[Difference, ...]
    outcomes: Mapping[str, Any]
    folder: Path
    _places: Mapping[tuple[str, str], tuple[Row, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        places: dict[tuple[str, str], list[Row]] = {}
        for row in self.summary:
            places.setdefault((str(row["profile"]), str(row["site"])), []).append(row)
        object.__setattr__(self, "_places", {place: tuple(rows) for place, rows in places.items()})

    @property
    def machines(self) -> tuple[str, ...]:
        """Machines that were priced, in the study's order."""
        return _ordered([machine for machine, _ in self._places], self.study["profiles"])

    @property
    def sites(self) -> tuple[str, ...]:
        """Sites that were judged, in the study's order."""
        return _ordered([site for _, site in self._places], self.study["sites"])

    def at(self, machine: str, site: str) -> tuple[Row, ...]:
        """Return the summary rows of one place, cheapest first."""
        return self._places.get((machine, site), ())

    def at_site(self, site: str) -> tuple[Row, ...]:
        """Return the summary rows of one site on every machine."""
        return tuple(row for (_, place), rows in self._places.items() if place == site for row in rows)

    def causes(self, rows: Sequence[Row]) -> list[dict[str, list[float]]]:
        """Return the power by cause [W] of summary rows, over their folds and seeds: low, nominal, high."""
        owners: Any = self.scores.groupby("decoder_id", sort=False)["workload_digest"].agg(list)
        keys = [
            [PriceKey(digest, row["profile"], row["site"]) for digest in owners[row["decoder_id"]] if digest]
            for row in rows
        ]
        found = read_detail(self.folder / PRICED, "power_by_cause", [key for some in keys for key in some])
        return [merged_causes([found[key] for key in some if key in found]) for some in keys]

    def layers(self, row: Row) -> list[dict[str, Any]]:
        """Return the energy of a decode by layer and cause of a summary row: ``layer``, ``kind``, ``energy_j``.

        Of the fold and seed that does worst, as `checks`.
        """
        key = PriceKey(row["workload_digest"], row["profile"], row["site"])
        return cast("list[dict[str, Any]]", read_detail(self.folder / PRICED, "energy_by_layer", [key])[key])

    def checks(self, rows: Sequence[Row]) -> list[list[dict[str, Any]]]:
        """Return every limit held against summary rows, tightest first, of the fold and seed that does worst."""
        keys = [PriceKey(row["workload_digest"], row["profile"], row["site"]) for row in rows]
        found = read_detail(self.folder / PRICED, "checks", keys)
        return [found[key] for key in keys]


def _ordered(found: list[str], wanted: list[str]) -> tuple[str, ...]:
    """Return the distinct names found, those wanted first and in their order."""
    names = [name for name in wanted if name in found]
    return tuple(dict.fromkeys([*names, *found]))


def opened(run: Path | Run) -> Run:
    """Return a run that was read already as it is, and that of a run folder.

    Raises
    ------
    CosimError
        As `read_run`, or the folder's tables do not go together.
    """
    if isinstance(run, Run):
        return run
    with record_errors(run):
        return read_run(run)


def read_run(folder: Path) -> Run:
    """Return a run folder's contents.

    Raises
    ------
    CosimError
        When a file is missing or malformed, or no finished decoder was priced.
    """
    study = cast(dict[str, Any], read_json(folder / STUDY))
    lacking = [name for name in NEEDED if name not in study]
    if lacking:
        raise CosimError(f"it lacks {', '.join(lacking)}", where=str(folder / STUDY),
                         remedy="It was written by another version; run the study again.")  # fmt: skip
    if older := older_note(folder):
        study["notes"] = [*study.get("notes", []), f"Unfinished: {older}"]
    scores = read_parquet(folder / SCORES, Score)
    pooled = read_parquet(folder / DECODERS, DecoderScore)
    found = score_table(scores, pooled)
    table = found.sort_values("score_mean", ascending=False, kind="stable")
    decoders = cast(list[dict[str, Any]], table.to_dict("records"))
    for number, row in enumerate(decoders, start=1):
        row["number"] = number
    numbers = {row["decoder_id"]: row["number"] for row in decoders}
    path = folder / PRICED
    priced = read_prices_by_machine(path) if rows_of(path) > MOST_ROWS else [read_prices(path)]  # as the flat table
    parts = (summarise_part(found, scores, prices) for prices in priced)
    numbered = (part.assign(number=[numbers[name] for name in part["decoder_id"]]) for part in parts if len(part))
    rows = shared_rows(numbered)
    if not rows:
        raise CosimError("no finished decoder was priced", where=str(folder), remedy="Run the study to the end first.")
    gates = cast(list[dict[str, Any]], read_json(folder / GATES).get("gates", []))
    gaps = tuple(read_differences(folder / DIFFERENCES))
    outcomes = read_outcomes(folder / OUTCOMES)
    return Run(study, rows, tuple(decoders), tuple(gates), scores, gaps, outcomes, folder)


def decoder_widths(run: Run) -> Mapping[str, tuple[str, str]]:
    """Return the widths of the products of each decoder, as `widths_by_layer`; empty of teachers.

    Of a run whose workloads were not kept there are none.
    """
    if not (run.folder / WORKLOADS).is_file():
        return {}
    first = first_workloads(run.scores)
    found = read_workloads(run.folder, [digest for digest in first.values() if digest])
    return {name: widths_by_layer(found[digest]) if digest else ("", "") for name, digest in first.items()}


def firing_warnings(run: Run) -> list[dict[str, Any]]:
    """Return which layers never fire, or almost always, with the decoders, seeds and folds they are of.

    Of a run whose workloads were not kept there are none.
    """
    spiking: Any = run.scores[run.scores["spiking"].astype(bool)]
    if not len(spiking) or not (run.folder / WORKLOADS).is_file():
        return []
    columns = (cast("list[Any]", spiking[name].tolist()) for name in ("decoder", "seed", "fold", "workload_digest"))
    rows = [row for row in zip(*columns, strict=True) if row[3]]
    found = read_workloads(run.folder, dict.fromkeys(str(row[3]) for row in rows))
    touched: dict[str, dict[str, list[str]]] = {}
    for decoder, seed, fold, digest in rows:
        for one in firing_rates(found[str(digest)].layers):
            if one.warning:
                line = touched.setdefault(one.warning, {})
                line.setdefault(str(decoder), []).append(f"seed {seed} of {fold}")
    return [
        {"line": line, "decoders": [f"{name} ({'; '.join(places)})" for name, places in sorted(owners.items())]}
        for line, owners in sorted(touched.items())
    ]


def lag_lines(run: Run) -> list[dict[str, Any]]:
    """Return how far estimates lag where a causal filter follows the decoder, with the decoders.

    Of a run whose workloads were not kept there are none.
    """
    if not (run.folder / WORKLOADS).is_file():
        return []
    first = run.scores.drop_duplicates("decoder")
    pairs = [pair for pair in zip(first["decoder"].tolist(), first["workload_digest"].tolist(), strict=True) if pair[1]]
    found = read_workloads(run.folder, dict.fromkeys(str(digest) for _, digest in pairs))
    touched: dict[str, list[str]] = {}
    for decoder, digest in pairs:
        if line := lag_text(found[str(digest)]):
            touched.setdefault(line, []).append(str(decoder))
    return [{"line": line, "decoders": sorted(owners)} for line, owners in sorted(touched.items())]


def machine_title(name: str) -> str:
    """Return a machine's title; the name itself for one that does not ship."""
    return load_profile(name).title if name in profile_names() else name


def site_title(name: str) -> str:
    """Return a site's title; the name itself for one that does not ship."""
    return load_site(name).title if name in site_names() else name
