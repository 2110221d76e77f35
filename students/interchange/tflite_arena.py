"""Memory for the tensors between operators: an arena in which those that are not needed at once share space."""

from __future__ import annotations

import math
from dataclasses import dataclass

from students.interchange.tflite_file import FlatGraph

ALIGNMENT = 16
"""Of each tensor, as TensorFlow Lite for Microcontrollers lays it out [bytes]."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """Size of a tensor [bytes], and the first and last operator at which it must be there."""

    size: int
    first: int
    last: int


def lifetimes(graph: FlatGraph) -> list[Lifetime]:
    """Return the lifetimes of all tensors that are no constants.

    An input lives from the start, an output to the end, a state for ever, any other from the operator that makes it to
    the last one that reads it. An operator's inputs and outputs are there at once.
    """
    end = len(graph.operators)
    first = dict.fromkeys(graph.inputs, 0)
    last = dict.fromkeys(graph.inputs, 0)
    for place, operator in enumerate(graph.operators):
        for at in operator.outputs:
            first.setdefault(at, place)
            last[at] = max(last.get(at, place), place)
        for at in (one for one in operator.inputs if one >= 0):
            last[at] = max(last.get(at, place), place)
            if graph.tensors[at].state == "kept":
                first[at], last[at] = 0, end
    last |= dict.fromkeys(graph.outputs, end)
    found: list[Lifetime] = []
    for at in sorted(first):
        tensor = graph.tensors[at]
        if tensor.values is None:
            size = math.prod(tensor.shape) * tensor.dtype.itemsize
            found.append(Lifetime(-(-size // ALIGNMENT) * ALIGNMENT, first[at], last.get(at, end)))
    return found


def arena_bytes(alive: list[Lifetime]) -> int:
    """Return the size of an arena for tensors of these lifetimes [bytes].

    Each, the largest first, takes the lowest place that is free as long as it lives: the greedy planner of TensorFlow
    Lite for Microcontrollers (David et al., MLSys 2021, section 4.4.2). Scratch memory of kernels is not in it.
    """
    placed: list[tuple[int, Lifetime]] = []
    for one in sorted(alive, key=lambda each: (-each.size, each.first)):
        start = 0
        others = [(at, two) for at, two in placed if two.first <= one.last and one.first <= two.last]
        for at, two in sorted(others, key=lambda each: each[0]):
            if start + one.size <= at:
                break
            start = max(start, at + two.size)
        placed.append((start, one))
    return max((at + one.size for at, one in placed), default=0)
