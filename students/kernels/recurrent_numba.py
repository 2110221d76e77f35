"""The compiled forms of `students.kernels.gru` and `students.kernels.lstm`: one example after the other.

Sigmoid and tanh are polynomials with the error of a few last bits, because a loop that calls a library's does not
become vector instructions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from students.kernels.compiled import compiled
from students.kernels.recurrent_grid import ENTRIES, FINE, HIGHEST, SIGMOID_STEP, STATE_STEP, TANH_STEP

ZERO, ONE, TWO, HALF = np.float32(0), np.float32(1), np.float32(2), np.float32(0.5)
LOG2_E, LN2_HIGH, LN2_LOW = np.float32(1.44269504), np.float32(0.693359375), np.float32(-2.12194440e-4)
LARGEST = np.float32(87)
"""Exponents stay those of normal numbers up to here."""
# exp(r) = 1 + r + r^2 (C0 + C1 r + ...) on |r| <= ln(2) / 2: the coefficients of the Cephes library's expf.
C0, C1, C2 = np.float32(5.0000001201e-1), np.float32(1.6666665459e-1), np.float32(4.1665795894e-2)
C3, C4, C5 = np.float32(8.3334519073e-3), np.float32(1.3981999507e-3), np.float32(1.9875691500e-4)
EXPONENT_BIAS, MANTISSA_BITS = np.int32(127), np.int32(23)
# Of the integers: a step and its reciprocal, by which is multiplied; both are powers of two.
STEP, A_STEP, MOST = np.float32(FINE), np.float32(1 / FINE), np.float32(HIGHEST)
STATE, A_STATE = np.float32(STATE_STEP), np.float32(1 / STATE_STEP)
A_SIGMOID, A_TANH = np.float32(1 / SIGMOID_STEP), np.float32(1 / TANH_STEP)
FIRST, LAST, MIDDLE = np.float32(-ENTRIES // 2), np.float32(ENTRIES // 2 - 1), np.int32(ENTRIES // 2)


@compiled("void(float32[::1])")
def sigmoids(values: Any) -> None:
    """Replace numbers by ``1 / (1 + exp(-x))``."""
    for j in range(values.shape[0]):
        x = min(max(-values[j], -LARGEST), LARGEST)
        power = np.rint(x * LOG2_E)
        rest = x - power * LN2_HIGH - power * LN2_LOW
        series = ((((C5 * rest + C4) * rest + C3) * rest + C2) * rest + C1) * rest + C0
        scale = np.int32((np.int32(power) + EXPONENT_BIAS) << MANTISSA_BITS).view(np.float32)
        values[j] = ONE / (ONE + (series * (rest * rest) + rest + ONE) * scale)


@compiled("void(float32[::1])")
def tanhs(values: Any) -> None:
    """Replace numbers by ``(1 - exp(-2x)) / (1 + exp(-2x))``, near zero without cancellation."""
    for j in range(values.shape[0]):
        x = max(-TWO * abs(values[j]), -LARGEST)
        power = np.rint(x * LOG2_E)
        rest = x - power * LN2_HIGH - power * LN2_LOW
        series = ((((C5 * rest + C4) * rest + C3) * rest + C2) * rest + C1) * rest + C0
        scale = np.int32((np.int32(power) + EXPONENT_BIAS) << MANTISSA_BITS).view(np.float32)
        below = scale * (series * (rest * rest) + rest) + (scale - ONE)  # exp(-2x) - 1
        size = -below / (TWO + below)
        values[j] = -size if values[j] < ZERO else size


@compiled("void(float32[::1], float32[:, ::1], float32[::1], float32[::1])")
def product(vector: Any, weights: Any, start: Any, sums: Any) -> None:
    """Write ``start + vector @ weights`` into `sums`."""
    rows, columns = weights.shape
    for j in range(columns):
        sums[j] = start[j]
    whole = rows // 4 * 4
    for k in range(0, whole, 4):
        a, b, c, d = vector[k], vector[k + 1], vector[k + 2], vector[k + 3]
        for j in range(columns):
            sums[j] += (
                (a * weights[k, j] + b * weights[k + 1, j]) + (c * weights[k + 2, j] + d * weights[k + 3, j])
            )
    for k in range(whole, rows):
        a = vector[k]
        for j in range(columns):
            sums[j] += a * weights[k, j]


@compiled(
    "void(float32[:, :, ::1], float32[:, ::1], float32[:, ::1], float32[::1],"
    " float32[:, :, ::1], float32[:, :, ::1], float32[:, :, ::1])"
)
def gru_forward(  # noqa: PLR0917  compiled functions take arguments by position
    driven: Any, state: Any, weight: Any, bias: Any, states: Any, gates: Any, memory: Any
) -> None:
    """Write states, gates and the hidden part of each candidate; `weight` has shape (units, 3 units)."""
    examples, steps, units = states.shape
    hidden = np.empty(3 * units, np.float32)
    for example in range(examples):
        before = state[example]
        for step in range(steps):
            product(before, weight, bias, hidden)
            drive, now = driven[example, step], states[example, step]
            gate, kept = gates[example, step], memory[example, step]
            both, candidate = gate[: 2 * units], gate[2 * units :]
            for j in range(2 * units):
                both[j] = drive[j] + hidden[j]
            sigmoids(both)
            for j in range(units):
                kept[j] = hidden[2 * units + j]
            for j in range(units):
                candidate[j] = drive[2 * units + j] + gate[j] * kept[j]
            tanhs(candidate)
            for j in range(units):
                now[j] = candidate[j] + gate[units + j] * (before[j] - candidate[j])
            before = now


@compiled(
    "void(float32[:, :, ::1], float32[:, :, ::1], float32[:, ::1], float32[:, :, ::1], float32[:, :, ::1],"
    " float32[:, ::1], float32, float32[:, ::1], float32[:, :, ::1], float32[:, :, ::1])"
)
def gru_backward(  # noqa: PLR0917  compiled functions take arguments by position
    gradient: Any, states: Any, state: Any, gates: Any, memory: Any, weight: Any, limit: Any, of_state: Any,
    of_driven: Any, of_hidden: Any,
) -> None:  # fmt: skip
    """Write the gradients of the first state and of both parts of the pre-activations.

    Parameters
    ----------
    limit : float32
        No gradient passes the recurrent product from states of this size and above.
    """
    examples, steps, units = states.shape
    total, through, zeros = np.empty(units, np.float32), np.empty(units, np.float32), np.zeros(units, np.float32)
    for example in range(examples):
        carry = of_state[example]
        carry[:] = ZERO
        for step in range(steps - 1, -1, -1):
            before = states[example, step - 1] if step > 0 else state[example]
            gate, kept, given = gates[example, step], memory[example, step], gradient[example, step]
            drive, hidden = of_driven[example, step], of_hidden[example, step]
            for j in range(units):
                total[j] = given[j] + carry[j]
            for j in range(units):
                update, candidate = gate[units + j], gate[2 * units + j]
                drive[units + j] = total[j] * (before[j] - candidate) * update * (ONE - update)
            for j in range(units):
                candidate = gate[2 * units + j]
                drive[2 * units + j] = total[j] * (ONE - gate[units + j]) * (ONE - candidate * candidate)
            for j in range(units):
                drive[j] = drive[2 * units + j] * kept[j] * gate[j] * (ONE - gate[j])
            for j in range(2 * units):
                hidden[j] = drive[j]
            for j in range(units):
                hidden[2 * units + j] = drive[2 * units + j] * gate[j]
            product(hidden, weight, zeros, through)
            for j in range(units):
                carry[j] = total[j] * gate[units + j] + (through[j] if abs(before[j]) < limit else ZERO)


@compiled(
    "void(float32[:, :, ::1], UniTuple(float32[:, ::1], 2), float32[:, ::1], float32[::1],"
    " float32[:, :, ::1], float32[:, :, ::1], float32[:, :, ::1], float32[:, :, ::1])"
)
def lstm_forward(  # noqa: PLR0917  compiled functions take arguments by position
    driven: Any, state: tuple[Any, Any], weight: Any, bias: Any, states: Any, cells: Any, gates: Any, bounded: Any
) -> None:
    """Write states, cells, gates and the tanh of each cell; `weight` has shape (units, 4 units)."""
    examples, steps, units = states.shape
    hidden = np.empty(4 * units, np.float32)
    for example in range(examples):
        before, cell = state[0][example], state[1][example]
        for step in range(steps):
            product(before, weight, bias, hidden)
            drive, gate = driven[example, step], gates[example, step]
            now, after, size = states[example, step], cells[example, step], bounded[example, step]
            for j in range(4 * units):
                gate[j] = drive[j] + hidden[j]
            sigmoids(gate[: 2 * units])
            tanhs(gate[2 * units : 3 * units])
            sigmoids(gate[3 * units :])
            for j in range(units):
                after[j] = gate[units + j] * cell[j] + gate[j] * gate[2 * units + j]
            for j in range(units):
                size[j] = after[j]
            tanhs(size)
            for j in range(units):
                now[j] = gate[3 * units + j] * size[j]
            before, cell = now, after


@compiled(
    "void(float32[:, :, ::1], UniTuple(float32[:, :, ::1], 2), UniTuple(float32[:, ::1], 2), float32[:, :, ::1],"
    " float32[:, :, ::1], float32[:, ::1], UniTuple(float32, 2), UniTuple(float32[:, ::1], 2), float32[:, :, ::1])"
)
def lstm_backward(  # noqa: PLR0917  compiled functions take arguments by position
    gradient: Any, states: tuple[Any, Any], first: tuple[Any, Any], gates: Any, bounded: Any, weight: Any,
    limits: tuple[Any, Any], carries: tuple[Any, Any], of_driven: Any,
) -> None:  # fmt: skip
    """Write the gradient of the pre-activations; carry those of state and cell to the first step.

    Parameters
    ----------
    limits : tuple of float32
        No gradient passes the recurrent product from states, nor a cell, of this size and above.
    carries : tuple of ndarray
        At first the gradients that reach the last state and the last cell.
    """
    examples, steps, units = gradient.shape
    through, zeros = np.empty(units, np.float32), np.zeros(units, np.float32)
    for example in range(examples):
        carry, of_cell = carries[0][example], carries[1][example]
        for step in range(steps - 1, -1, -1):
            before = states[0][example, step - 1] if step > 0 else first[0][example]
            cell = states[1][example, step - 1] if step > 0 else first[1][example]
            after, gate, size = states[1][example, step], gates[example, step], bounded[example, step]
            drive, given = of_driven[example, step], gradient[example, step]
            for j in range(units):
                carry[j] += given[j]
            for j in range(units):
                leave = gate[3 * units + j]
                drive[3 * units + j] = carry[j] * size[j] * leave * (ONE - leave)
            for j in range(units):
                of_cell[j] += carry[j] * gate[3 * units + j] * (ONE - size[j] * size[j])
            for j in range(units):
                of_cell[j] = of_cell[j] if abs(after[j]) < limits[1] else ZERO
            for j in range(units):
                enter, candidate = gate[j], gate[2 * units + j]
                drive[j] = of_cell[j] * candidate * enter * (ONE - enter)
                drive[2 * units + j] = of_cell[j] * enter * (ONE - candidate * candidate)
            for j in range(units):
                forget = gate[units + j]
                drive[units + j] = of_cell[j] * cell[j] * forget * (ONE - forget)
            for j in range(units):
                of_cell[j] *= gate[units + j]
            product(drive, weight, zeros, through)
            for j in range(units):
                carry[j] = through[j] if abs(before[j]) < limits[0] else ZERO


@compiled("void(float32[::1], float32, float32, float32, float32[::1])")
def round_to(values: Any, factor: Any, step: Any, highest: Any, results: Any) -> None:
    """Write numbers times a factor, rounded and clipped, times a step."""
    for j in range(values.shape[0]):
        level = np.rint(values[j] * factor)
        level = highest if level > highest else level
        level = -highest if level < -highest else level
        results[j] = level * step


@compiled(
    "void(float32[::1], float32[:, ::1], float32[::1], float32[::1], UniTuple(float32, 2), float32[::1], float32[::1])"
)
def integer_product(  # noqa: PLR0917  compiled functions take arguments by position
    state: Any, levels: Any, offset: Any, multiplier: Any, grid: tuple[Any, Any], operand: Any, sums: Any
) -> None:
    """Write the recurrent part of the pre-activations; `operand` is room for the state on the product's grid."""
    round_to(state, ONE / grid[0], grid[0], grid[1], operand)
    product(operand, levels, offset, sums)
    for j in range(sums.shape[0]):
        level = np.float32(np.rint(np.float64(sums[j]) * np.float64(multiplier[j])))  # exact before it is rounded
        level = MOST if level > MOST else level
        level = -MOST if level < -MOST else level
        sums[j] = level * STEP


