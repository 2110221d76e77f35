"""What a machine does for one layer in one decode: the counts that pricing multiplies by costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from energy_models.errors import WorkloadError
from energy_models.hardware import Operand, OperationName
from energy_models.quantities import Number, ceiling
from energy_models.workload import Arithmetic, Cadence, LayerWork, Workload


@dataclass(frozen=True, slots=True)
class Operations:
    """`count` operations per decode on operands of two widths [bits]."""

    name: OperationName
    arithmetic: Arithmetic
    widths: tuple[int, int]
    count: Number
    cause: Literal["compute", "state"] = "compute"


@dataclass(frozen=True, slots=True)
class Access:
    """Words read from and written to the memory that holds an operand, per decode."""

    operand: Operand
    reads: Number
    writes: Number


@dataclass(frozen=True, slots=True)
class RegisterAccess:
    """Bits read from and written to the registers inside a datapath that hold an operand, per decode.

    ``sums`` are unfinished; ``outputs`` are finished sums on their way out of the same registers.
    """

    operand: Literal["weights", "activations", "sums", "outputs"]
    bits_read: Number
    bits_written: Number


@dataclass(frozen=True, slots=True)
class CycleCount:
    """`count` acts per decode whose cycles the profile gives at the dotted path `cost`; '' is one cycle each.

    `factor` is the path of a ratio that multiplies them; '' is 1.
    """

    cost: str
    count: Number
    factor: str = ""


@dataclass(frozen=True, slots=True)
class ActionCounts:
    """Everything one layer makes the machine do in one decode.

    `control` holds acts per event or per step besides operations, each with a price in the machine's execution style.
    `unpriced` holds one line for each thing the machine cannot do.
    """

    layer: str
    kind: str
    cadence: Cadence
    operations: tuple[Operations, ...] = ()
    accesses: tuple[Access, ...] = ()
    control: tuple[tuple[str, Number], ...] = ()
    cycles: tuple[CycleCount, ...] = ()
    unpriced: tuple[str, ...] = ()
    registers: tuple[RegisterAccess, ...] = ()


def amortised(counts: ActionCounts, decodes: int) -> ActionCounts:
    """Return the mean over so many decodes of what happens in one of them."""
    if decodes == 1:
        return counts
    return replace(
        counts,
        operations=tuple(replace(one, count=one.count / decodes) for one in counts.operations),
        accesses=tuple(replace(one, reads=one.reads / decodes, writes=one.writes / decodes) for one in counts.accesses),
        control=tuple((act, count / decodes) for act, count in counts.control),
        registers=tuple(
            replace(one, bits_read=one.bits_read / decodes, bits_written=one.bits_written / decodes)
            for one in counts.registers
        ),
        cycles=tuple(replace(one, count=one.count / decodes) for one in counts.cycles),
    )


def words(elements: Number, bits: int, word_bits: Number) -> Number:
    """Return the words that hold `elements` packed elements of `bits` bits: ``ceil(elements bits / word)``."""
    # Means over decodes are binary fractions: shave the rounding error before the ceiling.
    return ceiling(elements * bits / word_bits - 1e-9)


def check_widths(workload: Workload) -> None:
    """Refuse a workload whose layers lack an operand width: it would be priced as if it had no bits.

    Raises
    ------
    WorkloadError
        One error that names every layer and what it lacks.
    """
    problems = [f"{layer.name} lacks {width}" for layer in workload.layers for width in _missing_widths(layer)]
    if problems:
        raise WorkloadError(
            "operand widths are missing: " + "; ".join(problems), where=workload.name, remedy="Count them in bits"
        )


def _missing_widths(layer: LayerWork) -> list[str]:
    """Return the names of the widths that a layer needs and does not give."""
    holds_products = layer.products is not None
    needs = {
        "activation_bits": holds_products and layer.activation_bits == 0,
        "accumulator_bits": holds_products and layer.accumulator_bits == 0,
        "weight_bits": layer.weights > 0 and layer.weight_bits == 0,
        "bias_bits": layer.biases > 0 and layer.bias_bits == 0,
        "state_bits": max(layer.state_elements, layer.state_reads, layer.state_writes) > 0 and layer.state_bits == 0,
        "activation_bits or output_bits": layer.activation_bits == 0 and layer.output_bits == 0,
    }
    return [name for name, missing in needs.items() if missing]


def operand_widths(layer: LayerWork, operation: OperationName) -> tuple[int, int]:
    """Return the widths of the two operands of an operation outside products [bits].

    Everything but a multiplication has both as wide as the sum, state or value it works on. A multiplication takes the
    layer's data and its coefficient (stored), its state (a gate beside products), or the data again; it does not
    multiply sums.

    Raises
    ------
    WorkloadError
        When the layer gives no width the operation could have.
    """
    wide = (layer.accumulator_bits, layer.state_bits, layer.activation_bits, layer.output_bits)
    data = (layer.activation_bits, layer.output_bits, layer.accumulator_bits, layer.state_bits)
    order = {
        "multiply": data,
        "lookup": data,
        "leak": (layer.state_bits, *wide),
        "reset": (layer.state_bits, *wide),
    }.get(operation, wide)
    width = next((bits for bits in order if bits > 0), 0)
    if width == 0:
        raise WorkloadError(
            f"operation {operation!r} has no operand width",
            where=f"layer {layer.name!r}",
            remedy="Give the layer activation_bits, accumulator_bits, state_bits or output_bits",
        )
    if operation != "multiply":
        return width, width
    other = layer.weight_bits if layer.products is None else layer.state_bits
    return width, other or width
