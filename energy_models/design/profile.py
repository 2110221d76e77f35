"""From a designed machine to an ordinary profile: every constant with its band, and the law it follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from energy_models.design.constants import OPERATIONS, machine_constants
from energy_models.design.events import EVENT_CYCLES, EVENT_ENERGIES
from energy_models.design.laws import silicon_area_m2
from energy_models.design.machine import Machine
from energy_models.design.memories import BuiltMemory
from energy_models.design.widths import DatapathWidths
from energy_models.hardware import HardwareProfile
from energy_models.quantities import find_unit, load_sources
from energy_models.technology import End, machine_laws
from energy_models.technology.machine_laws import at

MAX_BITS = 64
ENDS: tuple[End, ...] = ("low", "nominal", "high")
_UNITS: Mapping[str, str] = {
    **{f"execution.{name}": "fJ" for name in EVENT_ENERGIES},
    **{f"execution.{name}": "cycle/op" for name in EVENT_CYCLES},
    "execution.messages.hops": "1",
    "always_on_power": "nW", "energy_per_clock_cycle": "fJ", "wake.energy": "nJ", "wake.time": "us", "static": "nW",
    "gated_residual": "1", "execution.control_factor": "1", "execution.cycles_per_layer": "cycle",
    "execution.register_read": "fJ/bit",
    "execution.register_write": "fJ/bit", "memory_rail.efficiency": "1", "per_bit": "fJ/bit",
    "per_square_bit": "fJ/bit2", "fixed": "fJ", "read": "fJ", "write": "fJ", "retention": "pW/bit",
    "awake_leakage": "pW/bit", "wires": "fJ",
    "non_volatile.read": "pJ/bit", "non_volatile.wake": "nJ", "non_volatile.wake_time": "us",
}
_LAWS: Mapping[str, tuple[str, str]] = {
    **{f"execution.{name}": ("frenkel2022", "of event_core_28nm, moved as an adder") for name in EVENT_ENERGIES},
    **{f"execution.{name}": ("machine_class_knowledge", "of event_core_28nm, over the lanes") for name in EVENT_CYCLES},
    "execution.messages.hops": ("design_choice", "one core, no network"),
    "always_on_power": ("machine_class_knowledge", "oscillator and timer, technology/machine.toml"),
    "energy_per_clock_cycle": ("ihp_sg13g2", "trunk of the clock and cells without work, technology/machine.toml"),
    "wake.energy": ("machine_class_knowledge", "capacitance of what was off, technology/design.toml"),
    "wake.time": ("design_choice", "technology/design.toml"),
    "static": ("wang2008", "leakage of gates at the logic's supply, technology/machine.toml"),
    "gated_residual": ("machine_class_knowledge", "share that a switch leaves asleep; 1 without one"),
    "execution.control_factor": ("design_choice", "technology/design.toml"),
    "execution.cycles_per_layer": ("machine_class_knowledge", "descriptor and pipeline, technology/machine.toml"),
    "memory_rail.efficiency": ("machine_class_knowledge", "rail above the logic's supply, technology/machine.toml"),
    "execution.register_read": ("aladdin_tables", "register bit of 45 nm, half of the one figure, moved as an adder"),
    "execution.register_write": ("aladdin_tables", "register bit of 45 nm, moved as an adder"),
    "awake_leakage": ("wang2008", "leakage at the supply awake, less retention, technology/machine.toml"),
    "wires": ("aladdin_tables", "between banks at the rail, technology/machine.toml"),
    "retention": ("wang2008", "leakage at the retention rail, one figure at all nodes, technology/machine.toml"),
}
_OPERATION_LAW = ("horowitz2014", "law through the tables of 45 nm, moved by its class's node factor and C V^2")
_ACCESS: Mapping[str, tuple[str, str]] = {
    "sram": ("cacti7", "law of the sweep (itrs-lstp, 300 K) at the rail, C V^2"),
    "standard_cell": ("epfl_scm2011", "bit accessed in latches, moved as an adder"),
    "register": ("aladdin_tables", "register bit of 45 nm, moved as an adder"),
    "non_volatile": ("machine_class_knowledge", "non_volatile.toml"),
}


def machine_profile(
    machine: Machine, memories: tuple[BuiltMemory, ...], widths: DatapathWidths, *, clock_hz: float, name: str,
    title: str,
) -> HardwareProfile:
    """Return one designed machine as an ordinary profile.

    Parameters
    ----------
    machine : Machine
        Of numbers, not arrays.
    memories : tuple of BuiltMemory
        Of weights and of data, with their banks.
    widths : DatapathWidths
    clock_hz : float
        The clock it runs at [Hz].
    name, title : str
    """
    ends = {end: machine_constants(machine, memories, widths, end) for end in ENDS}
    table: dict[str, Any] = {}
    for path, nominal in ends["nominal"].items():
        around = (float(ends["low"][path]), float(nominal), float(ends["high"][path]))
        _put(table, path, _quantity(path, around, memories))
    supply, rail = float(machine.supply_v), float(memories[0].rail_v)
    if rail > supply:
        table["memory_rail"] |= {"supply": _chosen(rail, "V"), "asleep": _rest()}
    else:
        del table["memory_rail"]
    table |= {
        "name": name, "title": title, "description": _description(machine, memories, widths),
        "node": _chosen(machine.node_nm, "nm"), "supply": _chosen(supply, "V"), "temperature": _temperature(),
        "clock": _chosen(clock_hz, "Hz"), "clock_runs": "awake", "area": _area(machine, memories, widths),
    }
    table["execution"] |= _geometry(machine)
    for operation in table["execution"]["operations"]["integer"].values():
        operation["max_bits"] = MAX_BITS
    costs = [table.pop(f"memories[{place}]") for place in range(len(memories))]
    table["memories"] = [_memory(costs[place], memory, place) for place, memory in enumerate(memories)]
    return HardwareProfile.model_validate(table, context={"sources": load_sources()})


def _put(table: dict[str, Any], path: str, value: Any) -> None:
    """Enter a value at a dotted path; ``memories[0]`` is a key."""
    *steps, last = path.split(".")
    for step in steps:
        table = table.setdefault(step, {})
    table[last] = value


def _quantity(path: str, around: tuple[float, float, float], memories: tuple[BuiltMemory, ...]) -> dict[str, Any]:
    known = path.partition("].")[2] or path
    source, where = _LAWS.get(known, _OPERATION_LAW)
    if path.startswith("memories[") and known not in _LAWS:
        source, where = _ACCESS[memories[int(path[len("memories[")])].cell]
    if path == f"{OPERATIONS}.lookup.fixed":
        source, where = _ACCESS["sram"]
    unit = _UNITS[known if known in _UNITS else known.rpartition(".")[2]]
    factor = find_unit(unit).factor
    low, value, high = (one / factor for one in (min(around), around[1], max(around)))
    return {
        "value": value, "low": low, "high": high, "unit": unit, "basis": "assumed", "source": source, "where": where,
        "note": "a designed machine, not built",
    }


def _chosen(value: float, unit: str) -> dict[str, Any]:
    return {
        "value": value, "low": value, "high": value, "unit": unit, "basis": "assumed", "source": "design_choice",
        "where": "machine design", "note": "a designed machine, not built",
    }


def _area(machine: Machine, memories: tuple[BuiltMemory, ...], widths: DatapathWidths) -> dict[str, Any]:
    low, value, high = (
        float(silicon_area_m2(machine, memories, widths, end)) / find_unit("mm2").factor for end in ENDS
    )
    return {
        "value": value, "low": low, "high": high, "unit": "mm2", "basis": "assumed", "source": "machine_area",
        "where": "law of energy_models.technology.area", "note": "a designed machine, not built",
    }


def _rest() -> dict[str, Any]:
    return _chosen(at(machine_laws().leakage.rail, "nominal"), "V")


def _temperature() -> dict[str, Any]:
    return {**_chosen(300.0, "K"), "high": 310.0}


def _geometry(machine: Machine) -> dict[str, Any]:
    rows, columns = round(float(machine.rows)), round(float(machine.columns))
    geometry: Mapping[str, Mapping[str, int]] = {
        "input_broadcast": {"lanes": columns, "sums_per_lane": rows},
        "streaming_ring": {"multipliers": rows * columns},
        "event_driven": {"lanes": columns},
    }
    return {"style": machine.style, **geometry.get(machine.style, {"rows": rows, "columns": columns})}


def _memory(costs: dict[str, Any], memory: BuiltMemory, place: int) -> dict[str, Any]:
    name, holds = (("weight_memory", ["weights"]), ("data_memory", ["activations", "state", "buffers"]))[place]
    table: dict[str, Any] = {
        "name": name, "holds": holds, "capacity": _chosen(float(memory.capacity_bits), "bit"),
        "bank": _chosen(float(memory.bank_bits), "bit"), "word_bits": round(float(memory.word_bits)), **costs,
    }
    if memory.cell == "non_volatile":
        table["non_volatile"] |= {"technology": memory.technology.technology}
    else:
        table["idle_banks"] = "off"
    return table


def _description(machine: Machine, memories: tuple[BuiltMemory, ...], widths: DatapathWidths) -> str:
    parts = ", ".join(
        f"{float(memory.banks):g} banks of {float(memory.bank_bits) / 8192:g} KiB {memory.cell.replace('_', ' ')}"
        for memory in memories
    )
    return (
        f"Designed, not built: {float(machine.multipliers):g} multipliers of {widths.weight} x {widths.activation} "
        f"bits into {widths.total}, weights in {parts.replace(', ', ', data in ', 1)}; "
        f"logic {'switched off' if machine.gated else 'leaks on'} between decodes."
    )
