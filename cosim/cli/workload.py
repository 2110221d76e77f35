"""The command that counts a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from cosim.cli.networks import Asked, Outputs, work_of
from cosim.cli.options import MOST_BITS, InputShape, SampleRate, rate_of, shape_of
from cosim.cli.output import print_rows, say

if TYPE_CHECKING:
    from cosim.workloads.network_workload import Observation
    from energy_models.workload import Conventions, Count, LayerWork, Workload

STDOUT = Path("-")
DECODES = 4
OPERATIONS = ("full", "valid", "eff_input", "effective", "MAC", "AC", "FLOP", "BOP")
"""Products in four conventions, the effective ones by kind, and floating-point and bit operations of a decode."""
LEAST = ("calls", "kind", "state", "eff_input", "full")
"""Columns that a narrow terminal does without, the least important first."""


class _JsonWithoutFile(TyperCommand):
    """Lets ``--json`` stand alone, as with every other command: the workload is then printed."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Return what is left of the arguments, ``--json`` having been given its file."""
        whole: list[str] = []
        for place, text in enumerate(args):
            whole.append(text)
            if text == "--json" and (place + 1 == len(args) or args[place + 1].startswith("--")):
                whole.append(str(STDOUT))
        return super().parse_args(ctx, whole)


def add_workload_command(app: typer.Typer) -> None:
    """Add the command of this file to the command line."""
    app.command(cls=_JsonWithoutFile)(workload)


def workload(
    model: Annotated[
        str,
        typer.Argument(
            help="Folder of a saved student, an .onnx, .nir or .tflite file, an architecture (name or .toml file), "
            "package.module:function that returns an nn.Module, or a family with --input-shape, --sample-rate and "
            "--outputs."
        ),
    ],
    *,
    input_shape: InputShape = None,
    inputs: Annotated[
        Path | None,
        typer.Option(
            help="Examples (first axis) as a .npy file, or .npz with one array per argument of the network; "
            "default: made-up noise."
        ),
    ] = None,
    rate: SampleRate = None,
    outputs: Outputs = None,
    mode: Annotated[
        Literal["window", "stream"] | None, typer.Option(help="One decode a window, or one a step.")
    ] = None,
    input_bits: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_BITS, help="Width of an input element; default: the student's own, or 16."),
    ] = None,
    weight_bits: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_BITS, help="Assume integer weights of so many bits; with --activation-bits."),
    ] = None,
    activation_bits: Annotated[
        int | None, typer.Option(min=1, max=MOST_BITS, help="Assume integer activations likewise.")
    ] = None,
    decodes: Annotated[int, typer.Option(min=1, max=1_000_000, help="Made-up examples.")] = DECODES,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of made-up examples.")] = 0,
    warm_up_steps: Annotated[int, typer.Option(min=0, max=2**31, help="First steps of a stream, counted apart.")] = 0,
    euler_step: Annotated[
        float | None,
        typer.Option(
            help="Step of neurons in continuous time (.nir), in the unit of the file's time constants; "
            "default: one over the rate."
        ),
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="[FILE]", help="Write the workload; without a file, or -, on standard output."),
    ] = None,
) -> None:
    """Count what a network does in one decode: products in four conventions, FLOPs, BOPs, other work, storage, state.

    FLOP: two a valid product and one each other operation. BOP: valid products times weight bits times activation bits.
    """
    # Deferred: --help must not import torch.
    from energy_models.workload import answer_text, at_widths, write_workload

    shape, rate_hz = shape_of(input_shape), rate_of(rate)
    from cosim.workloads.network_workload import Observation

    how = Observation(shape, inputs, rate_hz, mode, input_bits, decodes, seed, warm_up_steps, euler_step)
    widths = _widths(weight_bits, activation_bits)
    counted = _counted(model, how, Asked(input_shape, rate, outputs))
    if widths is not None:
        counted = at_widths(counted, weight_bits=widths[0], activation_bits=widths[1])
    if json_file == STDOUT:
        print(answer_text(counted), end="")  # noqa: T201
    else:
        if json_file is not None:
            write_workload(counted, json_file)
        rows = [_row(layer, counted.replace(layers=(layer,))) for layer in counted.layers]
        print_rows([*rows, _sum(counted)], "table", least=LEAST)
    _remarks(counted)


