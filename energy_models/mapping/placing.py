"""Puts weights, activations, state and buffers into memories; what has no room is an infeasibility with its size."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from energy_models.hardware import OPERANDS, HardwareProfile, Memory, Operand
from energy_models.mapping.live import holds_window, live_passes
from energy_models.mapping.placement import MemoryUse, Placement
from energy_models.mapping.styles import Executes, style_of
from energy_models.quantities import Number, largest
from energy_models.workload import Workload


def required_bits(workload: Workload, execution: Executes) -> Mapping[Operand, Number]:
    """Return the bits each operand needs at once.

    Activations are those of the pass that needs most (`energy_models.mapping.live`). Buffers hold the input window that
    slides between decodes, unless a layer that runs on every sample keeps it in its `state`; a streaming decoder keeps
    its past in `state`.
    """
    live = live_passes(workload, execution)
    steps = workload.steps_per_decode if holds_window(workload) else 1
    return {
        "weights": workload.weight_bits_total,
        "activations": largest(one.bits for one in live),
        "state": workload.state_bits_total,
        "buffers": workload.channels * workload.input_bits * steps,
    }


def passing_bits(workload: Workload, execution: Executes) -> Number:
    """Return the bits of `required_bits` that live only while a decode runs.

    They are activations and unfinished sums of windows, beyond what work on every sample needs. Weights, state and the
    window of samples last; so does everything of a stream, whose decode is its work on a sample.
    """
    if workload.mode == "stream":
        return 0.0
    live = live_passes(workload, execution)
    each_sample = largest(one.bits for one in live if one.cadence == "sample")
    return largest(one.bits for one in live) - each_sample


def place(workload: Workload, profile: HardwareProfile) -> Placement:
    """Return the placement: each operand goes whole into the first memory that may hold it and has room.

    An operand that fits nowhere is put into the largest memory that may hold it, which is an infeasibility. The
    non-volatile copy of a memory that may be off between decodes takes room too.
    """
    free = {memory.name: memory.capacity.band.nominal for memory in profile.memories}
    memory_of: dict[Operand, Memory] = {}
    infeasibilities: list[str] = []
    required = required_bits(workload, profile.execution)
    needs: dict[Operand, float] = {operand: float(required[operand]) for operand in OPERANDS}
    for operand in OPERANDS:
        allowed = [memory for memory in profile.memories if operand in memory.holds]
        need = needs[operand]
        chosen = next((memory for memory in allowed if free[memory.name] >= need), None)
        if chosen is None:
            chosen = max(allowed, key=lambda memory: memory.capacity.band.nominal)
            infeasibilities.append(_infeasibility(operand, need, chosen.name, free[chosen.name], profile.name))
        free[chosen.name] = max(0.0, free[chosen.name] - need)
        memory_of[operand] = chosen
    store, copied = memory_of["weights"].reload_from, needs["weights"]
    if store is not None and free[store] < copied:
        infeasibilities.append(_infeasibility("the copy of the weights", copied, store, free[store], profile.name))
    infeasibilities += [f"profile {profile.name!r} {line}" for line in style_of(profile.execution).refuses(workload)]
    uses = tuple(_use(memory, memory_of, needs) for memory in profile.memories)
    held: tuple[Operand, ...] = tuple(one for one in OPERANDS if needs[one] > 0)
    passing = {memory_of["activations"].name: float(passing_bits(workload, profile.execution))}
    kept = tuple(
        kept_bits(use.used_bits, memory) for use, memory in zip(uses, profile.memories, strict=True)
    )
    lasting = tuple(
        kept_bits(use.used_bits - passing.get(use.memory, 0), memory)
        for use, memory in zip(uses, profile.memories, strict=True)
    )
    widths: dict[Operand, Number] = {operand: float(memory.word_bits) for operand, memory in memory_of.items()}
    return Placement(memory_of, held, uses, kept, lasting, widths, tuple(infeasibilities))


def kept_bits(used_bits: float, memory: Memory) -> float:
    """Return the bits of the banks that so many used bits take.

    Never more than the memory has for what fits into it. What does not fit takes the whole banks of a memory that would
    hold it: a machine that is too small never draws less than one that is large enough.
    """
    bank, capacity = memory.bank.band.nominal, memory.capacity.band.nominal
    taken = ceil(used_bits / bank) * bank
    return taken if used_bits > capacity else min(taken, capacity)


def _infeasibility(what: str, need: float, memory: str, free: float, machine: str) -> str:
    missing = ceil(need - free)
    return f"{what} need {need:.0f} bits; memory {memory} of {machine} has {int(free)} free and misses {missing} bits"


def _use(memory: Memory, memory_of: Mapping[Operand, Memory], needs: Mapping[Operand, float]) -> MemoryUse:
    held = [str(one) for one in OPERANDS if memory_of[one].name == memory.name and needs[one] > 0]
    used = float(sum(needs[one] for one in OPERANDS if memory_of[one].name == memory.name))
    if memory_of["weights"].reload_from == memory.name:
        held.append("copy of the weights")
        used += needs["weights"]
    return MemoryUse(memory.name, memory.capacity.band.nominal, used, tuple(held))
