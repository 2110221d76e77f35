"""The command that compares designs under common uncertainty."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cosim.cli.networks import Asked, InputShape, Outputs, SampleRate, shared_works
from cosim.cli.options import DecodeRate, Draws, decode_rate_of, draws_of
from cosim.cli.output import JsonOption, print_json, print_rows, tell

if TYPE_CHECKING:
    from cosim.workloads.comparison import DesignSource


def add_compare_command(app: typer.Typer) -> None:
    """Add the command of this file to the command line."""
    app.command()(compare)


def compare(
    designs: Annotated[
        list[str],
        typer.Argument(metavar="WORK@PROFILE...", help="Two or more designs; WORK is what cosim estimate takes."),
    ],
    *,
    decode_rate: DecodeRate,
    site: Annotated[str | None, typer.Option(help="Place: a name of cosim sites, or a TOML file.")] = None,
    part: Annotated[
        Literal["decoder", "device"], typer.Option(help="Whose power: the decoder's alone, or with what surrounds it.")
    ] = "decoder",
    input_shape: InputShape = None,
    sample_rate: SampleRate = None,
    outputs: Outputs = None,
    draws: Draws = 4096,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the draws.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Print which design takes less power and how surely: constants they share are drawn once for all."""
    # Deferred: --help must answer at once. Workload files need no torch.
    from cosim.workloads.comparison import compared, design_rows, pair_rows
    from energy_models.analysis import spread

    decode_rate, draws = decode_rate_of(decode_rate), draws_of(draws)
    sources = _sources(designs, Asked(input_shape, sample_rate, outputs))
    power = "decoder_power_w" if part == "decoder" else "power_w"
    found, pairs = compared(sources, site, decode_rate_hz=decode_rate, part=part, draws=draws, seed=seed)
    if as_json:
        print_json(
            {
                "part": part, "decode_rate_hz": decode_rate, "site": site,
                "designs": [
                    {
                        "design": one.name, "workload": one.report.workload, "machine": one.report.profile,
                        "quantiles_5_50_95": {power: list(spread(one.power_w))},
                        "unaccounted": one.report.unaccounted, "infeasibilities": one.report.infeasibilities,
                    }
                    for one in found
                ],
                "pairs": [dataclasses.asdict(pair) for pair in pairs],
            }
        )
        return
    tell(f"Power of the {part} at {decode_rate:g} decisions a second, {site or 'no site'}, least first.")
    print_rows(design_rows(found), "table")
    if rows := pair_rows(pairs):
        tell("")
        print_rows(rows, "table")
    for one in found:
        for reason in one.reasons:
            tell(f"{one.name} {one.flaw}: {reason}")


def _sources(designs: Sequence[str], asked: Asked) -> list[DesignSource]:
    """Return designs as they are compared; a network that stands in several is counted once."""
    from cosim.workloads.comparison import DesignSource, design_parts

    parts = [design_parts(design) for design in designs]
    works = shared_works([work for work, _ in parts], asked)
    return [DesignSource(works[work], profile, design) for design, (work, profile) in zip(designs, parts, strict=True)]
