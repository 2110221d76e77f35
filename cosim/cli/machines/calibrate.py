"""The command that fits a board's profile to a table of its measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from cosim.cli.output import JsonOption, print_json, print_rows, say

NO_CLASS = "none"


def add_calibrate_command(app: typer.Typer) -> None:
    """Add the command of this file to the command line."""
    app.command()(calibrate)


def calibrate(
    table: Annotated[Path, typer.Argument(help="CSV with one network on one board a row; see docs/calibration.md.")],
    *,
    name: Annotated[str, typer.Option(help="Name of the profile to write.")],
    board: Annotated[str, typer.Option(help="Which board of the table, where there are several.")] = "",
    software: Annotated[str, typer.Option(help="Which software of that board, where there are several.")] = "",
    beside: Annotated[
        str,
        typer.Option(
            "--class",
            help="Boards that share weights: axon, cortex_m, gap9, ndp, other_cores, pulp, tinymaix; none: this board "
            "alone.",
        ),
    ] = "cortex_m",
    like: Annotated[str, typer.Option(help="Profile that memories, sleep and other costs come from.")] = "cortex_m4f",
    out: Annotated[Path | None, typer.Option(help="File to write; default: <name>.toml here.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Fit a programmable core to board measurements and write its profile with its cross-validated error."""
    # Deferred: --help must answer at once.
    from cosim.cli.machines.profile_out import check_new, write_profile
    from energy_models.calibration import calibrate as fit
    from energy_models.calibration import (
        calibrated_profile,
        calibration_document,
        read_board_table,
        shipped_rows,
        table_source,
    )
    from energy_models.hardware import load_profile

    path = out or Path(f"{name}.toml")
    check_new(path, name)
    rows = read_board_table(table)
    shipped = () if beside == NO_CLASS else shipped_rows(beside)
    found = fit(rows, board=board, software=software, beside=shipped)
    profile = calibrated_profile(found, load_profile(like), name=name, source=table_source(table))
    write_profile(path, profile)
    document = calibration_document(found)
    if as_json:
        print_json({"machine": name, "file": str(path), **document})
        return
    print_rows(_lines(document["cycles_per_product"]), "table")
    print()  # noqa: T201
    print_rows(_lines(document["held_out"]), "table")
    _say_errors(document)
    _say_kept(document, like)
    say(f"Written: {path}. Use it with --profile {path}")


def _lines(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, object]]:
    """Return rows for people: energies with a unit that fits them."""
    from cosim.report.figures import quantity_text

    return [
        {name.removesuffix("_j"): quantity_text(value, "J") if name.endswith("_j") else value
         for name, value in row.items()}
        for row in rows
    ]  # fmt: skip


def _say_errors(document: Mapping[str, Any]) -> None:
    """Say how far off the board's own rows are when held out, before all rows of its class."""
    which = "all boards" if document["library_measured_on_other_boards"] else "boards of a library new to the others"
    for measure, check in document["cross_validation"].items():
        own = [abs(row[f"{measure}_error"]) for row in document["held_out"] if row[f"{measure}_error"] is not None]
        if own:
            say(
                f"Held out, this board: {measure} off by {median(own):.1%} (median), {max(own):.1%} at most, "
                f"{len(own)} rows."
            )
        else:
            say(
                f"Held out, this board: no second network to predict {measure} from or to compare with, so its own "
                "error is not known."
            )
        if check["rows"]:
            say(
                f"Held out, {which}: {measure} off by {check['median_error']:.1%} (median), "
                f"{check['percentile_90_error']:.1%} (90th percentile), {check['rows']} rows."
            )
        else:
            say(f"Held out, {which}: no {measure} was measured, so that none is tested.")


def _say_kept(document: Mapping[str, Any], like: str) -> None:
    """Say what is no measurement of this board's."""
    if not document["library_measured_on_other_boards"]:
        say(
            f"Library {document['library']!r} was measured on no other board: layer weights are those of all "
            "libraries, and bounds are wider for it. Column 'library' names the generation of kernels."
        )
    kept = ", ".join(document["kinds_of_the_template"])
    say(f"Kept from {like}: {kept} (no row holds such products), float, sleep and wake-up; the last two are assumed.")
