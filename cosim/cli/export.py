"""The command that writes a student as code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from cosim.cli.output import JsonOption, print_json, print_rows, say


def add_export_command(app: typer.Typer) -> None:
    """Add the command of this file to the command line."""
    app.command()(export)


def export(
    student: Annotated[
        str, typer.Argument(metavar="STUDENT", help="Folder of a student, or RUN:DECODER of a finished run.")
    ],
    *,
    format: Annotated[
        Literal["c", "qonnx", "qcdq", "nir"],
        typer.Option(
            help="c: C99 in integers only. qonnx, qcdq: ONNX with Quant nodes, or those of the standard. nir: a "
            "spiking student in float, for spiking simulators."
        ),
    ] = "c",
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("export"),
    name: Annotated[str, typer.Option(help="Begins the name of every file and function.")] = "decoder",
    examples: Annotated[int, typer.Option(min=1, help="Held-out examples that become test vectors.")] = 16,
    board: Annotated[
        Literal["", "cortex-m3", "cortex-m4", "cortex-m33"],
        typer.Option(help="Run the test vectors on this emulated board and count instructions by layer."),
    ] = "",
    weights: Annotated[
        Literal["bytes", "packed"], typer.Option(help="Of C: a byte each, or several of at most 4 bits in one.")
    ] = "bytes",
    sample_step: Annotated[
        float | None,
        typer.Option(
            help="Of C: write the study's filters too, for a converter whose step is worth this, in units of the "
            "recordings."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a quantised student as integer code or as ONNX, a spiking one in float as NIR, with test vectors."""
    # Deferred: --help must answer at once.
    from cosim.api.export import export as write

    written = write(
        student, out, format=format, name=name, examples=examples, board=board, weights=weights, sample_step=sample_step
    )
    rows = written.rows()
    if as_json:
        print_json(written.to_dict())
    else:
        print_rows(rows, "table")
    check = f" Test it: cc -std=c99 {out}/{name}.c {out}/{name}_check.c -o check && ./check" if format == "c" else ""
    say(f"Written: {', '.join(written.files)} in {out}.{check}")
