"""Below what no machine is built: supplies, memories of standard cells, widths of words.

    supply of a memory   max(supply of the logic, floor of its cell); what makes it loses where it is above the logic's

Laws take floats or arrays of points and have no branch on values.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from energy_models.quantities import Quantity
from energy_models.quantities.number import Number, larger
from energy_models.technology.machine_laws import Cell, End, at, machine_laws


def lowest_supply_v(cell: Cell | None = None, end: End = "nominal") -> float:
    """Return the lowest supply of logic, or of memories of one cell [V]."""
    laws = machine_laws().supplies
    found: dict[str | None, Quantity] = {"sram": laws.sram, "standard_cell": laws.standard_cell_memory}
    return at(found.get(cell, laws.logic), end)


def memory_supply_v(cell: Cell, logic_v: Number, end: End = "nominal") -> Number:
    """Return the supply of a memory beside logic at `logic_v` [V]: that one, or its own rail where that is too low."""
    return larger(logic_v, lowest_supply_v(cell, end))


def rail_efficiency(cell: Cell, logic_v: Number, end: End = "nominal") -> Number:
    """Return what share a memory's own rail delivers [1]; 1 where the memory has the supply of the logic.

    Parameters
    ----------
    cell : {'sram', 'standard_cell', 'register', 'non_volatile'}
    logic_v : float or array
        Supply of the logic [V].
    end : {'low', 'nominal', 'high'}
    """
    efficiency = at(machine_laws().supplies.rail_efficiency, end)
    above = memory_supply_v(cell, logic_v, "nominal") > logic_v
    return cast(Number, np.where(above, efficiency, 1.0))


def widest_word_bits(lanes: Number, operand_bits: Number) -> Number:
    """Return the widest word that is built [bits]: 64, or what `lanes` side by side take in a cycle."""
    return larger(at(machine_laws().limits.word, "nominal"), lanes * operand_bits)


def may_be_standard_cells(capacity_bits: Number) -> Number:
    """Return 1 where a memory is small enough for standard cells (4 KiB), else 0."""
    most = at(machine_laws().limits.standard_cell_memory, "nominal")
    return cast(Number, np.where(np.asarray(capacity_bits) <= most, 1.0, 0.0))
