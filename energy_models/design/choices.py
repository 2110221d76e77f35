"""What a search may choose: lists of values, and from them arrays that broadcast against each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import ceil
from typing import Literal

import numpy as np

from energy_models.design.grid import Clock
from energy_models.design.machine import DESIGNED_STYLES, NUMBERS, DesignedStyle, Machine
from energy_models.design.memories import check_node
from energy_models.errors import PriceError, unknown_name
from energy_models.mapping import matrix_product
from energy_models.quantities import Number
from energy_models.technology import Cell, lowest_supply_v
from energy_models.technology.scaling import nominal_supply_v
from energy_models.workload import Workload

KIB = 8192.0
MOST_CELLS = 512
"""Rows or columns beyond which none is tried."""
SUPPLY_STEP_V = 0.05
TILES = (1, 2, 3, 4)
FEW_CELLS = (1, 2, 4, 8, 16)
SUMS_PER_LANE = (1, 2, 4, 8, 16)
EVENT_LANES = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class Choices:
    """Values among which a search chooses.

    Parameters
    ----------
    styles : tuple of str
    nodes_nm : tuple of float
        Technology nodes [nm].
    supplies_v : tuple of float
        Supplies of the logic [V]; none: from its lowest to the node's nominal one in steps of 50 mV.
    rows, columns : tuple of int
        Cells (lanes and sums of a unit of lanes, multipliers of a ring); none: whole shares of what the networks have.
    weight_cells, data_cells : tuple of Cell
    bank_bits : tuple of float
        Capacities of a bank, for either memory [bits].
    word_bits : tuple of int
        Widths of a word, for either memory [bits].
    gated : tuple of bool
        Whether logic is switched off between decodes.
    clocks : tuple of Clock
    most_area_m2 : float
        Silicon area of the core [m^2].
    """

    styles: tuple[DesignedStyle, ...] = DESIGNED_STYLES
    nodes_nm: tuple[float, ...] = (65,)
    supplies_v: tuple[float, ...] = ()
    rows: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()
    weight_cells: tuple[Cell, ...] = ("sram", "standard_cell", "non_volatile")
    data_cells: tuple[Cell, ...] = ("sram", "standard_cell")
    bank_bits: tuple[float, ...] = (KIB, 2 * KIB, 4 * KIB, 8 * KIB, 16 * KIB, 32 * KIB)
    word_bits: tuple[int, ...] = (16, 32, 64)
    gated: tuple[bool, ...] = (True, False)
    clocks: tuple[Clock, ...] = ("fastest",)
    most_area_m2: float = float("inf")

    def __post_init__(self) -> None:
        """Refuse what no law reaches, and empty lists."""
        for node in self.nodes_nm:
            check_node(node)
        for style in self.styles:
            if style not in DESIGNED_STYLES:
                raise PriceError(
                    f"no template {style!r}", where="machine design",
                    remedy=unknown_name("templates", style, DESIGNED_STYLES),
                )
        for name, cells in (("weight_cells", self.weight_cells), ("data_cells", self.data_cells)):
            allowed: tuple[Cell, ...] = ("sram", "standard_cell", "register", "non_volatile")[: 4 - (name[0] == "d")]
            strange = [cell for cell in cells if cell not in allowed]
            if strange:
                raise PriceError(
                    f"{name} {', '.join(strange)}", where="machine design", remedy=f"Choose among {', '.join(allowed)}"
                )
        if not self.most_area_m2 > 0:
            raise PriceError(
                f"most_area_m2 {self.most_area_m2:g}", where="machine design", remedy="Give an area above zero, in m^2"
            )
        low = lowest_supply_v()
        _check("supplies_v", self.supplies_v, low, 2.0, f"V, from {low:g} (the lowest of logic) to 2", empty=True)
        _check("bank_bits", self.bank_bits, 64.0, 8 * 2.0**20, "bits, up to 1 MiB")
        _check("word_bits", self.word_bits, 1, 128, "bits, up to 128")
        for name, cells in (("rows", self.rows), ("columns", self.columns)):
            _check(name, cells, 1, 4096, "cells, up to 4096", empty=True)
        if not (self.styles and self.nodes_nm and self.weight_cells and self.data_cells and self.gated and self.clocks):
            raise PriceError(
                "a list of choices is empty", where="machine design",
                remedy="Give at least one style, node, cell of each memory, gating and clock",
            )


def _check(name: str, values: Sequence[float], low: float, high: float, text: str, *, empty: bool = False) -> None:
    if any(not low <= value <= high for value in values) or not (values or empty):
        raise PriceError(
            f"{name} {', '.join(f'{value:g}' for value in values) or 'empty'}", where="machine design",
            remedy=f"Give numbers of {text}",
        )


def machine_grids(choices: Choices, workloads: Sequence[Workload]) -> Iterator[tuple[Machine, Clock]]:
    """Return all machines as grids: one for each style, node, pair of cells, gating and clock."""
    words = product(
        choices.styles, choices.nodes_nm, choices.weight_cells, choices.data_cells, choices.gated, choices.clocks
    )
    for style, node, weight_cell, data_cell, gated, clock in words:
        rows, columns = fitted_cells(workloads, style)
        supplies = choices.supplies_v or node_supplies(node)
        axes = (
            supplies, choices.rows or rows, choices.columns or columns, _banks(choices.bank_bits, weight_cell),
            _banks(choices.bank_bits, data_cell), choices.word_bits, choices.word_bits,
        )
        if all(axes):
            one = Machine(style, node, 1.0, 1.0, 1.0, weight_cell, data_cell, KIB, KIB, 32.0, 32.0, gated)
            yield replace(one, **_spread(axes)), clock


def _spread(axes: Sequence[Sequence[float]]) -> dict[str, Number]:
    """Return each list along an axis of its own."""
    found: dict[str, Number] = {}
    for place, (name, values) in enumerate(zip(NUMBERS, axes, strict=True)):
        shape = [1] * len(axes)
        shape[place] = len(values)
        found[name] = np.asarray(values, np.float64).reshape(shape)
    return found


def _banks(bank_bits: Sequence[float], cell: Cell) -> tuple[float, ...]:
    """Return the banks of a kind of memory: SRAM from 1 KiB, the smallest swept; a register file of 256 bytes."""
    if cell == "register":
        return (KIB / 4,)
    return tuple(one for one in bank_bits if one >= KIB or cell == "standard_cell")


def node_supplies(node_nm: float) -> tuple[float, ...]:
    """Return the supplies from the lowest of logic to the node's nominal one [V]."""
    low, high = lowest_supply_v(), nominal_supply_v(node_nm)
    return tuple(round(low + step * SUPPLY_STEP_V, 3) for step in range(1 + round((high - low) / SUPPLY_STEP_V)))


def fitted_cells(
    workloads: Sequence[Workload], style: Literal[DesignedStyle]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the rows and columns that divide the products of some networks into few tiles, and a few small ones."""
    rows: set[int] = set(FEW_CELLS)
    columns: set[int] = set(FEW_CELLS)
    for workload in workloads:
        for layer in workload.layers:
            if layer.products is None:
                continue
            one = matrix_product(layer)
            along = ceil(one.positions) if style == "output_stationary" else one.reduction
            rows |= {ceil(along / tiles) for tiles in TILES}
            columns |= {ceil(one.filters / tiles) for tiles in TILES}
    if style == "input_broadcast":
        rows = set(SUMS_PER_LANE)
    if style == "event_driven":
        return (1,), EVENT_LANES
    if style == "streaming_ring":
        columns = rows
        rows = {1}
    return _thinned(rows), _thinned(columns)


def _thinned(values: set[int]) -> tuple[int, ...]:
    """Return values up to the most cells, without those within a tenth of a larger one, into which they fit."""
    found: list[int] = []
    for value in sorted((value for value in values if value <= MOST_CELLS), reverse=True):
        if not found or value < found[-1] / 1.1:
            found.append(value)
    return tuple(reversed(found))
