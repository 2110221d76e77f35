"""Execution styles, one file each: action counts, placement rules, acts beside layers, and what prices them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from energy_models.mapping.styles.event_cycles import EVENT_CYCLES
from energy_models.mapping.styles.event_driven import EVENT_DRIVEN
from energy_models.mapping.styles.event_table import EVENT_TABLE
from energy_models.mapping.styles.input_broadcast import INPUT_BROADCAST
from energy_models.mapping.styles.output_stationary import OUTPUT_STATIONARY
from energy_models.mapping.styles.programmable_core import PROGRAMMABLE_CORE
from energy_models.mapping.styles.streaming_ring import STREAMING_RING
from energy_models.mapping.styles.style import ActPrices, Executes, RegisterPrices, Style
from energy_models.mapping.styles.weight_stationary import WEIGHT_STATIONARY

__all__ = ["STYLES", "ActPrices", "Executes", "RegisterPrices", "Style", "style_of"]

_ALL: tuple[Style[Any], ...] = (
    WEIGHT_STATIONARY, OUTPUT_STATIONARY, INPUT_BROADCAST, STREAMING_RING,
    EVENT_DRIVEN, EVENT_TABLE, EVENT_CYCLES, PROGRAMMABLE_CORE,
)
STYLES: Mapping[str, Style[Any]] = {style.name: style for style in _ALL}
"""Every execution style by its name in profiles."""


def style_of(execution: Executes) -> Style[Any]:
    """Return the style of a machine's execution."""
    return STYLES[execution.style]
