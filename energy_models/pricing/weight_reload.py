"""Weights kept between decodes, or switched off and read back from a non-volatile copy: whichever costs less.

While a memory is off it leaks nothing; each decode then pays for reading the copy, writing the memory and waking the
store. With `E_reload` that energy and `P_kept` the retention of the banks that hold the weights,

    break-even time = E_reload / P_kept      [s] off, between two decodes

Off for longer, reloading costs less. The choice is made once, at the nominal constants and the given decode rate. It is
part of a machine's structure, as its placement is: bounds and samples are those of the chosen way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from energy_models.hardware import HardwareProfile
from energy_models.mapping import Placement, words
from energy_models.pricing.constants import rail_of
from energy_models.pricing.report import Reload
from energy_models.pricing.terms import Term, Terms, band
from energy_models.workload import Workload


@dataclass(frozen=True, slots=True)
class ReloadPlan:
    """The terms of reloading one memory: energy and time of a reload [J, s], power of keeping [W], and the choice."""

    memory: str
    energy_j: Terms
    time_s: Terms
    kept_w: Terms
    summary: Reload


def break_even_s(reload_j: float, kept_w: float) -> float:
    """Return how long a memory must be off for its reload to cost what keeping it would: ``E_reload / P_kept`` [s].

    Parameters
    ----------
    reload_j : float
        Energy of one reload [J].
    kept_w : float
        Power of keeping the content [W]; at 0 no reload ever pays.
    """
    return reload_j / kept_w if kept_w > 0 else math.inf


def reload_plan(
    workload: Workload, profile: HardwareProfile, placement: Placement, *, awake_s: Terms, decode_rate_hz: float
) -> ReloadPlan | None:
    """Return what becomes of the weights' memory between decodes; None where it has no non-volatile copy.

    Weights that work on every sample are always kept: the machine is never without them.

    Parameters
    ----------
    workload : Workload
    profile : HardwareProfile
    placement : Placement
    awake_s : terms
        Time of one decode without the reload [s].
    decode_rate_hz : float
        Decisions per second [Hz].
    """
    memory = placement.memory_of["weights"]
    if memory.reload_from is None or workload.weight_bits_total == 0:
        return None
    names = [one.name for one in profile.memories]
    index, behind = names.index(memory.name), names.index(memory.reload_from)
    store = profile.memories[behind]
    bits = float(workload.weight_bits_total)
    path, stored = f"memories[{index}]", f"memories[{behind}].non_volatile"
    rail = rail_of(profile, memory)
    written, read = words(bits, 1, memory.word_bits), words(bits, 1, store.word_bits)
    energy = (
        Term(read * store.word_bits, (f"{stored}.read",)),
        Term(written, (f"{path}.write",), rail),
        *(() if memory.wires is None else (Term(written, (f"{path}.wires",), rail),)),
        Term(1.0, (f"{stored}.wake",)),
    )
    time = (Term(max(read, written), (), ("clock",)), Term(1.0, (f"{stored}.wake_time",)))
    kept = placement.kept_bits[index]
    power = (Term(kept, (f"{path}.retention",), rail),)
    even_s = break_even_s(band(energy, profile.bands).nominal, band(power, profile.bands).nominal)
    off_s = max(0.0, 1.0 / decode_rate_hz - band((*awake_s, *time), profile.bands).nominal)
    always = any(layer.cadence == "sample" and layer.weights for layer in workload.layers)
    summary = Reload(
        memory.name, store.name, band(energy, profile.bands), band(power, profile.bands), even_s, off_s,
        "reloaded" if off_s > even_s and not always else "kept",
    )
    return ReloadPlan(memory.name, energy, time, power, summary)
