"""Event-driven silicon: powers and energies against the profile of the same chip, or of its class."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal, Self
from zlib import crc32

import numpy as np
from pydantic import Field, model_validator

from energy_models.analysis import Design, quantity_draws, sample_designs, spread
from energy_models.errors import ProfileError
from energy_models.hardware import HardwareProfile, load_profile
from energy_models.pricing import Array, estimate
from energy_models.quantities import Band, Energy, Frequency, Frozen, Power, Quantity, Ratio, find_unit, read_model
from energy_models.validation.groups import RowKind
from energy_models.validation.rows import Role, ValidationRow
from energy_models.workload import WEIGHT_BITS, Workload, neuron_layer, synapse_layer

DRAWS = 1024
SEED = 0
_ONE_PER_SECOND = 1.0
OF_A_RATE = ("power", "energy per operation, all power in it")
"""Quantities with static power and idle clock in them: they depend on how many operations a second share these."""


class Network(Frozen):
    """A published figure of a network whose spikes are known.

    Parameters
    ----------
    id, what, machine, role, note
        As in `ValidationRow`.
    profile : str
    quantity : {'power', 'energy', 'energy per operation', 'energy per operation, all power in it'}
        Of the whole chip [W]; of one decode without static power [J]; the same over its synaptic operations [J]; the
        power of the whole chip over its operations a second [J], which is a figure of that rate only.
    inputs, neurons : int
        One full layer.
    spikes : int
        Of all inputs in one decode.
    steps : int
        Time steps of one decode.
    updates : {'none', 'every step'}
        Whether the figure contains the neurons' own updates besides what a synaptic operation does to them.
    weight_bits : int
    clock : Quantity or None
        Where the figure was not taken at the profile's.
    rate : Quantity or None
        Decodes per second; needed for a power, also for one that is divided by operations.
    measured : Quantity
    """

    id: str
    what: str
    machine: str
    profile: str
    role: Role
    quantity: Literal["power", "energy", "energy per operation", "energy per operation, all power in it"]
    inputs: int = Field(gt=0)
    neurons: int = Field(gt=0)
    spikes: int = Field(ge=0)
    steps: int = Field(gt=0)
    updates: Literal["none", "every step"]
    weight_bits: int = WEIGHT_BITS
    clock: Frequency | None = None
    rate: Frequency | None = None
    measured: Energy | Power
    note: str = ""

    @model_validator(mode="after")
    def _power_has_a_rate(self) -> Self:
        if (self.quantity in OF_A_RATE) != (self.rate is not None):
            raise ValueError("give a rate where all power is in the quantity, and only there")
        if (self.quantity == "power") != (find_unit(self.measured.unit).dimension == "power"):
            raise ValueError(f"quantity {self.quantity} measured in {self.measured.unit}")
        return self


class Share(Frozen):
    """A published power of a clocked core whose network is not known: it is busy for some share of its cycles."""

    id: str
    what: str
    machine: str
    profile: str
    counts: Literal["busy", "idle and busy"]
    busy: Ratio
    measured: Power
    note: str = ""


class Events(Frozen):
    """The file of event-driven silicon."""

    networks: tuple[Network, ...]
    shares: tuple[Share, ...]


@cache
def load_events() -> Events:
    """Return every shipped figure of event-driven silicon.

    Raises
    ------
    ProfileError
        When the file has problems; all of them are listed.
    """
    return read_model(Path(str(files("energy_models.data"))) / "validation" / "events.toml", Events)


def event_rows() -> tuple[ValidationRow, ...]:
    """Return every figure of event-driven silicon with its prediction."""
    found = load_events()
    networks = (_row(one, one.quantity, one.role, one.measured, network_band(one)) for one in found.networks)
    shares = (_row(one, "power", "held out", one.measured, share_band(one)) for one in found.shares)
    return (*networks, *shares)


def kind_of_event(row: ValidationRow) -> RowKind:
    """Return the kind of a row of event-driven silicon."""
    return "event"


def _row(one: Network | Share, quantity: str, role: Role, measured: Quantity, predicted: Band) -> ValidationRow:
    return ValidationRow(
        id=one.id, what=one.what, machine=one.machine, quantity=quantity, unit=measured.unit,
        predicted=predicted.times(1.0 / find_unit(measured.unit).factor), measured=measured.value, role=role,
        source=measured.source, note=one.note,
    )


def network_workload(network: Network) -> Workload:
    """Return the decode of a network: its synapses, and its neurons where the figure contains them."""
    synapses = synapse_layer(
        "synapses", network.inputs, network.neurons, spikes=network.spikes, steps=network.steps,
        weight_bits=network.weight_bits,
    )
    neurons = neuron_layer("neurons", network.neurons, spikes=0, steps=network.steps)
    layers = (synapses,) if network.updates == "none" else (synapses, neurons)
    return Workload(network.id, "window", 1, network.steps, network.inputs, 1000.0, 1, layers)


def network_band(network: Network) -> Band:
    """Return what is predicted for a network's figure at nominal constants, with its central 90 % [SI].

    Power is of the whole chip [W], or over its operations a second [J]; energy of one decode without static power [J],
    or over its operations [J].
    """
    profile = at_clock(load_profile(network.profile), network.clock)
    rate_hz = _ONE_PER_SECOND if network.rate is None else network.rate.band.nominal
    work = network_workload(network)
    report = estimate(work, profile, None, decode_rate_hz=rate_hz)
    (points,) = sample_designs([Design(work, profile, None, rate_hz)], draws=DRAWS, seed=SEED)
    operations = network.spikes * network.neurons
    if network.quantity in OF_A_RATE:
        each = 1.0 if network.quantity == "power" else 1.0 / (rate_hz * operations)
        return _band(report.total_power_w.nominal, points.total_power_w).times(each)
    each = 1.0 if network.quantity == "energy" else 1.0 / operations
    return _band(report.decode_energy_j.nominal, points.decode_energy_j).times(each)


def share_band(share: Share) -> Band:
    """Return what is predicted for a core that is busy for a share of its cycles, with its central 90 % [W]."""
    profile = load_profile(share.profile)
    if profile.execution.style != "event_cycles":
        raise ProfileError(
            f"profile {profile.name!r} has no power of busy cycles", where=share.id,
            remedy="Name a profile of style event_cycles",
        )
    power = profile.quantity_at["execution.active_power"]
    idle = 1.0 if share.counts == "idle and busy" else 0.0
    parts = {"static": profile.static, "active": power, f"{share.id} busy": share.busy}
    static, active, busy = (_draws(name, quantity) for name, quantity in parts.items())
    nominal = idle * profile.static.band.nominal + share.busy.value * power.band.nominal
    return _band(nominal, idle * static + np.minimum(busy, 1.0) * active)


def at_clock(profile: HardwareProfile, clock: Quantity | None) -> HardwareProfile:
    """Return a profile at the clock of a figure; at its own where the figure states none."""
    if clock is None:
        return profile
    return HardwareProfile.model_validate({**profile.model_dump(), "clock": clock.model_dump()})


def _draws(key: str, quantity: Quantity) -> Array:
    """Return draws of one constant, its own by name."""
    return quantity_draws(quantity, np.random.default_rng(crc32(key.encode())).standard_normal(DRAWS))


def _band(nominal: float, drawn: Array) -> Band:
    low, _, high = spread(drawn)
    return Band(min(low, nominal), nominal, max(high, nominal))
