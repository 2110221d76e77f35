"""The only place that multiplies a count by a cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from energy_models.errors import PriceError
from energy_models.placement import Placement
from energy_models.profile import Costs, HardwareProfile, OperationCost, ProgrammableCore
from energy_models.report import ZERO, Band, Cause, total
from energy_models.tally import ControlAct, Operations, Tally

_CONTROL_PATHS: Mapping[ControlAct, str] = {
    "event": "execution.control_per_event",
    "active_update": "execution.control_per_active_update",
    "idle_update": "execution.control_per_idle_update",
}


@dataclass(frozen=True, slots=True)
class PricedLayer:
    """Energy of one layer per decode by cause [J], its cycles, the constants used and what has no price."""

    energy_j: Mapping[Cause, Band]
    cycles: Band
    used: frozenset[str]
    unpriced: tuple[str, ...]


def product(left: Band, right: Band) -> Band:
    """Return the product of two non-negative bands."""
    return Band(left.low * right.low, left.nominal * right.nominal, left.high * right.high)


def quotient(left: Band, right: Band) -> Band:
    """Return the quotient of two non-negative bands; the divisor's low must be positive."""
    return Band(left.low / right.high, left.nominal / right.nominal, left.high / right.low)


def operation_energy_j(cost: OperationCost, widths: tuple[int, int]) -> Band:
    """Return the energy of one operation [J]: ``fixed + per_bit (a+b)/2 + per_square_bit a b``."""
    first, second = widths
    energy = ZERO if cost.fixed is None else cost.fixed.band
    if cost.per_bit is not None:
        energy = energy + cost.per_bit.band.times((first + second) / 2)
    if cost.per_square_bit is not None:
        energy = energy + cost.per_square_bit.band.times(first * second)
    return energy


def find_cost(costs: Costs, profile: str, operation: Operations) -> OperationCost:
    """Return the cost that a machine's table gives for an operation.

    Raises
    ------
    PriceError
        When the table has none for this arithmetic, operation and width.
    """
    table = costs.get(operation.arithmetic, {})
    cost = table.get(operation.name)
    wanted = f"{operation.arithmetic} {operation.name} at {operation.widths[0]}x{operation.widths[1]} bits"
    if cost is None or max(operation.widths) > cost.max_bits:
        prices = ", ".join(f"{a} {n} to {c.max_bits} bits" for a, rows in costs.items() for n, c in rows.items())
        remedy = f"It prices: {prices}. Add an entry with its source, or use another machine"
        raise PriceError(f"profile {profile!r} prices no {wanted}", remedy=remedy)
    return cost


def price_layer(tally: Tally, profile: HardwareProfile, placement: Placement) -> PricedLayer:
    """Return the energy and cycles of one layer in one decode.

    Work without a price is left out of the energy and listed in `unpriced`.
    """
    cycles, used = _cycles(tally, profile)
    if isinstance(profile.execution, ProgrammableCore):
        spent = quotient(product(cycles, profile.execution.active_power.band), profile.clock.band)
        unpriced = tuple(f"profile {profile.name!r} prices no {what}" for what in tally.unpriced)
        names = used | {"execution.active_power", "clock"} if tally.cycles else used
        return PricedLayer({"compute": spent}, cycles, names, unpriced)
    datapath, names, unpriced = _operations(tally, profile)
    memory, accessed = _accesses(tally, placement, profile)
    control = _control(tally, profile)
    over = profile.execution.control_factor.band
    extra = Band(over.low - 1, over.nominal - 1, over.high - 1)
    energy: dict[Cause, Band] = {}
    for cause, band in (*datapath.items(), *memory.items()):
        energy[cause] = energy.get(cause, ZERO) + band
    energy["control"] = product(total(datapath.values()), extra) + control
    acts = {_CONTROL_PATHS[act] for act, count in tally.control if count}
    return PricedLayer(energy, cycles, used | names | accessed | acts | {"execution.control_factor"}, unpriced)


def _operations(tally: Tally, profile: HardwareProfile) -> tuple[dict[Cause, Band], frozenset[str], tuple[str, ...]]:
    execution = profile.execution
    if isinstance(execution, ProgrammableCore):
        return {}, frozenset(), ()
    energy: dict[Cause, Band] = {}
    used: set[str] = set()
    unpriced: list[str] = []
    for operation in tally.operations:
        try:
            cost = find_cost(execution.operations, profile.name, operation)
        except PriceError as error:
            unpriced.append(error.what)
            continue
        band = operation_energy_j(cost, operation.widths).times(operation.count)
        energy[operation.cause] = energy.get(operation.cause, ZERO) + band
        path = f"execution.operations.{operation.arithmetic}.{operation.name}"
        terms = ("fixed", "per_bit", "per_square_bit")
        used |= {f"{path}.{term}" for term in terms if getattr(cost, term) is not None}
    return energy, frozenset(used), tuple(unpriced)


def _accesses(
    tally: Tally, placement: Placement, profile: HardwareProfile
) -> tuple[dict[Cause, Band], frozenset[str]]:
    energy: dict[Cause, Band] = {}
    used: set[str] = set()
    index = {memory.name: place for place, memory in enumerate(profile.memories)}
    for access in tally.accesses:
        memory = placement.memory_of[access.operand]
        if memory.read is None or memory.write is None:
            continue
        cause: Cause = "state" if access.operand == "state" else "memory"
        band = memory.read.band.times(access.reads) + memory.write.band.times(access.writes)
        energy[cause] = energy.get(cause, ZERO) + band
        used |= {f"memories[{index[memory.name]}].{act}" for act in ("read", "write")}
    return energy, frozenset(used)


def _control(tally: Tally, profile: HardwareProfile) -> Band:
    energy = ZERO
    for act, count in tally.control:
        energy = energy + profile.quantity_at[_CONTROL_PATHS[act]].band.times(count)
    return energy


def _cycles(tally: Tally, profile: HardwareProfile) -> tuple[Band, frozenset[str]]:
    cycles = ZERO
    used: set[str] = set()
    for item in tally.cycles:
        if not item.cost:
            cycles = cycles + Band(item.count, item.count, item.count)
            continue
        each = profile.quantity_at[item.cost].band
        used.add(item.cost)
        if item.factor:
            each = product(each, profile.quantity_at[item.factor].band)
            used.add(item.factor)
        cycles = cycles + each.times(item.count)
    return cycles, frozenset(used)
