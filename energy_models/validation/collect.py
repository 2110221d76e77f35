"""Every row there is, by kind: the one list to add a new set of rows to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from energy_models.validation.boards import BEYOND, board_rows
from energy_models.validation.events import event_rows, kind_of_event
from energy_models.validation.groups import ROW_KINDS, RowKind
from energy_models.validation.rows import ValidationRow
from energy_models.validation.systems import kind_of_system, system_rows

Rows = tuple[ValidationRow, ...]
CLUSTERS = ("gap9", "mr_wolf", "mr. wolf", "wolf", "vega", "gap8")
PROFILED = ("STM32L4R5", "STM32U575", "STM32H7A3", "STM32U3C5")
"""Microcontrollers whose rows a shipped profile is fitted on."""
ACCELERATORS = ("ndp120", "nrf54lm20b", "max78000", "hx613")


def board_kind(row: ValidationRow) -> RowKind:
    """Return the kind of a board's row, by its machine and id."""
    if row.id.startswith(BEYOND):
        return "beyond"
    text = f"{row.machine} {row.id}".lower()
    if any(name in text for name in CLUSTERS):
        return "cluster"
    if any(name in text for name in ACCELERATORS):
        return "accelerator"
    return "microcontroller" if any(chip in row.machine for chip in PROFILED) else "other_microcontroller"


PROVIDERS: tuple[tuple[Callable[[], Rows], Callable[[ValidationRow], RowKind]], ...] = (
    (event_rows, kind_of_event),
    (board_rows, board_kind),
    (system_rows, kind_of_system),
)
"""A function that returns rows, and one that returns the kind of each."""


def all_rows() -> Mapping[RowKind, Rows]:
    """Return every row by kind, in the order in which the providers give them."""
    found: dict[RowKind, list[ValidationRow]] = {kind: [] for kind in ROW_KINDS}
    for provide, kind_of in PROVIDERS:
        for row in provide():
            found[kind_of(row)].append(row)
    return {kind: tuple(rows) for kind, rows in found.items()}
