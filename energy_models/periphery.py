"""What every machine at a site shares: front end, converter, radio and regulator.

They belong to where the electrodes, the link and the supply are. Kept with the machine, two machines at one place
would be compared by their amplifiers.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from energy_models.quantity import EnergyPerBit, EnergyPerStep, Information, PowerPerChannel, Ratio
from energy_models.toml_model import Frozen


class Absent(Frozen):
    """A part the device does not have, or that is not charged, and why."""

    model: Literal["absent"]
    reason: str = Field(min_length=1)


class PerChannelFrontEnd(Frozen):
    """Amplifier and filter of each channel, always on."""

    model: Literal["per_channel"]
    power: PowerPerChannel


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


class EfficiencyRegulator(Frozen):
    """Regulator that delivers `efficiency` of what it draws, and feeds the whole device."""

    model: Literal["efficiency"]
    efficiency: Ratio

    @model_validator(mode="after")
    def _physical(self) -> Self:
        if not 0 < self.efficiency.band.low <= self.efficiency.band.high <= 1:
            raise ValueError("efficiency must lie above 0 and at most at 1")
        return self


FrontEnd = Annotated[PerChannelFrontEnd | Absent, Field(discriminator="model")]
Converter = Annotated[WaldenConverter | InFrontEnd | Absent, Field(discriminator="model")]
Radio = Annotated[PerBitRadio | Absent, Field(discriminator="model")]
Regulator = Annotated[EfficiencyRegulator | Absent, Field(discriminator="model")]
