"""Every constant of a designed machine by its path in a profile [SI]: for one machine or for very many at once.

`static` is the leakage of the logic, of which the share `gated_residual` stays asleep; memories leak at the rail of
their retention, and while awake what their supply adds.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from energy_models.design.constants_file import design_laws
from energy_models.design.events import event_constants
from energy_models.design.laws import clock_cycle_j, gates, moved, wake_j
from energy_models.design.machine import Machine
from energy_models.design.memories import TABLE_NM, BuiltMemory, lookup_table
from energy_models.design.widths import DatapathWidths
from energy_models.quantities import Number
from energy_models.technology import (
    End,
    awake_leakage_w,
    logic_leakage_w,
    machine_laws,
    operation_laws,
    rail_efficiency,
    retention_w,
    table_pj,
)
from energy_models.technology.machine_laws import at
from energy_models.technology.scaling.technology import CircuitClass

OPERATIONS = "execution.operations.integer"
FEMTO, PICO = 1e-15, 1e-12
_CLASS: Mapping[str, CircuitClass] = {"multiply": "multiplier", "leak": "multiplier"}
REGISTERS_INSIDE = frozenset({"weight_stationary_array", "event_driven"})
"""Styles whose registers are in the control factor."""
OTHER: Mapping[End, End] = {"low": "high", "nominal": "nominal", "high": "low"}
"""The end of what a cost is divided by."""


def machine_constants(
    machine: Machine, memories: tuple[BuiltMemory, ...], widths: DatapathWidths, end: End = "nominal"
) -> dict[str, Number]:
    """Return the constants of a machine but its clock, in SI.

    Parameters
    ----------
    machine : Machine
    memories : tuple of BuiltMemory
        Of weights and of data.
    widths : DatapathWidths
    end : {'low', 'nominal', 'high'}
        'low' makes every cost least.
    """
    laws, design = machine_laws(), design_laws()
    inside = machine.style in REGISTERS_INSIDE
    control = design.control.factor if inside else design.control.beside_registers
    found: dict[str, Number] = {
        "always_on_power": at(laws.always_on.power, end),
        "energy_per_clock_cycle": clock_cycle_j(machine, widths, end),
        "wake.energy": wake_j(machine, memories, widths, end),
        "wake.time": at(design.wake.time, end),
        "execution.control_factor": at(control, end),
        "execution.cycles_per_layer": at(laws.set_up.cycles, end),
        "memory_rail.efficiency": rail_share(machine, end),
        "static": logic_leakage_w(gates(machine, widths, end), machine.supply_v, end),
        "gated_residual": at(laws.leakage.gated, end) if machine.gated else 1.0,
    }
    found |= _operations(machine, end)
    for place, memory in enumerate(memories):
        found |= {f"memories[{place}].{name}": value for name, value in _memory(memory, end).items()}
    return found


def rail_share(machine: Machine, end: End = "nominal") -> Number:
    """Return what share the memories' rail delivers [1]; 1 where it is the logic's. A cost is least at its high end."""
    shares = [rail_efficiency(cell, machine.supply_v, OTHER[end]) for cell in machine.cells]
    return np.minimum(shares[0], shares[1])


def _operations(machine: Machine, end: End) -> dict[str, Number]:
    found: dict[str, Number] = {}
    spread = design_laws().spread
    for name, law in operation_laws(TABLE_NM).items():
        factor = moved(_CLASS.get(name, "adder"), machine.node_nm, machine.supply_v) * at(spread.logic, end) * FEMTO
        if law.per_bit:
            found[f"{OPERATIONS}.{name}.per_bit"] = law.per_bit * factor
        if law.per_square_bit:
            found[f"{OPERATIONS}.{name}.per_square_bit"] = law.per_square_bit * factor
    efficiency = rail_efficiency("sram", machine.supply_v, OTHER[end])
    found[f"{OPERATIONS}.lookup.fixed"] = lookup_table(machine).access_j("read", end) / efficiency
    if machine.style == "event_driven":
        found |= event_constants(machine, end)
    elif machine.style not in REGISTERS_INSIDE:
        bit = table_pj("register", 1, TABLE_NM) * PICO * moved("adder", machine.node_nm, machine.supply_v)
        found["execution.register_write"] = bit * at(spread.register_bit, end)
        found["execution.register_read"] = bit * at(spread.register_read, end)
    return found


def _memory(memory: BuiltMemory, end: End) -> dict[str, Number]:
    if memory.cell == "non_volatile":
        costs = memory.technology
        return {
            "wires": memory.wires_j(end), "non_volatile.read": at(costs.read, end),
            "non_volatile.wake": at(costs.wake, end), "non_volatile.wake_time": at(costs.wake_time, end),
        }
    kept = retention_w(memory.cell, 1.0, end)
    return {
        "read": memory.access_j("read", end), "write": memory.access_j("write", end), "wires": memory.wires_j(end),
        "retention": kept,
        "awake_leakage": np.maximum(awake_leakage_w(memory.cell, 1.0, memory.rail_v, end) - kept, 0.0),
    }