def _counted(model: str, how: Observation, asked: Asked) -> Workload:
    """Return the work of a network, or of a family built for a shape and outputs.

    Raises
    ------
    CosimError
        No such network, or a family with options of how to count that it does not take.
    """
    from cosim.workloads.network_workload import Observation, network_workload
    from students.families import family_names

    if asked.outputs is None and model not in family_names():
        return network_workload(model, how)
    if how != Observation(how.input_shape, None, how.step_rate_hz, None, None, DECODES, 0, 0):
        from energy_models.errors import StudentError

        raise StudentError(
            "a family is counted on made-up examples, in its own way", where=model,
            remedy="Give --input-shape, --sample-rate and --outputs, and no other option of how to count",
        )
    from cosim.api.works import workload_of

    return workload_of(work_of(model, asked), where=model)


def _widths(weight_bits: int | None, activation_bits: int | None) -> tuple[int, int] | None:
    if weight_bits is not None and activation_bits is not None:
        return weight_bits, activation_bits
    if weight_bits is None and activation_bits is None:
        return None
    from energy_models.errors import WorkloadError

    raise WorkloadError(
        "one width without the other", where="--weight-bits --activation-bits", remedy="Give both, or neither"
    )


def _row(layer: LayerWork, alone: Workload) -> dict[str, object]:
    """Return the row of a layer; `alone` is the workload of this layer only."""
    bits = "/".join(str(width) for width in (layer.weight_bits, layer.activation_bits, layer.accumulator_bits))
    cells: dict[str, object] = {"layer": layer.name, "kind": layer.kind, "calls": layer.calls, "bits w/a/acc": bits}
    bops = None if layer.products is None else alone.bit_operations
    cells |= _operations(layer.products, alone.floating_point_operations or None, bops)
    others = [f"{name} {_number(count.mean)}" for name, count in layer.operations.items()]
    if layer.updates_active is not None and layer.updates_idle is not None:
        others.append(f"updates {_number(layer.updates_active.mean)} active {_number(layer.updates_idle.mean)} idle")
    if layer.output_events is not None:
        others.append(f"spikes {_mean(layer.output_events)}")
    stored = layer.weights + layer.biases + layer.constants
    kept = {"stored": stored or None, "state": layer.state_elements or None}
    return {**cells, "other operations": ", ".join(others), **kept}


def _sum(counted: Workload) -> dict[str, object]:
    mark = "per decode" if counted.complete else "per decode, INCOMPLETE"
    return {
        "layer": mark, "kind": "", "calls": "", "bits w/a/acc": "",
        **_operations(counted.products, counted.floating_point_operations, counted.bit_operations),
        "other operations": "", "stored": f"{counted.packed_bytes} B", "state": f"{counted.state_bits_total} bit",
    }


def _operations(products: Conventions | None, flops: float | None, bops: float | None) -> dict[str, str | None]:
    """Return the cells of the columns `OPERATIONS`; bit operations are none where widths are not known."""
    found: list[float | None] = [None] * 6
    if products is not None:
        rules = (products.dense_full, products.dense_valid, products.effective_input, products.effective)
        kinds = (products.effective.multiply_accumulate, products.effective.accumulate)
        found = [*(rule.mean for rule in rules), *(kind.mean for kind in kinds)]
    return dict(zip(OPERATIONS, map(_number, (*found, flops, bops)), strict=True))


def _remarks(counted: Workload) -> None:
    observed = "1 decode" if counted.decodes == 1 else f"{counted.decodes} decodes"
    say(f"{counted.name}: {counted.mode}, {observed} observed, input at {counted.step_rate_hz:g} Hz.")
    for what in ("inputs", "weights", "spikes", "density", "widths", "folded", "halo_steps", "products", "published"):
        if counted.provenance.get(what):
            say(f"{what}: {counted.provenance[what]}")
    if counted.products is not None and counted.decodes > 1:
        effective = counted.products.effective
        multiplied, added = _mean(effective.multiply_accumulate), _mean(effective.accumulate)
        say(f"Effective products a decode: {multiplied} MAC, {added} AC.")
    if counted.bit_operations is None:
        say("BOP: unknown, a layer with products has no widths.")
    for gap in counted.uncounted:
        say(f"UNCOUNTED: {gap.layer}: {gap.operation} ({gap.reason}). Every total above is incomplete.")


def _mean(count: Count) -> str:
    return _number(count.mean) or "0" if count.decodes < 2 else f"{_number(count.mean)} ± {count.standard_error:.3g}"


def _number(value: float | None) -> str | None:
    if value is None:
        return None
    return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"
