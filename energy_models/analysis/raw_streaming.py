"""Decide on the device, or send everything it records: what either draws, and which is less."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from energy_models.errors import PriceError
from energy_models.feasibility import LimitVerdict, added_power_w, limit_verdict
from energy_models.hardware import Absent, ConnectedRadio, Link, Site
from energy_models.pricing import (
    CAUSES,
    SITE,
    Cause,
    Decisions,
    EnergyReport,
    RawSamples,
    Terms,
    band,
    bit_rate_terms,
    regulated,
    regulator_loss,
    site_bands,
    site_terms,
)
from energy_models.quantities import ZERO, Band, total

Cheaper = Literal["decoding", "streaming", "undecided"]


@dataclass(frozen=True, slots=True)
class RawStream:
    """A device that decodes nothing and sends every sample.

    Parameters
    ----------
    site : str
    channels : int
    rate_bit_s : Band
        Payload [bit/s].
    power_w : mapping of Cause to Band
        Average power [W]. What gathers the samples for the radio is in none of them.
    link : str
        Whether the link carries the payload.
    """

    site: str
    channels: int
    rate_bit_s: Band
    power_w: Mapping[Cause, Band]
    link: LimitVerdict

    @property
    def total_power_w(self) -> Band:
        """Average power of the whole device [W]."""
        return total(self.power_w.values())


@dataclass(frozen=True, slots=True)
class StreamingComparison:
    """A decoder that sends its decisions against a device that sends raw samples.

    Parameters
    ----------
    raw : RawStream
    decoded_w : Band
        Average power of the device with the decoder [W].
    saved_w : Band
        What decoding saves before the regulator [W]: front end, converter, stimulation and connection are common to
        both and cancel. Below zero it costs that much more.
    cheaper : {'decoding', 'streaming', 'undecided'}
        ``undecided`` where the bounds of `saved_w` lie on both sides of zero.
    break_even_j_per_bit : float or None
        Radio energy per bit above which decoding saves, at nominal values [J/bit]; None where it sends no less.
    """

    raw: RawStream
    decoded_w: Band
    saved_w: Band
    cheaper: Cheaper
    break_even_j_per_bit: float | None


def raw_stream(site: Site, *, channels: int, recorded: int | None = None) -> RawStream:
    """Return what a site's device draws when it sends every sample of so many channels.

    Parameters
    ----------
    site : Site
    channels : int
        Channels that are sent.
    recorded : int, optional
        Channels that the front end and the converter are charged for; if not given, those that are sent.

    Raises
    ------
    PriceError
        Where the site has no radio, or there is no channel.
    """
    constants = site_bands(site)
    link, found = _link(site), raw_terms(site, channels=channels, recorded=recorded)
    power: dict[Cause, Band] = {cause: band(found[cause], constants) for cause in CAUSES if cause in found}
    power["regulator"] = regulator_loss(site.regulator, total(regulated(power)), constants)
    rate = band(bit_rate_terms(channels, RawSamples()), constants)
    return RawStream(site.name, channels, rate, power, limit_verdict(link.rate.band, rate))


def raw_terms(site: Site, *, channels: int, recorded: int | None = None) -> dict[Cause, Terms]:
    """Return the average power of a device that sends every sample [W], without its regulator.

    Raises
    ------
    PriceError
        As `raw_stream`.
    """
    _link(site)
    if channels < 1:
        raise PriceError(f"{channels} channels to stream", where=site.name, remedy="Give at least one channel")
    found = site_terms(site, channels if recorded is None else recorded, RawSamples())
    return {**found, "radio": site_terms(site, channels, RawSamples())["radio"]}


def compare_raw_streaming(
    site: Site, report: EnergyReport, *, channels: int, recorded: int | None = None, learning_w: Band = ZERO
) -> StreamingComparison:
    """Return whether a decoder at a site saves power against sending every sample raw.

    Parameters
    ----------
    site : Site
    report : EnergyReport
        Of the decoder at this site.
    channels : int
        Channels that would be streamed; the decoder's own for a like comparison.
    recorded : int, optional
        As of `raw_stream`.
    learning_w : Band
        Mean power of what the machine does beside deciding, before the regulator [W]: a device that sends raw samples
        does not learn.

    Raises
    ------
    PriceError
        Where the site has no radio, or there is no channel.
    """
    raw, constants = raw_stream(site, channels=channels, recorded=recorded), site_bands(site)
    sent = band(bit_rate_terms(channels, Decisions(report.decode_rate_hz)), constants)
    less = Band(raw.rate_bit_s.low - sent.high, raw.rate_bit_s.nominal - sent.nominal, raw.rate_bit_s.high - sent.low)
    per_bit, own = constants[f"{SITE}radio.energy"], report.decoder_power_w + _starts(site, report, constants)
    own += learning_w
    saved = Band(
        less.low * (per_bit.low if less.low >= 0 else per_bit.high) - own.high,
        less.nominal * per_bit.nominal - own.nominal,
        less.high * (per_bit.high if less.high >= 0 else per_bit.low) - own.low,
    )
    cheaper: Cheaper = "decoding" if saved.low > 0 else "streaming" if saved.high < 0 else "undecided"
    even = own.nominal / less.nominal if less.nominal > 0 else None
    decoded = report.total_power_w + added_power_w(report, site, learning_w)
    return StreamingComparison(raw, decoded, saved, cheaper, even)


def _starts(site: Site, report: EnergyReport, constants: Mapping[str, Band]) -> Band:
    """Return what starting the radio for each decision draws [W]."""
    if not isinstance(site.radio, ConnectedRadio):
        return Band(0.0, 0.0, 0.0)
    return constants[f"{SITE}radio.startup"].times(report.decode_rate_hz)


def _link(site: Site) -> Link:
    if site.link is None or isinstance(site.radio, Absent):
        raise PriceError("nothing is sent here", where=site.name, remedy="Take a site with a radio and a link")
    return site.link
