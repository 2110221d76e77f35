"""At which spike rate a spiking network draws what another form of it draws."""

from __future__ import annotations

from typing import Literal

from cosim.api.arguments import rate_of
from cosim.api.places import Machine, Place, placed
from cosim.api.works import Work, workload_of
from energy_models.analysis import BreakEven, Design
from energy_models.analysis import break_even as equal_cost


def break_even(
    spiking: Work,
    other: Work,
    machine: Machine,
    site: Place | None = None,
    *,
    decode_rate_hz: float | str,
    against: Machine | None = None,
    basis: Literal["decode energy", "decoder power"] = "decoder power",
    draws: int = 1024,
    seed: int = 0,
) -> BreakEven:
    """Return the spikes per input and step at which a spiking decoder draws what another one does, with its band.

    Neurons are updated in every step however silent the network is; all else that spikes cause grows with their number.

    Parameters
    ----------
    spiking, other : Workload, trained or converted student, str or Path
        As for `cosim.estimate`; the first with spikes, observed.
    machine : str, Path or HardwareProfile
        Of the spiking one.
    site : str, Path or Site, optional
    decode_rate_hz : float or str
        Decisions per second [Hz], or a text with a unit.
    against : str, Path or HardwareProfile, optional
        Machine of the other one; default: the same.
    basis : {'decoder power', 'decode energy'}
        Average power with all that is drawn between decisions, or the energy of one decode without.
    draws, seed : int
        Of the uncertain constants, drawn once for both; draws a power of two.

    Raises
    ------
    CosimError
        As `cosim.estimate`; or no spike was counted in the first.
    """
    rate_hz = rate_of(decode_rate_hz, where="cosim.break_even, decode_rate_hz")
    asked = {"spiking": (spiking, machine), "other": (other, machine if against is None else against)}
    designs: list[Design] = []
    for name, (work, whose) in asked.items():
        counted = workload_of(work, where=f"cosim.break_even, {name}")
        profile, place = placed(whose, site, constants=None, budget=None, where="cosim.break_even")
        designs.append(Design(counted, profile, place, rate_hz))
    return equal_cost(*designs, basis=basis, draws=draws, seed=seed)
