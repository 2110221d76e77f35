"""Passes over memory: which consecutive layers a machine does in one go, and at which width the result is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Literal

from energy_models.workload import LayerWork

STREAMED_KINDS = frozenset({"activation", "quantise", "norm", "neuron"})
"""Done element by element on a signal that another layer makes."""

Reads = Literal["memory", "stream", "place"]
"""Where a pass finds its inputs: in memory, on the stream of an earlier pass, or in memory where its outputs go."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over memory: `head` begins it, `last` makes what is stored; layers between them work on its stream."""

    head: LayerWork
    last: LayerWork
    reads: Reads = "memory"

    @property
    def stored_bits(self) -> int:
        """Return the width at which the outputs are stored [bits]."""
        return self.last.output_bits or self.last.activation_bits or self.last.accumulator_bits


Passes = Callable[[Sequence[LayerWork]], tuple[Pass, ...]]
"""From layers, in order, to the passes of a style."""


def streamed_passes(layers: Sequence[LayerWork]) -> tuple[Pass, ...]:
    """Return the passes of a machine that streams: activations, quantisers, norms and neurons are never passes.

    They work in the pipeline of the layer before them, which stores what the last of them makes. One whose signal does
    not come from the layer before works on the stream of the input, or of a layer further up.
    """
    found: list[Pass] = []
    for layer in layers:
        if layer.kind not in STREAMED_KINDS:
            found.append(Pass(layer, layer))
        elif found and continues(found[-1].last, layer):
            found[-1] = replace(found[-1], last=layer)
        else:
            found.append(Pass(layer, layer, "stream"))
    return tuple(found)


def continues(before: LayerWork, layer: LayerWork) -> bool:
    """Return whether a layer can work on the stream of the one before: the same elements, at the same cadence.

    They agree in a call (a module used at several places is one layer with the calls of all), or in a decode (neurons
    take a window step by step).
    """
    same = prod(before.output_shape) == prod(layer.input_shape) or before.outputs == layer.inputs
    return same and before.cadence == layer.cadence


def at_stored_widths(layers: Sequence[LayerWork], passes: Passes) -> tuple[LayerWork, ...]:
    """Return the layers with `output_bits` as their outputs reach memory: as the last layer on their stream has it."""
    waiting = list(passes(layers))
    found: list[LayerWork] = []
    for layer in layers:
        begins = bool(waiting) and waiting[0].head is layer
        found.append(replace(layer, output_bits=waiting.pop(0).stored_bits) if begins else layer)
    return tuple(found)
