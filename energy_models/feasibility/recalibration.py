"""What learning on the device costs: energy, time and memory of one recalibration, and the power that it adds."""

from __future__ import annotations

from dataclasses import dataclass

from energy_models.errors import PriceError
from energy_models.hardware import HardwareProfile, Site
from energy_models.pricing import EnergyReport, estimate, regulated, regulator_loss, site_bands
from energy_models.quantities import Band, total
from energy_models.workload import Recalibration, Workload, update_work

ONCE_HZ = 1.0


@dataclass(frozen=True, slots=True)
class RecalibrationCost:
    """One recalibration on a machine.

    Parameters
    ----------
    energy_j : Band
        Of all passes and steps, on the machine itself [J].
    time_s : Band
        Of all passes and steps, one after the other [s].
    memory_bits : int
        What learning keeps beside the deployed network [bits].
    learned : int
        Weights and biases that learn.
    infeasibilities : tuple of str
        Why the machine cannot: no room for what learning keeps.
    unaccounted : tuple of str
        What of learning has no price there, or was not counted: energy and time are then lower bounds.
    """

    energy_j: Band
    time_s: Band
    memory_bits: int
    learned: int
    infeasibilities: tuple[str, ...]
    unaccounted: tuple[str, ...]


def recalibration_cost(workload: Workload, profile: HardwareProfile, how: Recalibration) -> RecalibrationCost:
    """Return what one recalibration of a network costs on a machine.

    ``E = examples epochs E_example + ceil(examples / batch) epochs E_step``, likewise the time.

    Raises
    ------
    WorkloadError
        As `energy_models.workload.update_work`.
    """
    work = update_work(workload, how)
    example, step = (
        estimate(one, profile, None, decode_rate_hz=ONCE_HZ) for one in (work.example, work.step)
    )
    energy = example.decode_energy_j.times(how.passes) + step.decode_energy_j.times(how.steps)
    time = example.latency_s.times(how.passes) + step.latency_s.times(how.steps)
    room = tuple(line for line in example.infeasibilities if _is_room(line))
    missing = dict.fromkeys((*example.unaccounted, *step.unaccounted))
    return RecalibrationCost(energy, time, work.memory_bits, work.learned, room, tuple(missing))


def _is_room(line: str) -> bool:
    """Return whether a machine cannot for want of memory: how often it decodes is not what learning asks."""
    return " misses " in line and " bits" in line


def added_power_w(report: EnergyReport, site: Site, energy_j: Band, interval_s: float) -> Band:
    """Return the mean power that recalibrations add to a device, what the regulator loses of it included [W].

    Raises
    ------
    PriceError
        No time above zero.
    """
    if not interval_s > 0:
        raise PriceError(f"{interval_s:g} s", where="recalibration interval", remedy="Give a time above zero")
    added = energy_j.times(1.0 / interval_s)
    load, constants = total(regulated(report.power_w)), site_bands(site)
    before = regulator_loss(site.regulator, load, constants)
    after = regulator_loss(site.regulator, load + added, constants)
    ends = (after.low - before.low, after.nominal - before.nominal, after.high - before.high)
    return added + Band(*(max(0.0, end) for end in ends))
