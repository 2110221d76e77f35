"""What all execution styles count alike: operations outside products, neuron state, streamed elements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from energy_models.hardware import OperationName
from energy_models.mapping.action_counts import Access, Operations, operand_widths, words
from energy_models.mapping.placement import WordWidths
from energy_models.mapping.styles.passes import STREAMED_KINDS
from energy_models.workload import LayerWork

# Work on a neuron's or a unit's kept state.
STATE_OPERATIONS = frozenset({"leak", "leak_shift", "reset"})
# What machines have no unit of their own for: a shift by a constant is wiring, what remains is the subtraction.
DONE_AS: Mapping[str, OperationName] = {"leak_shift": "add"}


def other_operations(layer: LayerWork) -> tuple[Operations, ...]:
    """Return the layer's operations outside products, per decode.

    Raises
    ------
    WorkloadError
        When an operation has no operand width.
    """
    found: list[Operations] = []
    for text, count in layer.operations.items():
        if count.total == 0:
            continue
        name = DONE_AS.get(text) or cast(OperationName, text)
        widths = operand_widths(layer, name)
        cause = "state" if text in STATE_OPERATIONS or layer.kind == "neuron" else "compute"
        found.append(Operations(name, layer.arithmetic, widths, count.mean, cause))
    return tuple(found)


def state_access(layer: LayerWork, placement: WordWidths) -> tuple[Access, ...]:
    """Return the words of kept state read and written per decode."""
    if layer.state_reads == 0 and layer.state_writes == 0:
        return ()
    word = placement.word_bits("state")
    bits = layer.state_bits
    return (Access("state", words(layer.state_reads, bits, word), words(layer.state_writes, bits, word)),)


def streamed_access(layer: LayerWork, placement: WordWidths) -> tuple[Access, ...]:
    """Return the words that a layer without products reads and writes: constants each call, inputs and outputs once.

    None is fetched or stored for the inputs and outputs of a layer that works on another one's stream.
    """
    coefficients: tuple[Access, ...] = ()
    if layer.weights or layer.biases:
        word = placement.word_bits("weights")
        loads = words(layer.weights, layer.weight_bits, word) + words(layer.biases, layer.bias_bits, word)
        coefficients = (Access("weights", layer.calls * loads, 0.0),)
    if layer.kind in STREAMED_KINDS:
        return coefficients
    word = placement.word_bits("activations")
    reads = words(layer.inputs, layer.activation_bits or layer.output_bits, word)
    writes = words(layer.outputs, layer.output_bits or layer.activation_bits, word)
    return (*coefficients, Access("activations", reads, writes))
