"""Wires between the banks of a memory: the more banks, the longer the way of a word.

    way     = distance (side of the memory - side of a bank)         [m], 0 for one bank
    energy  = energy of a bit over a metre at 1 V  V^2  word  way    [J] a word, read or written

Laws take floats or arrays of points and have no branch on values.
"""

from __future__ import annotations

from energy_models.quantities.number import Number, larger
from energy_models.technology.machine_laws import End, at, machine_laws

PER_MILLIMETRE = 1e3  # millimetres in a metre: the constant is of one millimetre


def bank_way_m(memory_m2: Number, bank_m2: Number, end: End = "nominal") -> Number:
    """Return the mean way of a word between its bank and the datapath, beyond the bank itself [m].

    Parameters
    ----------
    memory_m2 : float or array
        Area of all banks with what is between them [m^2].
    bank_m2 : float or array
        Area of one of them [m^2].
    end : {'low', 'nominal', 'high'}
    """
    return at(machine_laws().wires.distance, end) * larger(memory_m2**0.5 - bank_m2**0.5, 0.0)


def wire_energy_j(bits: Number, way_m: Number, supply_v: Number, end: End = "nominal") -> Number:
    """Return the energy that `bits` take over a way [J]: ``k bits way V^2``, the node does not matter.

    Parameters
    ----------
    bits : float or array
        Of a word.
    way_m : float or array
        Length of the wires [m].
    supply_v : float or array
        Swing of the wires [V].
    end : {'low', 'nominal', 'high'}
    """
    return at(machine_laws().wires.energy, end) * PER_MILLIMETRE * bits * way_m * supply_v**2
