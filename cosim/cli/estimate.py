"""The command that prices a network on a machine at a site."""

from __future__ import annotations

import csv
import dataclasses
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cosim.cli.constants import (
    Constants,
    Recalibrate,
    Sweeps,
    amount_of,
    axes_of,
    recalibration_of,
    set_places,
    settings_of,
    told,
    told_as_typed,
)
from cosim.cli.networks import Asked, InputShape, Outputs, SampleRate, Work, work_of
from cosim.cli.options import Draws, SweptDecodeRate, decode_rate_of, draws_of
from cosim.cli.output import JsonOption, print_json, print_rows, say, tell

if TYPE_CHECKING:
    from cosim.report.estimate_tables import EstimateTables
    from energy_models.workload import Recalibration, Workload
    from students.spec import StudentSpec

DESIGNED = "designed"
SHOWN_SWINGS = 5
RATE = "decode_rate_hz"


def add_estimate_command(app: typer.Typer) -> None:
    """Add the command of this file to the command line."""
    app.command()(estimate)


def estimate(
    work: Work,
    *,
    profile: Annotated[
        str,
        typer.Option(
            help="Machine: a name of cosim profiles, or a TOML file; of a sweep also several by comma, and 'designed', "
            "the machine of least power for each point."
        ),
    ],
    decode_rate: SweptDecodeRate = None,
    site: Annotated[str | None, typer.Option(help="Place: a name of cosim sites, or a TOML file.")] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="POWER", help="What the whole device may draw at the site, such as 1mW.")
    ] = None,
    constants: Constants = [],  # noqa: B006  (typer copies it)
    sweeps: Sweeps = [],  # noqa: B006
    recalibrate: Recalibrate = None,
    input_shape: InputShape = None,
    sample_rate: SampleRate = None,
    outputs: Outputs = None,
    draws: Draws = 4096,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the draws.")] = 0,
    with_levers: Annotated[
        bool, typer.Option("--levers", help="Also what would make it fit, or the room there is, by constant.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="New folder for a feasibility study: tables as CSV, JSON, Parquet and LaTeX, figures as PDF and PNG.",
        ),
    ] = None,
    as_json: JsonOption = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print the rows by layer and cause, or by point, as CSV.")
    ] = False,
) -> None:
    """Price a network: energy by layer and cause, power by cause, latency, memory and limits, each with its bounds.

    With --sweep a row for every combination of the values instead, and with --out a feasibility study of all of them:
    how far it fits, raw streaming against decoding, crossovers with their probability, what would make it fit.
    """
    # Deferred: --help must answer at once. A workload file needs no torch.
    from energy_models.errors import PriceError

    if as_json and as_csv:
        raise PriceError("two forms at once", where="--json --csv", remedy="Ask for one of them")
    form = "json" if as_json else "csv" if as_csv else "table"
    learning = recalibration_of(recalibrate)
    settings, axes, draws = settings_of(constants), axes_of(sweeps), draws_of(draws)
    rate_hz = None if decode_rate is None else decode_rate_of(decode_rate)
    if learning is not None and not axes:
        raise PriceError(
            "how often does it learn?", where="--recalibrate", remedy="Add --sweep recalibration_interval=1day"
        )
    if (rate_hz is None) != (RATE in axes):
        twice = "the rate is given twice" if RATE in axes else "how often is a decision asked for?"
        raise PriceError(twice, where="--decode-rate", remedy="Give it in hertz, or --sweep decode_rate=1,2,4")
    if profile.strip() == DESIGNED and not axes and out is None:
        raise PriceError("a machine designed for each point is one of a sweep", where="--profile",
                         remedy="Add --sweep, such as --sweep decode_rate=1,2,4, or use `cosim design`")  # fmt: skip
    if axes or out is not None:
        asked = Swept(profile, site, settings, axes, budget, learning)
        _sweep(work_of(work, Asked(input_shape, sample_rate, outputs)), asked,
               rate_hz=rate_hz, form=form, out=out, draws=draws, seed=seed)  # fmt: skip
        return
    with told_as_typed(settings, axes):
        machine, place = set_places(profile, site, settings, budget)
    what = work_of(work, Asked(input_shape, sample_rate, outputs))
    changed = told(settings, machine, place)
    from cosim.api.estimate import Estimate
    from cosim.api.works import workload_of
    from cosim.report.estimate_tables import estimate_tables

    counted = workload_of(what, where=work)
    tables = estimate_tables(counted, machine, place, decode_rate_hz=rate_hz or 0.0, draws=draws, seed=seed)
    found = Estimate(counted, machine, place, tables).levers() if with_levers else ()
    if form == "json":
        site_name = "" if place is None else place.name
        moved = {"levers": [dataclasses.asdict(lever) for lever in found]} if with_levers else {}
        print_json({"answer": tables.headline, "site": site_name, **tables.document(), "set": changed, **moved})
        return
    _print(tables, form, changed)
    for lever in found:
        (say if form == "csv" else tell)(f"lever: {lever.text}")
    if with_levers and not found:
        say("No constant alone makes it fit: see what does not fit, or has no price, above.")


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep is asked for: machines by comma, the site, what is set and varied, the budget, how it learns."""

    profiles: str
    site: str | None
    settings: Mapping[str, object]
    axes: Mapping[str, list[object]]
    budget: str | None
    learning: Recalibration | None


def _sweep(
    what: Workload | StudentSpec | str, asked: Swept, *, rate_hz: float | None, form: str, out: Path | None,
    draws: int, seed: int,
) -> None:
    """Print a sweep, and write its study where a folder is named."""
    from cosim.api.sweeps.sweep import sweep
    from cosim.cli.sweep_rows import print_sweep

    if out is not None:
        from cosim.api.sweeps.review import make_folder

        make_folder(out)  # before what takes long
    with told_as_typed(asked.settings, asked.axes):
        changed: list[str] = []
        machines: Any = [name.strip() for name in asked.profiles.split(",") if name.strip()]
        place: Any = asked.site
        over, budget = {**{path: [value] for path, value in asked.settings.items()}, **asked.axes}, asked.budget
        if len(machines) == 1 and machines != [DESIGNED]:
            machine, place = set_places(machines[0], asked.site, asked.settings, asked.budget)
            changed, machines, over, budget = told(asked.settings, machine, place), machine, asked.axes, None
        table = sweep(
            what, machines=machines, sites=place, over=over, decode_rate_hz=rate_hz,
            budget=None if budget is None else amount_of(budget), recalibration=asked.learning,
        )
    print_sweep(table, form)
    for line in changed:
        say(f"Set: {line}")
    if out is not None:
        files = table.write(out, draws=draws, seed=seed)
        say(f"Written: {len(files)} files in {out}. review.tex shows them all")


def _print(tables: EstimateTables, form: str, changed: list[str]) -> None:
    if form == "csv":
        rows = tables.layer_rows()
        writer = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        for line in _answer(tables, changed):
            say(line)
    else:
        _print_tables(tables, changed)


def _print_tables(tables: EstimateTables, changed: list[str]) -> None:
    for line in _answer(tables, changed):
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


def _answer(tables: EstimateTables, changed: list[str]) -> Iterator[str]:
    """Yield what must be read before any figure: the answer, what was set, what does not fit and what is left out."""
    from cosim.report.estimate_tables import few_layers

    yield from tables.answer
    yield tables.title
    yield from (f"SET: {line}" for line in changed)
    yield from (f"DOES NOT FIT: {few_layers(line)}" for line in tables.unfit)
    yield from (f"NOTE: {few_layers(line)}" for line in tables.cautions)
