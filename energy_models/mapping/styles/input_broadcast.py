"""Input-broadcast SIMD unit: one activation goes to all L lanes, each lane multiplies it with its own weight.

A layer is `groups` products of an ``(M, K)`` input matrix with a ``(K, N)`` weight matrix. A position's N sums lie in
the lanes, S in each. With ``T = ceil(N/L)`` vectors of filters and ``P = ceil(T/S)`` passes over the inputs,

    uses            = sites / N                           valid input elements of all positions, padding skipped
    cycles          = uses T + groups M T                 per decode: one a broadcast, one to write a vector of sums

    memory          input reads    uses P                 elements: read once where the lanes hold all sums
                    weight reads   weights M              elements, biases alike; packed in order of use
                    output writes  outputs                elements at output width; never a partial sum
    registers       activations    uses P written, uses T read: one read serves L lanes
                    sums           sites written, sites - outputs read; outputs read once more to leave

The input is stationary: it stays in its register for all of a pass's filters. Weights are not reused
from one position to the next; a layer of few filters a group (depthwise) leaves lanes empty.
Every valid product is charged, zeros included. Outputs are stored as the last activation, quantiser, norm or neuron
on their stream makes them: these take no memory.

Sources: sum reads as counted by Timeloop (Parashar et al., ISPASS 2019): the first product of an output reads no sum.
The rest follows from the loop order, which a test runs.
"""

from __future__ import annotations

from typing import Protocol

from energy_models.mapping.action_counts import Access, ActionCounts, CycleCount, RegisterAccess, words
from energy_models.mapping.placement import WordWidths
from energy_models.mapping.styles.common import other_operations, state_access, streamed_access
from energy_models.mapping.styles.matrix_product import MatrixProduct, held_bits, matrix_product, product_operations
from energy_models.mapping.styles.style import RegisterPrices, Style, datapath_costs, each_layer
from energy_models.quantities import Number, ceiling, smaller
from energy_models.workload import LayerWork


class Lanes(Protocol):
    """Lanes that take the same activation: of a profile, or very many of them at once."""

    @property
    def lanes(self) -> Number:
        """Lanes that a broadcast reaches."""
        ...

    @property
    def sums_per_lane(self) -> Number:
        """Unfinished sums that a lane holds."""
        ...


def input_broadcast_cycles(product: MatrixProduct, uses: float, lanes: Number) -> Number:
    """Return the cycles in which `uses` broadcasts and the writing of all sums of one call are done."""
    return (uses + product.groups * product.positions) * ceiling(product.filters / lanes)


def count_layer(layer: LayerWork, unit: Lanes, placement: WordWidths) -> ActionCounts:
    """Return what the unit does for one layer in one decode.

    Raises
    ------
    WorkloadError
        When an operation of the layer has no operand width, or its products have no reduction.
    """
    operations = list(other_operations(layer))
    cycles = sum((ceiling(operation.count / unit.lanes) for operation in operations), 0.0)
    accesses = list(state_access(layer, placement))
    registers: tuple[RegisterAccess, ...] = ()
    if layer.products is None:
        accesses += streamed_access(layer, placement)
    else:
        product = matrix_product(layer)
        sites = layer.products.dense_valid.mean
        uses = sites / product.filters
        operations += product_operations(layer, sites)
        accesses += _memory(layer, product, uses, unit, placement)
        cycles = cycles + layer.calls * input_broadcast_cycles(product, uses / layer.calls, unit.lanes)
        registers = _registers(layer, product, sites, unit)
    return ActionCounts(
        layer.name, layer.kind, layer.cadence, tuple(operations), tuple(accesses), (), (CycleCount("", cycles),),
        registers=registers,
    )


def _passes(product: MatrixProduct, unit: Lanes) -> Number:
    return ceiling(product.filters / (unit.lanes * unit.sums_per_lane))


def _memory(
    layer: LayerWork, product: MatrixProduct, uses: float, unit: Lanes, placement: WordWidths
) -> tuple[Access, ...]:
    word = placement.word_bits("activations")
    store = placement.word_bits("weights") if product.stored else word
    each = words(product.held, held_bits(layer, product), store) + words(layer.biases, layer.bias_bits, store)
    held = Access("weights" if product.stored else "activations", layer.calls * product.positions * each, 0.0)
    inputs = words(uses * _passes(product, unit), layer.activation_bits, word)
    outputs = words(layer.outputs, layer.output_bits or layer.accumulator_bits, word)
    return (held, Access("activations", inputs, outputs))


def _registers(
    layer: LayerWork, product: MatrixProduct, sites: float, unit: Lanes
) -> tuple[RegisterAccess, ...]:
    uses, width = sites / product.filters, layer.accumulator_bits
    read = uses * ceiling(product.filters / unit.lanes) * layer.activation_bits
    first = smaller(sites, float(layer.outputs))
    return (
        RegisterAccess("activations", read, uses * _passes(product, unit) * layer.activation_bits),
        RegisterAccess("sums", (sites - first) * width, sites * width),
        RegisterAccess("outputs", layer.outputs * width, 0.0),
    )


INPUT_BROADCAST = Style(
    name="input_broadcast",
    count=each_layer(count_layer),
    operation_costs=datapath_costs,
    registers=RegisterPrices(),
)
