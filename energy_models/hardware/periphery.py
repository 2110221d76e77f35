"""What every machine at a site shares: front end, converter, radio, stimulator and regulator.

They belong to where the electrodes, the link and the supply are. Kept with the machine, two machines at one place
would be compared by their amplifiers.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from energy_models.quantities import (
    AboveZero,
    Band,
    Current,
    Energy,
    EnergyPerBit,
    EnergyPerStep,
    Frequency,
    Frozen,
    Information,
    Power,
    PowerPerChannel,
    Ratio,
    Time,
    Voltage,
)


class Absent(Frozen):
    """A part the device does not have, or that is not charged, and why."""

    model: Literal["absent"]
    reason: str = Field(min_length=1)


class PerChannelFrontEnd(Frozen):
    """Amplifier and filter of each channel, always on."""

    model: Literal["per_channel"]
    power: PowerPerChannel


class AcquisitionController(Frozen):
    """Processor that gathers samples and serves the link beside the machine that decodes: ``share active + asleep``.

    Parameters
    ----------
    active, asleep : Quantity
        Power while it runs, and drawn all the time besides.
    share : Quantity
        Share of the time in which it runs.
    """

    active: Power
    asleep: Power
    share: Ratio

    @model_validator(mode="after")
    def _a_share(self) -> Self:
        if self.share.band.high > 1:
            raise ValueError("share is a part of the time: it cannot exceed 1")
        return self


class WaldenConverter(Frozen):
    """Converter after Walden: ``P = figure_of_merit 2^bits rate`` per channel.

    The bits are the smaller of the site's word and `effective_bits`: a word wider than the noise costs no conversion.
    """

    model: Literal["walden"]
    effective_bits: Information
    figure_of_merit: EnergyPerStep


class InFrontEnd(Frozen):
    """Converter whose power the front end's figure already contains."""

    model: Literal["in_front_end"]
    reason: str = Field(min_length=1)


class PerBitRadio(Frozen):
    """Transmitter that costs `energy` per payload bit."""

    model: Literal["per_bit"]
    energy: EnergyPerBit


class ConnectedRadio(Frozen):
    """Radio that keeps a connection: asleep, awake for a connection event, waking for a message, sending it.

    ``P = asleep + event / interval + startup messages + energy bits``: `asleep` is drawn always, an `event` in which
    nothing is sent costs so much every `interval`, each message one `startup`, each payload bit `energy`.
    """

    model: Literal["connected"]
    energy: EnergyPerBit
    asleep: Power
    event: Energy
    interval: Annotated[Time, AboveZero()]
    startup: Energy


class PulseStimulator(Frozen):
    """Current stimulator: ``P = amplitude compliance pulse_width pulse_rate burst bursts / efficiency``.

    The current is drawn from the compliance voltage, whatever the electrode needs of it.

    Parameters
    ----------
    amplitude : Quantity
        Current of a pulse.
    compliance : Quantity
        Voltage the output stage is fed with.
    pulse_width : Quantity
        Time current flows in one pulse, all phases together.
    pulse_rate : Quantity
        Pulses per second within a burst.
    burst : Quantity
        Length of a burst.
    bursts : Quantity
        Bursts per time, on average.
    efficiency : Quantity
        Of what makes the compliance voltage.
    """

    model: Literal["pulses"]
    amplitude: Current
    compliance: Voltage
    pulse_width: Time
    pulse_rate: Frequency
    burst: Time
    bursts: Frequency
    efficiency: Ratio

    @model_validator(mode="after")
    def _physical(self) -> Self:
        _check_efficiency(self.efficiency.band)
        return self


def _check_efficiency(efficiency: Band) -> None:
    if not 0 < efficiency.low <= efficiency.high <= 1:
        raise ValueError("efficiency must lie above 0 and at most at 1")


class EfficiencyRegulator(Frozen):
    """Regulator that delivers `efficiency` of what it draws, and feeds the whole device but its stimulator."""

    model: Literal["efficiency"]
    efficiency: Ratio

    @model_validator(mode="after")
    def _physical(self) -> Self:
        _check_efficiency(self.efficiency.band)
        return self


class LoadPoint(Frozen):
    """Efficiency of a regulator, its own supply included, at one load."""

    load: Power
    efficiency: Ratio


class CurveRegulator(Frozen):
    """Regulator whose efficiency follows the load; see `energy_models.pricing.regulator` for the law between points.

    Parameters
    ----------
    points : tuple of LoadPoint
        Ascending exact loads. Outside them the efficiency is that of the nearest.
    quiescent : Quantity
        What it draws without load: its loss is never less.
    """

    model: Literal["curve"]
    points: tuple[LoadPoint, ...] = Field(min_length=2)
    quiescent: Power

    @model_validator(mode="after")
    def _physical(self) -> Self:
        loads = [point.load.band for point in self.points]
        if any(load.low < load.high for load in loads):
            raise ValueError("a load is where an efficiency is stated: low, value and high must agree")
        if any(later.nominal <= load.nominal for load, later in pairwise(loads)) or loads[0].nominal <= 0:
            raise ValueError("loads must ascend from above 0")
        for point in self.points:
            _check_efficiency(point.efficiency.band)
        for first, second in pairwise(self.points):
            self._check_rise(first, second)
        return self

    def _check_rise(self, first: LoadPoint, second: LoadPoint) -> None:
        """Refuse an efficiency that rises so steeply that a larger load would lose less.

        ``d/dL [L (1/e - 1)] = (e (1 - e) - de/dlnL) / e^2``, and e (1 - e) is least at an end of the segment.
        """
        span = math.log(second.load.band.nominal / first.load.band.nominal)
        for end in ("low", "nominal", "high"):
            before, after = (getattr(point.efficiency.band, end) for point in (first, second))
            if (after - before) / span > min(before * (1 - before), after * (1 - after)) * (1 + 1e-12):
                raise ValueError(f"{end} efficiencies rise so steeply that a larger load would lose less")


FrontEnd = Annotated[PerChannelFrontEnd | Absent, Field(discriminator="model")]
Converter = Annotated[WaldenConverter | InFrontEnd | Absent, Field(discriminator="model")]
Radio = Annotated[PerBitRadio | ConnectedRadio | Absent, Field(discriminator="model")]
Stimulation = Annotated[PulseStimulator | Absent, Field(discriminator="model")]
Regulator = Annotated[EfficiencyRegulator | CurveRegulator | Absent, Field(discriminator="model")]
