"""Nodes that keep a state from step to step: gated recurrent layers, and leaky neurons.

All steps inside a gated layer are powers of two and fixed (``docs/concepts/quantised_recurrent.md``): pre-activations
and the cell of an LSTM count 2^-12, gates 2^-8, states and candidates 2^-7. What a network decides is how wide its
weights are, how wide the state is as the recurrent product reads it, and the multipliers from that product to
pre-activations. A leaky neuron is on the grid of what drives it (``docs/concepts/quantised_spiking.md``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from students.deploy.fixed_point import FixedPoint, shifted
from students.deploy.ranges import Integers, Range

FINE_BITS, GATE_BITS, STATE_BITS, CELL_BITS = 12, 8, 8, 16
"""Fractional bits of a pre-activation and a cell, and of a gate; widths of a state and of a cell [bits]."""

PREACTIVATION_HIGHEST = 2**15 - 1
"""Largest pre-activation and cell; the least is its negative."""

SIGMOID_SHIFT, TANH_SHIFT = 7, 6
"""Bits that a pre-activation is rounded by on its way to a table's address."""

ENTRIES = 512
"""Of a table: at the addresses -256 to 255, which are read beyond their ends too."""

MEMBRANE_DECAY_BITS = 8
"""Fractional bits of a membrane's decay."""

State = tuple[Integers, ...]
"""What a node keeps between steps, each of shape (examples, units): a GRU its state, an LSTM state and cell, neurons
their membranes."""


@dataclass(frozen=True, slots=True)
class Recurrent:
    """The steps of a GRU or an LSTM: from the input's pre-activations (rows, steps) to states (units, steps).

    Rows are those of torch: reset, update and candidate of a GRU; input, forget, candidate and output gate of an LSTM.

    Parameters
    ----------
    name, source : str
        The source is the input product on the grid of pre-activations, 16 bits in steps of 2^-12.
    result : Range
        States of 8 bits in steps of 2^-7.
    kind : {'gru', 'lstm'}
    weights : ndarray of int64, shape (rows, units)
        Of the recurrent product.
    weight_bits : int
    bias : ndarray of int64, shape (rows,)
    operand_bits : int
        Width of the state as the recurrent product reads it: rounded by ``8 - operand_bits`` bits, symmetric.
    sums : Range
        Of the recurrent product's accumulators.
    constants : FixedPoint, one a row or one for all
        From an accumulator to a pre-activation.
    sigmoid, tanh : ndarray of int64, shape (512,)
    """

    name: str
    source: str
    result: Range
    kind: Literal["gru", "lstm"]
    weights: Integers
    weight_bits: int
    bias: Integers
    operand_bits: int
    sums: Range
    constants: FixedPoint
    sigmoid: Integers
    tanh: Integers

    @property
    def units(self) -> int:
        """Numbers of one state."""
        return self.weights.shape[1]

    @property
    def state_bits(self) -> tuple[int, ...]:
        """Width of each number that a unit keeps [bits]."""
        return (STATE_BITS,) if self.kind == "gru" else (STATE_BITS, CELL_BITS)

    def first_state(self, examples: int) -> State:
        """Return the state before the first step: zeros."""
        return tuple(np.zeros((examples, self.units), dtype=np.int64) for _ in self.state_bits)


@dataclass(frozen=True, slots=True)
class Feedback:
    """Weights of neurons on the spikes of their own layer in the step before, and the grid of their currents.

    Parameters
    ----------
    weights : ndarray of int64, shape (units, units)
    weight_bits : int
    bias : ndarray of int64, shape (units,), or None
    sums : Range
        Of the accumulators.
    constants : FixedPoint, one a row or one for all
        From an accumulator to a current, which is held within the membrane's ends.
    """

    weights: Integers
    weight_bits: int
    bias: Integers | None
    sums: Range
    constants: FixedPoint

    def accumulators(self, spikes: Integers) -> Integers:
        """Return the sums, shape (examples, units), of spikes of that shape."""
        sums = spikes @ self.weights.T
        return sums if self.bias is None else sums + self.bias


