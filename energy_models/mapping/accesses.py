"""Every access of a workload on a machine: by layer, operand and memory level, reads and writes."""

from __future__ import annotations

from dataclasses import dataclass

from energy_models.hardware import HardwareProfile
from energy_models.mapping.action_counts import check_widths
from energy_models.mapping.count import count_actions
from energy_models.mapping.placing import place
from energy_models.workload import Workload

REGISTERS = "registers"
"""The level inside a datapath."""


@dataclass(frozen=True, slots=True)
class AccessCount:
    """Accesses of one layer to one operand at one level, per decode.

    Parameters
    ----------
    layer, operand : str
    level : str
        A memory of the machine, or 'registers'.
    reads, writes : float
        Words of `word_bits`; at registers, bits.
    word_bits : int
    """

    layer: str
    operand: str
    level: str
    reads: float
    writes: float
    word_bits: int


def access_counts(workload: Workload, profile: HardwareProfile) -> tuple[AccessCount, ...]:
    """Return the accesses of every layer of a workload on a machine, per decode.

    Machines whose costs are totals per event or per cycle (Loihi, Xylo) have none: what they access is not published.

    Raises
    ------
    WorkloadError
        When the workload lacks operand widths, or products have no reduction.
    """
    check_widths(workload)
    placement = place(workload, profile)
    found: list[AccessCount] = []
    for counts in count_actions(workload, profile.execution, placement):
        for one in counts.accesses:
            memory = placement.memory_of[one.operand]
            reads, writes = float(one.reads), float(one.writes)
            found.append(AccessCount(counts.layer, one.operand, memory.name, reads, writes, memory.word_bits))
        found += [
            AccessCount(counts.layer, one.operand, REGISTERS, float(one.bits_read), float(one.bits_written), 1)
            for one in counts.registers
        ]
    return tuple(found)
