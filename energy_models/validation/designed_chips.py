"""Published chips as designed machines: a template with their node, supply, clock, memories and widths, no search.

Power and area are what the laws of designed machines give for the published network at the published rate. A chip that
a law was chosen after is predicted without it: the control of its events by the law of datapaths in general
(`design_laws().control`), in which no chip stands, and its core factor from chips of other authors.

What a machine of the laws has and these chips have not is left out: an oscillator of its own, and sleep. Memories leak
at their supply all the time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from energy_models.analysis import Design, sample_designs, spread
from energy_models.design import DesignedStyle, Machine, machine_profile
from energy_models.design.constants_file import design_laws
from energy_models.design.events import EVENT_ENERGIES
from energy_models.design.laws import logic_area_m2, silicon_area_m2
from energy_models.design.memories import BuiltMemory, built
from energy_models.design.widths import DatapathWidths
from energy_models.hardware import HardwareProfile
from energy_models.pricing import EnergyReport, estimate
from energy_models.quantities import Area, Band, Frozen, Power, find_unit, load_sources, read_model
from energy_models.technology import End, machine_laws
from energy_models.technology.machine_laws import at
from energy_models.validation.areas import area_rows
from energy_models.workload import Workload, at_widths, neuron_layer, read_workload, synapse_layer

BITS_PER_KIB = 8192.0
DRAWS, SEED = 1024, 0
ENDS: tuple[End, End, End] = ("low", "nominal", "high")
EVENT = "execution.control_per_event"
MEGA = 1e6
Evidence = Literal["measured", "recalled", "synthesised"]


class ChipMemory(Frozen):
    """A memory of a chip: capacity [KiB], banks, bits of a word."""

    kib: float = Field(gt=0)
    banks: int = Field(gt=0)
    word_bits: int = Field(gt=0)


class ChipWidths(Frozen):
    """Widths of its datapath [bits]."""

    weight: int
    activation: int
    total: int


class ChipNetwork(Frozen):
    """One full layer of synapses: `events` of all its inputs in one decode of `steps`; neurons that are updated."""

    inputs: int
    outputs: int
    events: int = Field(ge=0)
    rate_hz: float = Field(gt=0)
    steps: int = 1
    neurons: int = 0
    weight_bits: int | None = None


class ShippedNetwork(Frozen):
    """A shipped workload at two widths, decoded so often [Hz]."""

    workload: str
    weight_bits: int
    activation_bits: int
    rate_hz: float = Field(gt=0)


class Chip(Frozen):
    """A published chip; see the file's head. `counts`: the whole of its power, or that of its events alone."""

    id: str
    what: str
    evidence: Evidence
    style: DesignedStyle
    node_nm: float
    supply_v: float
    clock_mhz: float
    lanes: int = 1
    weights: ChipMemory
    data: ChipMemory
    widths: ChipWidths
    network: ChipNetwork | ShippedNetwork
    counts: Literal["all", "events"] = "all"
    power: Power
    area: Area
    power_set_by: str = ""
    area_set_by: str = ""
    area_from: tuple[str, ...] = ()
    note: str = ""

    @model_validator(mode="after")
    def _held_out_from_others(self) -> Self:
        if bool(self.area_set_by) != bool(self.area_from):
            raise ValueError("say which areas set the core factor where this one is held out, and only there")
        return self


class Chips(Frozen):
    """The file of published chips."""

    chips: tuple[Chip, ...]


@dataclass(frozen=True, slots=True)
class ChipRow:
    """A chip beside what the laws give: power [W] and area [m^2], published and as a band."""

    chip: Chip
    power_w: Band
    area_m2: Band

    @property
    def power_ratio(self) -> float:
        """Power by the laws over the published one."""
        return self.power_w.nominal / self.chip.power.band.nominal

    @property
    def area_ratio(self) -> float:
        """Area by the laws over the published one."""
        return self.area_m2.nominal / self.chip.area.band.nominal

    @property
    def power_inside(self) -> bool:
        """Whether the published power lies in the band."""
        return self.power_w.low <= self.chip.power.band.nominal <= self.power_w.high

    @property
    def area_inside(self) -> bool:
        """Whether the published area lies in the band."""
        return self.area_m2.low <= self.chip.area.band.nominal <= self.area_m2.high

    @property
    def lands(self) -> bool:
        """Whether both do."""
        return self.power_inside and self.area_inside


@cache
def load_chips() -> tuple[Chip, ...]:
    """Return the published chips.

    Raises
    ------
    ProfileError
        When the file has problems; all of them are listed.
    """
    return read_model(Path(str(files("energy_models.data"))) / "validation" / "designed_chips.toml", Chips).chips


@cache
def chip_rows() -> tuple[ChipRow, ...]:
    """Return every published chip beside what the laws give."""
    return tuple(chip_row(chip) for chip in load_chips())


def chip_row(chip: Chip) -> ChipRow:
    """Return a chip beside what the laws give for it."""
    machine, memories, widths = _template(chip)
    profile = always_awake(machine_profile(
        machine, memories, widths, clock_hz=chip.clock_mhz * MEGA, name="chip", title=chip.id
    ))  # fmt: skip
    work = chip_workload(chip)
    if chip.power_set_by:
        profile = without_event_chips(profile, work)
    return ChipRow(chip, _power(chip, work, profile), _area(chip, machine, memories, widths))


