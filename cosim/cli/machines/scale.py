"""The command that moves a machine to another node, supply or temperature."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosim.cli.output import JsonOption, print_json, print_rows, say

if TYPE_CHECKING:
    from energy_models.hardware import HardwareProfile


def add_scale_command(app: typer.Typer) -> None:
    """Add the command of this file to the command line."""
    app.command()(scale)


def scale(
    profile: Annotated[str, typer.Argument(help="Machine: a name of cosim profiles, or a TOML file.")],
    *,
    node: Annotated[float | None, typer.Option(help="Node in nm, 7 to 90.")] = None,
    supply: Annotated[
        float | None, typer.Option(help="Supply in V; a new node keeps its share of the nominal one if not given.")
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="Temperature of the silicon in K, 300 to 400.")] = None,
    clock: Annotated[
        bool, typer.Option("--clock", help="Move a chosen clock too, as what the circuit reaches; else it stays.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="File to write; its stem is the new machine's name.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the same machine at another node, supply or temperature, every moved constant marked and with its law."""
    # Deferred: --help must answer at once.
    from cosim.cli.machines.profile_out import check_new, write_profile
    from energy_models.errors import ProfileError
    from energy_models.hardware import load_profile
    from energy_models.quantities import parse_model
    from energy_models.technology.scaling import scaled_profile

    shipped = load_profile(profile)
    moved = scaled_profile(
        shipped, node_nm=node, supply_v=supply, temperature_k=temperature,
        clock="reached" if clock else "kept",
    )
    if moved is shipped:
        remedy = "Give --node, --supply or --temperature other than its own"
        raise ProfileError("nothing moves", where=shipped.name, remedy=remedy)
    name = moved.name if out is None else out.stem
    path = out or Path(f"{name}.toml")
    check_new(path, name)
    table = moved.model_dump(mode="json", exclude_none=True) | {"name": name}
    parse_model(table, type(moved), where=name)
    write_profile(path, table)
    moves = _moves(shipped, moved)
    if as_json:
        print_json({"machine": name, "file": str(path), "constants": moves})
    else:
        print_rows(moves, "table")
    if clock and moved == scaled_profile(shipped, node_nm=node, supply_v=supply, temperature_k=temperature):
        say(f"--clock changes nothing here: {shipped.name} has no chosen clock that it would move")
    say(f"Written: {path}. Use it with --profile {path}")


def _moves(before: HardwareProfile, after: HardwareProfile) -> list[dict[str, object]]:
    """Return every constant that moved, before and after, in the unit of the file."""
    return [
        {
            "constant": path, "before": old.value, "low": new.low, "nominal": new.value, "high": new.high,
            "unit": new.unit, "basis": new.basis,
        }
        for path, old in before.quantity_at.items()
        if (new := after.quantity_at[path]) != old
    ]
