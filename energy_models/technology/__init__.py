"""Laws from node, supply and size to the constants of memories and of arithmetic."""

from energy_models.technology.area import (
    controller_area_m2,
    core_area_m2,
    gates_area_m2,
    memory_area_m2,
    multiplier_gates,
    sram_bank_area_m2,
)
from energy_models.technology.clock import clock_cycle_energy_j, logic_delay_s, reachable_clock_hz, supply_speed
from energy_models.technology.floors import (
    lowest_supply_v,
    may_be_standard_cells,
    memory_supply_v,
    rail_efficiency,
    widest_word_bits,
)
from energy_models.technology.leakage import (
    awake_leakage_w,
    logic_leakage_w,
    retention_w,
    supply_leakage_factor,
)
from energy_models.technology.machine_laws import CELLS, Cell, End, MachineLaws, machine_laws
from energy_models.technology.non_volatile import non_volatile_memories, non_volatile_memory
from energy_models.technology.old_nodes import OLD_NODES, PRODUCT_PJ, macro_law, old_memory_costs
from energy_models.technology.operation_energy import multiplier_law, operation_laws, table_pj
from energy_models.technology.register_file import memory_costs, register_file_costs
from energy_models.technology.scaling.rules import TABLE_BITS
from energy_models.technology.sram import (
    FLAVOURS,
    SWEEP,
    BentLaw,
    Flavour,
    Law,
    MemoryFit,
    fit_errors,
    memory_fit,
    sweep,
)
from energy_models.technology.sram_steps import held_out_errors, left_out, sram_costs
from energy_models.technology.wires import bank_way_m, wire_energy_j

__all__ = [
    "CELLS",
    "FLAVOURS",
    "OLD_NODES",
    "PRODUCT_PJ",
    "SWEEP",
    "TABLE_BITS",
    "BentLaw",
    "Cell",
    "End",
    "Flavour",
    "Law",
    "MachineLaws",
    "MemoryFit",
    "awake_leakage_w",
    "bank_way_m",
    "clock_cycle_energy_j",
    "controller_area_m2",
    "core_area_m2",
    "fit_errors",
    "gates_area_m2",
    "held_out_errors",
    "left_out",
    "logic_delay_s",
    "logic_leakage_w",
    "lowest_supply_v",
    "machine_laws",
    "macro_law",
    "may_be_standard_cells",
    "memory_area_m2",
    "memory_costs",
    "memory_fit",
    "memory_supply_v",
    "multiplier_gates",
    "multiplier_law",
    "non_volatile_memories",
    "non_volatile_memory",
    "old_memory_costs",
    "operation_laws",
    "rail_efficiency",
    "reachable_clock_hz",
    "register_file_costs",
    "retention_w",
    "sram_bank_area_m2",
    "sram_costs",
    "supply_leakage_factor",
    "supply_speed",
    "sweep",
    "table_pj",
    "widest_word_bits",
    "wire_energy_j",
]
