"""Activations that are in memory at once, pass by pass: what a pass reads, what it stores, sums it has not finished.

    live = inputs activation_bits + outputs stored_bits + sums (accumulator_bits - stored_bits)        bits, of one call

Which layers share a pass, at which width it stores and which sums it keeps in memory is the rule of the execution
style (`energy_models.mapping.styles`). Besides:

- an input that lies where it lasts, in `buffers` or in the state of a filter, is read there and not counted again; a
  quantiser at the input that keeps its width works on the samples as they arrive, and makes no copy of the window;
- the outputs of the last pass are the decode's result: they leave by the link, number by number;
- a product of two signals (attention) has both in memory;
- between a time loop and a layer that takes all steps at once, all steps are in memory.

A workload is a list of layers, not a graph: a tensor that is needed again later (a residual connection, the input of a
second branch) is not known to be live in between, so a network with branches may need up to that much more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from energy_models.mapping.styles import Executes, style_of
from energy_models.mapping.styles.matrix_product import matrix_product
from energy_models.mapping.styles.passes import Pass
from energy_models.quantities import Number
from energy_models.workload import Cadence, LayerWork, Workload

_KEEPING_KINDS = frozenset({"filter", "feature"})
_Tensor = tuple[int, int]
"""Elements of a tensor and their width [bits]."""


@dataclass(frozen=True, slots=True)
class LivePass:
    """Activations and unfinished sums in memory while one pass runs [bits]; `layer` begins the pass."""

    layer: str
    cadence: Cadence
    bits: Number


def live_passes(workload: Workload, execution: Executes) -> tuple[LivePass, ...]:
    """Return what every pass needs, those on each new sample first.

    Raises
    ------
    WorkloadError
        When products of two signals have no reduction.
    """
    split = style_of(execution).passes
    sample, decode = (
        split([layer for layer in workload.layers if layer.cadence == cadence]) for cadence in ("sample", "decode")
    )
    lasting = _lasting_inputs(workload)
    newest = frozenset({(workload.channels, workload.input_bits)})
    while decode and _makes_no_copy(decode[0], lasting if sample else lasting | newest):
        decode = decode[1:]
    read_where_it_lies = _reads_of_lasting_inputs((*sample, *decode), newest, lasting)
    found: list[LivePass] = []
    for one, before, after in (*_neighbours(sample), *_neighbours(decode)):
        read = 0 if len(found) in read_where_it_lies or one.reads == "stream" else _inputs(one, before)
        is_result = len(found) == len(sample) + len(decode) - 1
        stored = 0 if is_result else _outputs(one, after) * one.stored_bits
        if one.reads == "place":
            stored = max(0, stored - read)
        width = 0 if is_result else one.stored_bits
        sums = _sums(one.head, execution) * max(0, one.head.accumulator_bits - width)
        found.append(LivePass(one.head.name, one.head.cadence, read + stored + sums))
    return tuple(found)


def holds_window(workload: Workload) -> bool:
    """Return whether the input window is kept in buffers: it slides, and no layer on every sample stores it itself."""
    if workload.mode == "stream":
        return False
    window = workload.channels * workload.steps_per_decode
    return not any(layer.cadence == "sample" and layer.state_elements >= window for layer in workload.layers)


def _lasting_inputs(workload: Workload) -> frozenset[_Tensor]:
    """Return what is stored beside activations and may be a layer's input: the window, and the states of filters."""
    found = {(layer.state_elements, layer.state_bits) for layer in workload.layers if layer.kind in _KEEPING_KINDS}
    if holds_window(workload):
        found.add((workload.channels * workload.steps_per_decode, workload.input_bits))
    return frozenset(found)


def _makes_no_copy(one: Pass, lasting: frozenset[_Tensor]) -> bool:
    """Return whether a pass at the input is a quantiser of the samples as they arrive: the window has its width."""
    is_quantiser = one.reads != "memory" and one.head.kind == one.last.kind == "quantise"
    return is_quantiser and (one.head.inputs, one.stored_bits) in lasting


def _reads_of_lasting_inputs(
    passes: Sequence[Pass], newest: frozenset[_Tensor], lasting: frozenset[_Tensor]
) -> frozenset[int]:
    """Return the places of passes that read what lasts, up to the first that makes a tensor of its own.

    The newest sample is read by the first pass only: what later ones read has been filtered.
    """
    found: set[int] = set()
    for place, one in enumerate(passes):
        head = one.head
        elements = prod(head.input_shape) if head.cadence == "sample" else head.inputs
        if one.reads != "memory" or (elements, head.activation_bits) in (lasting if place else lasting | newest):
            found.add(place)
        if one.reads != "memory" or head.kind not in _KEEPING_KINDS:
            break
    return frozenset(found)


def _neighbours(chain: Sequence[Pass]) -> list[tuple[Pass, Pass | None, Pass | None]]:
    """Return every pass of one cadence with the one before and the one after it."""
    padded = (None, *chain, None)
    return [(one, padded[place], padded[place + 2]) for place, one in enumerate(chain)]


def _inputs(one: Pass, before: Pass | None) -> int:
    """Return the bits of a pass's inputs in memory."""
    head = one.head
    at_once = before is not None and before.last.calls == 1 and before.last.outputs == head.inputs
    elements = head.inputs if at_once else prod(head.input_shape)
    if head.products is not None and head.kind == "attention" and head.weights < head.reduction:
        elements += matrix_product(head).held
    return elements * head.activation_bits


def _outputs(one: Pass, after: Pass | None) -> int:
    """Return the elements that a pass stores before the next one takes them."""
    last = one.last
    at_once = after is not None and after.head.calls == 1 and after.head.inputs == last.outputs
    return last.outputs if at_once and last.cadence == "decode" else prod(last.output_shape)


def _sums(head: LayerWork, execution: Executes) -> Number:
    return 0.0 if head.products is None else style_of(execution).sums_in_memory(head, execution)
