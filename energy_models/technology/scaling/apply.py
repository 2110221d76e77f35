"""A profile at another node, supply or temperature: every constant by its own law, bounds widened, marked derived."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from energy_models.errors import ProfileError
from energy_models.hardware import HardwareProfile
from energy_models.quantities import Band, Quantity, find_unit, load_sources, with_quantities
from energy_models.technology.scaling.node import check_node
from energy_models.technology.scaling.rules import Law, OperatingPoint, factor_of, law_of, size_of
from energy_models.technology.scaling.supply import check_supply, nominal_supply_v
from energy_models.technology.scaling.technology import Technology, load_technology

ChosenClock = Literal["kept", "reached"]
_SUFFIX = re.compile(r"_scaled_\d+p?\d*nm_\d+mv_\d+p?\d*k$")
_TITLE = re.compile(r", scaled to .*$")
_RULES: Mapping[Law, str] = {
    "multiplier": "multiplier anchors (horowitz2014, jouppi2021, stillmaker2017), C V^2",
    "adder": "adder anchors (horowitz2014, jouppi2021, stillmaker2017), C V^2",
    "float_multiplier": "floating-point multiplier anchors (horowitz2014, jouppi2021, stillmaker2017), C V^2",
    "float_adder": "floating-point adder anchors (horowitz2014, jouppi2021, stillmaker2017), C V^2",
    "wire": "shrinking wire, C V^2",
    "analogue": "charge on a capacitor the node does not shrink, C V^2",
    "sram": "SRAM legs by size (cacti7 to 22 nm, jouppi2021 to 7 nm), C V^2 to the lowest supply of its cells",
    "sram_leakage": "leakage: node by cacti7, V exp(b V / n kT/q) to the lowest supply of its cells, doubling with "
    "temperature",
    "area": "square of the node",
    "static": "leakage: node by cacti7, V exp(b V / n kT/q), doubling with temperature",
    "retention": "leakage at its own rail: node by cacti7, doubling with temperature",
    "event": "published total of one event, C V^2 (its node stays)",
    "clock": "transregional delay (keller2014, sakurai1990)",
    "active_power": "C V^2 per cycle at a clock by transregional delay (keller2014, sakurai1990)",
}


def scaled_profile(
    profile: HardwareProfile,
    *,
    node_nm: float | None = None,
    supply_v: float | None = None,
    temperature_k: float | None = None,
    clock: ChosenClock = "kept",
) -> HardwareProfile:
    """Return the machine at another node, supply or silicon temperature.

    Parameters
    ----------
    profile : HardwareProfile
    node_nm : float, optional
        Node [nm], 7 to 90; unchanged if not given. A machine whose published figures contain their memories has no
        other node.
    supply_v : float, optional
        Supply [V], from 0.4 V to a fifth above the node's highest nominal one; if not given, the same share of the
        nominal supply at a new node, else unchanged.
    temperature_k : float, optional
        Silicon temperature [K], 300 to 400; moves leakage alone; unchanged if not given.
    clock : {'kept', 'reached'}
        What becomes of a clock that was chosen (an assumed one): a designer's choice stays, or it goes as what the
        circuit reaches. The clock of a measured chip, whose power was measured at it, goes as what it reaches in either
        case.

    Returns
    -------
    HardwareProfile
        Named ``<name>_scaled_<node>nm_<millivolts>mv_<kelvin>k``, moved constants ``derived`` (``assumed`` where they
        were) with their law in `where`; the same profile if nothing moves.

    Raises
    ------
    ProfileError
        When a point lies outside the range of the laws, when the node of a machine of totals is to change, or when a
        constant has no law.
    """
    technology = load_technology()
    start, end = _points(profile, node_nm, supply_v, temperature_k, technology)
    if start == end:
        return profile
    _check(profile, start, end, technology)

    def moved(path: str, quantity: Quantity) -> Quantity:
        law = law_of(path, quantity)
        if law == "fixed" or (law == "clock" and clock == "kept" and quantity.basis == "assumed"):
            return quantity
        points = (start, end)
        if profile.memory_rail is not None and _on_rail(path, profile):
            rail_v = profile.memory_rail.supply.band.nominal
            points = (replace(start, supply_v=rail_v), replace(end, supply_v=rail_v))
        factor = factor_of(law, size_of(path, profile), *points, technology)
        return _moved(quantity, factor, f"from {start.text()} to {end.text()}: {_RULES[law]}")

    changes = with_quantities(profile, moved)
    changes |= {name: _chosen(getattr(profile, name), value) for name, value in _chosen_values(start, end).items()}
    label = f"{end.node_nm:g}nm_{1e3 * end.supply_v:.0f}mv_{end.temperature_k:g}k".replace(".", "p")
    changes["name"] = f"{_SUFFIX.sub('', profile.name)}_scaled_{label}"
    changes["title"] = f"{_TITLE.sub('', profile.title)}, scaled to {end.text()}"
    return HardwareProfile.model_validate(changes, context={"sources": {**load_sources(), **profile.sources}})


def _on_rail(path: str, profile: HardwareProfile) -> bool:
    """Return whether a constant is of a memory that has the rail of its own."""
    found = re.match(r"memories\[(\d+)\]", path)
    return found is not None and profile.on_rail(profile.memories[int(found.group(1))])


def _points(
    profile: HardwareProfile, node_nm: float | None, supply_v: float | None, temperature_k: float | None,
    technology: Technology,
) -> tuple[OperatingPoint, OperatingPoint]:
    """Return the operating points of the profile and of the request."""
    nanometre = find_unit("nm").factor
    start = OperatingPoint(
        profile.node.band.nominal / nanometre, profile.supply.band.nominal, profile.temperature.band.nominal
    )
    node = start.node_nm if node_nm is None or math.isclose(node_nm, start.node_nm) else node_nm
    if supply_v is not None:
        supply = start.supply_v if math.isclose(supply_v, start.supply_v) else supply_v
    elif node == start.node_nm:
        supply = start.supply_v
    else:
        for one in (start.node_nm, node):
            check_node(one, technology, where=profile.name)
        supply = start.supply_v * nominal_supply_v(node, technology) / nominal_supply_v(start.node_nm, technology)
    return start, OperatingPoint(node, supply, start.temperature_k if temperature_k is None else temperature_k)


def _check(profile: HardwareProfile, start: OperatingPoint, end: OperatingPoint, technology: Technology) -> None:
    """Refuse what lies outside the laws; a move of temperature alone needs neither node nor supply."""
    low, high = (one.band.nominal for one in (technology.range.temperature_low, technology.range.temperature_high))
    if start.temperature_k != end.temperature_k and not low <= end.temperature_k <= high:
        remedy = f"Give a silicon temperature from {low:g} to {high:g} K, the range of the memory tool"
        what = f"temperature {end.temperature_k:g} K is outside {low:g} to {high:g} K"
        raise ProfileError(what, where=profile.name, remedy=remedy)
    if profile.execution.contains_memory and start.node_nm != end.node_nm:
        remedy = "Change its supply or temperature, or take a machine that is built up from its parts"
        what = "its figures are totals of one chip, logic and memory together, which no law moves to another node"
        raise ProfileError(what, where=profile.name, remedy=remedy)
    if (start.node_nm, start.supply_v) != (end.node_nm, end.supply_v):
        for point, which in ((start, "its own point"), (end, "the point asked for")):
            where = f"{profile.name}, {which}"
            check_node(point.node_nm, technology, where=where)
            check_supply(point.supply_v, point.node_nm, technology, where=where)


def _moved(quantity: Quantity, factor: Band, rule: str) -> Quantity:
    if factor.low == factor.nominal == factor.high == 1.0:
        return quantity
    return quantity.model_copy(
        update={
            "value": quantity.value * factor.nominal,
            "low": quantity.low * factor.low,
            "high": quantity.high * factor.high,
            "basis": "assumed" if quantity.basis == "assumed" else "derived",
            "where": f"{quantity.where}; times {factor.nominal:.4g} {rule}",
        }
    )


def _chosen_values(start: OperatingPoint, end: OperatingPoint) -> dict[str, float]:
    """Return the fields of the operating point that move, in the units of `OperatingPoint`."""
    values = {
        "node": (start.node_nm, end.node_nm), "supply": (start.supply_v, end.supply_v),
        "temperature": (start.temperature_k, end.temperature_k),
    }
    return {name: after for name, (before, after) in values.items() if before != after}


def _chosen(quantity: Quantity, value: float) -> Quantity:
    """Return an operating point that the caller chose."""
    unit = {"length": "nm", "voltage": "V", "temperature": "K"}[find_unit(quantity.unit).dimension]
    return Quantity(
        value=value, low=value, high=value, unit=unit, basis="assumed", source="design_choice", where="scaled profile",
        note="chosen by the caller of scaled_profile",
    )
