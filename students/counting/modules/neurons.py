"""Neurons counted whole, ours and those of the spiking libraries, over all steps of a call or step by step.

Per neuron and step: one leak for each state variable whose decay is neither 0 nor 1, one addition for each current
that is not zero, one comparison with the threshold, one subtraction a spike where the reset subtracts, and each state
variable read and written once. A delayed reset is charged with its spike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from students.counting.axes import Axes, Axis, plain_shape, plain_size, step_axis, steps_of
from students.counting.calls import tensors_of
from students.counting.dispatch import Info, Tracer
from students.counting.modules.neuron_products import Driven, driven, inside
from students.counting.records import Measure, Work, nonzero_sums
from students.counting.rules import element_bits
from students.layers.grid import Grid, event_grid
from students.neurons.described import neuron_dynamics, spiking_module
from students.neurons.dynamics import Dynamics, is_one, is_shift, scales
from students.neurons.membrane import DECAY_BITS

ModuleCounter = Callable[[Tracer, Any, Tensor, Any], None]
"""Counts a module whole: called with the tracer, the module, its first input and its output."""
Counts = dict[str, int | Tensor]


def neuron_counter(module: nn.Module) -> ModuleCounter | None:
    """Return how a neuron is counted, or listed where it has no description; None for any other module."""
    dynamics = neuron_dynamics(module)
    if dynamics is not None:
        return partial(_count, dynamics)
    spiking = spiking_module()
    return _unknown if spiking is not None and spiking.is_neuron(module) else None


def _unknown(tracer: Tracer, module: Any, current: Tensor, output: Any) -> None:
    name = type(module).__name__
    tracer.mark_uncounted(name, f"a neuron of snnTorch of which no description says what {name} does in a step")
    axes = tracer.read(current).axes
    for tensor in tensors_of(output):
        tracer.set_info(tensor, Info(axes if tensor.shape == current.shape else None))


@dataclass(frozen=True, slots=True)
class _Neurons:
    """One call: the signals into the neurons, out of them, and how many there are in one decode."""

    module: Any
    into: Driven
    signal: Tensor
    fired: Axes | None
    shape: tuple[int, ...]
    steps: int

    @property
    def updates(self) -> int:
        return math.prod(self.shape) * self.steps


def _count(dynamics: Dynamics, tracer: Tracer, module: Any, current: Tensor, output: Any) -> None:
    """Record one call of a layer of neurons, and set the info of its outputs."""
    current = _unfolded(tracer, module, _with_axes(tracer, module, current), dynamics)
    into = driven(tracer, module, current, dynamics, output)
    if into is None:
        return _unknown(tracer, module, current, output)
    axes, axis = into.info.axes, dynamics.steps_axis
    if axis is None and axes is not None and step_axis(axes) is not None:
        tracer.mark_uncounted(type(module).__name__, "called on all steps at once, where each call is one step")
    units = _units(axes, axis)
    folded = tensors_of(output)[0]
    signal = folded.reshape(into.like.shape) if dynamics.unfolds else folded
    fired = tracer.info(into.pooled).axes if into.pooled is not None else axes
    steps = 1 if axis is None or _streamed(axes, axis) else into.like.shape[axis]
    neurons = _Neurons(module, into, signal, fired, _shape(into.like, units, axis), steps)
    counts = _fixed(tracer, dynamics, neurons)
    if _measurable(dynamics, neurons):
        all_counts: Mapping[str, int | Tensor | Measure] = {**counts, "events": _measure(tracer, dynamics, neurons)}
    else:
        found = _events(tracer, dynamics, neurons)
        all_counts = {**counts, **{what: counts.get(what, 0) + number for what, number in found.items()}}
    tracer.record(tracer.path, _work(tracer, dynamics, neurons, current, all_counts))
    if dynamics.adaptation_bits:
        tracer.record(f"{tracer.path}.adaptation", _adaptation(tracer, dynamics, neurons))
    _know(tracer, dynamics, neurons, units, output)
    if dynamics.unfolds:
        with inside(tracer, "steps", module):
            tracer.set_info(folded, tracer.info(signal.flatten(0, 1)))


def _streamed(axes: Axes | None, axis: int) -> bool:
    """True where the steps of a call are those of the stream, not steps that each of its decodes makes anew."""
    return axes is not None and steps_of(axes[axis % len(axes)]) is not None


def _unfolded(tracer: Tracer, module: Any, current: Tensor, dynamics: Dynamics) -> Tensor:
    """Return a current with examples and steps on axes of their own."""
    if not dynamics.unfolds:
        return current
    with inside(tracer, "steps", module):
        return current.reshape(*(getattr(module, name) for name in dynamics.unfolds), *current.shape[1:])


def reached(tracer: Tracer, module: nn.Module, inputs: list[Tensor]) -> bool:
    """True where a module depends on the input: by what it is called with, or by a state its neurons keep."""
    return any(tracer.is_dynamic(one) for one in inputs) or ("neurons", module) in tracer.cache


def _with_axes(tracer: Tracer, module: Any, current: Tensor) -> Tensor:
    """Return a current with axes: a constant one (no input events) has those of the previous call."""
    key = ("neurons", module)
    if tracer.is_dynamic(current):
        tracer.cache[key] = current.shape, tracer.info(current).axes
    elif key in tracer.cache and tracer.cache[key][0] == current.shape:
        current = current.detach()
        tracer.set_info(current, Info(tracer.cache[key][1]))
    return current


def _units(axes: Axes | None, axis: int | None) -> Axes | None:
    """Return the axes of a state: that of the signal without its steps."""
    if axes is None or axis is None:
        return axes
    return tuple(one for place, one in enumerate(axes) if place != axis % len(axes))


def _shape(like: Tensor, units: Axes | None, axis: int | None) -> tuple[int, ...]:
    """Return the neurons of one decode; without axes there is one decode, on the first axis."""
    if units is not None:
        return plain_shape(units)
    sizes = [size for place, size in enumerate(like.shape) if axis is None or place != axis % like.dim()]
    return tuple(sizes[1:] if sizes[:1] == [1] else sizes)


def _fixed(tracer: Tracer, dynamics: Dynamics, neurons: _Neurons) -> Counts:
    """Return the counts of every step that do not depend on signals."""
    counts: Counts = {}
    integer = neurons.into.info.arithmetic == "integer"
    for decay in dynamics.decays:
        for what, number in _leaks(decay, neurons.shape, integer).items():
            counts[what] = counts.get(what, 0) + number * neurons.steps
    each = {"add": "adds", "multiply": "multiplies", "lookup": "lookups", "requantise": "requantisations"}
    for operation, field in each.items():
        counts[f"op:{operation}"] = getattr(dynamics, field) * neurons.updates
    counts["op:compare"] = dynamics.compares * neurons.updates
    if dynamics.threshold is not None:
        outputs = math.prod(_shape(neurons.signal, _units(neurons.fired, dynamics.steps_axis), dynamics.steps_axis))
        counts["op:compare"] += outputs * neurons.steps
        if dynamics.winner == "strongest":
            rivals = neurons.shape[0]
            counts["op:compare"] += neurons.updates // rivals * (rivals - 1)
    return counts


def _leaks(decay: Tensor, shape: tuple[int, ...], integer: bool) -> dict[str, int]:
    """Return multiplications of one state by its decay, those by ``1 - 2^-k`` apart where the state is an integer."""
    every = torch.broadcast_to(decay.reshape(decay.shape[-len(shape) :]), shape)
    needed = scales(every)
    shifts = needed & is_shift(every) if integer else torch.zeros_like(needed)
    return {"op:leak": int((needed & ~shifts).sum()), "op:leak_shift": int(shifts.sum())}


def _measurable(dynamics: Dynamics, neurons: _Neurons) -> bool:
    """True where the counts that depend on signals follow from one current and the spikes, without the state."""
    plain = not dynamics.relay and dynamics.winner != "strongest" and dynamics.reset_time != "same step"
    ones = is_one(dynamics.gain) and is_one(dynamics.spike_factor)
    plain = plain and not (dynamics.spike_adds or dynamics.spike_multiplies or dynamics.most > 1)
    return plain and ones and len(neurons.into.currents) == 1 and neurons.into.pooled is None


def _measure(tracer: Tracer, dynamics: Dynamics, neurons: _Neurons) -> Measure:
    """Return a measure of the counts of `_events`, for many calls at once."""
    axes, fired, decodes, updates = neurons.into.info.axes, neurons.fired, tracer.batch, neurons.updates
    given, adds, fires = dynamics.current == "given", dynamics.current_adds, dynamics.threshold is not None
    resets = dynamics.resets if dynamics.reset == "subtract" else 0
    grid = event_grid(1) if dynamics.heights == "one" else None

    def count(tensors: Sequence[Tensor], lead: Axis) -> dict[str, Tensor]:
        driven = nonzero_sums(tensors[0], None, None if axes is None else (lead, *axes), decodes)
        every = torch.full_like(driven, updates * plain_size(lead))
        active = driven if given else every
        counts = {"active": active, "idle": every - active, "input_events": driven, "op:add": driven * adds}
        if fires:
            spikes = nonzero_sums(tensors[1], grid, None if fired is None else (lead, *fired), decodes)
            counts["output_events"] = spikes
            if resets:
                counts["op:reset"] = spikes * resets
        return counts

    return Measure((*neurons.into.currents, neurons.signal) if fires else neurons.into.currents, count)


def _events(tracer: Tracer, dynamics: Dynamics, neurons: _Neurons) -> Counts:
    """Return the counts that depend on signals: currents that are not zero, spikes, resets."""
    into, axes, updates = neurons.into, neurons.into.info.axes, neurons.updates
    masks = [current != 0 for current in into.currents]
    active: int | Tensor = updates
    if dynamics.current == "given":
        active = tracer.sums(masks[0] if len(masks) == 1 else masks[0] | masks[1], axes)
    adds: int | Tensor = sum((tracer.sums(mask, axes) for mask in masks), start=0) * dynamics.current_adds
    counts: Counts = {"active": active, "idle": updates - active, "op:add": adds}
    if masks:
        counts["input_events"] = tracer.sums(masks[0], axes)
    if dynamics.relay:
        counts["op:add"] = adds + tracer.sums(getattr(neurons.module, dynamics.relay) != 0, axes)
    multiplies: int | Tensor = 0
    if not is_one(dynamics.gain):
        multiplies = multiplies + tracer.sums(masks[0] & (dynamics.gain != 1), axes)
    if dynamics.threshold is not None:
        spikes = neurons.signal != 0
        counts["output_events"] = fired = tracer.sums(spikes, neurons.fired)
        counts["op:add"] = counts["op:add"] + fired * dynamics.spike_adds
        multiplies = multiplies + fired * dynamics.spike_multiplies
        if dynamics.reset == "subtract":
            counts["op:reset"] = dynamics.resets * tracer.sums(_reset(dynamics, neurons, spikes), axes)
        if dynamics.most > 1:
            counts |= _several(tracer, dynamics, neurons, counts)
        if not is_one(dynamics.spike_factor):
            multiplies = multiplies + tracer.sums(spikes & (dynamics.spike_factor != 1), neurons.fired)
    counts["op:multiply"] = multiplies
    return counts


def _several(tracer: Tracer, dynamics: Dynamics, neurons: _Neurons, counts: Counts) -> Counts:
    """Return the counts of neurons that fire several times: each event but the last possible costs a comparison more.

    Each is reset on its own. A state machine does so event by event; one that divides would cost a division instead.
    """
    values = neurons.signal.round().to(torch.int64)
    units = tracer.sums(values, neurons.fired)
    further = tracer.sums(values.clamp(max=dynamics.most - 1), neurons.fired)
    resets = {"op:reset": dynamics.resets * units} if dynamics.reset == "subtract" else {}
    return {"output_units": units, "op:compare": further, **resets}


def _reset(dynamics: Dynamics, neurons: _Neurons, spikes: Tensor) -> Tensor:
    """Return which neurons are reset after this step; usually those that fired.

    A neuron above threshold is reset even where a stronger one, or a pool, kept its spike from leaving. A reset in
    the same step corrects the one made on the membrane before it, where the two differ.
    """
    if dynamics.reset_time == "same step":
        before = neurons.module.reset != 0
        return before.to(torch.int64) + (before ^ spikes)
    if dynamics.winner == "strongest" or neurons.into.pooled is not None:
        return neurons.module.mem > dynamics.threshold
    return spikes


def _work(tracer: Tracer, dynamics: Dynamics, neurons: _Neurons, current: Tensor, counts: Any) -> Work:
    info, shape, grid = neurons.into.info, neurons.shape, _grid(dynamics)
    bits = dynamics.state_bits or element_bits(current)
    outputs = _shape(neurons.signal, _units(neurons.fired, dynamics.steps_axis), dynamics.steps_axis)
    words = math.prod(shape) * len(dynamics.states)
    return Work(
        kind="neuron",
        arithmetic=info.arithmetic,
        input_shape=shape,
        output_shape=outputs,
        counts=counts,
        calls=neurons.steps,
        when=tracer.when(info),
        activation_bits=info.bits(neurons.into.like),
        output_bits=bits if grid is None else grid.bits,
        state_bits=bits if words else 0,
        state_elements=words,
        state_reads=words * neurons.steps,
        state_writes=words * neurons.steps,
        constants=dynamics.stored,
        constant_bits=max(bits, DECAY_BITS if dynamics.state_bits else 0) if dynamics.stored else 0,
    )


def _adaptation(tracer: Tracer, dynamics: Dynamics, neurons: _Neurons) -> Work:
    """Return the state that raises thresholds, which has a width of its own; its operations are with the neurons'."""
    words, bits = math.prod(neurons.shape), dynamics.adaptation_bits
    return Work(
        kind="neuron", arithmetic="integer", input_shape=(0,), output_shape=(0,), counts={}, calls=neurons.steps,
        when=tracer.when(neurons.into.info), activation_bits=bits, output_bits=bits, state_bits=bits,
        state_elements=words, state_reads=words * neurons.steps, state_writes=words * neurons.steps,
    )  # fmt: skip


