"""What a float network would do in integers: the same work with assumed operand widths."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import ceil, log2

from energy_models.errors import WorkloadError
from energy_models.workload.count import Count
from energy_models.workload.layers import LayerWork, Workload

INPUT_BITS = 8
"""Width of samples where no form names one [bits], also of a network that is narrower."""
MOST_BITS = 32
"""Widest integer that can be assumed [bits]: wider ones have no price anywhere."""
PREPROCESSING = ("filter", "feature")


def at_widths(workload: Workload, *, weight_bits: int, activation_bits: int) -> Workload:
    """Return the workload as integer arithmetic of these widths; ``provenance["widths"]`` says that they are assumed.

    Sums are as wide as their range, ``weight_bits + activation_bits + ceil(log2(reduction))``, biases as wide as the
    sums, and every output of a layer with products is requantised once, unless it is the current of spiking neurons:
    that is added to a membrane as it is. Membranes keep their width, and a signal that is narrower already, such as
    spikes, stays so. A product of two signals takes activations on either side. Zeros are those of the float network.
    Preprocessing that is integer already keeps its widths. Samples lie in their window at `INPUT_BITS`, or
    `activation_bits` where that is more, and never wider than they were recorded: a narrow network has its own copy.

    Raises
    ------
    WorkloadError
        Widths below one bit or above `MOST_BITS`, or a layer of the network that is integer already.
    """
    if not 1 <= min(weight_bits, activation_bits) <= max(weight_bits, activation_bits) <= MOST_BITS:
        raise WorkloadError(
            f"widths of {weight_bits} bits (weights) and {activation_bits} bits (activations)", where=workload.name,
            remedy=f"Give whole numbers from 1 to {MOST_BITS}",
        )
    currents = _currents(workload.layers)
    layers = tuple(
        layer if layer.kind in PREPROCESSING and layer.arithmetic == "integer"
        else _neurons(layer) if layer.kind == "neuron"
        else _integer(layer, weight_bits, activation_bits, workload, is_current=layer.name in currents)
        for layer in workload.layers
    )
    text = f"assumed W{weight_bits}A{activation_bits}: not quantised, not trained"
    return workload.replace(
        layers=layers, input_bits=min(max(activation_bits, INPUT_BITS), workload.input_bits),
        provenance={**workload.provenance, "widths": text}
    )


def _currents(layers: Sequence[LayerWork]) -> frozenset[str]:
    """Return the layers whose products spiking neurons add up: those right before neurons, and recurrent weights."""
    found: set[str] = set()
    for before, neurons in pairwise(layers):
        if neurons.kind == "neuron" and before.outputs == neurons.inputs:
            found.add(before.name)
    names = {layer.name for layer in layers}
    found |= {f"{layer.name}.recurrent" for layer in layers if layer.kind == "neuron"} & names
    return frozenset(found)


def _neurons(layer: LayerWork) -> LayerWork:
    """Return spiking neurons in fixed point, their membranes as wide as they are simulated."""
    return dataclasses.replace(layer, arithmetic="integer")


def _integer(
    layer: LayerWork, weight_bits: int, activation_bits: int, workload: Workload, *, is_current: bool
) -> LayerWork:
    if layer.arithmetic != "float":
        raise WorkloadError(
            "the layer is integer already", where=f"{workload.name}, layer {layer.name}", remedy="Keep its own widths"
        )
    narrow = min(activation_bits, layer.activation_bits)
    second = weight_bits if layer.weights else narrow
    holds = layer.products is not None
    sums = second + narrow + ceil(log2(max(layer.reduction, 1))) if holds else 0
    operations: Mapping[str, Count] = layer.operations
    if holds and not is_current:
        operations = {**operations, "requantise": Count.constant(layer.outputs, workload.decodes)}
    return dataclasses.replace(
        layer,
        arithmetic="integer",
        operations=operations,
        weight_bits=weight_bits if layer.weights else 0,
        activation_bits=narrow,
        output_bits=sums if holds and is_current else min(activation_bits, layer.output_bits or activation_bits),
        accumulator_bits=sums,
        bias_bits=(sums or 2 * activation_bits) if layer.biases else 0,
        state_bits=activation_bits if layer.state_bits else 0,
    )
