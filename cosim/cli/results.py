"""Commands that read a finished run: its front, its verdicts, its page. Prices follow corrected profiles."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cosim.cli.output import Form, JsonOption, form_of, print_json, print_json_rows, print_rows, say

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")]
Profile = Annotated[str | None, typer.Option(help="Only this machine.")]
Site = Annotated[str | None, typer.Option(help="Only this site.")]

MICROWATT_W = 1e-6
MOST_PRINTED = 20_000
"""Rows of a table for people; a terminal keeps fewer."""
ROWS_AT_ONCE = 10_000
ARCHIVES = "data"  # beside digests
WHERE = ("machine", "site", "decoder")
FRONT = (
    *WHERE, "score", "score_low", "score_high", "score_over", "score_count", "chance", "p_value", "decoder_power_w",
    "decoder_power_low_w", "decoder_power_high_w", "power_w", "verdict", "front", "membership",
)  # fmt: skip
ANSWERS = (*WHERE, "score", "power_w", "verdict", "binding_limit", "headroom")
LEAST_OF_FRONT = (
    "over", "count", "membership", "power_uw", "p_value", "decoder_power_low_uw", "decoder_power_high_uw",
    "score_low", "score_high", "chance",
)  # fmt: skip
"""Columns of the front that a narrow terminal does without, the least important first."""


def add_result_commands(app: typer.Typer) -> None:
    """Add the commands of this file to the command line."""
    for command in (pareto, feasibility, report):
        app.command()(command)


def pareto(run: Run, profile: Profile = None, site: Site = None, as_json: JsonOption = False) -> None:
    """Print score and power of every decoder at each place, and which are on the front."""
    _print(_table(run, profile, site, FRONT), FRONT, form_of(as_json))


def feasibility(run: Run, profile: Profile = None, site: Site = None, as_json: JsonOption = False) -> None:
    """Print whether each decoder fits each place, the limit that binds, and its headroom (limit over value)."""
    _print(_table(run, profile, site, ANSWERS), ANSWERS, form_of(as_json))


def _print(table: Any, shown: Sequence[str], form: Form) -> None:
    """Print some columns: for programs in SI under the names of results.csv, for people powers in microwatts.

    Of very many rows people are shown the fronts.
    """
    if form == "json":
        print_json_rows(_plain_rows(table, shown))
        return
    if len(table) > MOST_PRINTED:
        front = table[table["front"]]
        shown_text = f"{len(front):,} of {len(table):,} rows are shown: the front of each machine and site."
        say(f"{shown_text} All of them: --json, or results.parquet in the run's folder.")
        table = front
    lines = [dict(_for_people(name, value) for name, value in row.items()) for row in _plain_rows(table, shown)]
    print_rows(lines, "table", least=LEAST_OF_FRONT)


def _plain_rows(table: Any, shown: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield rows, so many at a time that very many are never held."""
    for start in range(0, len(table), ROWS_AT_ONCE):
        part: Any = table[list(shown)].iloc[start : start + ROWS_AT_ONCE]
        for row in part.to_dict("records"):
            yield {str(name): _plain(value) for name, value in row.items()}


def _for_people(name: str, value: Any) -> tuple[str, Any]:
    if not name.endswith("power_w") and "_power_" not in name:
        return name.removeprefix("score_") if name in ("score_over", "score_count") else name, value
    return f"{name.removesuffix('_w')}_uw", None if value is None else value / MICROWATT_W


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
    from cosim.report import answer_line, opened, write_digest, write_report
    from cosim.tables import prices
    from cosim.tables.archive import write_archive
    from cosim.tables.flat import write_flat

    (prices.reprice if reprice else prices.refresh_prices)(run)
    write_flat(run)
    found = opened(run)
    answer = answer_line(found)
    say(answer)
    written = {"report": write_report(found, out)}
    if digest is not None:
        written["digest"] = write_digest(found, digest)
        write_archive(run, digest / ARCHIVES / written["digest"].stem)
    if as_json:
        print_json({"answer": answer, "run": str(run), **{name: str(path) for name, path in written.items()}})
    else:
        print("\n".join(map(str, written.values())))  # noqa: T201


def _table(run: Path, profile: str | None, site: str | None, shown: Sequence[str]) -> Any:
    """Return the rows asked for, having said the answer of the whole run."""
    from cosim.report import answer_line
    from cosim.tables.flat import current_flat
    from cosim.tables.pruned import pruned_note, read_pruned
    from cosim.tables.scores import unfinished_note

    table: Any = current_flat(run, dict.fromkeys([*shown, "front"]))
    if unfinished := unfinished_note(run):
        say(unfinished)
    if given_up := read_pruned(run):
        say(pruned_note(len(given_up)))
    table = table[table["machine"] != ""]  # teachers have no price
    for kind, asked in (("machine", profile), ("site", site)):
        if asked is not None:
            _known(kind, asked, table[kind].tolist())
            table = table[table[kind] == asked]
    say(answer_line(run))
    return table


def _known(kind: str, asked: str, found: list[str]) -> None:
    from energy_models.errors import StudyError, unknown_name

    if asked not in found:
        option = "--profile" if kind == "machine" else f"--{kind}"
        remedy = unknown_name(f"{kind}s", asked, set(found))
        raise StudyError(f"this run was not priced for {kind} '{asked}'", where=option, remedy=remedy)


def _plain(value: Any) -> Any:
    """Return a cell as JSON has it: numbers of Python, and none where there is no finite one, nor any text."""
    found = value.item() if hasattr(value, "item") else value
    return None if found == "" or (isinstance(found, float) and not math.isfinite(found)) else found