@dataclass(frozen=True, slots=True)
class Adaptation:
    """What raises a threshold, in steps that are ``2^fraction`` times finer than the membrane's.

    ``adaptation = min(trunc(adaptation * decay / 2^8) + rise, highest)``, with the rise in the step after a spike.

    Parameters
    ----------
    decay : int, or ndarray of int64, shape (units,)
    rise, fraction, bits : int
    """

    decay: int | Integers
    rise: int
    fraction: int
    bits: int

    @property
    def highest(self) -> int:
        """Largest adaptation; it is never negative."""
        return 2 ** (self.bits - 1) - 1


@dataclass(frozen=True, slots=True)
class Neurons:
    """Leaky neurons: currents on the membrane's grid (units, steps) to events 0..most, or to membranes, as many.

    ``C = membrane``, 0 after an event where the reset is ``zero``, less a threshold for each where it is ``residue``;
    then ``membrane = clip(trunc(C * decay / 2^8) + current - reset, lowest, highest)`` with a reset of `threshold` for
    each event of the step before where it is ``subtract``, and of the whole membrane where it is ``clear``; an event
    for each of ``threshold, 2 threshold ..`` that the membrane is above, `most` at most. `trunc` cuts towards zero.
    With `feedback` the currents of the layer's own spikes are added to the current. With `current_decay` the current
    becomes ``clip(trunc(flowing * current_decay / 2^8) + current, lowest, highest)`` of what flowed in the step
    before.

    Parameters
    ----------
    name, source : str
    result : Range
    membrane : Range
        Of the membranes, shape (units,).
    decay : int, or ndarray of int64, shape (units,)
        In 256ths, 0 to 256.
    threshold : int, ndarray of int64, shape (units,), or None
        None: the neurons never fire, and their membranes are put out.
    reset : {'subtract', 'residue', 'zero', 'clear', 'none'}
    most : int
        Most events of a neuron in a step.
    current_decay : int, ndarray of int64, shape (units,), or None
    adaptation : Adaptation or None
        Of neurons with one event a step.
    feedback : Feedback or None
    """

    name: str
    source: str
    result: Range
    membrane: Range
    decay: int | Integers
    threshold: int | Integers | None
    reset: Literal["subtract", "residue", "zero", "clear", "none"]
    most: int = 1
    current_decay: int | Integers | None = None
    adaptation: Adaptation | None = None
    feedback: Feedback | None = None

    @property
    def units(self) -> int:
        """Number of neurons."""
        return self.membrane.shape[0]

    @property
    def state_bits(self) -> tuple[int, ...]:
        """Width of each number that a neuron keeps: membrane, what flows, adaptation [bits]."""
        bits = self.membrane.signed_bits
        flows = () if self.current_decay is None else (bits,)
        return (bits, *flows, *(() if self.adaptation is None else (self.adaptation.bits,)))

    def first_state(self, examples: int) -> State:
        """Return the state before the first step: zeros."""
        return tuple(np.zeros((examples, self.units), dtype=np.int64) for _ in self.state_bits)


Cell = Recurrent | Neurons


def run_cell(node: Cell, drive: Integers, state: State) -> tuple[Integers, State]:
    """Return what a cell puts out in all steps, and what it keeps after the last one.

    Parameters
    ----------
    node : Recurrent or Neurons
    drive : ndarray of int64, shape (examples, rows, steps)
    state : tuple of ndarray, shape (examples, units)
    """
    return run_recurrent(node, drive, state) if isinstance(node, Recurrent) else run_neurons(node, drive, state)


def run_neurons(node: Neurons, drive: Integers, state: State) -> tuple[Integers, State]:
    """Return spikes or membranes of all steps, and the state after the last one, as `run_cell`."""
    before, *others = state
    found, low, high = np.empty_like(drive), node.membrane.lowest, node.membrane.highest
    flowing = others.pop(0) if node.current_decay is not None else None
    risen = others.pop(0) if node.adaptation is not None else None
    for place in range(drive.shape[2]):
        fired = _events(node, before, risen)
        taken = np.zeros_like(before) if node.threshold is None else fired * node.threshold
        into = drive[:, :, place]
        if node.feedback is not None:
            sums = node.feedback.accumulators(fired)
            into = into + np.clip(node.feedback.constants.apply(sums), low, high)
        if node.current_decay is not None and flowing is not None:
            into = flowing = np.clip(_leaked(flowing, node.current_decay) + into, low, high)
        kept = before * (fired == 0) if node.reset == "zero" else before - taken * (node.reset == "residue")
        now = _leaked(kept, node.decay) + into - (taken if node.reset == "subtract" else 0)
        before = np.clip(now * (fired == 0) if node.reset == "clear" else now, low, high)
        if node.adaptation is not None and risen is not None:
            given = _leaked(risen, node.adaptation.decay) + fired * node.adaptation.rise
            risen = np.minimum(given, node.adaptation.highest)
        found[:, :, place] = before if node.threshold is None else _events(node, before, risen)
    return found, tuple(one for one in (before, flowing, risen) if one is not None)


