"""Commands that read a finished run: its front, its verdicts, its page. Prices follow corrected profiles."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from cosim.cli.output import JsonOption, form_of, print_json, print_rows, say

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")]
Profile = Annotated[str | None, typer.Option(help="Only this machine.")]
Site = Annotated[str | None, typer.Option(help="Only this site.")]

COLUMNS = (
    "profile", "site", "decoder", "score_mean", "score_low", "score_high", "score_over", "score_count", "chance",
    "p_value", "decoder_power_low_w", "decoder_power_nominal_w", "decoder_power_high_w", "total_power_nominal_w",
    "verdict", "binding_limit", "headroom", "front", "membership",
)  # fmt: skip
MICROWATT_W = 1e-6
ARCHIVES = "data"  # beside digests
LEAST_OF_FRONT = (
    "over", "count", "membership", "total_power_nominal_uw", "p_value", "decoder_power_low_uw", "decoder_power_high_uw",
    "score_low", "score_high", "chance",
)  # fmt: skip
"""Columns of the front that a narrow terminal does without, the least important first."""


def add_result_commands(app: typer.Typer) -> None:
    """Add the commands of this file to the command line."""
    for command in (pareto, feasibility, report):
        app.command()(command)


def pareto(run: Run, profile: Profile = None, site: Site = None, as_json: JsonOption = False) -> None:
    """Print score and power of every decoder at each place, and which are on the front."""
    rows = [
        {
            "profile": row["profile"],
            "site": row["site"],
            "decoder": row["decoder"],
            "score": _number(row["score_mean"]),
            "score_low": _number(row["score_low"]),
            "score_high": _number(row["score_high"]),
            "over": row["score_over"],
            "count": row["score_count"],
            "chance": row["chance"],
            "p_value": _number(row["p_value"]),
            "decoder_power_low_uw": _microwatts(row, "decoder_power_low_w"),
            "decoder_power_nominal_uw": _microwatts(row, "decoder_power_nominal_w"),
            "decoder_power_high_uw": _microwatts(row, "decoder_power_high_w"),
            "total_power_nominal_uw": _microwatts(row, "total_power_nominal_w"),
            "verdict": row["verdict"],
            "front": bool(row["front"]),
            "membership": row["membership"],
        }
        for row in _summary(run, profile, site)
    ]
    print_rows(rows, form_of(as_json), least=LEAST_OF_FRONT)


def feasibility(run: Run, profile: Profile = None, site: Site = None, as_json: JsonOption = False) -> None:
    """Print whether each decoder fits each place, the limit that binds, and its headroom (limit over value)."""
    rows = [
        {
            "profile": row["profile"],
            "site": row["site"],
            "decoder": row["decoder"],
            "score": _number(row["score_mean"]),
            "total_power_nominal_uw": _microwatts(row, "total_power_nominal_w"),
            "verdict": row["verdict"],
            "binding_limit": row["binding_limit"] if _can_run(row) else None,
            "headroom": _number(row["headroom"]) if _can_run(row) else None,
        }
        for row in _summary(run, profile, site)
    ]
    print_rows(rows, form_of(as_json))


def report(
    run: Run,
    out: Annotated[Path | None, typer.Option(help="File to write; default: report.html in the run's folder.")] = None,
    digest: Annotated[
        Path | None,
        typer.Option(
            help="Also write a short <study>.md and <study>.svg into this folder, and data/<study>: the run without "
            "its stages, from which this command makes both again."
        ),
    ] = None,
    reprice: Annotated[
        bool, typer.Option("--reprice", help="Price every workload again, also where nothing has changed since.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the page of a run again, prices brought up to date, and print its path; with --digest a short form too."""
    # Deferred, like the imports below: --help must not pay for them.
    from cosim.report import answer_line, write_digest, write_report
    from cosim.tables import prices
    from cosim.tables.archive import write_archive
    from cosim.tables.flat import write_flat

    (prices.reprice if reprice else prices.refresh_prices)(run)
    write_flat(run)
    say(answer_line(run))
    written = {"report": write_report(run, out)}
    if digest is not None:
        written["digest"] = write_digest(run, digest)
        write_archive(run, digest / ARCHIVES / written["digest"].stem)
    if as_json:
        print_json({name: str(path) for name, path in written.items()})
    else:
        print("\n".join(map(str, written.values())))  # noqa: T201


def _summary(run: Path, profile: str | None, site: str | None) -> list[dict[str, Any]]:
    """Return the rows asked for, having said the answer of the whole run."""
    from cosim.report import answer_line
    from cosim.tables.decoders import DECODERS, DecoderScore
    from cosim.tables.prices import refresh_prices
    from cosim.tables.results import Score, read_parquet, read_prices
    from cosim.tables.scores import SCORES
    from cosim.tables.summary import summarise

    priced = read_prices(refresh_prices(run))
    scores, pooled = read_parquet(run / SCORES, Score), read_parquet(run / DECODERS, DecoderScore)
    table: Any = summarise(scores, pooled, priced)
    for kind, asked in (("profile", profile), ("site", site)):
        if asked is not None:
            _known(kind, asked, table[kind].tolist())
            table = table[table[kind] == asked]
    say(answer_line(run))
    return cast(list[dict[str, Any]], table[list(COLUMNS)].to_dict("records"))


def _known(kind: str, asked: str, found: list[str]) -> None:
    from energy_models.errors import StudyError, unknown_name

    if asked not in found:
        remedy = unknown_name(f"{kind}s", asked, set(found))
        raise StudyError(f"this run was not priced for {kind} '{asked}'", where=f"--{kind}", remedy=remedy)


def _can_run(row: dict[str, Any]) -> bool:
    return row["verdict"] != "does not fit the machine"


def _microwatts(row: dict[str, Any], column: str) -> float | None:
    """Return a power [uW], or None where the machine cannot run the decoder: the priced part alone would mislead."""
    return row[column] / MICROWATT_W if _can_run(row) else None


def _number(value: float) -> float | None:
    """Return the number, or None where there is none: JSON knows neither nan nor an infinite headroom."""
    return float(value) if math.isfinite(value) else None
