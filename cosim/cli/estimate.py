"""The command that prices a counted workload on a machine at a site."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosim.cli.options import DecodeRate
from cosim.cli.output import JsonOption, print_json, print_rows, say, tell

if TYPE_CHECKING:
    from cosim.report.estimate_tables import EstimateTables

SHOWN_SWINGS = 5


def add_estimate_command(app: typer.Typer) -> None:
    """Add the command of this file to the command line."""
    app.command()(estimate)


def estimate(
    workload: Annotated[Path, typer.Argument(help="A workload file, as cosim workload --json writes it.")],
    *,
    profile: Annotated[str, typer.Option(help="Machine: a name of cosim profiles, or a TOML file.")],
    decode_rate: DecodeRate,
    site: Annotated[str | None, typer.Option(help="Place: a name of cosim sites, or a TOML file.")] = None,
    draws: Annotated[int, typer.Option(help="Draws of the uncertain constants, a power of two up to 262144.")] = 4096,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the draws.")] = 0,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the rows by layer and cause as CSV.")] = False,
) -> None:
    """Price a workload: energy by layer and cause, power by cause, latency, memory and limits, each with its bounds."""
    # Deferred: --help must answer at once. Nothing here imports torch.
    from cosim.report.estimate_tables import estimate_tables
    from energy_models.errors import PriceError
    from energy_models.workload import read_workload

    if as_json and as_csv:
        raise PriceError("two forms at once", where="--json --csv", remedy="Ask for one of them")
    tables = estimate_tables(read_workload(workload), profile, site, decode_rate_hz=decode_rate, draws=draws, seed=seed)
    if as_json:
        print_json(tables.document())
    elif as_csv:
        rows = tables.layer_rows()
        writer = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        for line in _answer(tables):
            say(line)
    else:
        _print_tables(tables)


def _print_tables(tables: EstimateTables) -> None:
    for line in _answer(tables):
        tell(line)
    for rows in (tables.layer_lines(), tables.power_lines(), tables.summary_lines(), tables.limit_lines()):
        if rows:
            tell("")
            print_rows(rows, "table")
    tell("")
    for swing in tables.swings[:SHOWN_SWINGS]:
        tell(f"decides: {swing}")
    count = len(tables.report.assumed)
    say(f"{count} constants are assumed, not measured; cosim profiles and cosim sites show each with its reason.")


def _answer(tables: EstimateTables) -> Iterator[str]:
    """Yield what must be read before any figure: the answer, what does not fit and what is left out."""
    yield tables.title
    yield tables.headline
    yield from (f"DOES NOT FIT: {line}" for line in tables.unfit)
    yield from (f"NOTE: {line}" for line in (*tables.report.incomplete, *tables.notes))
    if any(" prices no float " in line for line in tables.report.unaccounted):
        yield (
            "A network of floats: count a quantised one, or assume widths with cosim workload --weight-bits 8 "
            "--activation-bits 8 ..."
        )
