"""Where a device lives: what records, sends and feeds there, what it may draw and heat, how soon it must answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from energy_models.hardware.described import Described
from energy_models.hardware.periphery import (
    Absent,
    AcquisitionController,
    Converter,
    FrontEnd,
    Radio,
    Regulator,
    Stimulation,
)
from energy_models.hardware.thermal import box_surface_m2
from energy_models.quantities import (
    AboveZero,
    Area,
    Band,
    Channels,
    Charge,
    Conductivity,
    Frequency,
    Frozen,
    Information,
    InformationRate,
    Length,
    Power,
    PowerDensity,
    RatioPerTime,
    RisePerPower,
    Source,
    TemperatureRise,
    Time,
    Voltage,
    VolumetricHeat,
)

LimitName = Literal[
    "power_budget", "power_density", "temperature", "harvest", "battery", "link", "deadline",
    "silicon_area", "silicon_power_density",
]
LIMIT_NAMES: tuple[LimitName, ...] = (
    "power_budget", "power_density", "temperature", "harvest", "battery", "link", "deadline",
    "silicon_area", "silicon_power_density",
)
SILICON_LIMITS: frozenset[LimitName] = frozenset({"silicon_area", "silicon_power_density"})
"""Limits on the machine's own silicon: a site that says nothing of them has none."""


class Sampling(Frozen):
    """What the site's front end records: channels, converter rate and width per channel."""

    channels: Channels
    rate: Frequency
    converter: Information


class Package(Frozen):
    """What gives off the heat: a box with all six faces, by its dimensions, or a surface by its area."""

    length: Length | None = None
    width: Length | None = None
    thickness: Length | None = None
    area: Annotated[Area, AboveZero()] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        sides = (self.length, self.width, self.thickness)
        whole = None not in sides if self.area is None else sides == (None, None, None)
        if not whole:
            raise ValueError("give length, width and thickness of a box, or the area of the surface")
        if self.surface_m2.low <= 0:
            raise ValueError("a box of no surface gives off no heat: at most one of its sides may be zero")
        return self

    @property
    def surface_m2(self) -> Band:
        """Surface that gives off heat [m^2]."""
        if self.area is not None:
            return self.area.band
        if self.length is None or self.width is None or self.thickness is None:  # unreachable, see _one_way
            raise ValueError("a box needs length, width and thickness")
        length, width, thickness = self.length.band, self.width.band, self.thickness.band
        return Band(
            box_surface_m2(length.low, width.low, thickness.low),
            box_surface_m2(length.nominal, width.nominal, thickness.nominal),
            box_surface_m2(length.high, width.high, thickness.high),
        )


class Tissue(Frozen):
    """Constants of the Pennes bioheat equation; without perfusion heat is conducted away alone."""

    conductivity: Annotated[Conductivity, AboveZero()]
    perfusion: Frequency
    blood_heat: VolumetricHeat


class Temperature(Frozen):
    """Allowed rise, and how power becomes rise: a slope found for a device, the Pennes sphere of the package, or both.

    Where both are given each is a limit of its own: the slope holds for the device it was measured or simulated on, the
    sphere for perfused tissue all around.
    """

    limit: TemperatureRise
    slope: RisePerPower | None = None
    tissue: Tissue | None = None

    @model_validator(mode="after")
    def _some_way(self) -> Self:
        if self.slope is None and self.tissue is None:
            raise ValueError("give slope (measured or simulated), tissue (Pennes sphere), or both")
        return self


class Battery(Frozen):
    """Energy on board and how long it must last; `loss` is the share of the remaining charge lost per time."""

    capacity: Charge
    voltage: Voltage
    loss: RatioPerTime
    lifetime: Annotated[Time, AboveZero()]


class Link(Frozen):
    """What the radio can carry, and the bits sent for one decision."""

    rate: InformationRate
    message: Information


class Site(Described):
    """A place for a device, with every limit either given or left out for a stated reason.

    Parameters
    ----------
    name, title, description : str
    sampling : Sampling
    front_end, converter, radio, regulator
        What every machine here shares, each its own model, or `Absent`. A radio needs a link.
    controller : AcquisitionController or None
        What gathers samples beside the decoder.
    gathered_by : {'machine'} or None
        Where the machine that decodes gathers samples too: it is charged its `gathering` power the whole time, cause
        ``controller``. None where a controller does it, or the front end by itself.
    stimulation
        Left out where the device does not stimulate; `Absent` where it does but is not charged for it.
    package : Package or None
        Needed by `power_density`, and by `temperature` where it has tissue.
    power_budget, power_density, temperature, harvest, battery, link, deadline : optional
        The limits; `harvest` is the power that can be collected, for instance within the absorption allowed in tissue.
        Each one absent must stand in `omitted`.
    silicon_area, silicon_power_density : optional
        Room for the machine's silicon, and the power of the decoder over its area.
    omitted : mapping of limit name to str
        Why a limit is not applied here.
    sources : mapping of str to Source
        Bibliographic records of the file's own.
    """

    sampling: Sampling
    front_end: FrontEnd
    converter: Converter
    radio: Radio
    regulator: Regulator
    controller: AcquisitionController | None = None
    gathered_by: Literal["machine"] | None = None
    stimulation: Stimulation | None = None
    package: Package | None = None
    power_budget: Power | None = None
    power_density: PowerDensity | None = None
    temperature: Temperature | None = None
    harvest: Power | None = None
    battery: Battery | None = None
    link: Link | None = None
    deadline: Time | None = None
    silicon_area: Annotated[Area, AboveZero()] | None = None
    silicon_power_density: Annotated[PowerDensity, AboveZero()] | None = None
    omitted: Mapping[LimitName, str] = Field(default_factory=dict[LimitName, str])
    sources: Mapping[str, Source] = Field(default_factory=dict[str, Source])

    @model_validator(mode="after")
    def _every_limit_is_accounted_for(self) -> Self:
        given = {name for name in LIMIT_NAMES if getattr(self, name) is not None}
        problems: list[str] = []
        for name in LIMIT_NAMES:
            if name in given and name in self.omitted:
                problems.append(f"{name} is given and omitted at once")
            elif name not in given | SILICON_LIMITS and not self.omitted.get(name, "").strip():
                problems.append(f"{name} is missing: give it, or say in omitted.{name} why it is not applied")
        sphere = self.temperature is not None and self.temperature.tissue is not None
        if ("power_density" in given or sphere) and self.package is None:
            problems.append("package is missing: power_density and the Pennes sphere need its surface")
        if not isinstance(self.radio, Absent) and self.link is None:
            problems.append("link is missing: a radio needs its message, or say in radio.reason why nothing is sent")
        if self.controller is not None and self.gathered_by == "machine":
            problems.append("samples are gathered by a controller, or else by the machine: leave one out")
        if not given - SILICON_LIMITS:
            problems.append("a site needs at least one limit beside those on silicon")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def converter_bits(self) -> int:
        """Converter width [bits]."""
        return round(self.sampling.converter.band.nominal)

    @property
    def channels(self) -> int:
        """Recording channels of the site's front end."""
        return round(self.sampling.channels.band.nominal)
