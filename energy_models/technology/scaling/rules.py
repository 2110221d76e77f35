"""Which law moves which constant of a profile. A constant that the table lacks is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from energy_models.errors import ProfileError
from energy_models.hardware import HardwareProfile
from energy_models.quantities import Band, Quantity, find_unit
from energy_models.technology.floors import lowest_supply_v
from energy_models.technology.scaling.leakage import supply_factor, temperature_factor
from energy_models.technology.scaling.node import node_factor, product, sram_factor
from energy_models.technology.scaling.supply import dynamic_factor, frequency_factor, nominal_supply_v
from energy_models.technology.scaling.technology import CircuitClass, Technology
from energy_models.technology.sram import REGISTER_BYTES

Law = CircuitClass | Literal[
    "sram", "sram_leakage", "static", "retention", "clock", "active_power", "event", "area", "fixed",
]
_ENERGIES = frozenset({"energy", "energy_per_bit", "energy_per_square_bit", "energy_per_step"})
_POWERS = frozenset({"power", "power_per_bit"})
BITS_PER_BYTE = 8
_TABLE_READ = "lookup"
TABLE_BITS = 8192.0
"""A table of 256 words of 32 bit, the one `lookup` is priced by."""
_MULTIPLYING = frozenset({"multiply", "leak"})
_PATHS: tuple[tuple[str, Law], ...] = (
    (r"memories\[\d+\]\.(read|write)", "sram"),
    (r"memories\[\d+\]\.retention", "retention"),
    (r"memories\[\d+\]\.awake_leakage", "sram_leakage"),
    (r"memories\[\d+\]\.wires", "wire"),
    (r"memories\[\d+\]\.non_volatile\.(read|write|wake)", "fixed"),
    (r"static", "static"),
    (r"wake\.energy", "analogue"),
    (r"energy_per_clock_cycle", "adder"),
    (r"always_on_power", "fixed"),
    (r"gathering", "active_power"),
    (r"execution\.active_power", "active_power"),
    (r"execution\.(control_per_\w+|register_\w+|step\.energy|messages\.packet)", "adder"),
    (r"execution\.messages\.hop", "wire"),
    (r"execution\.(synapse\.\w+|neuron_access|neuron_update|spike)", "event"),
)


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Where a machine works: node [nm], supply [V], silicon temperature [K]."""

    node_nm: float
    supply_v: float
    temperature_k: float

    def text(self) -> str:
        """Return the point in words, with units."""
        return f"{self.node_nm:g} nm, {self.supply_v:.4g} V, {self.temperature_k:g} K"


def law_of(path: str, quantity: Quantity) -> Law:
    """Return the law that moves a constant; 'fixed' for counts, ratios, times and sizes.

    An operation's energy per square bit is an array of multiplier cells where the operation multiplies, rows of
    adders where it divides; a requantisation has both.

    Raises
    ------
    ProfileError
        When the constant is an energy or a power that no law covers.
    """
    if path in ("clock", "area"):
        return path
    dimension = find_unit(quantity.unit).dimension
    if dimension not in _ENERGIES | _POWERS:
        return "fixed"
    operation = re.fullmatch(r"execution\.operations\.(integer|float)\.(\w+)\.(\w+)", path)
    if operation is not None:
        return _operation_law(*operation.groups())
    for pattern, law in _PATHS:
        if re.fullmatch(pattern, path):
            return law
    known = ", ".join(pattern for pattern, _ in _PATHS)
    remedy = f"Enter it with its class in energy_models.technology.scaling.rules, which has operations and {known}"
    raise ProfileError("no law of scaling covers this constant", where=path, remedy=remedy)


def _operation_law(arithmetic: str, name: str, part: str) -> Law:
    if name == _TABLE_READ:
        return "sram"
    multiplying = name in _MULTIPLYING or (name == "requantise" and part == "per_square_bit")
    if arithmetic == "float":
        return "float_multiplier" if multiplying else "float_adder"
    return "multiplier" if multiplying else "adder"


def size_of(path: str, profile: HardwareProfile) -> float:
    """Return the size of the bank behind a memory's access energy, or of a look-up table [bit]."""
    found = re.match(r"memories\[(\d+)\]", path)
    return profile.memories[int(found.group(1))].bank.band.nominal if found else TABLE_BITS


def factor_of(law: Law, size_bits: float, start: OperatingPoint, end: OperatingPoint, technology: Technology) -> Band:
    """Return what a constant under a law becomes between two points.

    Digital energies and the clock follow the supply over each node's nominal one, which the node factors of energies
    already contain; leakage and the charge of a capacitor follow the supply itself. Retention keeps its own rail. Below
    the lowest supply of six-transistor cells an SRAM stays at that one; what a rail for it loses is `memory_rail`'s. A
    finer node's faster transistors are not credited: at nominal supplies the clock stays. A memory no larger than a
    register file goes with logic.

    Raises
    ------
    ProfileError
        When the law moves no constant of its own.
    """
    if law == "area":
        smaller = (end.node_nm / start.node_nm) ** 2
        return Band(smaller, smaller, smaller)
    leaking = node_factor("leakage", start.node_nm, end.node_nm, technology)
    warming = temperature_factor(start.temperature_k, end.temperature_k, technology)
    if law == "retention":
        return product(leaking, warming)
    if law == "sram_leakage":
        before, after = (_at_cells_supply(point).supply_v for point in (start, end))
        return product(leaking, warming, supply_factor(before, after, technology))
    if law == "static":
        return product(leaking, warming, supply_factor(start.supply_v, end.supply_v, technology))
    speed = _speed(start, end, technology)
    if law == "clock":
        return speed
    from_share, to_share = (point.supply_v / nominal_supply_v(point.node_nm, technology) for point in (start, end))
    switching = dynamic_factor(from_share, to_share, technology)
    if law == "event":
        return switching
    if law == "active_power":
        return product(switching, speed)
    if law == "sram" and size_bits <= BITS_PER_BYTE * REGISTER_BYTES:
        law = "adder"
    if law == "sram":
        cells = (_at_cells_supply(point) for point in (start, end))
        shares = [point.supply_v / nominal_supply_v(point.node_nm, technology) for point in cells]
        finer = sram_factor(size_bits, start.node_nm, end.node_nm, technology)
        return product(finer, dynamic_factor(shares[0], shares[1], technology))
    if law == "analogue":
        charge = dynamic_factor(start.supply_v, end.supply_v, technology)
        return product(node_factor(law, start.node_nm, end.node_nm, technology), charge)
    if law in ("fixed", "leakage"):
        raise ProfileError(f"law {law!r} moves no constant of its own", where="scaling", remedy="Leave it unchanged")
    return product(node_factor(law, start.node_nm, end.node_nm, technology), switching)


def _at_cells_supply(point: OperatingPoint) -> OperatingPoint:
    """Return a point whose supply is not below the lowest one of six-transistor cells."""
    return replace(point, supply_v=max(point.supply_v, lowest_supply_v("sram")))


def _speed(start: OperatingPoint, end: OperatingPoint, technology: Technology) -> Band:
    """Return what the clock becomes: to the nominal supply of one node, and from that of the other."""
    if start.node_nm == end.node_nm:
        return frequency_factor(start.supply_v, end.supply_v, technology)
    before, after = (nominal_supply_v(point.node_nm, technology) for point in (start, end))
    return product(
        frequency_factor(start.supply_v, before, technology), frequency_factor(after, end.supply_v, technology)
    )
