"""The networks on which models are compared, without torch: two counted and stored, one spiking, written down."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from energy_models.workload import Workload, at_widths, neuron_layer, read_workload, synapse_layer

STEPS, INPUTS, HIDDEN, OUTPUTS = 100, 22, 32, 4
INPUT_SPIKES, HIDDEN_SPIKES = 1100, 1600
"""Spikes of one decode: every second input and every second hidden neuron in each step, 2,700 messages."""


def stored_path(name: str) -> Path:
    """Return the file of a stored workload; ``cosim workload NAME --json FILE`` makes it."""
    return Path(str(files("energy_models.data"))) / "workloads" / f"{name}.json"


def eegnet_int8() -> Workload:
    """Return EEGNet-8,2 on 22 channels and 1000 samples in the textbook's order, W8A8."""
    return at_widths(read_workload(stored_path("eegnet_8_2")), weight_bits=8, activation_bits=8)


def snn_22_32_4() -> Workload:
    """Return a spiking 22-32-4 network over 100 steps: 41,600 synaptic events, 3,600 neuron updates.

    1,100 input spikes reach 32 neurons each, 1,600 hidden ones 4: ``1100 x 32 + 1600 x 4 = 41600``. Every neuron gets
    input in every step; the four outputs are read, they do not spike.
    """
    layers = (
        synapse_layer("hidden", INPUTS, HIDDEN, spikes=INPUT_SPIKES, steps=STEPS),
        neuron_layer("hidden.neurons", HIDDEN, spikes=HIDDEN_SPIKES, steps=STEPS),
        synapse_layer("output", HIDDEN, OUTPUTS, spikes=HIDDEN_SPIKES, steps=STEPS),
        neuron_layer("output.neurons", OUTPUTS, spikes=0, steps=STEPS),
    )
    return Workload("snn_22_32_4", "window", 1, STEPS, INPUTS, 100.0, 1, layers)
