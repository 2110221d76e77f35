"""What a sweep varies: rates, nodes, constants, assumed widths and the rest; every combination of their values."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import cast

from cosim.api.arguments import listed, rate_of
from energy_models.errors import StudyError, unknown_name
from energy_models.feasibility import check_duty_cycle
from energy_models.hardware import HardwareProfile, Site, constant_units, with_constants
from energy_models.quantities import amount_si, find_unit
from energy_models.technology.scaling import scaled_profile
from energy_models.workload import MOST_BITS, Workload, at_widths

RATE, WEIGHTS, ACTIVATIONS = "decode_rate_hz", "weight_bits", "activation_bits"
CHANNELS, BITS = "channels", "bits"
NODE, SUPPLY = "node_nm", "supply_v"
LOST, DUTY, CHARGES, UPDATES = "electrodes_lost", "duty_cycle", "charge_cycles", "recalibration_interval_s"
OWN = (RATE, WEIGHTS, ACTIVATIONS, CHANNELS, BITS, NODE, SUPPLY, LOST, DUTY, CHARGES, UPDATES)
WHOLE = {WEIGHTS: "width", ACTIVATIONS: "width", BITS: "width", CHANNELS: "number of channels",
         LOST: "number of electrodes", CHARGES: "number of charges"}  # fmt: skip
FROM_ZERO = (LOST,)
"""Whole numbers of which there may be none."""
CONSTANTS = ("profile.", "site.")
AS_COUNTED = "as counted"


@dataclass(frozen=True, slots=True)
class GridPoint:
    """One combination of values; None where a point keeps its own.

    Parameters
    ----------
    decode_rate_hz : float
        Decisions per second [Hz].
    weight_bits, activation_bits : int or None
        Assumed widths of a counted network.
    constants : mapping of str to object
        By path.
    channels, bits : int or None
        The network is built again with them.
    node_nm, supply_v : float or None
        The machine is scaled to them [nm, V]; a machine that is designed is designed at them.
    electrodes_lost : int or None
        Channels whose electrode is dead: their front end and converter are off, the network reads zeros.
    duty_cycle : float or None
        Share of the time in which the device is on.
    charge_cycles : int or None
        How often the battery can be charged.
    recalibration_interval_s : float or None
        Time between two recalibrations on the device [s].
    """

    decode_rate_hz: float
    weight_bits: int | None
    activation_bits: int | None
    constants: Mapping[str, object]
    channels: int | None = None
    bits: int | None = None
    node_nm: float | None = None
    supply_v: float | None = None
    electrodes_lost: int | None = None
    duty_cycle: float | None = None
    charge_cycles: int | None = None
    recalibration_interval_s: float | None = None

    def workload(self, counted: Workload) -> Workload:
        """Return the workload at the assumed widths; one width alone stands for both."""
        weights, activations = self.weight_bits, self.activation_bits
        if weights is None and activations is None:
            return counted
        weights = activations if weights is None else weights
        activations = weights if activations is None else activations
        return at_widths(counted, weight_bits=weights or 0, activation_bits=activations or 0)

    def machine(self, profile: HardwareProfile) -> HardwareProfile:
        """Return the machine at this point's node and supply."""
        if self.node_nm is None and self.supply_v is None:
            return profile
        return scaled_profile(profile, node_nm=self.node_nm, supply_v=self.supply_v)

    def place(self, profile: HardwareProfile, site: Site | None) -> tuple[HardwareProfile, Site | None]:
        """Return the machine and the site with this point's node, supply and constants."""
        return with_constants(self.machine(profile), site, self.constants)

    def cells(self, profile: HardwareProfile, site: Site | None) -> dict[str, object]:
        """Return the point's columns, of a place that has its constants: in SI, the unit in the column's name."""
        units = constant_units(profile, site) if self.constants else {}
        values = {f"profile.{path}": band.nominal for path, band in profile.bands.items()} if units else {}
        if units and site is not None:
            values |= {f"site.{path}": band.nominal for path, band in site.bands.items()}
        own = {name: getattr(self, name) for name in OWN if name not in (WEIGHTS, ACTIVATIONS, CHANNELS, BITS)}
        given = {name: value for name, value in own.items() if value is not None}
        return {**given, **{f"{path} [{units[path]}]": values[path] for path in self.constants}}


