"""The closed table from unit text to SI factor and dimension. Nothing is parsed: a unit not listed does not exist.

SI inside: an energy is in J, a charge in A s, information in bit, a temperature rise in K. Absolute temperatures are
written in K only, so that ``degC`` always means a difference.
"""

from __future__ import annotations

from dataclasses import dataclass

from energy_models.errors import UnitError, unknown_name

_PREFIXES = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
MINUTE_S, HOUR_S, DAY_S, YEAR_S = 60.0, 3600.0, 86_400.0, 365.25 * 86_400.0
BITS_PER_BYTE = 8.0
KIBI = 1024.0


@dataclass(frozen=True, slots=True)
class Unit:
    """One row of the table: `factor` times a value in this unit is the value in SI."""

    text: str
    factor: float
    dimension: str


def _scaled(stem: str, tail: str, prefixes: str, scale: float = 1.0) -> dict[str, float]:
    """Return the units ``<prefix><stem><tail>`` for each prefix letter ('.' for none)."""
    letters = [p.replace(".", "") for p in prefixes]
    return {f"{p}{stem}{tail}": _PREFIXES[p] * scale for p in letters}


_BY_DIMENSION: dict[str, dict[str, float]] = {
    "energy": _scaled("J", "", "fpnum.k") | _scaled("Wh", "", "um.", HOUR_S) | _scaled("W/MHz", "", "num", 1e-6),
    "power": _scaled("W", "", "fpnum.k"),
    "time": _scaled("s", "", "pnum.") | {"min": MINUTE_S, "h": HOUR_S, "day": DAY_S, "year": YEAR_S},
    "frequency": _scaled("Hz", "", "m.kMG") | _scaled("S/s", "", ".kM") | {"1/s": 1.0, "1/day": 1.0 / DAY_S},
    "information": _scaled("bit", "", ".kMG")
    | {"byte": BITS_PER_BYTE, "kB": BITS_PER_BYTE * 1e3, "MB": BITS_PER_BYTE * 1e6}
    | {"KiB": BITS_PER_BYTE * KIBI, "MiB": BITS_PER_BYTE * KIBI * KIBI},
    "information_rate": _scaled("bit/s", "", ".kMG"),
    "energy_per_bit": _scaled("J", "/bit", "fpnum."),
    "energy_per_square_bit": _scaled("J", "/bit2", "fpn."),
    "energy_per_step": _scaled("J", "/step", "fpn."),
    "power_per_bit": _scaled("W", "/bit", "fpnum."),
    "power_per_channel": _scaled("W", "/channel", "pnum."),
    "power_density": {"W/m2": 1.0, "mW/cm2": 10.0, "mW/mm2": 1e3, "W/cm2": 1e4, "uW/mm2": 1.0},
    "temperature": {"K": 1.0},
    "temperature_rise": {"degC": 1.0},
    "rise_per_power": {"degC/mW": 1e3, "degC/W": 1.0, "K/W": 1.0},
    "conductivity": {"W/(m K)": 1.0},
    "volumetric_heat": {"J/(m3 K)": 1.0},
    "specific_absorption": {"W/kg": 1.0, "mW/g": 1.0},
    "voltage": _scaled("V", "", "um."),
    "current": _scaled("A", "", "pnum."),
    "charge": {"C": 1.0, "A/Hz": 1.0, "uA/MHz": 1e-12} | _scaled("Ah", "", "um.", HOUR_S),
    "length": {"m": 1.0, "cm": 1e-2, "mm": 1e-3, "um": 1e-6, "nm": 1e-9},
    "area": {"m2": 1.0, "cm2": 1e-4, "mm2": 1e-6, "um2": 1e-12},
    "capacitance_per_area": {"nF/mm2": 1e-3, "fF/um2": 1e-3},
    "volume": {"m3": 1.0, "cm3": 1e-6, "mm3": 1e-9},
    "mass": {"kg": 1.0, "g": 1e-3},
    "cycles": {"cycle": 1.0, "kcycle": 1e3},
    "cycles_per_operation": {"cycle/MAC": 1.0, "cycle/op": 1.0},
    "instructions_per_operation": {"instruction/MAC": 1.0, "instruction/op": 1.0},
    "cycles_per_instruction": {"cycle/instruction": 1.0},
    "cycles_per_step": {"cycle/step": 1.0},
    "channels": {"channel": 1.0},
    "ratio": {"1": 1.0, "%": 1e-2},
    "ratio_per_time": {"1/year": 1.0 / YEAR_S, "%/year": 1e-2 / YEAR_S},
}


def _table() -> dict[str, Unit]:
    """Return every unit by its text; a text may stand in one dimension only."""
    table: dict[str, Unit] = {}
    for dimension, rows in _BY_DIMENSION.items():
        for text, factor in rows.items():
            if text in table:
                raise UnitError(f"unit {text!r} stands in two dimensions", where="energy_models.quantities.units")
            table[text] = Unit(text, factor, dimension)
    return table


UNITS = _table()


def units_of(dimension: str) -> tuple[str, ...]:
    """Return the unit texts of a dimension.

    Raises
    ------
    UnitError
        When the dimension does not exist.
    """
    if dimension not in _BY_DIMENSION:
        raise UnitError(f"unknown dimension {dimension!r}", remedy=unknown_name("dimensions", dimension, _BY_DIMENSION))
    return tuple(_BY_DIMENSION[dimension])


def si_unit(dimension: str) -> str:
    """Return the unit text of a dimension whose factor is one, or its first unit where none is.

    Raises
    ------
    UnitError
        When the dimension does not exist.
    """
    texts = units_of(dimension)
    return next((text for text in texts if UNITS[text].factor == 1.0), texts[0])


def find_unit(text: str) -> Unit:
    """Return the unit written `text`.

    Raises
    ------
    UnitError
        When the table has no such unit; the message names the nearest ones.
    """
    if text not in UNITS:
        raise UnitError(f"unknown unit {text!r}", remedy=unknown_name("units", text, UNITS))
    return UNITS[text]


def require_dimension(text: str, dimension: str) -> Unit:
    """Return the unit written `text` after checking its dimension.

    Raises
    ------
    UnitError
        When the unit is unknown, or of another dimension.
    """
    allowed = units_of(dimension)
    unit = find_unit(text)
    if unit.dimension != dimension:
        raise UnitError(
            f"unit {text!r} has dimension {unit.dimension}, expected {dimension}",
            remedy=f"Use one of: {', '.join(allowed)}",
        )
    return unit


def to_si(value: float, text: str, dimension: str) -> float:
    """Return `value` in SI after checking the unit's dimension.

    Raises
    ------
    UnitError
        When the unit is unknown, or of another dimension.
    """
    return value * require_dimension(text, dimension).factor
