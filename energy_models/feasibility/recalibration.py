"""What learning on the device costs: energy, time and memory of one recalibration, and the power that it adds.

The machine wakes once and is awake while it learns: what it leaks then beyond its sleep counts with the work. Stored
examples, learned weights and the optimiser's state are kept between recalibrations too. New weights are written into
the weights' memory after every step, and once a recalibration into its non-volatile copy, where it has one; the time
of non-volatile writes is not known and is in no figure. A memory that holds weights alone is not written while a
machine decides, so that no figure of such a machine contains a write to it: without a price of writes, these are said
to be missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from energy_models.errors import PriceError
from energy_models.feasibility.duty import SELDOM_HZ
from energy_models.hardware import HardwareProfile, Memory, Site
from energy_models.mapping import place, words
from energy_models.pricing import (
    SITE,
    Array,
    EnergyReport,
    Term,
    Terms,
    band,
    estimate_machine,
    estimate_vectorised,
    evaluate,
    rail_of,
    regulated,
    regulator_loss,
    site_bands,
    waking_terms,
    with_made,
)
from energy_models.quantities import Band, total
from energy_models.workload import Recalibration, UpdateWork, Workload, update_work

ALWAYS_HZ = 1e12
"""So often that a machine is awake all the time."""


@dataclass(frozen=True, slots=True)
class RecalibrationCost:
    """One recalibration on a machine.

    Parameters
    ----------
    energy_j : Band
        Of all passes and steps, on the machine itself, with what it leaks meanwhile beyond its sleep [J].
    time_s : Band
        Of one wake-up and all passes and steps, one after the other [s].
    kept_w : Band
        Power that keeps examples and learned state from one recalibration to the next, learning included [W].
    memory_bits : int
        What learning keeps beside the deployed network [bits].
    learned : int
        Weights and biases that learn.
    infeasibilities : tuple of str
        Why the machine cannot: no room for what learning keeps, or work that its execution style refuses.
    unaccounted : tuple of str
        What of learning has no price there, or was not counted: energy and time are then lower bounds.
    """

    energy_j: Band
    time_s: Band
    kept_w: Band
    memory_bits: int
    learned: int
    infeasibilities: tuple[str, ...]
    unaccounted: tuple[str, ...]

    def power_w(self, interval_s: float) -> Band:
        """Return the mean power of recalibrations so far apart, on the machine itself [W].

        Raises
        ------
        PriceError
            No time above zero.
        """
        if not interval_s > 0:
            raise PriceError(f"{interval_s:g} s", where="recalibration interval", remedy="Give a time above zero")
        return self.energy_j.times(1.0 / interval_s) + self.kept_w


class _Drawn(NamedTuple):
    """Of one decode: energy [J], time with waking [s], waking [J]; power of sleep, or while awake [W]."""

    energy_j: Array
    time_s: Array
    wake_j: Array
    held_w: Array


_Price = Callable[[Workload, float], _Drawn]
_Evaluate = Callable[[Terms], Array]


class _Whole(NamedTuple):
    energy_j: Array
    time_s: Array
    kept_w: Array


def recalibration_cost(workload: Workload, profile: HardwareProfile, how: Recalibration) -> RecalibrationCost:
    """Return what one recalibration of a network costs on a machine.

    ``E = passes E_example + steps (E_step + E_write) + t (P_awake - P_asleep - P_kept) + E_wake``;
    ``t = t_wake + passes t_example + steps (t_step + t_write)``.

    Raises
    ------
    WorkloadError
        As `energy_models.workload.update_work`.
    """
    work = update_work(workload, how)
    missing: list[str] = []

    def price(one: Workload, rate_hz: float) -> _Drawn:
        found = estimate_machine(one, profile, decode_rate_hz=rate_hz)
        if rate_hz == ALWAYS_HZ:
            missing.extend(found.unaccounted)
        nothing = np.zeros(3)
        static, kept, wake = (
            _ends(found.power_w[cause]) if cause in found.power_w else nothing
            for cause in ("static", "retention", "wake")
        )
        energy = total(one for layer in found.layers for one in layer.energy_j.values())
        return _Drawn(_ends(energy), _ends(found.latency_s), wake / rate_hz, static + kept)

    whole = _whole((workload, work), profile, how, price, lambda terms: _ends(band(terms, profile.bands)))
    refused = place(work.example, profile).infeasibilities or place(work.step, profile).infeasibilities
    missing += _unwritable(work, profile)
    return RecalibrationCost(
        _band(whole.energy_j), _band(whole.time_s), _band(whole.kept_w), work.memory_bits, work.learned, refused,
        tuple(dict.fromkeys(missing)),
    )


def recalibration_draws_w(
    workload: Workload, profile: HardwareProfile, how: Recalibration, interval_s: float, constants: Mapping[str, Array]
) -> Array:
    """Return draws of the mean power of recalibrations on the machine itself [W], shape (draws,).

    That of `RecalibrationCost.power_w`, on given draws of the constants.

    Parameters
    ----------
    workload : Workload
    profile : HardwareProfile
    how : Recalibration
    interval_s : float
        Time between two of them [s].
    constants : mapping of path to array, shape (draws,)
        As of `energy_models.pricing.estimate_vectorised`; those of a site are left aside.

    Raises
    ------
    PriceError, WorkloadError
        As `estimate_vectorised`.
    """
    own = {path: values for path, values in constants.items() if not path.startswith(SITE)}
    zeros = np.zeros(len(next(iter(own.values()))))
    values = with_made({**{path: zeros + one.nominal for path, one in profile.bands.items()}, **own})

    def price(one: Workload, rate_hz: float) -> _Drawn:
        found = estimate_vectorised(one, profile, None, decode_rate_hz=rate_hz, constants=own)
        static, kept, wake = (found.power_w.get(cause, zeros) for cause in ("static", "retention", "wake"))
        return _Drawn(found.decode_energy_j, found.latency_s, wake / rate_hz, static + kept)

    work = update_work(workload, how)
    whole = _whole((workload, work), profile, how, price, lambda terms: evaluate(terms, values, zeros))
    return whole.energy_j / interval_s + whole.kept_w


def _whole(
    parts: tuple[Workload, UpdateWork], profile: HardwareProfile, how: Recalibration, price: _Price, sums: _Evaluate
) -> _Whole:
    deployed, work = parts
    example, step = (price(one, ALWAYS_HZ) for one in (work.example, work.step))
    asleep, resting = (price(one, SELDOM_HZ) for one in (deployed, work.resting))
    each, once, write_s = _writes(work, profile)
    each_j, once_j, each_s = (sums(terms) for terms in (each, once, write_s))
    woken_s, again_s = (sums(waking_terms(profile, place(one, profile))[1]) for one in (work.example, work.step))
    passes_s = how.passes * (example.time_s - woken_s)
    time = woken_s + passes_s + how.steps * (step.time_s - again_s + each_s)
    awake = np.maximum(0.0, example.held_w - resting.held_w)
    energy = how.passes * example.energy_j + how.steps * (step.energy_j + each_j) + once_j
    kept = np.maximum(0.0, resting.held_w - asleep.held_w)
    return _Whole(energy + time * awake + example.wake_j, time, kept)


def _writes(work: UpdateWork, profile: HardwareProfile) -> tuple[Terms, Terms, Terms]:
    """Return what writing new weights takes: energy after each step, once a recalibration [J], and time a step [s]."""
    memory = place(work.example, profile).memory_of["weights"]
    each, once = _written(work, profile, memory), ()
    if memory.reload_from is not None:
        store = next(one for one in profile.memories if one.name == memory.reload_from)
        once = _written(work, profile, store)
    count = words(work.written_bits, 1, memory.word_bits)
    return each, once, (Term(count, (), ("clock",)),) if memory.priced else ()


def _written(work: UpdateWork, profile: HardwareProfile, memory: Memory) -> Terms:
    path, rail = f"memories[{profile.memories.index(memory)}]", rail_of(profile, memory)
    count = words(work.written_bits, 1, memory.word_bits)
    if memory.non_volatile is not None:
        known = memory.non_volatile.write is not None
        return (Term(count * memory.word_bits, (f"{path}.non_volatile.write",)),) if known else ()
    return tuple(
        Term(count, (f"{path}.{name}",), rail) for name in ("write", "wires") if getattr(memory, name) is not None
    )


def _unwritable(work: UpdateWork, profile: HardwareProfile) -> list[str]:
    """Return a line for each memory that would get new weights, and whose writes are in no figure."""
    memory = place(work.example, profile).memory_of["weights"]
    names = (memory.name, memory.reload_from)
    return [
        f"new weights: profile {profile.name!r} has no price of writes to {one.name}"
        for one in profile.memories if one.name in names and not _writes_are_priced(one)
    ]


def _writes_are_priced(memory: Memory) -> bool:
    """Return whether writes have a price, or the machine's figures contain them as those of what it holds besides."""
    if memory.non_volatile is not None:
        return memory.non_volatile.write is not None
    return memory.write is not None or bool(set(memory.holds) - {"weights"})


def _ends(one: Band) -> Array:
    return np.asarray([one.low, one.nominal, one.high])


def _band(ends: Array) -> Band:
    low, nominal, high = (float(end) for end in ends)
    return Band(min(low, nominal), nominal, max(nominal, high))


def added_power_w(report: EnergyReport, site: Site, learning_w: Band) -> Band:
    """Return the mean power that learning adds to a device, what the regulator loses of it included [W].

    Parameters
    ----------
    report : EnergyReport
        Of the device at its site, without learning.
    site : Site
    learning_w : Band
        Mean power of learning on the machine itself [W].
    """
    load, constants = total(regulated(report.power_w)), site_bands(site)
    before = regulator_loss(site.regulator, load, constants)
    after = regulator_loss(site.regulator, load + learning_w, constants)
    ends = (after.low - before.low, after.nominal - before.nominal, after.high - before.high)
    return learning_w + Band(*(max(0.0, end) for end in ends))
