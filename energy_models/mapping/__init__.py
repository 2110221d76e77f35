"""From the work of a layer to what a machine does for it: placement in memories, and action counts."""

from energy_models.mapping.accesses import AccessCount, access_counts
from energy_models.mapping.action_counts import (
    Access,
    ActionCounts,
    ControlAct,
    CycleCount,
    Operations,
    check_widths,
    words,
)
from energy_models.mapping.count import count_actions
from energy_models.mapping.events import time_steps
from energy_models.mapping.placement import MemoryUse, Placement, holds_window, place

__all__ = [
    "Access", "AccessCount", "ActionCounts", "ControlAct", "CycleCount", "MemoryUse", "Operations", "Placement",
    "access_counts", "check_widths", "count_actions", "holds_window", "place", "time_steps", "words",
]
