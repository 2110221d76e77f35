"""Layers of spiking networks by their numbers alone: synapses and leaky neurons over time steps, without torch."""

from __future__ import annotations

from energy_models.workload.count import Count
from energy_models.workload.layers import LayerWork
from energy_models.workload.products import Conventions, Products

WEIGHT_BITS, SUM_BITS = 8, 16


def synapse_layer(
    name: str, inputs: int, outputs: int, *, spikes: int, steps: int, weight_bits: int = WEIGHT_BITS
) -> LayerWork:
    """Return a full layer of synapses in one decode: each spike reaches every output.

    Parameters
    ----------
    name : str
    inputs, outputs : int
    spikes : int
        Spikes of all inputs over all time steps of a decode; ``spikes x outputs`` synaptic operations.
    steps : int
        Time steps of a decode.
    weight_bits : int
    """
    none = Count(0, 0, 1)
    dense = Products(none, Count.constant(inputs * outputs * steps, 1))
    live = Products(none, Count.constant(spikes * outputs, 1))
    return LayerWork(
        name, "linear", "integer", steps, (inputs,), (outputs,), inputs * steps, outputs * steps, inputs,
        Conventions(dense, dense, live, live), weights=inputs * outputs, weights_nonzero=inputs * outputs,
        weights_key=name, weight_bits=weight_bits, activation_bits=1, output_bits=SUM_BITS, accumulator_bits=SUM_BITS,
        input_events=Count.constant(spikes, 1),
    )


def neuron_layer(name: str, size: int, *, spikes: int, steps: int, active: int | None = None) -> LayerWork:
    """Return leaky neurons in one decode: each leaks and is compared in every step.

    Parameters
    ----------
    name : str
    size : int
        Neurons.
    spikes : int
        Spikes of all of them over all time steps of a decode.
    steps : int
        Time steps of a decode.
    active : int or None
        Updates with input, of ``size x steps``; all of them where not given.
    """
    updates = size * steps
    busy = updates if active is None else active
    every, given = Count.constant(updates, 1), Count.constant(busy, 1)
    return LayerWork(
        name, "neuron", "integer", steps, (size,), (size,), updates, updates,
        operations={"leak": every, "add": given, "compare": every, "reset": Count.constant(spikes, 1)},
        activation_bits=SUM_BITS, output_bits=1, state_bits=SUM_BITS, state_elements=size, state_reads=updates,
        state_writes=updates, input_events=given, output_events=Count.constant(spikes, 1), updates_active=given,
        updates_idle=Count.constant(updates - busy, 1),
    )


def dense_layer(
    name: str, inputs: int, outputs: int, *, activation_bits: int, weight_bits: int = WEIGHT_BITS
) -> LayerWork:
    """Return a full layer of multiply-accumulates, every input non-zero, its sums brought back to `activation_bits`.

    Parameters
    ----------
    name : str
    inputs, outputs : int
    activation_bits, weight_bits : int
    """
    sites = Products(Count.constant(inputs * outputs, 1), Count(0, 0, 1))
    return LayerWork(
        name, "linear", "integer", 1, (inputs,), (outputs,), inputs, outputs, inputs,
        Conventions(sites, sites, sites, sites), {"requantise": Count.constant(outputs, 1)}, weights=inputs * outputs,
        weights_nonzero=inputs * outputs, weights_key=name, weight_bits=weight_bits, activation_bits=activation_bits,
        output_bits=activation_bits, accumulator_bits=SUM_BITS, input_events=Count.constant(inputs, 1),
    )
