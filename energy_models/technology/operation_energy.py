"""Energy of operations by node and width, recomputed from published tables (45 nm: Horowitz 2014; 7 nm: Jouppi 2021).

An operation on widths a and b costs ``per_bit (a + b)/2 + per_square_bit a b``:

    multiply     per_square_bit and per_bit through the 8 and the 32 bit multiplier; where that needs a negative
                 per_bit, per_square_bit alone, the geometric mean of both
    add          per_bit of the 32-bit adder; also accumulate, reset (of a state), compare (a subtraction)
    divide       one subtraction of b bits for each of b quotient bits: per_square_bit of an adder; a root half of it
    leak         a multiplication by a constant: per_square_bit of the multiplier
    requantise   a shift, two additions (round, clip), a multiplication by a scale of half the width

Between 45 and 7 nm the logarithm of every table entry goes the way of `energy_models.technology.scaling.node`; what
only 45 nm tables have (shift, register) goes with the 32-bit adder. Each class of logic thus scales by its own factor.
Outside the tables a node is refused.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import exp, log, sqrt

from energy_models.errors import PriceError
from energy_models.hardware import OperationName
from energy_models.technology.scaling.node import way_between

TABLE = "measurements/operation_energies.csv"
OLD_NM, NEW_NM = 45.0, 7.0
NARROW, WIDE = 8, 32
FJ_PER_PJ = 1e3


@dataclass(frozen=True, slots=True)
class TableEntry:
    """One entry of a published table."""

    operation: str
    bits: int
    node_nm: float
    energy_pj: float
    source: str


@dataclass(frozen=True, slots=True)
class OperationLaw:
    """``per_bit`` [fJ/bit] and ``per_square_bit`` [fJ/bit2] of one operation."""

    per_bit: float = 0.0
    per_square_bit: float = 0.0

    def energy_fj(self, first: int, second: int) -> float:
        """Return the energy of one operation on operands of two widths [fJ]."""
        return self.per_bit * (first + second) / 2 + self.per_square_bit * first * second


@cache
def table_entries() -> tuple[TableEntry, ...]:
    """Return the entries of the shipped table."""
    text = (files("energy_models.data") / TABLE).read_text(encoding="utf-8")
    return tuple(
        TableEntry(row["operation"], int(row["bits"]), float(row["node_nm"]), float(row["energy_pj"]), row["source"])
        for row in csv.DictReader(text.splitlines())
    )


def table_pj(operation: str, bits: int, node_nm: float) -> float:
    """Return a table's energy at a node, interpolated between 45 and 7 nm [pJ].

    Raises
    ------
    PriceError
        When the node lies outside, or no table has the operation at that width.
    """
    if not NEW_NM <= node_nm <= OLD_NM:
        raise PriceError(
            f"no operation table reaches {node_nm:g} nm", where=TABLE,
            remedy=f"Stay between {NEW_NM:g} and {OLD_NM:g} nm, or scale a cost of {OLD_NM:g} nm and say how",
        )
    found = {one.node_nm: one.energy_pj for one in table_entries() if (one.operation, one.bits) == (operation, bits)}
    if OLD_NM not in found:
        raise PriceError(f"no table has {operation} at {bits} bits", where=TABLE, remedy="Add a row with its source")
    towards = way_between(OLD_NM, NEW_NM, node_nm)
    old = found[OLD_NM]
    if towards == 0.0:
        return old
    if NEW_NM in found:
        return exp((1 - towards) * log(old) + towards * log(found[NEW_NM]))
    return old * table_pj("add", WIDE, node_nm) / table_pj("add", WIDE, OLD_NM)


def multiplier_law(node_nm: float) -> OperationLaw:
    """Return the law through the 8 and the 32 bit multiplier of a node."""
    narrow, wide = (table_pj("multiply", bits, node_nm) * FJ_PER_PJ for bits in (NARROW, WIDE))
    square = (wide - narrow * WIDE / NARROW) / (WIDE**2 - WIDE * NARROW)
    line = narrow / NARROW - square * NARROW
    if line >= 0:
        return OperationLaw(line, square)
    return OperationLaw(0.0, sqrt(narrow / NARROW**2 * wide / WIDE**2))


def operation_laws(node_nm: float, *, factor: float = 1.0) -> Mapping[OperationName, OperationLaw]:
    """Return the laws of all operations but table look-ups, which are memory reads.

    Parameters
    ----------
    node_nm : float
        Technology node [nm], 7 to 45.
    factor : float
        Multiplies all of them: another supply, or a node beyond the tables.

    Raises
    ------
    PriceError
        When the node lies outside the tables.
    """
    multiply = multiplier_law(node_nm)
    adder = table_pj("add", WIDE, node_nm) * FJ_PER_PJ / WIDE
    shifter = table_pj("shift", WIDE, node_nm) * FJ_PER_PJ / WIDE
    line, square = OperationLaw(adder * factor), multiply.per_square_bit * factor
    requantise = shifter + 2 * adder + 0.75 * multiply.per_bit
    return {
        "multiply": OperationLaw(multiply.per_bit * factor, square),
        "accumulate": line, "add": line, "compare": line, "reset": line,
        "divide": OperationLaw(0.0, adder * factor),
        "square_root": OperationLaw(0.0, adder * factor / 2),
        "leak": OperationLaw(0.0, square),
        "requantise": OperationLaw(requantise * factor, square / 2),
    }
