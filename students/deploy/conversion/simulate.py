"""A spiking network run step by step in int64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from energy_models.errors import StudentError
from students.deploy.conversion.network import SpikingNetwork
from students.deploy.graph import INPUT, DeployedGraph, Linear, Node, Pool, Product, Requantise
from students.deploy.ranges import Integers, Range
from students.deploy.reference import checked_codes, run_node

WIDE = 2**62


@dataclass(frozen=True, slots=True)
class Train:
    """A signal spread over time steps.

    Parameters
    ----------
    steps : ndarray of int64, shape (time steps, examples, ...)
        What arrives in each step.
    once : ndarray of int64, shape (examples, ...)
        What is there from the start: biases.
    """

    steps: Integers
    once: Integers

    @property
    def total(self) -> Integers:
        """What has arrived at the end, shape (examples, ...)."""
        return self.once + self.steps.sum(axis=0)


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a spiking network did.

    Parameters
    ----------
    signals : mapping of str to ndarray or Train
        By node; numbers in front of the first neurons, trains behind.
    outputs : ndarray of int64
        As the deployed graph gives them.
    """

    signals: dict[str, Integers | Train]
    outputs: Integers


def simulate(network: SpikingNetwork, codes: Integers) -> Simulation:
    """Return every signal of a spiking network and its outputs, which are those of the deployed graph.

    Parameters
    ----------
    network : SpikingNetwork
    codes : ndarray of integers, shape (examples, channels, ...)

    Raises
    ------
    DataError
        Numbers that are no codes of the converter, or of another shape.
    """
    graph = network.graph
    signals: dict[str, Integers | Train] = {INPUT: checked_codes(graph, codes)}
    for node in graph.nodes:
        source = signals[node.source]
        if node.name in network.steps and isinstance(node, Requantise):
            total = source.total if isinstance(source, Train) else source
            signals[node.name] = _fired(total, node)
        elif isinstance(source, Train) and node.name in network.spiking:
            signals[node.name] = _through(node, source)
        elif isinstance(source, Train):
            signals[node.name] = run_node(node, {node.source: source.total})
        else:
            signals[node.name] = run_node(node, {node.source: source})
    last = signals[graph.nodes[-1].name]
    return Simulation(signals, last.total if isinstance(last, Train) else last)


def spikes_of(network: SpikingNetwork, simulation: Simulation) -> dict[str, int]:
    """Return the spikes of each layer of neurons over all examples."""
    trains = ((name, simulation.signals[name]) for name in network.steps)
    return {name: int(abs(train.steps).sum()) for name, train in trains if isinstance(train, Train)}


def membrane_bits(node: Requantise, given: Range) -> int:
    """Return the width that holds a neuron's state in every step: its sum, and what it fires from [bits].

    Parameters
    ----------
    node : Requantise
        One whose results are spikes.
    given : Range
        Of the sums that it takes in.
    """
    bits = node.constants.shift - node.constants.guard
    ends = [_scaled(np.int64(end), node) for end in (given.lowest, given.highest)]
    if node.result.lowest < 0:  # the second of a pair fires from the opposite number
        ends += [-end for end in ends]
    held = [end + _half(bits) for end in ends]
    lowest, highest = (int(find([find(one) for one in held])) for find in (np.min, np.max))
    return max(Range(given.shape, lowest, highest).signed_bits, given.signed_bits)


def _scaled(total: Integers | np.int64, node: Requantise) -> Integers:
    """Return sums in the unit that membranes have: thresholds are powers of two of it."""
    constants = node.constants
    membrane = total * constants.multiplier + constants.offset
    return np.where(constants.guard > 0, (membrane + _power(constants.guard - 1)) >> constants.guard, membrane)


def _fired(total: Integers, node: Requantise) -> Train:
    """Return the spikes of neurons that have taken in `total`; those of the second of a pair are negative."""
    steps, bits = max(node.result.highest, -node.result.lowest), node.constants.shift - node.constants.guard
    membrane = _scaled(total, node)
    spikes = _spikes(membrane, bits, node.result.highest, steps)
    if node.result.lowest < 0:
        spikes -= _spikes(-membrane, bits, -node.result.lowest, steps)
    return Train(spikes, np.zeros_like(membrane))


def _spikes(membrane: Integers, bits: Integers, most: int, steps: int) -> Integers:
    """Return which neurons fire in each step, in the first `most` of them, shape (steps, ...).

    A membrane that meets the threshold exactly fires where the number of its spikes so far is odd: ties go to even.
    """
    threshold = _power(bits)
    membrane = membrane + _half(bits)
    spikes = np.zeros((steps, *membrane.shape), dtype=np.int64)
    count = np.zeros_like(membrane)
    for step in range(most):
        fires = (membrane > threshold) | ((membrane == threshold) & ((bits == 0) | (count % 2 == 1)))
        spikes[step] = fires
        membrane = membrane - fires * threshold
        count += fires
    return spikes


def _power(bits: Integers) -> Integers:
    return np.left_shift(np.int64(1), np.maximum(bits, 0))


def _half(bits: Integers) -> Integers:
    """Return half of a threshold; none of a threshold of 1."""
    return np.where(bits > 0, _power(bits - 1), 0)


def _through(node: Node, source: Train) -> Train:
    """Return what a linear node, or a maximum of spikes, makes of each step."""
    plain: Callable[[Integers], Integers] = _without_bias(node)
    if isinstance(node, Pool) and node.kind == "max":
        return Train(np.stack([plain(one) for one in source.steps]), plain(source.once))
    once = run_once(node, source.once)
    return Train(np.stack([plain(one) for one in source.steps]), once)


def run_once(node: Node, signal: Integers) -> Integers:
    """Return a node's result with its bias, whatever its stated range: a part of a sum may leave it."""
    return run_node(replace(node, result=_wide(node.result)), {node.source: signal})


def _without_bias(node: Node) -> Callable[[Integers], Integers]:
    if isinstance(node, Product | Linear):
        return lambda signal: run_once(replace(node, bias=None), signal)
    return lambda signal: run_once(node, signal)


def _wide(stated: Range) -> Range:
    return Range(stated.shape, -WIDE, WIDE)


def check_equal(graph: DeployedGraph, outputs: Integers, expected: Integers) -> None:
    """Raise where a spiking network and its deployed graph differ.

    Raises
    ------
    StudentError
        They do, which is a fault of this program.
    """
    if not np.array_equal(outputs, expected):
        raise StudentError(
            f"{int((outputs != expected).sum())} outputs of the spiking network differ from those of the integers",
            where=repr(graph)[:80], remedy="Report this with the student: the two are equal by construction",
        )
