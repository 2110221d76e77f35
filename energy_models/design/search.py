"""The machines that some networks ask for: all choices priced, the best kept, and those on the front."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from energy_models.design.choices import Choices, machine_grids
from energy_models.design.front import evenly, front_indices
from energy_models.design.grid import Clock, Task, price_tasks
from energy_models.design.machine import NUMBERS, Machine, at_point
from energy_models.design.memories import BYTE, built
from energy_models.design.profile import machine_profile
from energy_models.design.room import shared_banks
from energy_models.design.widths import DatapathWidths, datapath_widths
from energy_models.errors import NoMachineError, WorkloadError
from energy_models.hardware import HardwareProfile
from energy_models.mapping import STYLES
from energy_models.quantities import Number
from energy_models.technology import may_be_standard_cells, widest_word_bits
from energy_models.technology.sram import REGISTER_BYTES

Array = NDArray[np.float64]
Watch = Callable[[int, int], None]
FRONT_PER_GRID = 200
"""Machines of a grid that join the front of all grids: of more, so many from one end to the other."""
EXACTLY = 1e-9
"""Rounding of a clock that just meets a deadline."""
ALIKE = 0.03
"""Logarithm of costs within which two machines of a front are one."""


@dataclass(frozen=True, slots=True)
class Designed:
    """One machine of a search.

    Parameters
    ----------
    machine : Machine
    profile : HardwareProfile
        The machine as an ordinary profile.
    decoder_power_w, latency_s : tuple of float
        Nominal average power [W] and latency of a decode [s] of each network on it, in the order of the tasks.
    area_m2 : float
        Silicon area of the core [m^2].
    edges : tuple of str
        Choices at the end of a law, or of the list that was searched.
    """

    machine: Machine
    profile: HardwareProfile
    decoder_power_w: tuple[float, ...]
    latency_s: tuple[float, ...]
    area_m2: float
    edges: tuple[str, ...]

    @property
    def power_w(self) -> float:
        """Power of all networks together [W]: what the search made least."""
        return sum(self.decoder_power_w)


class _Point(NamedTuple):
    """One machine of a grid: its power, area and latency, and its flat index."""

    grid: Machine
    clock: Clock
    costs: Array
    flat: int


@dataclass(frozen=True, slots=True)
class Design:
    """What a search found.

    Parameters
    ----------
    best : Designed
        Least power.
    front : tuple of Designed
        No other machine is better in power, area and latency together; least power first. Of a longer front so many
        from one end to the other.
    contenders : tuple of Designed
        Of least power by node and style; least power first.
    considered, feasible : int
        Machines priced, and those that hold every limit.
    """

    best: Designed
    front: tuple[Designed, ...]
    contenders: tuple[Designed, ...]
    considered: int
    feasible: int


def search(
    tasks: Sequence[Task], choices: Choices, *, keep: int = 24, watch: Watch | None = None
) -> Design:
    """Return the machine of least power for some networks, each run alone at its rate, and the front.

    Parameters
    ----------
    tasks : sequence of Task
        One machine takes all of them; for one machine each, search each alone.
    choices : Choices
    keep : int
        Most machines of the front that are returned.
    watch : callable, optional
        ``watch(done, whole)`` is told how many of the kinds of machines (style, node, cells, gating) were searched.

    Raises
    ------
    WorkloadError
        No network, or one that computes in floating point.
    NoMachineError
        No machine takes them, or holds the limits; the message says which limit the closest one misses.
    """
    if not tasks:
        raise WorkloadError("no network to design for", where="machine design", remedy="Give at least one workload")
    workloads = [task.workload for task in tasks]
    widths = datapath_widths(workloads)
    found: list[_Point] = []
    missed: dict[str, int] = {}
    refused: dict[str, str] = {}
    considered = feasible = 0
    grids = list(machine_grids(choices, workloads))
    for done, (machine, clock) in enumerate(grids):
        if watch is not None:
            watch(done, len(grids))
        refusals = [line for workload in workloads for line in STYLES[machine.style].refuses(workload)]
        if refusals:
            refused[machine.style] = refusals[0]
            continue
        costs, allowed, reasons = _grid_costs(machine, clock, tasks, widths, choices)
        considered, feasible = considered + len(allowed), feasible + int(np.count_nonzero(allowed))
        for reason, count in reasons.items():
            missed[reason] = missed.get(reason, 0) + count
        costs[~allowed] = np.inf
        points = evenly(front_indices(costs), FRONT_PER_GRID)
        found += [_Point(machine, clock, costs[point], int(point)) for point in points]
    if not considered and refused:
        lines = "; ".join(f"{style} {line}" for style, line in refused.items())
        raise NoMachineError(
            f"no template takes it: {lines}", where="machine design", remedy="Choose other templates, or count a stream"
        )
    if not found:
        raise NoMachineError(
            f"none of {considered:,} machines holds the limits ({_reasons(missed)})", where="machine design",
            remedy="Allow a finer node, a higher supply, more cells, a longer deadline or more area",
        )
    rows = np.array([one.costs for one in found])
    front = [_designed(found[place], tasks, widths, choices) for place in evenly(_spread_out(rows), keep)]
    least: dict[tuple[str, float], _Point] = {}
    for one in sorted(found, key=lambda one: float(one.costs[0])):
        least.setdefault((one.grid.style, one.grid.node_nm), one)
    contenders = [front[0], *(_designed(one, tasks, widths, choices) for one in list(least.values())[1:])]
    return Design(front[0], tuple(front), tuple(contenders), considered, feasible)


def _spread_out(costs: Array) -> list[int]:
    """Return the front of some machines, least power first, without those that hardly differ from one before."""
    kept: list[int] = []
    for place in front_indices(costs):
        near = [np.all(np.abs(np.log(costs[place] / costs[other])) < ALIKE) for other in kept]
        if not any(near):
            kept.append(int(place))
    return kept


def _grid_costs(
    machine: Machine, clock: Clock, tasks: Sequence[Task], widths: DatapathWidths, choices: Choices
) -> tuple[Array, NDArray[np.bool_], Mapping[str, int]]:
    """Return power, area and longest latency of every point of a grid, which are allowed, and why others are not."""
    banks = shared_banks([task.workload for task in tasks], machine)
    shape = np.broadcast_shapes(*(np.shape(getattr(machine, name)) for name in NUMBERS))
    power, slowest = np.zeros(shape), np.zeros(shape)
    in_time, keeps_up = np.ones(shape, np.bool_), np.ones(shape, np.bool_)
    each = price_tasks(tasks, machine, banks, widths, clock)
    for task, prices in zip(tasks, each, strict=True):
        power = power + prices.decoder_power_w
        slowest = np.maximum(slowest, prices.latency_s)
        in_time &= prices.latency_s <= task.deadline_s * (1 + EXACTLY)
        keeps_up &= prices.busy <= 1.0 + EXACTLY
    area = each[0].area_m2
    limits: Mapping[str, NDArray[np.bool_]] = {
        "deadline": in_time, "work of a second": keeps_up,
        "area": np.broadcast_to(np.asarray(area) <= choices.most_area_m2, shape),
        "size of a memory of its cells": np.broadcast_to(_cells_hold(machine, banks), shape),
        "width of a word": np.broadcast_to(_words_taken(machine, widths), shape),
    }
    allowed = np.logical_and.reduce(list(limits.values()))
    costs = np.stack([np.broadcast_to(one, shape).ravel() for one in (power, area, slowest)], axis=1)
    return costs, allowed.ravel(), {name: int(np.count_nonzero(~held)) for name, held in limits.items()}


def _cells_hold(machine: Machine, banks: tuple[Number, Number]) -> NDArray[np.bool_]:
    """Return whether memories of standard cells or registers are small enough to be built."""
    held: list[NDArray[np.bool_]] = []
    for cell, count, bank in zip(machine.cells, banks, machine.bank_bits, strict=True):
        bits = np.asarray(count * bank)
        if cell == "standard_cell":
            held.append(np.asarray(may_be_standard_cells(bits)) > 0)
        elif cell == "register":
            held.append(bits <= BYTE * REGISTER_BYTES)
        else:
            held.append(np.ones_like(bits, np.bool_))
    return held[0] & held[1]


def _words_taken(machine: Machine, widths: DatapathWidths) -> NDArray[np.bool_]:
    """Return whether words are no wider than what is built, or than the datapath takes side by side."""
    most = widest_word_bits(machine.vector_lanes, max(widths.weight, widths.activation))
    return (np.asarray(machine.weight_word_bits) <= most) & (np.asarray(machine.data_word_bits) <= most)


def _designed(point: _Point, tasks: Sequence[Task], widths: DatapathWidths, choices: Choices) -> Designed:
    """Return one point of a grid with its profile."""
    one = replace(point.grid, **at_point(point.grid, point.flat))
    banks = shared_banks([task.workload for task in tasks], one)
    memories = built(one, banks)
    prices = price_tasks(tasks, one, banks, widths, point.clock)
    hertz = max(float(price.clock_hz) for price in prices)
    style = one.style.replace("_", " ")
    profile = machine_profile(
        one, memories, widths, clock_hz=hertz, name=f"designed_{one.style}_{one.node_nm:g}nm",
        title=f"Designed {style} of {one.node_nm:g} nm at {float(one.supply_v):g} V",
    )
    return Designed(
        one, profile, tuple(float(price.decoder_power_w) for price in prices),
        tuple(float(price.latency_s) for price in prices), float(point.costs[1]),
        _edges(one, point.grid, choices),
    )


def _edges(one: Machine, grid: Machine, choices: Choices) -> tuple[str, ...]:
    """Return the choices of a machine at the end of the list from which it was taken."""
    found: list[str] = []
    for name in NUMBERS:
        values = np.ravel(getattr(grid, name))
        value = float(getattr(one, name))
        if len(values) > 1 and value in (float(values.min()), float(values.max())):
            found.append(f"{name} {value:g} is the {'least' if value == values.min() else 'most'} that was tried")
    if len(choices.nodes_nm) > 1 and one.node_nm == min(choices.nodes_nm):
        found.append(f"node {one.node_nm:g} nm is the finest that was tried")
    return tuple(found)


def _reasons(missed: Mapping[str, int]) -> str:
    return "; ".join(f"{name}: {count:,} miss it" for name, count in missed.items() if count)
