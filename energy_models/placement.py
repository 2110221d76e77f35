"""Puts weights, activations, state and buffers into memories, or says by how much they miss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, prod

from energy_models.profile import OPERANDS, HardwareProfile, Memory, Operand
from energy_models.report import MemoryUse
from energy_models.workload import LayerWork, Workload


@dataclass(frozen=True, slots=True)
class Placement:
    """Where each operand lives, how full the memories are, and what does not fit."""

    memory_of: Mapping[Operand, Memory]
    uses: tuple[MemoryUse, ...]
    misfits: tuple[str, ...]


def required_bits(workload: Workload) -> Mapping[Operand, int]:
    """Return the bits each operand needs at once.

    Activations are double-buffered layer by layer: the largest input plus output of one call. Buffers hold the
    input window that slides between decodes; a streaming decoder keeps its past in `state`.
    """
    window = workload.channels * workload.steps_per_decode * workload.input_bits
    return {
        "weights": workload.weight_bits_total,
        "activations": max((_live_bits(layer) for layer in workload.layers), default=0),
        "state": workload.state_bits_total,
        "buffers": window if workload.mode == "window" else workload.channels * workload.input_bits,
    }


def _live_bits(layer: LayerWork) -> int:
    return prod(layer.input_shape) * layer.activation_bits + prod(layer.output_shape) * layer.output_bits


def place(workload: Workload, profile: HardwareProfile) -> Placement:
    """Return the placement: each operand goes whole into the first memory that may hold it and has room.

    An operand that fits nowhere is put into the roomiest memory that may hold it, and is a misfit.
    """
    free = {memory.name: memory.capacity.band.nominal for memory in profile.memories}
    memory_of: dict[Operand, Memory] = {}
    misfits: list[str] = []
    needs = required_bits(workload)
    for operand in OPERANDS:
        allowed = [memory for memory in profile.memories if operand in memory.holds]
        need = needs[operand]
        chosen = next((memory for memory in allowed if free[memory.name] >= need), None)
        if chosen is None:
            chosen = max(allowed, key=lambda memory: free[memory.name])
            missing = ceil(need - free[chosen.name])
            misfits.append(
                f"{operand} need {need} bits; memory {chosen.name} of {profile.name} has "
                f"{int(free[chosen.name])} free and misses {missing} bits"
            )
        free[chosen.name] = max(0.0, free[chosen.name] - need)
        memory_of[operand] = chosen
    uses = tuple(_use(memory, memory_of, needs) for memory in profile.memories)
    return Placement(memory_of, uses, tuple(misfits))


def _use(memory: Memory, memory_of: Mapping[Operand, Memory], needs: Mapping[Operand, int]) -> MemoryUse:
    held: list[Operand] = [one for one in OPERANDS if memory_of[one].name == memory.name and needs[one] > 0]
    used = float(sum(needs[operand] for operand in held))
    return MemoryUse(memory.name, memory.capacity.band.nominal, used, tuple(held))