def _leaked(levels: Integers, decay: int | Integers) -> Integers:
    """Return levels times a decay, cut towards zero."""
    return np.sign(levels) * (np.abs(levels) * decay >> MEMBRANE_DECAY_BITS)


def _events(node: Neurons, membranes: Integers, risen: Integers | None) -> Integers:
    """Return how often neurons of these membranes, and thresholds raised by so much, fire, shape (examples, units)."""
    fired = np.zeros_like(membranes)
    if node.threshold is None:
        return fired
    if node.adaptation is not None and risen is not None:
        return ((membranes - node.threshold) << node.adaptation.fraction > risen).astype(np.int64)
    for event in range(1, node.most + 1):
        fired += membranes > event * np.asarray(node.threshold)
    return fired


def run_recurrent(node: Recurrent, drive: Integers, state: State) -> tuple[Integers, State]:
    """Return the states of all steps, and those after the last one, as `run_cell`."""
    step = _gru_step if node.kind == "gru" else _lstm_step
    states = np.empty((len(drive), node.units, drive.shape[2]), dtype=np.int64)
    for place in range(drive.shape[2]):
        state = step(node, drive[:, :, place], state)
        states[:, :, place] = state[0]
    return states, state


def accumulators(node: Recurrent, state: Integers) -> Integers:
    """Return the sums of the recurrent product, shape (examples, rows), of states (examples, units)."""
    highest = 2 ** (node.operand_bits - 1) - 1
    operand = np.clip(shifted(state, STATE_BITS - node.operand_bits), -highest, highest)
    return operand @ node.weights.T + node.bias


def _hidden(node: Recurrent, state: Integers) -> Integers:
    """Return the recurrent part of the pre-activations."""
    return _saturated(node.constants.apply(accumulators(node, state)))


def _saturated(values: Integers) -> Integers:
    return np.clip(values, -PREACTIVATION_HIGHEST, PREACTIVATION_HIGHEST)


def _look_up(table: Integers, values: Integers, shift: int) -> Integers:
    return table[np.clip(shifted(values, shift), -ENTRIES // 2, ENTRIES // 2 - 1) + ENTRIES // 2]


def _gru_step(node: Recurrent, drive: Integers, state: State) -> State:
    before, hidden, units = state[0], _hidden(node, state[0]), node.units
    gates = _look_up(node.sigmoid, drive[:, : 2 * units] + hidden[:, : 2 * units], SIGMOID_SHIFT)
    reset, update = gates[:, :units], gates[:, units:]
    kept = shifted(reset * hidden[:, 2 * units :], GATE_BITS)
    candidate = _look_up(node.tanh, drive[:, 2 * units :] + kept, TANH_SHIFT)
    return (candidate + shifted(update * (before - candidate), GATE_BITS),)


def _lstm_step(node: Recurrent, drive: Integers, state: State) -> State:
    before, cell = state
    enter, forget, candidate, leave = np.split(drive + _hidden(node, before), 4, axis=1)
    enter, forget, leave = (_look_up(node.sigmoid, one, SIGMOID_SHIFT) for one in (enter, forget, leave))
    new = enter * _look_up(node.tanh, candidate, TANH_SHIFT)  # steps of 2^-15
    finer = FINE_BITS + GATE_BITS - (GATE_BITS + STATE_BITS - 1)
    cell = _saturated(shifted(forget * cell + (new << finer), GATE_BITS))
    return shifted(leave * _look_up(node.tanh, cell, TANH_SHIFT), GATE_BITS), cell
