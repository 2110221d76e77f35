"""The two memories of a designed machine, in whole banks: access, delay, area, leakage.

SRAM             sweep by node, bank and word  x  (rail / nominal)^k; between two swept nodes straight in logarithms
standard cells   energy of a bit accessed in one chip, moved as logic  x  word
registers        energy of a bit of the register tables, moved as logic  x  word
non-volatile     energy of a bit of its technology  x  word
wires            between banks, for each word, whatever the cells
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from energy_models.design.constants_file import design_laws
from energy_models.design.machine import DATA, WEIGHTS, Machine
from energy_models.errors import PriceError
from energy_models.hardware import NonVolatile
from energy_models.quantities import Number, larger
from energy_models.technology import (
    TABLE_BITS,
    Cell,
    End,
    bank_way_m,
    logic_delay_s,
    machine_laws,
    memory_area_m2,
    memory_fit,
    memory_supply_v,
    non_volatile_memory,
    supply_speed,
    table_pj,
    wire_energy_j,
)
from energy_models.technology.machine_laws import at
from energy_models.technology.scaling import load_technology, node_factor, nominal_supply_v
from energy_models.technology.sram import REFERENCE_K, Law

FLAVOUR = "itrs-lstp"
"""Cells of the sweep: low standby power."""
NODES_NM = (22, 32, 45, 65, 90)
"""Nodes at which memories were swept."""
TABLE_NM = 45.0
BYTE, PICO, NANO = 8, 1e-12, 1e-9
LOOKUP_WORD = 32
"""Bits of an entry of the table that is looked up."""


def check_node(node_nm: float) -> float:
    """Return a node for which every law holds [nm].

    Raises
    ------
    PriceError
        When it lies beyond the nodes at which memories were swept.
    """
    if not NODES_NM[0] <= node_nm <= NODES_NM[-1]:
        raise PriceError(
            f"no machine is designed at {node_nm:g} nm", where="machine design",
            remedy=f"Give a node from {NODES_NM[0]} to {NODES_NM[-1]} nm, the ends of the swept memories",
        )
    return node_nm


def swept_at(node_nm: float, law: Law, size_bytes: Number, width_bits: Number) -> Number:
    """Return a figure of the sweep at a node, in the unit of its column; between swept ones straight in logarithms."""
    below, above = NODES_NM[bisect_right(NODES_NM, node_nm) - 1], NODES_NM[bisect_left(NODES_NM, node_nm)]
    first, second = (
        memory_fit(node, FLAVOUR).laws[law].at_points(size_bytes, width_bits, REFERENCE_K) for node in (below, above)
    )
    if below == above:
        return first
    share = math.log(node_nm / below) / math.log(above / below)
    return first ** (1.0 - share) * second**share


@dataclass(frozen=True, slots=True)
class BuiltMemory:
    """One memory: `banks` of `bank_bits` each with words of `word_bits`, on a rail [V]."""

    cell: Cell
    node_nm: float
    banks: Number
    bank_bits: Number
    word_bits: Number
    rail_v: Number

    @property
    def capacity_bits(self) -> Number:
        """All banks [bits]."""
        return self.banks * self.bank_bits

    def area_m2(self, end: End = "nominal") -> Number:
        """Return the area of all banks, without what the core around them takes [m^2]."""
        return self.banks * self._bank_m2(end)

    def _bank_m2(self, end: End) -> Number:
        return memory_area_m2(
            self.cell, self.node_nm, end, banks=1.0, bank_bits=self.bank_bits, word_bits=self.word_bits
        )

    def wires_j(self, end: End = "nominal") -> Number:
        """Return the energy of a word over the wires between banks [J]."""
        around = at(machine_laws().area.core_factor, "nominal")
        bank = self._bank_m2("nominal")
        way = bank_way_m(around * self.banks * bank, bank, end)
        return wire_energy_j(self.word_bits, way, self.rail_v, end)

    def access_j(self, act: Law, end: End = "nominal") -> Number:
        """Return the energy of one word in its bank, ``read`` or ``write`` [J]."""
        if self.cell == "non_volatile":
            raise PriceError(
                "a non-volatile memory is priced by the bit of its technology", where="machine design",
                remedy="See `technology`",
            )
        if self.cell == "sram":
            exponent = at(load_technology().supply.exponent, "nominal")
            bank = swept_at(self.node_nm, act, self.bank_bits / BYTE, self.word_bits) * PICO
            bank = bank * (self.rail_v / nominal_supply_v(self.node_nm)) ** exponent
            bank = bank * at(design_laws().spread.sram, end)
        else:
            bank = self.word_bits * self._bit_j(end)
        return bank

    def _bit_j(self, end: End) -> Number:
        """Return the energy of one bit read or written in standard cells or registers [J]."""
        exponent = at(load_technology().supply.exponent, "nominal")
        if self.cell == "standard_cell":
            law = design_laws().standard_cell_memory
            node, supply = at(law.node, "nominal") / NANO, at(law.supply, "nominal")
            known = at(law.access, end)
        else:
            node, supply = TABLE_NM, nominal_supply_v(TABLE_NM)
            known = table_pj("register", 1, TABLE_NM) * PICO * at(design_laws().spread.register_bit, end)
        nominal = known * (nominal_supply_v(node) / supply) ** exponent
        factor = node_factor("adder", node, self.node_nm).nominal
        return nominal * factor * (self.rail_v / nominal_supply_v(self.node_nm)) ** exponent

    def delay_s(self) -> Number:
        """Return the access time at the rail [s]; latches and registers are as fast as logic."""
        nominal = nominal_supply_v(self.node_nm)
        if self.cell == "non_volatile":
            return at(design_laws().non_volatile.access, "nominal")
        if self.cell != "sram":
            return logic_delay_s(self.node_nm, self.rail_v, nominal)
        slower = supply_speed(nominal) / supply_speed(self.rail_v)
        return swept_at(self.node_nm, "access", self.bank_bits / BYTE, self.word_bits) * NANO * slower

    @property
    def technology(self) -> NonVolatile:
        """Costs of what is non-volatile at the node: flash, or MRAM below 40 nm."""
        finest = at(design_laws().sizes.finest_flash, "nominal") / NANO
        return non_volatile_memory("flash" if self.node_nm >= finest else "mram")


def lookup_table(machine: Machine) -> BuiltMemory:
    """Return the table that is looked up: SRAM, at its own lowest supply where the logic's is lower."""
    rail = memory_supply_v("sram", machine.supply_v)
    return BuiltMemory("sram", machine.node_nm, 1.0, TABLE_BITS, LOOKUP_WORD, rail)


def built(machine: Machine, banks: tuple[Number, Number]) -> tuple[BuiltMemory, BuiltMemory]:
    """Return both memories of a machine with so many banks each, on one rail that is high enough for both."""
    rail = larger(*(memory_supply_v(cell, machine.supply_v) for cell in machine.cells))
    words = (machine.weight_word_bits, machine.data_word_bits)
    first, second = (
        BuiltMemory(machine.cells[place], machine.node_nm, banks[place], machine.bank_bits[place], words[place], rail)
        for place in (WEIGHTS, DATA)
    )
    return first, second
