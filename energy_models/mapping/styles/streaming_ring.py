"""Streaming unit over ring buffers: each new sample costs the new work only.

Counts of a stream hold one step: its new products, its new elements, and a ring buffer read and written as counted
(`state`). A layer makes ``made = dense_full / K`` outputs a step, each a sum of K products done P at a time by P
multipliers and an adder tree:

    cycles          = made ceil(K/P) + calls ceil(log2 P)      a step; the tree is filled once a call

    memory          new inputs     inputs read, outputs written: each element once, whatever the window's length
                    ring (state)   past taps read, each new element written once
                    weight reads   weights made/N              elements, biases alike: all of them for each position
    registers       activations    M K written (the window, once a position), read once a site
                    sums           ceil(K/P) written an output, one fewer read; outputs read once more to leave

Outputs are stored as the last activation, quantiser, norm or neuron on their stream makes them: these take no memory.
A sliding window on this machine would be its steps again: a window workload does not fit, and `place` says so.

Sources: N operations folded onto P units take ceil(N/P) cycles (Parhi, VLSI Digital Signal Processing Systems, 1999,
ch. 6); line buffers keep every element until its last use, as in the fully cached depth-first execution of DeFiNES
(Mei et al., HPCA 2023).
"""

from __future__ import annotations

from typing import Protocol

from energy_models.mapping.action_counts import Access, ActionCounts, CycleCount, RegisterAccess, words
from energy_models.mapping.placement import WordWidths
from energy_models.mapping.styles.common import other_operations, state_access, streamed_access
from energy_models.mapping.styles.matrix_product import MatrixProduct, matrix_product, product_operations
from energy_models.mapping.styles.style import RegisterPrices, Style, datapath_costs, each_layer
from energy_models.quantities import Number, ceiling, logarithm2
from energy_models.workload import LayerWork, Workload


class Multipliers(Protocol):
    """Multipliers over one adder tree: of a profile, or very many of them at once."""

    @property
    def multipliers(self) -> Number:
        """Products made side by side."""
        ...


def streaming_ring_cycles(reduction: int, made: float, calls: int, multipliers: Number) -> Number:
    """Return the cycles of one step that makes `made` outputs of `reduction` products each."""
    return made * ceiling(reduction / multipliers) + calls * ceiling(logarithm2(multipliers))


def count_layer(layer: LayerWork, unit: Multipliers, placement: WordWidths) -> ActionCounts:
    """Return what the unit does for one layer in one step.

    Raises
    ------
    WorkloadError
        When an operation of the layer has no operand width, or its products have no reduction.
    """
    operations = list(other_operations(layer))
    cycles = sum((ceiling(operation.count / unit.multipliers) for operation in operations), 0.0)
    accesses = list(state_access(layer, placement))
    registers: tuple[RegisterAccess, ...] = ()
    if layer.products is None:
        accesses += streamed_access(layer, placement)
    else:
        product = matrix_product(layer)
        made = layer.products.dense_full.mean / product.reduction
        sites = layer.products.dense_valid.mean
        operations += product_operations(layer, sites)
        accesses += _memory(layer, product, made, placement)
        cycles = cycles + streaming_ring_cycles(product.reduction, made, layer.calls, unit.multipliers)
        registers = _registers(layer, product, made, sites, unit)
    return ActionCounts(
        layer.name, layer.kind, layer.cadence, tuple(operations), tuple(accesses), (), (CycleCount("", cycles),),
        registers=registers,
    )


def _positions(product: MatrixProduct, made: float) -> float:
    """Return the positions at which all filters of all groups are applied."""
    return made / (product.groups * product.filters)


def _memory(layer: LayerWork, product: MatrixProduct, made: float, placement: WordWidths) -> tuple[Access, ...]:
    word = placement.word_bits("activations")
    reads = words(layer.inputs, layer.activation_bits, word)
    writes = words(layer.outputs, layer.output_bits or layer.accumulator_bits, word)
    new = Access("activations", reads, writes)
    positions = _positions(product, made)
    if not product.stored:
        return (Access("activations", positions * words(product.held, layer.activation_bits, word), 0.0), new)
    store = placement.word_bits("weights")
    held = words(layer.weights, layer.weight_bits, store) + words(layer.biases, layer.bias_bits, store)
    return (Access("weights", positions * held, 0.0), new)


def _registers(
    layer: LayerWork, product: MatrixProduct, made: float, sites: float, unit: Multipliers
) -> tuple[RegisterAccess, ...]:
    window = _positions(product, made) * product.groups * product.reduction * layer.activation_bits
    turns, width = ceiling(product.reduction / unit.multipliers), layer.accumulator_bits
    return (
        RegisterAccess("activations", sites * layer.activation_bits, window),
        RegisterAccess("sums", made * (turns - 1) * width, made * turns * width),
        RegisterAccess("outputs", made * width, 0.0),
    )


def _refuses(workload: Workload) -> tuple[str, ...]:
    if workload.mode == "stream":
        return ()
    return (
        f"takes one new step a decode, workload {workload.name!r} a window of {workload.steps_per_decode}: "
        "count it with mode='stream', or use a machine of another style",
    )


STREAMING_RING = Style(
    name="streaming_ring",
    count=each_layer(count_layer),
    refuses=_refuses,
    operation_costs=datapath_costs,
    registers=RegisterPrices(),
)
