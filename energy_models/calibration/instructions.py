"""Instructions of plain C99 by kind of layer: counted on an emulator for one network, predicted for others.

    instructions(layer) = products instructions_per_product(kind)                      additions of its biases are in it
                        + loops instructions_per_loop("sums")                          innermost ones, of products
                        + outputs instructions_per_loop("windows")                     of convolutions of several taps
                        + sum over operations outside products of count instructions_per_operation(operation)

An innermost loop runs over the taps of a convolution's last axis, or over what one output is the sum of; where a window
begins and which of its taps lie on the signal is found once an output. Both cost the more, the fewer products follow.

Some operations were counted only beside others and cannot be told apart from them: `BESIDE` names what contains them.
Anywhere else they are unknown, and so is what that network has not: the leaks and resets of spiking neurons.

Instructions are not cycles; `cycles_per_instruction` brackets what a core without caches takes for loops like these.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from energy_models.hardware.execution import OperationName
from energy_models.quantities import CyclesPerInstruction, Frozen, InstructionsPerOperation, read_model
from energy_models.workload import Kind, LayerWork, Workload

IN_PRODUCTS = frozenset(("add", "compare"))
"""Operations of a layer with products that its loop contains: a sum begins with the bias, a ReLU is a limit."""

SUMS, WINDOWS = "sums", "windows"
"""The terms of innermost loops, and of outputs of convolutions of several taps."""

BESIDE: Mapping[str, Kind] = {"multiply": "recurrent"}
"""Operations whose instructions are in the number of the products of a kind: those of layers of that kind, whose gates
stand beside them in every layer that was counted."""


class InstructionTable(Frozen):
    """What a compiler makes of plain C.

    Parameters
    ----------
    name, title : str
    core, compiler, flags : str
        For which, with which and how it was built.
    network : str
        On which its numbers were fitted; what it has not is in none of them.
    per_product, per_operation : mapping of kind, or operation, to Quantity
    per_loop : mapping of str to Quantity
        Of an innermost loop, ``sums``, and of a window, ``windows``, beside its products.
    cycles_per_instruction : Quantity
    """

    name: str
    title: str
    core: str
    compiler: str
    flags: str
    network: str
    per_product: Annotated[Mapping[Kind, InstructionsPerOperation], Field(min_length=1)]
    per_operation: Mapping[OperationName, InstructionsPerOperation]
    per_loop: Mapping[Literal["sums", "windows"], InstructionsPerOperation]
    cycles_per_instruction: CyclesPerInstruction


    @property
    def numbers(self) -> dict[str, InstructionsPerOperation]:
        """Every number, by the term that it multiplies."""
        return {**self.per_product, **self.per_operation, **self.per_loop}


@dataclass(frozen=True, slots=True)
class Instructions:
    """Predicted instructions of one decode.

    Parameters
    ----------
    layers : mapping of str to float
        Layers whose work the table has, by name.
    unknown : tuple of str
        Work that it has not: the sum of `layers` is without it.
    """

    layers: Mapping[str, float]
    unknown: tuple[str, ...]

    @property
    def total(self) -> float:
        """Of all layers."""
        return sum(self.layers.values())


@cache
def plain_c99() -> InstructionTable:
    """Return the shipped table: C as `cosim export` writes it, on a Cortex-M4."""
    return read_model(Path(str(files("energy_models.data") / "instructions" / "plain_c99.toml")), InstructionTable)


def instruction_terms(layer: LayerWork) -> dict[str, float]:
    """Return the counts of one decode that instructions are multiplied with: by kind of product, and by operation."""
    products, found = layer.products, dict[str, float]()
    if products is not None:
        found[layer.kind] = products.dense_valid.mean
        taps = layer.kernel[-1] if layer.kernel else 1
        found[SUMS] = products.dense_valid.mean / max(taps if taps > 1 else layer.reduction, 1)
        if math.prod(layer.kernel) > 1:
            found[WINDOWS] = float(layer.outputs)
    for name, count in layer.operations.items():
        if count.mean and not (products is not None and name in IN_PRODUCTS):
            found[name] = count.mean
    return found


def predicted_instructions(workload: Workload, table: InstructionTable) -> Instructions:
    """Return the instructions that a workload's integer layers take in one decode.

    Parameters
    ----------
    workload : Workload
    table : InstructionTable
    """
    known = table.numbers
    layers: dict[str, float] = {}
    unknown: list[str] = []
    for layer in workload.layers:
        counted = instruction_terms(layer)
        terms = {name: count for name, count in counted.items() if name in known or BESIDE.get(name) != layer.kind}
        missing = [name for name in terms if layer.arithmetic != "integer" or name not in known]
        unknown += [f"{layer.name}: {layer.arithmetic} {name}" for name in missing]
        layers[layer.name] = sum(
            count * known[name].band.nominal for name, count in terms.items() if name not in missing
        )
    return Instructions(layers, tuple(unknown))
