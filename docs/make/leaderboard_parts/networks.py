"""The workload of each decoder in 8-bit integers: dense networks at density 1, spiking ones at published activity."""

from __future__ import annotations

import dataclasses
from functools import cache

import torch

from energy_models.workload import (
    Conventions,
    Count,
    LayerWork,
    Products,
    Workload,
    assume_dense,
    at_widths,
    neuron_layer,
    synapse_layer,
    tile_over_decodes,
)
from leaderboard_parts.entries import Decoder, Student
from students.architectures import architecture_workload
from students.counting import observe
from students.models.build import build
from students.spec import Shape, StudentSpec

BITS = 8
STEPS, WARM_UP, RATE_HZ, SEED = 70, 48, 250.0, 3
SHARE = 0.0575
"""Share of channels and bins with a spike: 276 accumulates of SNN2 over its 50 synapses an input and 96 channels."""
DECODES = 1000


def workload_of(decoder: Decoder) -> Workload | None:
    """Return what a decoder does in one decode; None where its network is not known."""
    if decoder.architecture:
        return at_widths(_architecture(decoder.architecture), weight_bits=BITS, activation_bits=BITS)
    if decoder.student is not None:
        found = _observed(decoder.student, decoder.name)
    elif decoder.synapses:
        found = _synapses(decoder)
    else:
        return None
    spiking = any(layer.updates_active is not None for layer in found.layers)
    return _active(found, decoder) if spiking else assume_dense(found)


@cache
def _architecture(name: str) -> Workload:
    return architecture_workload(name)


def _observed(student: Student, name: str) -> Workload:
    """Return the work of an untrained network on made-up spikes, in integers."""
    shape = Shape(
        task="regression", channels=student.channels, steps=STEPS, outputs=student.outputs, step_rate_hz=RATE_HZ
    )
    network = build(StudentSpec(family=student.family, options=student.options, shape=shape, seed=0)).eval()
    chance = torch.rand(2, student.channels, STEPS, generator=torch.Generator().manual_seed(SEED))
    found = observe(
        network, (chance < SHARE).float(), name=name, mode="stream", step_rate_hz=RATE_HZ, input_bits=BITS,
        warm_up_steps=WARM_UP,
    )
    floats = [_as_float(layer) for layer in found.layers if layer.arithmetic == "float" or layer.weights]
    narrow = at_widths(found.replace(layers=tuple(floats), warm_up=()), weight_bits=BITS, activation_bits=BITS)
    named = {layer.name: layer for layer in narrow.layers}
    layers = tuple(named.get(layer.name, layer) for layer in found.layers)
    return narrow.replace(layers=layers, warm_up=(), products=None)


def _as_float(layer: LayerWork) -> LayerWork:
    """Return a layer with weights in floating point, also where its inputs were whole numbers."""
    return dataclasses.replace(layer, arithmetic="float")


def _synapses(decoder: Decoder) -> Workload:
    layers: list[LayerWork] = []
    for place, (inputs, outputs) in enumerate(decoder.synapses, 1):
        name = f"layer{place}"
        layers += [
            synapse_layer(name, inputs, outputs, spikes=0, steps=1),
            neuron_layer(f"{name}.neurons", outputs, spikes=0, steps=1),
        ]
    tiled = tuple(tile_over_decodes(layer, DECODES) for layer in layers)
    return Workload(decoder.name, "stream", DECODES, 1, decoder.synapses[0][0], RATE_HZ, 1, tiled)


def _active(workload: Workload, decoder: Decoder) -> Workload:
    """Return the workload with the published spikes in place of those of untrained weights."""
    layers = tuple(
        _with_spikes(layer, decoder.spikes[layer.name], decoder.kept, workload.decodes)
        if layer.name in decoder.spikes else layer
        for layer in workload.layers
    )
    if missing := set(decoder.spikes) - {layer.name for layer in workload.layers}:
        raise ValueError(f"{decoder.name} has no layers {', '.join(sorted(missing))}")
    return workload.replace(layers=layers, provenance={**workload.provenance, "activity": decoder.spikes_from})


def _with_spikes(layer: LayerWork, spikes: float, kept: float, decodes: int) -> LayerWork:
    total = round(spikes * decodes)
    events = _spread(total, decodes)
    if layer.kind == "neuron":
        resets = {name: events if name == "reset" else count for name, count in layer.operations.items()}
        return dataclasses.replace(layer, output_events=events, operations=resets)
    if layer.products is None:
        raise ValueError(f"{layer.name} has no synapses")
    reached = layer.products.dense_full.total // decodes // layer.inputs
    none = Count.constant(0, decodes)
    live, left = (Products(none, _spread(round(total * reached * share), decodes)) for share in (1.0, kept))
    dense = layer.products
    return dataclasses.replace(
        layer, products=Conventions(dense.dense_full, dense.dense_valid, live, left), input_events=events,
        weights_nonzero=round(layer.weights * kept),
    )


def _spread(total: int, decodes: int) -> Count:
    """Return a sum over decodes, as even from decode to decode as whole numbers allow."""
    each, rest = divmod(total, decodes)
    return Count(total, (decodes - rest) * each**2 + rest * (each + 1) ** 2, decodes)
