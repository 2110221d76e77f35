"""How many banks a network fills, and where its operands lie: for one machine or for very many at once."""

from __future__ import annotations

from collections.abc import Sequence

from energy_models.design.machine import DATA, WEIGHTS, Machine
from energy_models.hardware import OPERANDS, HardwareProfile, Memory, Operand
from energy_models.mapping import MemoryUse, Placement, passing_bits, required_bits
from energy_models.quantities import Number, ceiling, is_zero, larger
from energy_models.workload import Workload

MEMORY_OF: dict[Operand, int] = {"weights": WEIGHTS, "activations": DATA, "state": DATA, "buffers": DATA}


def needed_banks(workload: Workload, machine: Machine) -> tuple[Number, Number]:
    """Return the banks that a network fills of both memories, one at least."""
    weights, data, _ = _needed_bits(workload, machine)
    return (
        larger(ceiling(weights / machine.weight_bank_bits), 1.0), larger(ceiling(data / machine.data_bank_bits), 1.0)
    )


def shared_banks(workloads: Sequence[Workload], machine: Machine) -> tuple[Number, Number]:
    """Return the banks of a machine that takes each of some networks, one at a time."""
    weights, data = needed_banks(workloads[0], machine)
    for workload in workloads[1:]:
        more = needed_banks(workload, machine)
        weights, data = larger(weights, more[WEIGHTS]), larger(data, more[DATA])
    return weights, data


def placed(workload: Workload, machine: Machine, pattern: HardwareProfile) -> Placement:
    """Return the placement of a network on very many machines that have the memories of a `pattern`."""
    weights, data, lasting = _needed_bits(workload, machine)
    kept = tuple(
        ceiling(need / bank) * bank for need, bank in zip((weights, data), machine.bank_bits, strict=True)
    )
    stays = (kept[WEIGHTS], ceiling(lasting / machine.data_bank_bits) * machine.data_bank_bits)
    needs = required_bits(workload, machine)
    held: tuple[Operand, ...] = tuple(one for one in OPERANDS if not is_zero(needs[one]))
    uses = tuple(
        MemoryUse(memory.name, memory.capacity.band.nominal, 0.0, tuple(memory.holds)) for memory in pattern.memories
    )
    widths: dict[Operand, Number] = {operand: machine.word_bits(operand) for operand in OPERANDS}
    memory_of: dict[Operand, Memory] = {operand: pattern.memories[place] for operand, place in MEMORY_OF.items()}
    return Placement(memory_of, held, uses, kept, stays, widths, ())


def _needed_bits(workload: Workload, machine: Machine) -> tuple[Number, Number, Number]:
    """Return the bits of weights, of data, and of data that outlive a decode."""
    needs = required_bits(workload, machine)
    data = needs["activations"] + needs["state"] + needs["buffers"]
    return needs["weights"], data, data - passing_bits(workload, machine)


