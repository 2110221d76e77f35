"""A machine by its free choices: one, or arrays of very many whose shapes broadcast against each other.

What is a word (style, cells, when the clock runs) is one value a `Machine`; what is a number may be an array. The node
is one number, since its laws are tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from energy_models.hardware import Operand
from energy_models.quantities import Number
from energy_models.technology import Cell

DesignedStyle = Literal[
    "weight_stationary_array", "output_stationary", "input_broadcast", "streaming_ring", "event_driven"
]
DESIGNED_STYLES: tuple[DesignedStyle, ...] = (
    "weight_stationary_array", "output_stationary", "input_broadcast", "streaming_ring", "event_driven",
)
WEIGHTS, DATA = 0, 1
"""Places of the two memories of a designed machine: for weights, and for activations, state and buffers."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The free choices of one designed machine, or of very many.

    Parameters
    ----------
    style : str
        Execution style.
    node_nm : float
        Technology node [nm].
    supply_v : float or array
        Supply of the logic [V]; a memory that cannot work there has a rail of its own.
    rows, columns : float or array
        Cells of an array. A unit of lanes has `columns` of them with `rows` unfinished sums in each; a streaming ring
        has ``rows columns`` multipliers, an event-driven core `columns` lanes.
    weight_cell, data_cell : {'sram', 'standard_cell', 'register', 'non_volatile'}
        What the bits of the two memories are kept in; a non-volatile one holds weights only.
    weight_bank_bits, data_bank_bits : float or array
        Capacity of a bank [bits]; a memory has as many as the network fills.
    weight_word_bits, data_word_bits : float or array
        Words [bits].
    gated : bool
        Whether the logic is switched off between decodes.
    """

    style: DesignedStyle
    node_nm: float
    supply_v: Number
    rows: Number
    columns: Number
    weight_cell: Cell
    data_cell: Cell
    weight_bank_bits: Number
    data_bank_bits: Number
    weight_word_bits: Number
    data_word_bits: Number
    gated: bool

    @property
    def lanes(self) -> Number:
        """Lanes of an input-broadcast unit, or of an event-driven core."""
        return self.columns

    @property
    def sums_per_lane(self) -> Number:
        """Unfinished sums that a lane of an input-broadcast unit holds."""
        return self.rows

    @property
    def multipliers(self) -> Number:
        """Multipliers of the datapath."""
        return self.columns if self.style == "input_broadcast" else self.rows * self.columns

    @property
    def graded_events(self) -> Literal["payload"]:
        """How an event-driven core sends events of several bits: its multiplier takes them as they are."""
        return "payload"

    @property
    def vector_lanes(self) -> Number:
        """Lanes for work outside products."""
        return self.multipliers if self.style == "streaming_ring" else self.columns

    @property
    def cells(self) -> tuple[Cell, Cell]:
        """What the bits of the memories are kept in, by `WEIGHTS` and `DATA`."""
        return self.weight_cell, self.data_cell

    @property
    def bank_bits(self) -> tuple[Number, Number]:
        """Capacity of a bank of each memory [bits]."""
        return self.weight_bank_bits, self.data_bank_bits

    def word_bits(self, operand: Operand) -> Number:
        """Return the word width of the memory that holds an operand [bits]."""
        return self.weight_word_bits if operand == "weights" else self.data_word_bits


NUMBERS = (
    "supply_v", "rows", "columns", "weight_bank_bits", "data_bank_bits", "weight_word_bits", "data_word_bits",
)
"""The fields of `Machine` that may be arrays."""


def at_point(machine: Machine, index: int) -> Mapping[str, float]:
    """Return the numbers of one of very many machines by its flat index in their common shape."""
    import numpy as np

    arrays = np.broadcast_arrays(*(np.asarray(getattr(machine, name)) for name in NUMBERS))
    return {name: float(array.flat[index]) for name, array in zip(NUMBERS, arrays, strict=True)}
