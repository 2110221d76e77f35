"""Leakage of memories and logic, of one provenance at all nodes, and what the supply does to it.

    memory cell   k at its retention rail, whatever the node: the flavour of the cell sets it        [W] a bit
    others        registers, latches and gates of logic leak as so many cells
    supply        P(V) = P(V0) (V / V0) exp(b (V - V0) / (n kT/q)), b the lowered barrier

A machine is asleep at the retention rail and awake at its memories' supply: the same cells leak more while it works.
A law per node would make the cheapest node that whose leakage was published by whom (`docs/machine_laws.md`). Laws take
floats or arrays of points and have no branch on values.
"""

from __future__ import annotations

from energy_models.quantities import Quantity, Ratio
from energy_models.quantities.number import Number
from energy_models.technology.machine_laws import Cell, End, at, machine_laws
from energy_models.technology.scaling import barrier_factor, load_technology, thermal_slope_v


def supply_leakage_factor(from_v: Number, to_v: Number, end: End = "nominal") -> Number:
    """Return what a leakage power becomes at another supply [1]: ``(V/V0) exp(b (V - V0) / (n kT/q))`` at 300 K.

    Parameters
    ----------
    from_v, to_v : float or array
        Supplies [V]; `end` is that of a rise.
    end : {'low', 'nominal', 'high'}
    """
    barrier = at(load_technology().leakage.barrier_lowering, end)
    return barrier_factor(from_v, to_v, barrier, thermal_slope_v())


def cell_bits(cell: Cell, end: End = "nominal") -> float:
    """Return the SRAM cells that leak as much as one bit of a memory [1]; 0 of one that needs no supply."""
    laws = machine_laws().leakage
    if cell == "non_volatile":
        return 0.0
    found: dict[str, Ratio] = {"register": laws.register_bits, "standard_cell": laws.standard_cell_bits}
    return at(found[cell], end) if cell in found else 1.0


def retention_w(cell: Cell, bits: Number, end: End = "nominal") -> Number:
    """Return the power that keeps `bits` while a machine sleeps [W], at the retention rail (0.5 V)."""
    return at(machine_laws().leakage.retention, end) * cell_bits(cell, end) * bits


def awake_leakage_w(cell: Cell, bits: Number, supply_v: Number, end: End = "nominal") -> Number:
    """Return the power that `bits` leak while a machine works, at the memory's own supply [W].

    Parameters
    ----------
    cell : {'sram', 'standard_cell', 'register', 'non_volatile'}
    bits : float or array
        In banks that are on.
    supply_v : float or array
        Supply of the memory while awake [V].
    end : {'low', 'nominal', 'high'}
    """
    rail: Quantity = machine_laws().leakage.rail
    return retention_w(cell, bits, end) * supply_leakage_factor(at(rail, "nominal"), supply_v, end)


def logic_leakage_w(gates: Number, supply_v: Number, end: End = "nominal") -> Number:
    """Return the leakage of logic that is not switched off [W]: each gate as some memory cells, at the logic's supply.

    Parameters
    ----------
    gates : float or array
        Two-input NAND gates.
    supply_v : float or array
        Supply of the logic [V].
    end : {'low', 'nominal', 'high'}
    """
    return awake_leakage_w("sram", at(machine_laws().leakage.gate_bits, end) * gates, supply_v, end)
