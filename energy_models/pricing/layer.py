"""From what a machine does for a layer to the terms of its price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from energy_models.errors import PriceError
from energy_models.hardware import Costs, HardwareProfile, Memory, OperationCost
from energy_models.mapping import Access, ActionCounts, Operations, Placement, RegisterPrices, style_of
from energy_models.pricing.constants import CONTROL_OVERHEAD, rail_of
from energy_models.pricing.report import Cause
from energy_models.pricing.terms import Term, Terms
from energy_models.quantities import Number, is_zero


@dataclass(frozen=True, slots=True)
class PricedLayer:
    """Terms of one layer's energy per decode by cause [J] and of its cycles, and what has no price."""

    energy_j: Mapping[Cause, Terms]
    cycles: Terms
    unpriced: tuple[str, ...]


def operation_terms(cost: OperationCost, path: str, widths: tuple[int, int]) -> Terms:
    """Return the energy of one operation [J]: ``fixed + per_bit (a+b)/2 + per_square_bit a b``."""
    first, second = widths
    parts = (("fixed", 1.0), ("per_bit", (first + second) / 2), ("per_square_bit", float(first * second)))
    return tuple(Term(count, (f"{path}.{part}",)) for part, count in parts if getattr(cost, part) is not None)


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


def price_layer(counts: ActionCounts, profile: HardwareProfile, placement: Placement) -> PricedLayer:
    """Return the terms of one layer's energy and cycles in one decode.

    Work without a price is left out of the energy and listed in `unpriced`.
    """
    cycles = tuple(Term(item.count, tuple(path for path in (item.cost, item.factor) if path)) for item in counts.cycles)
    style = style_of(profile.execution)
    if style.cycle_power:
        spent = tuple(term.priced(style.cycle_power, under=("clock",)) for term in cycles)
        unpriced = tuple(f"profile {profile.name!r} prices no {what}" for what in counts.unpriced)
        return PricedLayer({"compute": spent}, cycles, unpriced)
    energy, unpriced = _operations(counts, style.operation_costs(profile.execution), profile.name)
    energy["control"] = [term.priced(CONTROL_OVERHEAD) for terms in energy.values() for term in terms]
    for act, count in counts.control:
        for cause, constants in style.act_prices[act]:
            energy.setdefault(cause, []).extend([] if is_zero(count) else [Term(count, constants)])
    for cause, terms in (*_accesses(counts, placement, profile), *_registers(counts, style.registers)):
        energy.setdefault(cause, []).extend(terms)
    return PricedLayer({cause: tuple(terms) for cause, terms in energy.items()}, cycles, unpriced)


def _operations(
    counts: ActionCounts, costs: Costs, profile: str
) -> tuple[dict[Cause, list[Term]], tuple[str, ...]]:
    energy: dict[Cause, list[Term]] = {}
    unpriced = [f"profile {profile!r} prices no {what}" for what in counts.unpriced]
    for operation in counts.operations:
        try:
            cost = find_cost(costs, profile, operation)
        except PriceError as error:
            unpriced.append(error.what)
            continue
        path = f"execution.operations.{operation.arithmetic}.{operation.name}"
        each = operation_terms(cost, path, operation.widths)
        energy.setdefault(operation.cause, []).extend(term.times(operation.count) for term in each)
    return energy, tuple(unpriced)


def _accesses(counts: ActionCounts, placement: Placement, profile: HardwareProfile) -> list[tuple[Cause, Terms]]:
    found: list[tuple[Cause, Terms]] = []
    index = {memory.name: place for place, memory in enumerate(profile.memories)}
    for access in counts.accesses:
        memory = placement.memory_of[access.operand]
        if not memory.priced:
            continue
        cause: Cause = "state" if access.operand == "state" else "memory"
        path = f"memories[{index[memory.name]}]"
        words = (*_words(memory, placement.word_bits(access.operand), path, access), *_way(memory, path, access))
        found.append((cause, tuple(term.priced(under=rail_of(profile, memory)) for term in words)))
    return found


def _way(memory: Memory, path: str, access: Access) -> Terms:
    """Return the energy of words on the wires between banks, where it is given apart."""
    if memory.wires is None:
        return ()
    return (Term(access.reads + access.writes, (f"{path}.wires",)),)


def _registers(counts: ActionCounts, prices: RegisterPrices | None) -> list[tuple[Cause, Terms]]:
    if prices is None:
        return []
    return [
        ("memory", (Term(one.bits_read, (prices.read,)), Term(one.bits_written, (prices.write,))))
        for one in counts.registers
    ]


def _words(memory: Memory, word_bits: Number, path: str, access: Access) -> Terms:
    """Return the energy of words read and written; a non-volatile memory moves every bit of a word."""
    if memory.non_volatile is None:
        return (Term(access.reads, (f"{path}.read",)), Term(access.writes, (f"{path}.write",)))
    found = [Term(access.reads * word_bits, (f"{path}.non_volatile.read",))]
    if not is_zero(access.writes):
        found.append(Term(access.writes * word_bits, (f"{path}.non_volatile.write",)))
    return tuple(found)
