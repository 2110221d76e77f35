"""Silicon area of memories, multipliers and controllers by node, size and width.

With F the node, and `k` constants of `energy_models/data/technology/machine.toml`:

    bank of SRAM       F^2 (k_cell words bits + k_column bits + k_bank)                              [m^2]
    other memories     F^2 k_gate k_bit bits / utilisation: latches and flip-flops are logic
    multiplier         F^2 k_gate gates / utilisation,
                       gates = k_mac (s a b / 64 + (1 - s) (a + b + sum) / 40)
    core               k_core memories + logic

The cell is that of the sweep of CACTI, which knows no overhead of a bank; that is of ten open macros at 130 nm. The
factor k_core (1.6 to 2.3) is what cores of known chips take over the sweep's area of their memories. Analogue parts,
pads, seal rings, clock and power grids of a die are in none of them.

Every law takes floats or arrays of points and has no branch on values; `end` gives its bounds.
"""

from __future__ import annotations

from energy_models.quantities.number import Number
from energy_models.technology.machine_laws import Cell, End, against, at, machine_laws

NARROW_BITS = 8
"""Operands of the multiply-accumulate whose gates are known."""
SUM_BITS = 24
"""Its accumulator."""
NM_M = 1e-9  # metres in a nanometre


def square_m2(node_nm: Number) -> Number:
    """Return the square of a node [m^2]; `node_nm` in nm."""
    return (node_nm * NM_M) ** 2


def sram_bank_area_m2(capacity_bits: Number, word_bits: Number, node_nm: Number, end: End = "nominal") -> Number:
    """Return the area of one bank of SRAM [m^2]: ``F^2 (k_cell bits + k_column word + k_bank)``.

    Parameters
    ----------
    capacity_bits, word_bits : float or array
        Of the bank [bits].
    node_nm : float or array
        Technology node [nm].
    end : {'low', 'nominal', 'high'}
    """
    laws = machine_laws().area
    squares = at(laws.sram_cell, end) * capacity_bits + at(laws.sram_column, end) * word_bits + at(laws.sram_bank, end)
    return square_m2(node_nm) * squares


def gates_area_m2(gates: Number, node_nm: Number, end: End = "nominal") -> Number:
    """Return the area of placed logic [m^2]: ``F^2 k_gate gates / utilisation``, a gate being a two-input NAND."""
    laws = machine_laws().area
    return square_m2(node_nm) * (at(laws.gate, end) / against(laws.utilisation, end)) * gates


def memory_area_m2(
    cell: Cell, node_nm: Number, end: End = "nominal", *, banks: Number, bank_bits: Number, word_bits: Number
) -> Number:
    """Return the area of a memory of equal banks [m^2], without what the core around it takes.

    Parameters
    ----------
    cell : {'sram', 'standard_cell', 'register', 'non_volatile'}
    node_nm : float or array
        Technology node [nm].
    end : {'low', 'nominal', 'high'}
    banks : float or array
        How many.
    bank_bits, word_bits : float or array
        Of each [bits].
    """
    laws = machine_laws().area
    if cell == "sram":
        return banks * sram_bank_area_m2(bank_bits, word_bits, node_nm, end)
    if cell == "non_volatile":
        return banks * (square_m2(node_nm) * at(laws.non_volatile_cell, end) * bank_bits)
    gates = laws.standard_cell_bit if cell == "standard_cell" else laws.register_bit
    return banks * gates_area_m2(at(gates, end) * bank_bits, node_nm, end)


def multiplier_gates(
    first_bits: Number, second_bits: Number, sum_bits: Number, end: End = "nominal"
) -> Number:
    """Return the gates of a multiply-accumulate [gates]: multiplier by both widths, adder and registers by bits.

    Its share of the multiplier holds at 8 x 8 into 24 bits, where the gates are known; the bounds are of the gates.

    Parameters
    ----------
    first_bits, second_bits, sum_bits : float or array
        Operands and accumulator [bits].
    end : {'low', 'nominal', 'high'}
    """
    laws = machine_laws().area
    share = at(laws.multiplier_share, "nominal")
    product = first_bits * second_bits / NARROW_BITS**2
    line = (first_bits + second_bits + sum_bits) / (2 * NARROW_BITS + SUM_BITS)
    return at(laws.multiply_accumulate, end) * (share * product + (1.0 - share) * line)


def controller_area_m2(node_nm: Number, end: End = "nominal") -> Number:
    """Return the area of sequencer, address generators and configuration registers [m^2]."""
    return gates_area_m2(at(machine_laws().area.controller, end), node_nm, end)


def core_area_m2(memories_m2: Number, logic_m2: Number, end: End = "nominal") -> Number:
    """Return the area of a core [m^2]: ``k_core memories + logic``.

    Parameters
    ----------
    memories_m2 : float or array
        All memories, by `memory_area_m2` [m^2].
    logic_m2 : float or array
        Multipliers and controller, by `gates_area_m2` [m^2].
    end : {'low', 'nominal', 'high'}
    """
    return at(machine_laws().area.core_factor, end) * memories_m2 + logic_m2
