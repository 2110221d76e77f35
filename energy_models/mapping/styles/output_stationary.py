"""Output-stationary systolic array: each cell keeps one unfinished sum, both operands stream past it.

A layer is `groups` products of an ``(M, K)`` input matrix with a ``(K, N)`` weight matrix. Positions M lie over the R
rows, filters N over the C columns. In a tile the cell (r, c) does its k-th product in cycle r + c + k, so

    cycles          = groups ceil(M/R) ceil(N/C) (K + R + C - 2)      per call

    memory          input reads    groups M K ceil(N/C)               elements
                    weight reads   weights ceil(M/R)                  elements, biases alike
                    output writes  outputs                            elements at output width; never a partial sum
    registers       activations    one write and one read a site      passed on from cell to cell
                    weights        one write and one read a site
                    sums           sites written, sites - outputs read; outputs read once more to leave

Outputs are stored as the last activation, quantiser, norm or neuron on their stream makes them: these take no memory.

With one tile (M <= R, N <= C) every operand is fetched once: reads are unique elements. Every valid product is charged
(``dense_valid``), zeros included; there is no zero gating.

Sources: SCALE-Sim (Samajdar et al., ISPASS 2020). Its simulator prints the index of the last cycle, one less in all
than this count; its analytical model, ``2R + C + K - 2`` a tile, adds R cycles in which finished sums leave. Here they
leave under the next tile. Sum reads as counted by Timeloop (Parashar et al., ISPASS 2019): the first product
of an output reads no sum.
"""

from __future__ import annotations

from energy_models.mapping.action_counts import Access, ActionCounts, CycleCount, RegisterAccess, words
from energy_models.mapping.placement import WordWidths
from energy_models.mapping.styles.common import other_operations, state_access, streamed_access
from energy_models.mapping.styles.matrix_product import MatrixProduct, held_bits, matrix_product, product_operations
from energy_models.mapping.styles.style import RegisterPrices, Style, datapath_costs, each_layer
from energy_models.mapping.styles.weight_stationary import CellArray
from energy_models.quantities import Number, ceiling, smaller
from energy_models.workload import LayerWork


def output_stationary_cycles(product: MatrixProduct, rows: Number, columns: Number) -> Number:
    """Return the cycles of one call on an array of `rows` x `columns` cells."""
    tiles = ceiling(product.positions / rows) * ceiling(product.filters / columns)
    return product.groups * tiles * (product.reduction + rows + columns - 2)


def count_layer(layer: LayerWork, array: CellArray, placement: WordWidths) -> ActionCounts:
    """Return what the array does for one layer in one decode.

    Raises
    ------
    WorkloadError
        When an operation of the layer has no operand width, or its products have no reduction.
    """
    operations = list(other_operations(layer))
    cycles = sum((ceiling(operation.count / array.columns) for operation in operations), 0.0)
    accesses = list(state_access(layer, placement))
    if layer.products is None:
        accesses += streamed_access(layer, placement)
        found = (tuple(operations), tuple(accesses), (), _cycles(cycles))
        return ActionCounts(layer.name, layer.kind, layer.cadence, *found)
    product = matrix_product(layer)
    sites = layer.products.dense_valid.mean
    operations += product_operations(layer, sites)
    accesses += _memory(layer, product, array, placement)
    cycles = cycles + layer.calls * output_stationary_cycles(product, array.rows, array.columns)
    return ActionCounts(
        layer.name, layer.kind, layer.cadence, tuple(operations), tuple(accesses), (), _cycles(cycles),
        registers=_registers(layer, product, sites),
    )


def _cycles(count: Number) -> tuple[CycleCount, ...]:
    return (CycleCount("", count),)


def _memory(
    layer: LayerWork, product: MatrixProduct, array: CellArray, placement: WordWidths
) -> tuple[Access, ...]:
    word = placement.word_bits("activations")
    row_tiles = ceiling(product.positions / array.rows)
    column_tiles = ceiling(product.filters / array.columns)
    inputs = words(layer.calls * product.inputs * column_tiles, layer.activation_bits, word)
    outputs = words(layer.outputs, layer.output_bits or layer.accumulator_bits, word)
    streams = Access("activations", inputs, outputs)
    if not product.stored:
        held = words(product.held, layer.activation_bits, word)
        return (Access("activations", layer.calls * row_tiles * held, 0.0), streams)
    store = placement.word_bits("weights")
    held = words(layer.weights, layer.weight_bits, store) + words(layer.biases, layer.bias_bits, store)
    return (Access("weights", layer.calls * row_tiles * held, 0.0), streams)


def _registers(layer: LayerWork, product: MatrixProduct, sites: float) -> tuple[RegisterAccess, ...]:
    passed, held = sites * layer.activation_bits, sites * held_bits(layer, product)
    width = layer.accumulator_bits
    first = smaller(sites, float(layer.outputs))
    return (
        RegisterAccess("activations", passed, passed),
        RegisterAccess("weights", held, held),
        RegisterAccess("sums", (sites - first) * width, sites * width),
        RegisterAccess("outputs", layer.outputs * width, 0.0),
    )


OUTPUT_STATIONARY = Style(
    name="output_stationary",
    count=each_layer(count_layer),
    operation_costs=datapath_costs,
    registers=RegisterPrices(),
)
