"""The command that runs a quantised student with spikes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cosim.cli.output import JsonOption, print_json, print_rows, say


def add_convert_command(app: typer.Typer) -> None:
    """Add the command of this file to the command line."""
    app.command()(convert)


def convert(
    student: Annotated[
        str, typer.Argument(metavar="STUDENT", help="Folder of a quantised student, or RUN:DECODER of a finished run.")
    ],
    *,
    out: Annotated[
        Path | None, typer.Option(help="File of the spiking network's workload, for cosim estimate and compare.")
    ] = None,
    examples: Annotated[int, typer.Option(min=1, help="Held-out examples on which it is run and counted.")] = 16,
    timesteps: Annotated[
        int | None,
        typer.Option(help="Time steps of a layer: 3, 7 .. below its own, for which the student is trained on first."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run a quantised student with spikes: integrate-and-fire neurons that decide exactly as its integers do.

    A layer fires once all of its input has come, in 2^b - 1 time steps for activations of b bits: a decode takes the
    time steps of all layers together. For fewer (--timesteps) the float student is trained on with fewer levels.
    """
    # Deferred: --help must answer at once.
    from cosim.api.convert import convert as run
    from energy_models.workload import write_workload

    found = run(student, examples=examples, timesteps=timesteps)
    if out is not None:
        write_workload(found.workload, out)
    if as_json:
        print_json(found.to_dict())
    else:
        print_rows(found.rows(), "table")
    if out is not None:
        say(f"Written: {out}. Price it: cosim estimate {out} --profile event_core_28nm --site implant_utah96")
