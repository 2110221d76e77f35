"""The networks on which accounts are compared, without torch: two counted and stored, one spiking worked by hand."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from energy_models.widths import at_widths
from energy_models.workload import Conventions, Count, LayerWork, Products, Workload
from energy_models.workload_io import read_workload

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
        _synapses("hidden", INPUTS, HIDDEN, INPUT_SPIKES), _neurons("hidden.neurons", HIDDEN, HIDDEN_SPIKES),
        _synapses("output", HIDDEN, OUTPUTS, HIDDEN_SPIKES), _neurons("output.neurons", OUTPUTS, 0),
    )
    return Workload("snn_22_32_4", "window", 1, STEPS, INPUTS, 100.0, 1, layers)


def _synapses(name: str, inputs: int, outputs: int, spikes: int) -> LayerWork:
    none = Count(0, 0, 1)
    dense = Products(none, Count.constant(inputs * outputs * STEPS, 1))
    live = Products(none, Count.constant(spikes * outputs, 1))
    return LayerWork(
        name, "linear", "integer", STEPS, (inputs,), (outputs,), inputs * STEPS, outputs * STEPS, inputs,
        Conventions(dense, dense, live, live), weights=inputs * outputs, weights_nonzero=inputs * outputs,
        weights_key=name, weight_bits=8, activation_bits=1, output_bits=16, accumulator_bits=16,
        input_events=Count.constant(spikes, 1),
    )


def _neurons(name: str, size: int, spikes: int) -> LayerWork:
    steps = Count.constant(size * STEPS, 1)
    return LayerWork(
        name, "neuron", "integer", STEPS, (size,), (size,), size * STEPS, size * STEPS,
        operations={"leak": steps, "add": steps, "compare": steps, "reset": Count.constant(spikes, 1)},
        activation_bits=16, output_bits=1, state_bits=16, state_elements=size, state_reads=size * STEPS,
        state_writes=size * STEPS, input_events=steps, output_events=Count.constant(spikes, 1),
        updates_active=steps, updates_idle=Count(0, 0, 1),
    )
