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
from energy_models.mapping.placing import holds_window, place
from energy_models.mapping.styles import STYLES, Executes, RegisterPrices, Style, style_of

__all__ = [
    "STYLES", "Access", "AccessCount", "ActionCounts", "CycleCount", "Executes", "MemoryUse", "Operations", "Placement",
    "RegisterPrices", "Style", "access_counts", "check_widths", "count_actions", "count_per_decode", "holds_window",
    "place", "style_of", "words",
]
