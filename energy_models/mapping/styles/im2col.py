"""Accesses of a matrix-product kernel on a programmable core: windows are gathered into columns, then multiplied.

A layer is `groups` products of an ``(M, K)`` input matrix with a ``(K, N)`` weight matrix. The kernel gathers two
positions at a time into a buffer of at least 16 bit an element and keeps 2 x 2 sums in registers, so that every fetched
element serves two products:

    memory          input reads    groups M K                         elements, gathered (im2col)
                    buffer         groups M K written, groups M K ceil(N/2) read
                    weight reads   weights ceil(M/2)                  elements; biases once a position
                    output writes  outputs                            elements at output width
    registers       sums           sites written, sites - outputs read; outputs read once more to leave

A layer of one position (fully connected) multiplies its input where it lies: no buffer. The energy of all of this is
in the measured power of the core; the counts are for reading, and for the words a memory must deliver.

Source: CMSIS-NN (Lai, Suda, Chandra, arXiv 1801.06601, 2018), section 3: kernel of two filters by two columns.
"""

from __future__ import annotations

from math import ceil

from energy_models.mapping.action_counts import Access, RegisterAccess, words
from energy_models.mapping.placement import WordWidths
from energy_models.mapping.styles.matrix_product import held_bits, matrix_product
from energy_models.workload import LayerWork

BLOCK = 2
"""Filters, and positions, whose sums are in registers together."""
COLUMN_BITS = 16
"""Least width of an element in the gathered columns: the multiply-accumulate takes pairs of 16 bit."""


def im2col_accesses(
    layer: LayerWork, placement: WordWidths
) -> tuple[tuple[Access, ...], tuple[RegisterAccess, ...]]:
    """Return the words and the register bits that the kernel of a layer with products moves in one decode.

    Raises
    ------
    WorkloadError
        When its products have no reduction.
    """
    if layer.products is None:
        return (), ()
    product = matrix_product(layer)
    word = placement.word_bits("activations")
    store = placement.word_bits("weights") if product.stored else word
    gathered, turns = layer.calls * product.inputs, ceil(product.filters / BLOCK)
    column_bits = max(COLUMN_BITS, layer.activation_bits)
    writes = words(layer.outputs, layer.output_bits or layer.accumulator_bits, word)
    if product.positions > 1:
        reads = words(gathered, layer.activation_bits, word) + words(gathered * turns, column_bits, word)
        writes += words(gathered, column_bits, word)
    else:
        reads = words(gathered * turns, layer.activation_bits, word)
    fetched = words(product.held, held_bits(layer, product), store) * ceil(product.positions / BLOCK)
    biases = words(layer.biases, layer.bias_bits, store) * product.positions
    held = Access("weights" if product.stored else "activations", layer.calls * (fetched + biases), 0.0)
    sites, width = layer.products.dense_valid.mean, layer.accumulator_bits
    sums = RegisterAccess("sums", (sites - min(sites, float(layer.outputs))) * width, sites * width)
    return (held, Access("activations", reads, writes)), (sums, RegisterAccess("outputs", layer.outputs * width, 0.0))
