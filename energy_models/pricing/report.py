"""What one decode costs on one machine: what `estimate` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from energy_models.mapping import MemoryUse
from energy_models.quantities import Band, html_table, prefixed_band, prefixed_floor, total

Cause = Literal[
    "compute", "memory", "state", "control", "static", "retention", "wake",
    "front_end", "converter", "controller", "features", "radio", "stimulation", "regulator",
]
CAUSES: tuple[Cause, ...] = (
    "compute", "memory", "state", "control", "static", "retention", "wake",
    "front_end", "converter", "controller", "features", "radio", "stimulation", "regulator",
)

OUTSIDE_DECODER: frozenset[Cause] = frozenset(
    {"front_end", "converter", "controller", "radio", "stimulation", "regulator"}
)
"""What the device draws besides its decoder."""
UNREGULATED: frozenset[Cause] = frozenset({"stimulation", "regulator"})
"""What no regulator feeds: a stimulator makes its compliance voltage from the supply, at an efficiency of its own."""


@dataclass(frozen=True, slots=True)
class LayerEnergy:
    """Energy of one layer in one decode, by cause [J]; `unpriced` names what of it the machine has no price for."""

    layer: str
    kind: str
    energy_j: Mapping[Cause, Band]
    unpriced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reload:
    """What becomes of the weights in a memory between decodes, and what either way costs.

    Parameters
    ----------
    memory, store : str
        The memory, and the non-volatile one with the copy.
    energy_j : Band
        One reload [J].
    kept_w : Band
        Retention of the banks that hold the weights [W].
    break_even_s : float
        Time off above which reloading costs less [s]; infinite where keeping is free.
    off_s : float
        Time between the end of a decode and the next one's start [s].
    choice : {'kept', 'reloaded'}
        What is charged.
    """

    memory: str
    store: str
    energy_j: Band
    kept_w: Band
    break_even_s: float
    off_s: float
    choice: Literal["kept", "reloaded"]


@dataclass(frozen=True, slots=True)
class EnergyReport:
    """The estimate for one workload on one profile at one decode rate.

    Parameters
    ----------
    workload, profile, profile_hash : str
    decode_rate_hz : float
    layers : tuple of LayerEnergy
        Energy per decode [J]; their sum is `decode_energy_j` exactly.
    power_w : mapping of Cause to Band
        Average power by cause [W], the whole device; their sum is `total_power_w` exactly.
    latency_s : Band
        Time of one decode, and what the decoder waits for before it (`Workload.delay_s`) [s].
    cycles : Band
        Clock cycles of one decode.
    busy : Band
        Share of the time in which the machine is awake, for decodes and for work on every sample [1]; a nominal share
        above 1 is an infeasibility.
    memories : tuple of MemoryUse
    infeasibilities : tuple of str
        Why it does not fit this machine (memory, deadline of its own clock); empty where it fits.
    unaccounted : tuple of str
        What of the network's work is uncounted, or has no price on this machine: every figure is then a lower bound.
    not_charged : tuple of str
        Parts of the device that are left out by choice of the site, or for want of one.
    sources : tuple of str
        Keys of the sources of every constant used.
    assumed : tuple of str
        One line for every constant used whose basis is ``assumed``.
    reload : Reload or None
        What becomes of the weights between decodes; None where the machine has no non-volatile copy of them.
    area_m2 : Band or None
        Silicon of the machine [m^2]; None where it is not known.
    """

    workload: str
    profile: str
    profile_hash: str
    decode_rate_hz: float
    layers: tuple[LayerEnergy, ...]
    power_w: Mapping[Cause, Band]
    latency_s: Band
    cycles: Band
    busy: Band
    memories: tuple[MemoryUse, ...]
    infeasibilities: tuple[str, ...]
    unaccounted: tuple[str, ...]
    not_charged: tuple[str, ...]
    sources: tuple[str, ...]
    assumed: tuple[str, ...]
    reload: Reload | None = None
    area_m2: Band | None = None

    def __repr__(self) -> str:
        shown = prefixed_floor if self.unaccounted else prefixed_band
        return (
            f"<EnergyReport: {self.workload} on {self.profile}, {self.decode_rate_hz:g} decisions a second: "
            f"decoder {shown(self.decoder_power_w, 'W')}, "
            f"device {shown(self.total_power_w, 'W')}>"
        )

    def _repr_html_(self) -> str:
        shown = prefixed_floor if self.unaccounted else prefixed_band
        sums = (("decoder", self.decoder_power_w), ("device", self.total_power_w))
        told = [(str(cause), prefixed_band(band, "W")) for cause, band in self.power_w.items()]
        told += [(name, shown(band, "W")) for name, band in sums]
        rows = [{"power": name, "nominal and bounds": text} for name, text in told]
        return html_table(f"{self.workload} on {self.profile}", rows)

    @property
    def incomplete(self) -> tuple[str, ...]:
        """Everything that is in no figure; empty where the device's power is complete."""
        return (*self.unaccounted, *self.not_charged)

    @property
    def decode_energy_j(self) -> Band:
        """Energy of one decode on the machine itself [J]."""
        return total(band for layer in self.layers for band in layer.energy_j.values())

    @property
    def total_power_w(self) -> Band:
        """Average power of the whole device [W]."""
        return total(self.power_w.values())

    @property
    def decoder_power_w(self) -> Band:
        """Average power of the decoder alone: no front end, converter, radio, stimulation or regulator [W]."""
        return total(band for cause, band in self.power_w.items() if cause not in OUTSIDE_DECODER)
