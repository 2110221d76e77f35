"""Weight-stationary array beside its memories, after SCALE-Sim's closed form.

A layer is `groups` products of an ``(M, K)`` input matrix with a ``(K, N)`` weight matrix: M output positions,
K products per output, N filters. Weights are loaded tile by tile of R rows and C columns and stay while all M
positions stream past:

    cycles = groups ceil(K/R) ceil(N/C) (2R + M + C - 2)      per call
    weight words   = ceil(weights bits / word)                per call
    input reads    = M K ceil(N/C) groups                     elements
    partial sums   = outputs (ceil(K/R) - 1)                  elements, written and read at accumulator width
    outputs        = outputs                                  elements, written at output width
    registers      activations  one write and one read a site, passed on from cell to cell
                   weights      each loaded once a call, read once a site
                   sums         sites written, sites - outputs ceil(K/R) read: the first row of a tile reads none,
                                or the partial sum from memory; outputs ceil(K/R) read once more to leave

Outputs are stored as the last activation, quantiser, norm or neuron on their stream makes them: these take no memory.
Unfinished sums lie there at accumulator width, for one tile of columns over all positions, where K takes several tiles.

There is no zero gating: every valid product is charged (``dense_valid``). Register accesses are counted, not priced:
the energy of the cells' registers is in the control factor.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Protocol

from energy_models.mapping.action_counts import Access, ActionCounts, CycleCount, RegisterAccess, words
from energy_models.mapping.placement import WordWidths
from energy_models.mapping.styles.common import other_operations, state_access, streamed_access
from energy_models.mapping.styles.matrix_product import matrix_product, product_operations, reduction_of
from energy_models.mapping.styles.style import Style, datapath_costs, each_layer
from energy_models.quantities import Number, ceiling, smaller, where_at_most
from energy_models.workload import LayerWork


class CellArray(Protocol):
    """An array of cells: of a profile, or very many of them at once."""

    @property
    def rows(self) -> Number:
        """Cells along the products of an output."""
        ...

    @property
    def columns(self) -> Number:
        """Cells along the filters."""
        ...


@dataclass(frozen=True, slots=True)
class Tiling:
    """The matrix product of one layer on one array; `positions` is per call."""

    groups: int
    positions: float
    reduction: int
    row_tiles: Number
    column_tiles: Number
    stationary: int


def tiling(layer: LayerWork, rows: Number, columns: Number) -> Tiling:
    """Return how a layer with products divides into tiles of `rows` x `columns` weights."""
    one = matrix_product(layer)
    row_tiles, column_tiles = ceiling(one.reduction / rows), ceiling(one.filters / columns)
    return Tiling(one.groups, one.positions, one.reduction, row_tiles, column_tiles, one.held)


def count_layer(layer: LayerWork, array: CellArray, placement: WordWidths) -> ActionCounts:
    """Return what the array does for one layer in one decode.

    Raises
    ------
    WorkloadError
        When an operation of the layer has no operand width.
    """
    operations = list(other_operations(layer))
    vector_cycles = sum((ceiling(operation.count / array.columns) for operation in operations), 0.0)
    if layer.products is None:
        accesses = (*streamed_access(layer, placement), *state_access(layer, placement))
        cycles = (CycleCount("", vector_cycles),)
        return ActionCounts(layer.name, layer.kind, layer.cadence, tuple(operations), accesses, (), cycles)
    tiles = tiling(layer, array.rows, array.columns)
    sites = layer.products.dense_valid.mean
    operations += product_operations(layer, sites)
    product_cycles = (
        layer.calls * tiles.groups * tiles.row_tiles * tiles.column_tiles
        * (2 * array.rows + tiles.positions + array.columns - 2)
    )
    accesses = (*_product_access(layer, tiles, placement), *state_access(layer, placement))
    cycles = (CycleCount("", product_cycles + vector_cycles),)
    return ActionCounts(
        layer.name, layer.kind, layer.cadence, tuple(operations), accesses, (), cycles,
        registers=_registers(layer, tiles, sites),
    )


def _registers(layer: LayerWork, tiles: Tiling, sites: float) -> tuple[RegisterAccess, ...]:
    moved, width = sites * layer.activation_bits, layer.accumulator_bits
    held_bits = layer.weight_bits if layer.weights >= layer.reduction else layer.activation_bits
    leaving = smaller(sites, layer.outputs * tiles.row_tiles)
    return (
        RegisterAccess("activations", moved, moved),
        RegisterAccess("weights", sites * held_bits, layer.calls * tiles.stationary * held_bits),
        RegisterAccess("sums", (sites - leaving) * width, sites * width),
        RegisterAccess("outputs", leaving * width, 0.0),
    )


def _product_access(layer: LayerWork, tiles: Tiling, placement: WordWidths) -> tuple[Access, ...]:
    """Return the words a layer with products reads and writes in one decode."""
    weight_word, word = placement.word_bits("weights"), placement.word_bits("activations")
    inputs = tiles.groups * tiles.positions * layer.calls * tiles.reduction * tiles.column_tiles
    passes = tiles.row_tiles - 1
    partial = passes * words(layer.outputs, layer.accumulator_bits, word)
    streams = Access(
        "activations",
        words(inputs, layer.activation_bits, word) + partial,
        words(layer.outputs, layer.output_bits or layer.accumulator_bits, word) + partial,
    )
    if layer.weights < layer.reduction:
        held = Access("activations", layer.calls * words(tiles.stationary, layer.activation_bits, word), 0.0)
    else:
        loads = words(layer.weights, layer.weight_bits, weight_word) + words(layer.biases, layer.bias_bits, weight_word)
        held = Access("weights", layer.calls * loads, 0.0)
    return (held, streams)


def _sums_in_memory(layer: LayerWork, array: CellArray) -> Number:
    """Return the unfinished sums of one call that are in memory at once.

    The array finishes one tile of columns before the next, over all positions, and keeps sums only where the products
    of an output need several tiles of rows.
    """
    filters = layer.weights // reduction_of(layer) or layer.output_shape[-1]
    groups = layer.input_shape[0] if layer.kind == "depthwise" and layer.input_shape else 1
    kept = ceiling(prod(layer.output_shape) * smaller(smaller(1.0, array.columns / filters), 1.0 / groups))
    return where_at_most(layer.reduction, array.rows, 0.0, kept)


WEIGHT_STATIONARY = Style(
    name="weight_stationary_array",
    count=each_layer(count_layer),
    sums_in_memory=_sums_in_memory,
    operation_costs=datapath_costs,
)
