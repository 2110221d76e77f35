"""From the work of a layer to what a machine does for it: placement in memories, and action counts."""

from energy_models.mapping.accesses import AccessCount, access_counts
from energy_models.mapping.action_counts import (
    Access,
    ActionCounts,
    CycleCount,
    Operations,
    check_widths,
    words,
)
from energy_models.mapping.count import count_actions, count_per_decode
from energy_models.mapping.placement import MemoryUse, Placement
from energy_models.mapping.placing import holds_window, passing_bits, place, required_bits
from energy_models.mapping.set_up import with_set_up
from energy_models.mapping.styles import STYLES, Executes, RegisterPrices, Style, style_of
from energy_models.mapping.styles.matrix_product import MatrixProduct, matrix_product

__all__ = [
    "STYLES", "Access", "AccessCount", "ActionCounts", "CycleCount", "Executes", "MatrixProduct", "MemoryUse",
    "Operations", "Placement", "RegisterPrices", "Style", "access_counts", "check_widths", "count_actions",
    "count_per_decode", "holds_window", "matrix_product", "passing_bits", "place", "required_bits", "style_of",
    "with_set_up", "words",
]
