"""The command that makes an integer student of a float one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from cosim.cli.options import SweptDecodeRate
from cosim.cli.output import JsonOption, print_json, print_rows, say
from energy_models.errors import StudentError


def add_quantize_command(app: typer.Typer) -> None:
    """Add the command of this file to the command line."""
    app.command()(quantize)


def quantize(
    student: Annotated[str, typer.Argument(metavar="RUN:DECODER", help="A float decoder of a finished run.")],
    form: Annotated[
        str,
        typer.Argument(
            metavar="FORM", help="w8a8, w4a4, 'w2a4 edge=8', 'w8a8 conv=w4a4', ternary, 'ptq w4a4' (not trained), ..."
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(help="Folder to write the student into.")] = Path("quantised"),
    epochs: Annotated[
        int | None, typer.Option(min=0, help="Of the training with the rounding in the loop; default: as it was.")
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="Distillation method, such as kl; default: that of the float student.")
    ] = None,
    bit_penalty: Annotated[
        float | None,
        typer.Option(min=0, help="Learn each layer's bits first, from FORM down, at this price of all of them."),
    ] = None,
    learned: Annotated[
        Literal["weights", "activations", "both"] | None,
        typer.Option(help="Whose bits --bit-penalty learns: of weights (default), of signals that layers read."),
    ] = None,
    machine: Annotated[
        str | None,
        typer.Option(help="Price bits by what they draw on this machine at --decode-rate; default: by memory."),
    ] = None,
    decode_rate_hz: SweptDecodeRate = None,
    device: Annotated[str, typer.Option(help="Where to train.")] = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Quantise a float student on the fold it was trained on, and write it as a folder."""
    # Deferred: --help must answer at once.
    from cosim.api.export import student_named
    from cosim.api.student import check_replaceable
    from cosim.api.train import learn_bits, quantised_spec
    from cosim.api.train import quantize as made

    floating, training = student_named(student), None if epochs is None else {"epochs": epochs}
    if bit_penalty is None and (learned is not None or machine is not None or decode_rate_hz is not None):
        raise StudentError("--learned, --machine and --decode-rate are of widths that are learned, and none are",
                           where="cosim quantize", remedy="Give --bit-penalty too, or leave them out")  # fmt: skip
    if bit_penalty is not None:
        form = learn_bits(
            floating, form, penalty=bit_penalty, learned=learned or "weights", machine=machine,
            decode_rate_hz=decode_rate_hz, training=training,
        )
        say(f"Learned widths: {form}")
    check_replaceable(out, quantised_spec(floating, form, training=training, method=method), floating.facts)
    found = made(floating, form, training=training, method=method, device=device)
    folder = found.save(out)
    row = {
        "student": found.spec.label, "metric": found.metric, "validation": found.validation_score,
        "test": found.test_score, "weight_bytes": found.workload().packed_bytes, "folder": str(folder),
    }
    if as_json:
        print_json(row)
    else:
        print_rows([row], "table")
    say(f"Written: {folder}. As code: cosim export {folder}")
