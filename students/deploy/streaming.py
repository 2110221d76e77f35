"""A deployed graph run on a stream: any number of new steps at a time, its past handed on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from energy_models.errors import StudentError
from students.deploy.attention import LinearAttention, run_attention
from students.deploy.cells import Neurons, Recurrent, State, run_cell
from students.deploy.codes import Coder
from students.deploy.delay_lines import PastSums
from students.deploy.graph import INPUT, Delay, DeployedGraph, Integers, Product
from students.deploy.reference import checked_codes, run_node

Past = Mapping[str, State]
"""What each node keeps, by name: products, delays and sums past inputs, cells and codes a state, attention sums."""


def first_past(graph: DeployedGraph, examples: int) -> dict[str, State]:
    """Return the state before the first step: zeros.

    Parameters
    ----------
    graph : DeployedGraph
    examples : int
        Streams side by side.

    Raises
    ------
    StudentError
        A graph that does not run step by step.
    """
    if not graph.takes_any_length:
        raise StudentError(
            "a window network has no state between steps", where="first_past",
            remedy="Run whole windows with execute, or lower a decoder of every step",
        )
    past: dict[str, State] = {}
    inputs = {INPUT: graph.input.shape[0], **{node.name: node.result.shape[0] for node in graph.nodes}}
    for node in graph.nodes:
        if isinstance(node, Recurrent | Neurons | LinearAttention | Coder):
            past[node.name] = node.first_state(examples)
        elif isinstance(node, Product) and (steps := past_steps(node)):
            past[node.name] = (np.zeros((examples, inputs[node.source], steps), dtype=np.int64),)
        elif isinstance(node, Delay):
            past[node.name] = (np.zeros((examples, len(node.steps), node.longest), dtype=np.int64),)
        elif isinstance(node, PastSums):
            past[node.name] = (np.zeros((examples, node.channels, node.span), dtype=np.int64),)
    return past


def past_steps(node: Product) -> int:
    """Return how many past inputs a causal product needs.

    Raises
    ------
    StudentError
        A product that looks ahead, or has a stride.
    """
    steps = (node.weights.shape[-1] - 1) * node.dilation[-1]
    if node.pads != ((steps, 0),) or node.stride != (1,):
        raise StudentError(
            f"{node.name!r} looks ahead, or has a stride", where="step by step",
            remedy="Pad causal convolutions before the signal only, or run the whole window",
        )
    return steps


def advance(graph: DeployedGraph, codes: Integers, past: Past) -> tuple[Integers, dict[str, State]]:
    """Return the estimates of new steps, shape (examples, steps, outputs), and the past after them.

    Steps handed over one by one, or in pieces of any length, give what `decide` gives for all of them at once.

    Parameters
    ----------
    graph : DeployedGraph
    codes : ndarray of integers, shape (examples, channels, steps)
    past : mapping of str to tuple of ndarray
        Of `first_past`, or of the call before.

    Raises
    ------
    CosimError
        As `students.deploy.execute`.
    """
    signals = {INPUT: checked_codes(graph, codes)}
    kept: dict[str, State] = {}
    for node in graph.nodes:
        signal = signals[node.source]
        if isinstance(node, Recurrent | Neurons):
            signals[node.name], kept[node.name] = run_cell(node, signal, past[node.name])
        elif isinstance(node, LinearAttention):
            operands = signal, signals[node.key], signals[node.value]
            signals[node.name], kept[node.name] = run_attention(node, operands, past[node.name])
        elif isinstance(node, Coder):
            signals[node.name], kept[node.name] = node.run(signal, past[node.name])
        elif isinstance(node, Product) and node.name in past:
            joined = np.concatenate((past[node.name][0], signal), axis=-1)
            kept[node.name] = (joined[..., joined.shape[-1] - past_steps(node) :],)
            signals[node.name] = run_node(replace(node, pads=((0, 0),)), {node.source: joined})
        elif isinstance(node, Delay | PastSums):
            joined, late = np.concatenate((past[node.name][0], signal), axis=-1), past[node.name][0].shape[-1]
            kept[node.name] = (joined[..., joined.shape[-1] - late :],)
            signals[node.name] = run_node(node, {node.source: joined})[..., late:]
        else:
            signals[node.name] = run_node(node, signals)
    return signals[graph.nodes[-1].name].swapaxes(1, 2), kept