@compiled("void(float32[::1], float32[::1], float32, int32[::1])")
def look_up(values: Any, table: Any, factor: Any, addresses: Any) -> None:
    """Replace pre-activations by a function's table; what is no number stays none, and reads no other memory."""
    for j in range(values.shape[0]):
        level = np.rint(values[j] * factor)
        level = level if level > FIRST else FIRST
        level = level if level < LAST else LAST
        addresses[j] = np.int32(level) + MIDDLE
        values[j] *= ZERO
    for j in range(values.shape[0]):  # apart, as it does not become vector instructions
        values[j] += table[np.uint32(addresses[j])]


@compiled(
    "void(float32[:, :, ::1], float32[:, ::1], float32[:, ::1], float32[::1], float32[::1],"
    " UniTuple(float32[::1], 2), UniTuple(float32, 2), float32[:, :, ::1], float32[:, :, ::1], float32[:, :, ::1])"
)
def gru_integers(  # noqa: PLR0917  compiled functions take arguments by position
    driven: Any, state: Any, levels: Any, offset: Any, multiplier: Any, tables: tuple[Any, Any],
    grid: tuple[Any, Any], states: Any, gates: Any, memory: Any,
) -> None:  # fmt: skip
    """Write states, gates and the hidden part of each candidate; `tables` are those of sigmoid and tanh."""
    examples, steps, units = states.shape
    hidden, drive = np.empty(3 * units, np.float32), np.empty(3 * units, np.float32)
    operand, addresses = np.empty(units, np.float32), np.empty(4 * units, np.int32)
    for example in range(examples):
        before = state[example]
        for step in range(steps):
            integer_product(before, levels, offset, multiplier, grid, operand, hidden)
            round_to(driven[example, step], A_STEP, STEP, MOST, drive)
            now, gate, kept = states[example, step], gates[example, step], memory[example, step]
            both, candidate = gate[: 2 * units], gate[2 * units :]
            for j in range(2 * units):
                both[j] = drive[j] + hidden[j]
            look_up(both, tables[0], A_SIGMOID, addresses)
            for j in range(units):
                kept[j] = hidden[2 * units + j]
            for j in range(units):
                candidate[j] = drive[2 * units + j] + np.rint(gate[j] * kept[j] * A_STEP) * STEP
            look_up(candidate, tables[1], A_TANH, addresses)
            for j in range(units):
                far = gate[units + j] * (before[j] - candidate[j])
                now[j] = candidate[j] + np.rint(far * A_STATE) * STATE
            before = now


