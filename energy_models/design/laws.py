"""Laws of what a designed machine is made of, by its free choices: for one machine or for very many at once.

    gates            multipliers (by their widths), lanes for work outside products, unfinished sums, a controller
    energy of logic  tables of 45 nm  x  factor of class and node  x  (V / nominal)^k
    area             memories  x  what the core around them takes, and logic
    clock reached    1 / (margin  x  slowest of logic and memories, each at its own supply)
    waking           capacitance of the area that was off  x  its supply  x  the rise of it

`end` gives the nominal value or either end of the band.
"""

from __future__ import annotations

from energy_models.design.constants_file import design_laws
from energy_models.design.machine import Machine
from energy_models.design.memories import LOOKUP_WORD, TABLE_NM, BuiltMemory, lookup_table
from energy_models.design.widths import DatapathWidths
from energy_models.quantities import Number
from energy_models.technology import (
    TABLE_BITS,
    End,
    clock_cycle_energy_j,
    core_area_m2,
    gates_area_m2,
    logic_delay_s,
    machine_laws,
    memory_area_m2,
    multiplier_gates,
    reachable_clock_hz,
)
from energy_models.technology.machine_laws import at
from energy_models.technology.scaling import load_technology, node_factor, nominal_supply_v
from energy_models.technology.scaling.technology import CircuitClass


def moved(kind: CircuitClass, node_nm: float, supply_v: Number) -> Number:
    """Return an energy of logic at a node and supply over that at 45 nm and its nominal supply [1]."""
    exponent = at(load_technology().supply.exponent, "nominal")
    return node_factor(kind, TABLE_NM, node_nm).nominal * (supply_v / nominal_supply_v(node_nm)) ** exponent


def gates(machine: Machine, widths: DatapathWidths, end: End = "nominal") -> Number:
    """Return the gates of the logic [gates]: multipliers, lanes beside them, unfinished sums, controller.

    A lane beside the multipliers has a scale of half the width of the sum that it is multiplied with.
    """
    laws, total = machine_laws().area, widths.total
    found = machine.multipliers * multiplier_gates(widths.weight, widths.activation, total, end)
    found = found + machine.vector_lanes * multiplier_gates(total, total / 2, total, end)
    if machine.style == "input_broadcast":
        found = found + at(laws.register_bit, end) * (machine.sums_per_lane - 1) * machine.lanes * total
    if machine.style == "event_driven":
        found = found + at(laws.register_bit, end) * at(design_laws().sizes.queue, "nominal")
    return found + at(laws.controller, end)


def clock_cycle_j(machine: Machine, widths: DatapathWidths, end: End = "nominal") -> Number:
    """Return what the clock takes in a cycle beside work [J]: its trunk, and cells without work."""
    return clock_cycle_energy_j(gates(machine, widths, end), machine.node_nm, machine.supply_v, end)


def table_area_m2(machine: Machine, widths: DatapathWidths, end: End = "nominal") -> Number:
    """Return the area of the table that is looked up [m^2]; 0 where no network looks up any."""
    if not widths.looks_up:
        return 0.0
    return memory_area_m2(
        "sram", machine.node_nm, end, banks=1.0, bank_bits=TABLE_BITS, word_bits=LOOKUP_WORD
    )


def logic_area_m2(machine: Machine, widths: DatapathWidths, end: End = "nominal") -> Number:
    """Return the area of the logic [m^2]."""
    return gates_area_m2(gates(machine, widths, end), machine.node_nm, end)


def silicon_area_m2(
    machine: Machine, memories: tuple[BuiltMemory, ...], widths: DatapathWidths, end: End = "nominal"
) -> Number:
    """Return the area of the core [m^2]: without pads, front end, radio and power management."""
    kept = sum((memory.area_m2(end) for memory in memories), table_area_m2(machine, widths, end))
    return core_area_m2(kept, logic_area_m2(machine, widths, end), end)


def fastest_clock_hz(machine: Machine, memories: tuple[BuiltMemory, ...], widths: DatapathWidths) -> Number:
    """Return the clock that a machine reaches [Hz], with the margin of its corners."""
    logic = logic_delay_s(machine.node_nm, machine.supply_v, nominal_supply_v(machine.node_nm))
    tables = (lookup_table(machine).delay_s(),) if widths.looks_up else ()
    return reachable_clock_hz((logic, *(memory.delay_s() for memory in memories), *tables))


def wake_j(
    machine: Machine, memories: tuple[BuiltMemory, ...], widths: DatapathWidths, end: End = "nominal"
) -> Number:
    """Return the energy of leaving sleep [J]: logic from nothing where it is gated, memories from their retention."""
    per_area = at(design_laws().wake.capacitance, end)
    logic = logic_area_m2(machine, widths) * machine.supply_v**2 if machine.gated else 0.0
    rail, rest = memories[0].rail_v, at(machine_laws().leakage.rail, "nominal")
    kept = sum((memory.area_m2() for memory in memories), 0.0)
    around = at(machine_laws().area.core_factor, "nominal")
    return per_area * (logic + around * kept * rail * (rail - rest))
