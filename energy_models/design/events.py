"""Constants of designed event-driven cores: those of `event_core_28nm`, moved to another node and supply.

What controls an event was measured on two chips of 28 nm as a whole; it moves as an adder. One core, no network: hops
are none. Lanes handle as many synaptic events or neurons side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from energy_models.design.machine import Machine
from energy_models.hardware import load_profile
from energy_models.quantities import Number, Quantity
from energy_models.technology import End
from energy_models.technology.machine_laws import at
from energy_models.technology.scaling import load_technology, node_factor, nominal_supply_v

PROFILE = "event_core_28nm"
NANO = 1e-9


EVENT_ENERGIES = (
    "control_per_event", "control_per_active_update", "control_per_idle_update", "messages.packet", "messages.hop",
    "step.energy",
)
LANE_CYCLES = ("cycles_per_event", "cycles_per_update", "cycles_per_operation")
"""Done by all lanes side by side."""
SERIAL_CYCLES = ("messages.cycles", "step.cycles")
"""One queue of events, and the end of a step: one after another, however many lanes there are."""
EVENT_CYCLES = (*LANE_CYCLES, *SERIAL_CYCLES)


@cache
def _known() -> tuple[Mapping[str, Quantity], float, float]:
    """Return the constants of the shipped core by path, its node [nm] and its supply [V]."""
    profile = load_profile(PROFILE)
    return profile.quantity_at, profile.node.band.nominal / NANO, profile.supply.band.nominal


def event_constants(machine: Machine, end: End) -> dict[str, Number]:
    """Return the constants of an event-driven core beside operations and memories, by path [SI].

    Parameters
    ----------
    machine : Machine
    end : {'low', 'nominal', 'high'}
    """
    known, node_nm, supply_v = _known()
    exponent = at(load_technology().supply.exponent, "nominal")
    nominal = (nominal_supply_v(node_nm) / supply_v) ** exponent
    factor = node_factor("adder", node_nm, machine.node_nm).nominal * nominal
    moved = factor * (machine.supply_v / nominal_supply_v(machine.node_nm)) ** exponent
    found: dict[str, Number] = {"execution.messages.hops": 0.0}
    found |= {f"execution.{name}": at(known[f"execution.{name}"], end) * moved for name in EVENT_ENERGIES}
    found |= {f"execution.{name}": at(known[f"execution.{name}"], end) for name in SERIAL_CYCLES}
    found |= {f"execution.{name}": at(known[f"execution.{name}"], end) / machine.columns for name in LANE_CYCLES}
    return found