def grid_points(over: Mapping[str, object] | None, decode_rate_hz: float | str | None) -> list[GridPoint]:
    """Return every combination of the values that a sweep goes over.

    Parameters
    ----------
    over : mapping of str to list, or None
        Names of `GridPoint`, or a constant's path after ``profile.`` or ``site.``; values in SI or texts with a unit,
        nodes in nm.
    decode_rate_hz : float, str or None
        The rate where `over` has none [Hz].

    Raises
    ------
    CosimError
        An unknown name, no rate or two of them, a value that is impossible, or one of another unit.
    """
    axes: dict[str, list[object]] = {}
    for name, values in _table(over).items():
        if name not in OWN and not name.startswith(CONSTANTS):
            raise StudyError(
                f"nothing is called {name!r}", where="over",
                remedy=f"{unknown_name('names', name, OWN)}, or a constant such as profile.static or "
                "site.front_end.power",
            )
        axes[name] = listed(values, where=f"over, {name}", what="values")
    if (RATE in axes) == (decode_rate_hz is not None):
        raise StudyError(
            "the decode rate is given twice" if RATE in axes else "how often is a decision asked for?",
            where=RATE, remedy="Give decode_rate_hz=..., in hertz, or a list of rates in over, one of the two",
        )
    axes.setdefault(RATE, [decode_rate_hz])
    return list(_combinations(axes))


def _table(over: object) -> Mapping[str, object]:
    if over is None:
        return {}
    table = cast("Mapping[object, object]", over) if isinstance(over, Mapping) else {0: over}
    if not all(isinstance(name, str) for name in table):
        raise StudyError(
            f"{over!r:.60} is no table of lists", where="over", remedy='Give one such as {"decode_rate_hz": [1, 4]}'
        )
    return cast("Mapping[str, object]", table)


def _combinations(axes: Mapping[str, list[object]]) -> Iterator[GridPoint]:
    read = {name: [_value(name, value) for value in values] for name, values in axes.items()}
    for name, values in read.items():
        if again := [value for place, value in enumerate(values) if value in values[:place]]:
            raise StudyError(f"{again[0]} is given twice", where=f"over, {name}", remedy="Give each value once")
    for combination in itertools.product(*read.values()):
        chosen = dict(zip(read, combination, strict=True))
        own = {name: value for name, value in chosen.items() if name in OWN}
        found: dict[str, object] = {WEIGHTS: None, ACTIVATIONS: None, **own}
        constants = {path: value for path, value in chosen.items() if path not in OWN}
        yield GridPoint(constants=constants, **found)  # pyright: ignore[reportArgumentType]  (checked in `_value`)


def _value(name: str, value: object) -> object:
    """Return a value of an axis in the unit of its name; a constant's as it is."""
    where = f"over, {name}"
    if name == RATE:
        return rate_of(value, where=RATE)  # pyright: ignore[reportArgumentType]  (checked there)
    if name in WHOLE:
        return _whole(value, name)
    if name == NODE:
        return _node_nm(value, where)
    if name == SUPPLY:
        return _above_zero(amount_si(value, "voltage", where=where), where)
    if name == DUTY:
        share = amount_si(value, "ratio", where=where)
        check_duty_cycle(share)
        return share
    return _above_zero(amount_si(value, "time", where=where), where) if name == UPDATES else value


def _node_nm(value: object, where: str) -> float:
    """Return a node [nm] from nanometres, or a text with a unit of length."""
    if isinstance(value, str):
        return _above_zero(amount_si(value, "length", where=where) / find_unit("nm").factor, where)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise StudyError(f"{value!r:.60} is no node", where=where, remedy='Give nanometres, or a text such as "28 nm"')
    return _above_zero(float(value), where)


def _above_zero(value: float, where: str) -> float:
    if not value > 0:
        raise StudyError(f"{value:g}", where=where, remedy="Give values above zero")
    return value


def _whole(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise StudyError(f"{value!r} is no {WHOLE[name]}", where=f"over, {name}", remedy="Give whole numbers")
    if WHOLE[name] == "width" and not 1 <= int(value) <= MOST_BITS:
        raise StudyError(f"a width of {value} bits", where=f"over, {name}", remedy=f"Give 1 to {MOST_BITS}")
    least = 0 if name in FROM_ZERO else 1
    if WHOLE[name] != "width" and name != CHANNELS and int(value) < least:
        raise StudyError(f"{value} as a {WHOLE[name]}", where=f"over, {name}", remedy=f"Give {least} or more")
    return int(value)
