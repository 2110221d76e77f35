"""What a machine does for one layer in one decode: the counts that pricing multiplies by costs."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Literal

from energy_models.errors import WorkloadError
from energy_models.profile import Operand, OperationName
from energy_models.workload import Arithmetic, Cadence, LayerWork

# Parts of a machine that act per event or per clock, besides its datapath operations.
ControlAct = Literal["event", "active_update", "idle_update"]


@dataclass(frozen=True, slots=True)
class Operations:
    """`count` operations per decode on operands of two widths [bits]."""

    name: OperationName
    arithmetic: Arithmetic
    widths: tuple[int, int]
    count: float
    cause: Literal["compute", "state"] = "compute"


@dataclass(frozen=True, slots=True)
class Access:
    """Words read from and written to the memory that holds an operand, per decode."""

    operand: Operand
    reads: float
    writes: float


@dataclass(frozen=True, slots=True)
class CycleCount:
    """`count` acts per decode whose cycles the profile gives at the dotted path `cost`; '' is one cycle each."""

    cost: str
    count: float


@dataclass(frozen=True, slots=True)
class Tally:
    """Everything one layer makes the machine do in one decode.

    `unpriced` holds one line for each thing the machine cannot do.
    """

    layer: str
    kind: str
    cadence: Cadence
    operations: tuple[Operations, ...] = ()
    accesses: tuple[Access, ...] = ()
    control: tuple[tuple[ControlAct, float], ...] = ()
    cycles: tuple[CycleCount, ...] = ()
    unpriced: tuple[str, ...] = ()


def words(elements: float, bits: int, word_bits: int) -> float:
    """Return the words that hold `elements` packed elements of `bits` bits: ``ceil(elements bits / word)``."""
    # Means over decodes are binary fractions: shave the rounding error before the ceiling.
    return float(ceil(elements * bits / word_bits - 1e-9))


def operand_width(layer: LayerWork, operation: OperationName) -> int:
    """Return the operand width of an operation outside products [bits].

    Raises
    ------
    WorkloadError
        When the layer gives no width the operation could have.
    """
    wide = (layer.accumulator_bits, layer.state_bits, layer.activation_bits, layer.output_bits)
    order = {
        "lookup": (layer.activation_bits, layer.output_bits, layer.accumulator_bits, layer.state_bits),
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
    return width
