"""Laws from node, supply and size to the constants of memories and of arithmetic."""

from energy_models.technology.non_volatile import non_volatile_memories, non_volatile_memory
from energy_models.technology.old_nodes import OLD_NODES, PRODUCT_PJ, macro_law, old_memory_costs
from energy_models.technology.operation_energy import multiplier_law, operation_laws, table_pj
from energy_models.technology.register_file import memory_costs, register_file_costs
from energy_models.technology.sram import (
    FLAVOURS,
    SWEEP,
    BentLaw,
    Flavour,
    Law,
    MemoryFit,
    fit_errors,
    held_out_errors,
    memory_fit,
    sram_costs,
    sweep,
)

__all__ = [
    "FLAVOURS", "OLD_NODES", "PRODUCT_PJ", "SWEEP", "BentLaw", "Flavour", "Law", "MemoryFit", "fit_errors",
    "held_out_errors", "macro_law", "memory_costs", "memory_fit", "multiplier_law", "non_volatile_memories",
    "non_volatile_memory", "old_memory_costs", "operation_laws", "register_file_costs", "sram_costs", "sweep",
    "table_pj",
]
