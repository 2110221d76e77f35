"""The command that sizes a machine to networks."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from cosim.cli.networks import Asked, InputShape, Outputs, SampleRate, shared_works
from cosim.cli.options import DecodeRate, decode_rate_of
from cosim.cli.output import JsonOption, print_json, print_rows, say, tell

if TYPE_CHECKING:
    from cosim.api.design import DesignedMachine
    from energy_models.design import Choices, Watch
    from energy_models.workload import Workload

LINE_SECONDS = 2.0
"""Between two lines of how far a search is."""
LEAST = ("words", "data", "weights", "array")


def add_design_command(app: typer.Typer) -> None:
    """Add the command of this file to the command line."""
    app.command()(design)


def design(
    works: Annotated[list[str], typer.Argument(metavar="WORK...", help="Networks in integers, as cosim estimate.")],
    *,
    decode_rate: DecodeRate,
    site: Annotated[str | None, typer.Option(help="Place whose deadline holds: a name, or a TOML file.")] = None,
    node: Annotated[str, typer.Option(help="Nodes in nm to choose among, from 22 to 90, such as 65,28.")] = "65",
    style: Annotated[str | None, typer.Option(help="Templates to choose among, by comma; default: all.")] = None,
    supply: Annotated[str | None, typer.Option(help="Supplies of the logic in V, by comma; default: all.")] = None,
    area: Annotated[str | None, typer.Option(help="Most silicon of the core, such as 4mm2.")] = None,
    one_machine: Annotated[
        bool, typer.Option("--one-machine", help="One machine that takes every network, instead of one each.")
    ] = False,
    weight_bits: Annotated[int | None, typer.Option(help="Take float networks as integers with such weights.")] = None,
    activation_bits: Annotated[int | None, typer.Option(help="And such activations; default: the weights'.")] = None,
    input_shape: InputShape = None,
    sample_rate: SampleRate = None,
    outputs: Outputs = None,
    out: Annotated[Path | None, typer.Option(help="File for the machine as a profile; its stem names it.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the draws.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Find the machine that draws least for a network: node, supply, cells, memories and words sized to it."""
    # Deferred: --help must answer at once.
    from cosim.api.design import design as find
    from energy_models.errors import PriceError

    choices = _choices(node, style, supply, area)
    counted = shared_works(works, Asked(input_shape, sample_rate, outputs))
    networks = [_in_integers(counted[work], weight_bits, activation_bits) for work in works]
    groups = [networks] if one_machine else [[network] for network in networks]
    if out is not None and len(groups) > 1:
        raise PriceError("several machines for one file", where="--out", remedy="Give one network, or --one-machine")
    rate_hz = decode_rate_of(decode_rate)
    with _watching() as watch:
        found = [
            find(*group, decode_rate_hz=rate_hz, site=site, choices=choices, seed=seed, watch=watch)
            for group in groups
        ]
    if out is not None:
        _write(found[0], out)
    if as_json:
        documents = [one.document() for one in found]
        print_json(documents[0] if len(documents) == 1 else {"machines": documents})
        return
    for one in found:
        for line in one.answer:
            tell(line)
        tell("")
        print_rows(_front_rows(one), "table", least=LEAST)
    say("Designed, not built: see docs/codesign.md for what the laws leave out.")


@contextmanager
def _watching() -> Generator[Watch]:
    """Yield what is told how far a search is: a bar on a terminal, now and then a line where standard error is none."""
    if not sys.stderr.isatty():
        told = time.monotonic()

        def line(done: int, whole: int) -> None:
            nonlocal told
            if time.monotonic() - told >= LINE_SECONDS:
                told = time.monotonic()
                say(f"{done} of {whole} kinds of machines searched")

        yield line
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    columns = ("kinds of machines", BarColumn(bar_width=16), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("kinds of machines", total=None)
        yield lambda done, whole: bars.update(task, total=whole, completed=done)


def _choices(node: str, style: str | None, supply: str | None, area: str | None) -> Choices:
    from energy_models.design import Choices, DesignedStyle
    from energy_models.quantities import amount_si

    listed: dict[str, object] = {"nodes_nm": tuple(_numbers(node, "--node"))}
    if style is not None:
        listed["styles"] = cast("tuple[DesignedStyle, ...]", tuple(part.strip() for part in style.split(",")))
    if supply is not None:
        listed["supplies_v"] = tuple(_numbers(supply, "--supply"))
    if area is not None:
        listed["most_area_m2"] = amount_si(area, "area", where="--area")
    return Choices(**listed)  # pyright: ignore[reportArgumentType]


def _numbers(text: str, where: str) -> list[float]:
    from energy_models.errors import PriceError

    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise PriceError(f"{text!r:.60} is no list of numbers", where=where, remedy="Write such as 65,22") from error


def _in_integers(counted: Workload, weight_bits: int | None, activation_bits: int | None) -> Workload:
    from energy_models.errors import PriceError
    from energy_models.workload import at_widths

    if weight_bits is None:
        if activation_bits is not None:
            raise PriceError("weights have no width", where="--activation-bits", remedy="Give --weight-bits too")
        return counted
    return at_widths(counted, weight_bits=weight_bits, activation_bits=activation_bits or weight_bits)


def _write(found: DesignedMachine, path: Path) -> None:
    from cosim.cli.machines.profile_out import check_new, write_profile

    check_new(path, path.stem)
    table = found.profile.model_dump(mode="json", exclude_none=True) | {"name": path.stem}
    write_profile(path, table)
    say(f"Written: {path}. Use it with --profile {path}, for the network in the widths it was designed for")


def _front_rows(found: DesignedMachine) -> list[dict[str, object]]:
    from energy_models.quantities import prefixed

    rows: list[dict[str, object]] = []
    for one in found.found.front:
        machine = one.machine
        rows.append(
            {
                "power": " / ".join(prefixed(power, "W") for power in one.decoder_power_w),
                "area": f"{1e6 * one.area_m2:.2f} mm2",
                "latency": prefixed(max(one.latency_s), "s"), "style": machine.style,
                "node": f"{machine.node_nm:g} nm", "supply": f"{float(machine.supply_v):g} V",
                "array": f"{int(machine.rows)}x{int(machine.columns)}",
                "weights": f"{float(machine.weight_bank_bits) / 8192:g} KiB {machine.weight_cell}",
                "data": f"{float(machine.data_bank_bits) / 8192:g} KiB {machine.data_cell}",
                "words": f"{int(machine.weight_word_bits)}/{int(machine.data_word_bits)}",
            }
        )
    return rows