def _template(chip: Chip) -> tuple[Machine, tuple[BuiltMemory, BuiltMemory], DatapathWidths]:
    """Return the machine that a chip's published parameters make, its memories, and its widths."""
    first, second = chip.weights, chip.data
    banks = [BITS_PER_KIB * one.kib / one.banks for one in (first, second)]
    rows, columns = 1.0, float(chip.lanes)
    machine = Machine(
        chip.style, chip.node_nm, chip.supply_v, rows, columns, "sram", "sram", banks[0], banks[1],
        float(first.word_bits), float(second.word_bits), False,
    )
    widths = DatapathWidths(chip.widths.weight, chip.widths.activation, chip.widths.total, looks_up=False)
    return machine, built(machine, (float(first.banks), float(second.banks))), widths


def chip_workload(chip: Chip) -> Workload:
    """Return the published network of a chip."""
    network = chip.network
    if isinstance(network, ShippedNetwork):
        path = Path(str(files("energy_models.data"))) / "workloads" / f"{network.workload}.json"
        widths = {"weight_bits": network.weight_bits, "activation_bits": network.activation_bits}
        return at_widths(read_workload(path), **widths)
    synapses = synapse_layer(
        "synapses", network.inputs, network.outputs, spikes=network.events, steps=network.steps,
        weight_bits=network.weight_bits or chip.widths.weight,
    )
    synapses = replace(synapses, activation_bits=chip.widths.activation, accumulator_bits=chip.widths.total)
    layers = [synapses]
    if network.neurons:
        layers.append(neuron_layer("neurons", network.neurons, spikes=0, steps=network.steps))
    return Workload(chip.id, "window", 1, network.steps, network.inputs, 1000.0, 1, tuple(layers))


def always_awake(profile: HardwareProfile) -> HardwareProfile:
    """Return a profile whose clock and memories never rest, with a clock from outside."""
    table = profile.model_dump(mode="json", exclude_none=True)
    nothing = {"value": 0.0, "low": 0.0, "high": 0.0}
    table["always_on_power"] |= nothing
    table["clock_runs"] = "always"
    for memory in table["memories"]:
        awake = memory["awake_leakage"]
        memory["retention"] |= {end: memory["retention"][end] + awake[end] for end in nothing}
        memory["awake_leakage"] = awake | nothing
        memory["idle_banks"] = "kept"
    return _validated(table)


def without_event_chips(profile: HardwareProfile, work: Workload) -> HardwareProfile:
    """Return a profile whose control of events follows from its memories: what datapaths in general take beside work.

    The control of an event is ``factor - 1`` times what the event takes in memories, by the law of datapaths.
    """
    report: EnergyReport = estimate(work, profile, None, decode_rate_hz=1.0)
    events = sum(layer.products.effective_input.mean for layer in work.layers if layer.products is not None)
    each_j = (report.power_w["memory"].nominal + report.power_w["state"].nominal) / events
    factor = design_laws().control.factor
    control = {end: each_j * (at(factor, end) - 1.0) for end in ENDS}
    known = profile.quantity_at
    table = profile.model_dump(mode="json", exclude_none=True)
    for name in EVENT_ENERGIES:
        group, _, key = name.rpartition(".")
        place: dict[str, Any] = table["execution"][group] if group else table["execution"]
        one = known[f"execution.{name}"]
        share = one.band.nominal / known[EVENT].band.nominal / find_unit(one.unit).factor
        ends = {end: control[end] * share for end in ENDS}
        place[key] |= {
            "low": ends["low"], "value": ends["nominal"], "high": ends["high"], "source": "design_choice",
            "where": "control of datapaths, technology/design.toml",
        }
    return _validated(table)


def _validated(table: dict[str, Any]) -> HardwareProfile:
    return HardwareProfile.model_validate(table, context={"sources": load_sources()})


def _power(chip: Chip, work: Workload, profile: HardwareProfile) -> Band:
    """Return the power by the laws: nominal, and the central 90 % of draws of every constant [W]."""
    rate = chip.network.rate_hz
    report = estimate(work, profile, None, decode_rate_hz=rate)
    (points,) = sample_designs([Design(work, profile, None, rate)], draws=DRAWS, seed=SEED)
    if chip.counts == "events":
        nominal, drawn = rate * report.decode_energy_j.nominal, rate * points.decode_energy_j
    else:
        nominal, drawn = report.total_power_w.nominal, points.total_power_w
    low, _, high = spread(np.asarray(drawn))
    return Band(min(low, nominal), nominal, max(high, nominal))


def _area(chip: Chip, machine: Machine, memories: tuple[BuiltMemory, ...], widths: DatapathWidths) -> Band:
    """Return the area by the laws, every constant at its bound [m^2]."""
    factor = machine_laws().area.core_factor
    over = {row.id: row.published_m2 / row.swept_m2 for row in area_rows()}
    chosen = [over[name] for name in chip.area_from]
    found: list[float] = []
    for end in ENDS:
        if not chosen:
            found.append(float(silicon_area_m2(machine, memories, widths, end)))
            continue
        around = float(np.exp(np.mean(np.log(chosen)))) * at(factor, end) / at(factor, "nominal")
        kept = sum(float(memory.area_m2(end)) for memory in memories)
        found.append(around * kept + float(logic_area_m2(machine, widths, end)))
    return Band(*found)