@compiled(
    "void(float32[:, :, ::1], UniTuple(float32[:, ::1], 2), float32[:, ::1], float32[::1], float32[::1],"
    " UniTuple(float32[::1], 2), UniTuple(float32, 2),"
    " float32[:, :, ::1], float32[:, :, ::1], float32[:, :, ::1], float32[:, :, ::1])"
)
def lstm_integers(  # noqa: PLR0917  compiled functions take arguments by position
    driven: Any, state: tuple[Any, Any], levels: Any, offset: Any, multiplier: Any, tables: tuple[Any, Any],
    grid: tuple[Any, Any], states: Any, cells: Any, gates: Any, bounded: Any,
) -> None:  # fmt: skip
    """Write states, cells, gates and the tanh of each cell; `tables` are those of sigmoid and tanh."""
    examples, steps, units = states.shape
    hidden, drive = np.empty(4 * units, np.float32), np.empty(4 * units, np.float32)
    operand, addresses = np.empty(units, np.float32), np.empty(4 * units, np.int32)
    for example in range(examples):
        before, cell = state[0][example], state[1][example]
        for step in range(steps):
            integer_product(before, levels, offset, multiplier, grid, operand, hidden)
            round_to(driven[example, step], A_STEP, STEP, MOST, drive)
            gate = gates[example, step]
            now, after, size = states[example, step], cells[example, step], bounded[example, step]
            for j in range(4 * units):
                gate[j] = drive[j] + hidden[j]
            look_up(gate[: 2 * units], tables[0], A_SIGMOID, addresses)
            look_up(gate[2 * units : 3 * units], tables[1], A_TANH, addresses)
            look_up(gate[3 * units :], tables[0], A_SIGMOID, addresses)
            for j in range(units):
                size[j] = gate[units + j] * cell[j] + gate[j] * gate[2 * units + j]
            round_to(size, A_STEP, STEP, MOST, after)
            for j in range(units):
                size[j] = after[j]
            look_up(size, tables[1], A_TANH, addresses)
            for j in range(units):
                now[j] = np.rint(gate[3 * units + j] * size[j] * A_STATE) * STATE
            before, cell = now, after
