"""Very many machines priced at once, by the formulas of `energy_models.pricing`: equal to `estimate` point by point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from energy_models.design.constants import machine_constants
from energy_models.design.laws import fastest_clock_hz, silicon_area_m2
from energy_models.design.machine import NUMBERS, Machine
from energy_models.design.memories import built
from energy_models.design.profile import machine_profile
from energy_models.design.room import placed
from energy_models.design.widths import DatapathWidths
from energy_models.hardware import HardwareProfile
from energy_models.pricing import CAUSES, Cause, CostTerms, Structure, Terms, cost_terms_of, evaluate, with_made
from energy_models.quantities import Number, larger, largest, smaller
from energy_models.technology import lowest_supply_v
from energy_models.workload import Workload

Clock = Literal["fastest", "slowest"]
"""As fast as the circuits go, or as slow as the deadline and the work of each second let it."""
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MachinePrices:
    """What one network costs on very many machines; arrays broadcast to their common shape.

    Parameters
    ----------
    power_w : mapping of Cause to float or array
        Average power by cause [W]: the decoder's, without what a site adds.
    latency_s : float or array
        Of a decode, with leaving sleep and what its network waits for [s].
    busy : float or array
        Work of a second [s].
    clock_hz, area_m2 : float or array
    """

    power_w: Mapping[Cause, Number]
    latency_s: Number
    busy: Number
    clock_hz: Number
    area_m2: Number

    @property
    def decoder_power_w(self) -> Number:
        """Average power of the decoder [W]."""
        return sum(self.power_w.values(), 0.0)


@dataclass(frozen=True, slots=True)
class Task:
    """One network that a machine runs, how often, and how long a decode may take.

    Parameters
    ----------
    workload : Workload
    decode_rate_hz : float
        Decisions per second [Hz].
    deadline_s : float
        Time that a decode may take, waiting included [s].
    """

    workload: Workload
    decode_rate_hz: float
    deadline_s: float


def price_machines(
    workload: Workload, machine: Machine, banks: tuple[Number, Number], widths: DatapathWidths, *,
    decode_rate_hz: float, deadline_s: float, clock: Clock | Array = "fastest",
) -> MachinePrices:
    """Return what a network costs on very many machines.

    Parameters
    ----------
    workload : Workload
    machine : Machine
        Its numbers may be arrays that broadcast against each other.
    banks : tuple of float or array
        Of both memories; `needed_banks` of the network, or more.
    widths : DatapathWidths
    decode_rate_hz : float
    deadline_s : float
        Time that a decode may take, waiting included [s].
    clock : {'fastest', 'slowest'} or array
        An array is a clock that was found for several networks [Hz].

    Raises
    ------
    WorkloadError
        As `cost_terms_of`.
    """
    memories = built(machine, banks)
    pattern = machine_pattern(machine, banks, widths)
    structure = Structure(machine, placed(workload, machine, pattern))
    costs = cost_terms_of(workload, pattern, None, decode_rate_hz=decode_rate_hz, structure=structure)
    values = with_made(cast(dict[str, float], machine_constants(machine, memories, widths)))
    numbers = cast(dict[str, Number], values)
    fastest = fastest_clock_hz(machine, memories, widths)
    numbers["clock"] = fastest
    if isinstance(clock, np.ndarray):
        numbers["clock"] = smaller(fastest, clock)
    elif clock == "slowest":
        numbers["clock"] = smaller(fastest, _slowest_hz(costs, numbers, decode_rate_hz, deadline_s - workload.delay_s))
    awake = _sum(costs.latency_s, numbers)
    busy = decode_rate_hz * awake + _sample_cycles_hz(costs, numbers) / numbers["clock"]
    power: dict[Cause, Number] = {cause: _sum(terms, numbers) for cause, terms in costs.power_w.items()}
    return MachinePrices(
        {cause: power[cause] for cause in CAUSES if cause in power}, awake + workload.delay_s, busy,
        numbers["clock"], silicon_area_m2(machine, memories, widths),
    )


def price_tasks(
    tasks: Sequence[Task], machine: Machine, banks: tuple[Number, Number], widths: DatapathWidths, clock: Clock
) -> list[MachinePrices]:
    """Return what each of some networks costs on the same machines, which have one clock for all of them."""

    def priced(task: Task, clock: Clock | Array) -> MachinePrices:
        return price_machines(
            task.workload, machine, banks, widths, decode_rate_hz=task.decode_rate_hz, deadline_s=task.deadline_s,
            clock=clock,
        )

    each = [priced(task, clock) for task in tasks]
    if clock == "fastest" or len(tasks) == 1:
        return each
    shared = np.asarray(largest(one.clock_hz for one in each))
    return [priced(task, shared) for task in tasks]


def machine_pattern(machine: Machine, banks: tuple[Number, Number], widths: DatapathWidths) -> HardwareProfile:
    """Return a profile whose constants have the paths of very many machines: that of their first, at the lowest supply.

    There a memory that may need a rail of its own has one.
    """
    first = {name: float(np.asarray(getattr(machine, name)).flat[0]) for name in NUMBERS}
    one = replace(machine, **{**first, "supply_v": lowest_supply_v()})
    few = tuple(float(np.asarray(number).flat[0]) for number in banks)
    memories = built(one, (few[0], few[1]))
    return machine_profile(one, memories, widths, clock_hz=1e6, name="designed", title="Designed machine")


def _sum(terms: Terms, values: Mapping[str, Number]) -> Number:
    return cast(Number, evaluate(terms, cast(dict[str, float], values), 0.0))


def _sample_cycles_hz(costs: CostTerms, values: Mapping[str, Number]) -> Number:
    """Return the cycles that work on samples takes in a second [Hz]."""
    sample = [layer for layer in costs.layers if layer.counts.cadence != "decode"]
    return sum((layer.rate_hz * _sum(layer.price.cycles, values) for layer in sample), 0.0)


def _slowest_hz(
    costs: CostTerms, values: Mapping[str, Number], decode_rate_hz: float, deadline_s: float
) -> Number:
    """Return the clock at which a decode just meets its deadline and a second just holds its work [Hz].

    Where leaving sleep alone takes longer, no clock does: infinity.
    """
    cycles = _sum(costs.cycles, values)
    waking = _sum(costs.latency_s, values) - cycles / values["clock"]
    per_decode = cycles / np.maximum(deadline_s - waking, 0.0)
    in_a_second = decode_rate_hz * cycles + _sample_cycles_hz(costs, values)
    per_second = in_a_second / np.maximum(1.0 - decode_rate_hz * waking, 0.0)
    return larger(per_decode, per_second)
