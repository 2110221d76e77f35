"""Below what no machine is built: supplies, clocks, memories of standard cells, widths of words.

    supply of a memory   max(supply of the logic, floor of its cell); what makes it loses where it is above the logic's
    clock                1 / (margin max(delay of the logic, access of every memory)), each at its own supply

Delay follows the supply as ``V / I(V)`` (`energy_models.technology.scaling.supply`) from the nominal one of the node. A
finer node than that of the known delay is not credited with faster transistors. Laws take floats or arrays of points
and have no branch on values.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from energy_models.quantities import Quantity
from energy_models.quantities.number import Number, larger, largest
from energy_models.technology.area import NM_M
from energy_models.technology.machine_laws import Cell, End, against, at, machine_laws
from energy_models.technology.scaling import drive_speed, load_technology, thermal_slope_v


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


def supply_speed(supply_v: Number, end: End = "nominal") -> Number:
    """Return the reciprocal delay of a circuit ``I(V)/V`` in arbitrary units; only its ratios mean anything.

    Parameters
    ----------
    supply_v : float or array
        Supply [V].
    end : {'low', 'nominal', 'high'}
        Of threshold and velocity exponent together: 'low' is a low threshold.
    """
    law, slope = load_technology().supply, thermal_slope_v()
    threshold, power = at(law.threshold, end), at(law.velocity_exponent, end)
    return drive_speed(supply_v, threshold, power, slope)


def logic_delay_s(node_nm: Number, supply_v: Number, nominal_v: Number, end: End = "nominal") -> Number:
    """Return the delay of a multiply-accumulate [s]; `nominal_v` is the node's nominal supply."""
    laws = machine_laws().clock
    coarser = larger(node_nm * NM_M / at(laws.reference_node, "nominal"), 1.0)
    return at(laws.logic_period, end) * coarser * (supply_speed(nominal_v, end) / supply_speed(supply_v, end))


def reachable_clock_hz(delays_s: tuple[Number, ...], end: End = "nominal") -> Number:
    """Return the clock that a machine reaches [Hz]: ``1 / (margin max(delays))``.

    Parameters
    ----------
    delays_s : tuple of float or array
        Delay of the logic, and the access time of every memory at its own supply [s].
    end : {'low', 'nominal', 'high'}
        'low' takes the widest margin; delays come at the end that belongs to it, which is theirs to choose.
    """
    return 1.0 / (against(machine_laws().clock.margin, end) * largest(delays_s))


def widest_word_bits(lanes: Number, operand_bits: Number) -> Number:
    """Return the widest word that is built [bits]: 64, or what `lanes` side by side take in a cycle."""
    return larger(at(machine_laws().limits.word, "nominal"), lanes * operand_bits)


def may_be_standard_cells(capacity_bits: Number) -> Number:
    """Return 1 where a memory is small enough for standard cells (4 KiB), else 0."""
    most = at(machine_laws().limits.standard_cell_memory, "nominal")
    return cast(Number, np.where(np.asarray(capacity_bits) <= most, 1.0, 0.0))