def _know(tracer: Tracer, dynamics: Dynamics, neurons: _Neurons, units: Axes | None, output: Any) -> None:
    """Set the info of spikes and states.

    Fed by integers, a membrane is a fixed-point number as wide as the float it stands for, or on the grid of its
    currents where it has a width of its own. An integrator is linear: a scale and offset after it still fold into the
    product before it.
    """
    info = neurons.into.info
    word = dynamics.state_bits or (element_bits(neurons.into.like) if info.arithmetic == "integer" else 0)
    names = {"mem", "syn", "syn_exc", "syn_inh", "v_seq", *dynamics.states}
    kept = [getattr(neurons.module, name, None) for name in sorted(names)]
    for state in (*tensors_of(output)[1:], *tensors_of(kept)):
        axes = info.axes if state.dim() == neurons.into.like.dim() else units
        tracer.set_info(state, Info(axes, word=word))
    if dynamics.threshold is None and dynamics.state_bits:
        tracer.set_info(neurons.signal, Info(info.axes, info.codes))
    elif dynamics.threshold is None:
        tracer.set_info(neurons.signal, Info(info.axes, producer=info.producer, word=word))
    else:
        tracer.set_info(neurons.signal, Info(neurons.fired, _grid(dynamics)))


def _grid(dynamics: Dynamics) -> Grid | None:
    """Return the grid of what neurons send; None for numbers of any size, and for membranes."""
    if dynamics.fires_bits:
        return event_grid(1)
    several = dynamics.most > 1 and is_one(dynamics.spike_factor)
    return event_grid(dynamics.most) if several else None
