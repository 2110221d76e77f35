"""Published figures of silicon beside what is predicted for them."""

from energy_models.validation.boards import microcontroller_check
from energy_models.validation.collect import all_rows
from energy_models.validation.groups import (
    BARS,
    ROW_KINDS,
    Check,
    Disagreement,
    Group,
    RowKind,
    disagreements,
    groups_of,
)
from energy_models.validation.machines import EventParts, event_parts, unvalidated
from energy_models.validation.reasons import REMARKS
from energy_models.validation.rows import ValidationRow, summarise

__all__ = [
    "BARS", "REMARKS", "ROW_KINDS", "Check", "Disagreement", "EventParts", "Group", "RowKind", "ValidationRow",
    "all_rows", "disagreements", "event_parts", "groups_of", "microcontroller_check", "summarise", "unvalidated",
]
