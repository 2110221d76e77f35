"""What a spiking network does in a decode, as a workload.

A product in front of the first neurons takes numbers, once a decode; one behind takes spikes, each of which reaches the
weights applied to it. A neuron scales its sum once (a `requantise`), is compared in every step in which it may fire,
and reset after each spike; its membrane is as wide as the scaled sum at full precision. The neurons of a pair share sum
and scaling, and each has its own row of synapses. A pool of sums adds each spike to every window that it lies in; a
maximum compares the numbers of a window in every step. What only moves signals does no work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from energy_models.workload import (
    Conventions,
    Count,
    LayerWork,
    Products,
    Uncounted,
    Workload,
    over_one_decode,
    tile_over_decodes,
)
from students.deploy.conversion.network import SpikingNetwork
from students.deploy.conversion.simulate import Simulation, Train, membrane_bits, run_once
from students.deploy.counts import LayerCount, static_counts
from students.deploy.graph import INPUT, DeployedGraph, Linear, Pool, Product, Requantise
from students.deploy.ranges import Integers, Range


def spiking_workload(
    network: SpikingNetwork, simulation: Simulation, *, name: str, step_rate_hz: float,
    preprocessing: Sequence[LayerWork] | None,
) -> Workload:  # fmt: skip
    """Return the work of a simulated network, summed over its decodes: windows, or steps of a stream.

    Parameters
    ----------
    network : SpikingNetwork
    simulation : Simulation
        Of recordings that the network was not trained on.
    name : str
    step_rate_hz : float
        Of the input's samples or bins [Hz].
    preprocessing : sequence of LayerWork, or None
        Rows of the steps in front of the network, the same in every decode; None: unknown, and said to be.

    Raises
    ------
    WorkloadError
        Preprocessing that differs between decodes.
    """
    graph = network.graph
    known = {INPUT: graph.input, **{node.name: node.result for node in graph.nodes}}
    static = {one.name: one for one in static_counts(graph)}
    decodes = _per_decode(graph, np.ones_like(simulation.outputs[:, :1])).shape[0]
    layers = [tile_over_decodes(over_one_decode(row), decodes) for row in preprocessing or ()]
    unknown = Uncounted("pipeline", "preprocessing", "the student's own workload, which has it, was not kept")
    for node in graph.nodes:
        source = simulation.signals[node.source]
        if isinstance(node, Product | Linear):
            layers.append(_product(network, node, source, static[node.name], known[node.source], decodes))
        elif isinstance(node, Requantise):
            found = simulation.signals[node.name]
            layers.append(_neurons(network, node, found, known[node.source]) if isinstance(found, Train)
                          else _numbers(graph, node, known[node.source], decodes))  # fmt: skip
        elif isinstance(node, Pool):
            layers.append(_pool(graph, node, source, known[node.source], decodes))
    stream = graph.task == "regression"
    return Workload(
        name, "stream" if stream else "window", decodes, 1 if stream else graph.input.shape[-1], graph.input.shape[0],
        step_rate_hz, graph.codes.bits, tuple(layers), (unknown,) if preprocessing is None else (),
        provenance={"spikes": f"{network.latency_steps} time steps"},
    )  # fmt: skip


def _per_decode(graph: DeployedGraph, values: Integers) -> Integers:
    """Return sums over one decode: over all axes but examples, and steps in a stream."""
    if graph.task == "regression":
        return values.reshape(*values.shape[:2], -1).sum(axis=1).ravel() if values.ndim > 2 else values.sum(axis=1)
    return values.reshape(len(values), -1).sum(axis=1)


def _count(graph: DeployedGraph, values: Integers) -> Count:
    return Count.of([int(one) for one in _per_decode(graph, values)])


def _size(graph: DeployedGraph, shape: Sequence[int]) -> int:
    """Return the numbers of one decode."""
    return int(np.prod(shape[:1] if graph.task == "regression" else shape))


def _product(  # noqa: PLR0917  a private step of the loop above
    network: SpikingNetwork, node: Product | Linear, source: Integers | Train, static: LayerCount, given: Range,
    decodes: int,
) -> LayerWork:  # fmt: skip
    graph, each = network.graph, 2 if node.source in network.pairs else 1
    if isinstance(source, Train):
        spikes, times = abs(source.steps).sum(axis=0), len(source.steps)
    else:
        spikes, times = (source != 0).astype(np.int64), 1
    reached = [_reached(node, spikes, weights) for weights in (np.ones_like(node.weights), node.weights != 0)]
    none = Count.constant(0, decodes)
    four = [Count.constant(one * times * each, decodes) for one in (static.dense_full, static.dense_valid)]
    four += [_count(graph, one) for one in reached]
    single = isinstance(source, Train)
    kinds = [Products(none, one) if single else Products(one, none) for one in four]
    shape, outputs = tuple(given.shape), tuple(node.result.shape)
    operations = {} if node.bias is None else {"add": Count.constant(_size(graph, outputs), decodes)}
    return LayerWork(
        node.name, "linear" if isinstance(node, Linear) else "conv", "integer", times,
        shape[:1] if graph.task == "regression" else shape, outputs[:1] if graph.task == "regression" else outputs,
        _size(graph, shape) * times * each, _size(graph, outputs) * times, int(np.prod(node.weights.shape[1:])),
        Conventions(*kinds), operations, weights=node.weights.size * each,
        weights_nonzero=int((node.weights != 0).sum()) * each,
        biases=0 if node.bias is None else node.bias.size, weights_key=node.name, weight_bits=node.weight_bits,
        activation_bits=1 if single else given.bits, output_bits=node.result.signed_bits,
        accumulator_bits=node.result.signed_bits, bias_bits=0 if node.bias is None else 32,
        input_events=_count(graph, spikes), state_elements=static.state_elements,
        state_bits=given.bits if static.state_elements else 0, state_reads=static.state_elements,
        state_writes=_size(graph, shape) if static.state_elements else 0,
    )  # fmt: skip


def _reached(node: Product | Linear, spikes: Integers, weights: Integers) -> Integers:
    """Return how many products the spikes take part in, by output."""
    return run_once(replace(node, weights=weights.astype(np.int64), bias=None), spikes)


def _neurons(network: SpikingNetwork, node: Requantise, train: Train, given: Range) -> LayerWork:
    shape = tuple(node.result.shape)
    graph, each = network.graph, 2 if node.name in network.pairs else 1
    size, steps = _size(graph, shape), len(train.steps)
    fired = _count(graph, abs(train.steps).sum(axis=0))
    updates = Count.constant(size * each * steps, fired.decodes)
    plain = shape[:1] if graph.task == "regression" else shape
    scaled = {} if node.constants.shifts_only else {"requantise": Count.constant(size, fired.decodes)}
    return LayerWork(
        node.name, "neuron", "integer", steps, plain, plain, size * steps, size * each * steps,
        operations={**scaled, "compare": updates, "reset": fired}, activation_bits=given.signed_bits, output_bits=1,
        state_bits=membrane_bits(node, given), state_elements=size * each,
        state_reads=size * each * steps, state_writes=size * each * steps,
        output_events=fired, updates_active=updates, updates_idle=Count.constant(0, fired.decodes),
        constants=0 if node.constants.shifts_only else node.constants.multiplier.size, constant_bits=32,
    )  # fmt: skip


def _numbers(graph: DeployedGraph, node: Requantise, given: Range, decodes: int) -> LayerWork:
    """Return the work of a signal that is put on a grid in front of the first neurons."""
    shape = tuple(node.result.shape)
    size, plain = _size(graph, shape), shape[:1] if graph.task == "regression" else shape
    return LayerWork(
        node.name, "quantise", "integer", 1, plain, plain, size, size,
        operations={"requantise": Count.constant(size, decodes)}, activation_bits=given.signed_bits,
        output_bits=node.result.bits, constants=node.constants.multiplier.size, constant_bits=32,
    )  # fmt: skip


def _pool(graph: DeployedGraph, node: Pool, source: Integers | Train, given: Range, decodes: int) -> LayerWork:
    """Return the work of sums or maxima over windows, of spikes in each step, or of numbers once."""
    shape, result = tuple(given.shape), tuple(node.result.shape)
    steps = len(source.steps) if isinstance(source, Train) else 1
    taken = (node.windows >= 0).sum(axis=1)  # numbers of each window
    further = np.maximum(taken - 1, 0).reshape(result)
    if node.kind == "max" or not isinstance(source, Train):
        kind, per_step = "add" if node.kind == "sum" else "compare", int(further.sum())
        work = Count.constant(per_step * steps // (result[-1] if graph.task == "regression" else 1), decodes)
    else:
        arrived = (source.steps != 0).sum(axis=0)
        kind, work = "add", _count(graph, run_once(node, arrived))
    plain, after = ((one[:1] if graph.task == "regression" else one) for one in (shape, result))
    return LayerWork(
        node.name, "pool", "integer", steps, plain, after, _size(graph, shape) * steps, _size(graph, result) * steps,
        operations={kind: work}, activation_bits=1 if isinstance(source, Train) else given.bits,
        output_bits=node.result.bits,
    )  # fmt: skip
