"""Spiking networks at assumed widths: currents meet membranes as they are, and spikes stay one bit."""

from __future__ import annotations

import dataclasses

import pytest

from energy_models.hardware import load_profile
from energy_models.mapping.placing import required_bits
from energy_models.pricing import estimate
from energy_models.workload import LayerWork, Workload, at_widths, dense_layer, neuron_layer, synapse_layer


def as_float(layer: LayerWork) -> LayerWork:
    wide = {"state_bits": 32} if layer.kind == "neuron" else {"weight_bits": 32, "output_bits": 32}
    return dataclasses.replace(layer, arithmetic="float", **wide)


def spiking() -> Workload:
    """Return 100 spiking inputs, 6 recurrent neurons and a read-out of 3, as a float network is counted."""
    layers = (
        synapse_layer("fc1", 100, 6, spikes=20, steps=2),
        neuron_layer("l1", 6, spikes=4, steps=2),
        synapse_layer("l1.recurrent", 6, 6, spikes=4, steps=2),
        dataclasses.replace(dense_layer("read", 12, 3, activation_bits=1), operations={}),
    )
    return Workload("snn", "window", 1, 2, 100, 100.0, 1, tuple(as_float(layer) for layer in layers))


def test_currents_are_not_requantised_and_spikes_stay_one_bit() -> None:
    found = {layer.name: layer for layer in at_widths(spiking(), weight_bits=8, activation_bits=8).layers}
    for name, reduction_bits in (("fc1", 7), ("l1.recurrent", 3)):  # ceil(log2 100), ceil(log2 6)
        layer = found[name]
        assert (layer.weight_bits, layer.activation_bits) == (8, 1)
        assert layer.accumulator_bits == layer.output_bits == 8 + 1 + reduction_bits
        assert "requantise" not in layer.operations
    assert found["read"].operations["requantise"].mean == 3
    assert found["read"].activation_bits == 1
    neurons = found["l1"]
    assert (neurons.arithmetic, neurons.state_bits, neurons.output_bits) == ("integer", 32, 1)
    assert neurons.operations == spiking().layers[1].operations


def test_a_layer_of_another_size_before_neurons_is_requantised() -> None:
    first = dataclasses.replace(spiking().layers[0], outputs=24)  # pooled on the way
    found = at_widths(spiking().replace(layers=(first, *spiking().layers[1:])), weight_bits=8, activation_bits=8)
    assert found.layers[0].operations["requantise"].mean == 24


@pytest.mark.parametrize("profile", ["loihi", "odin_reckon", "xylo", "event_core_28nm", "asic65_near_memory"])
def test_spiking_layers_have_a_price_on_machines_for_them(profile: str) -> None:
    layers = spiking().layers[:2]
    found = at_widths(spiking().replace(layers=layers), weight_bits=8, activation_bits=8)
    assert estimate(found, load_profile(profile), None, decode_rate_hz=10).unaccounted == ()


@pytest.mark.parametrize(("bits", "samples"), [(1, 8), (4, 8), (8, 8), (10, 10), (16, 12)])
def test_the_window_of_a_narrow_network_keeps_the_width_of_its_samples(bits: int, samples: int) -> None:
    # 10 steps of 16 channels, recorded at 12 bit
    layers = (dense_layer("first", 160, 20, activation_bits=32), dense_layer("last", 20, 4, activation_bits=32))
    net = Workload("net", "window", 1, 10, 16, 100.0, 12, tuple(as_float(layer) for layer in layers))
    found = at_widths(net, weight_bits=bits, activation_bits=bits)
    needs = required_bits(found, load_profile("asic65_near_memory").execution)
    assert found.input_bits == samples
    assert found.layers[0].activation_bits == bits
    assert needs["buffers"] == 160 * samples
    # a copy at the width of the network beside it, where that is another one
    copied = 0 if bits == samples else 160 * bits
    assert needs["activations"] >= copied
