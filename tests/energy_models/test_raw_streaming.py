"""Radio, stimulator, and decisions against raw samples."""

from __future__ import annotations

import pytest
from energy_workloads import dense_layer, in_turn, quantity, toy_array, toy_site, workload
from hypothesis import given
from hypothesis import strategies as st

from energy_models.analysis import compare_raw_streaming, raw_stream
from energy_models.errors import PriceError
from energy_models.hardware import Absent, load_site, site_names
from energy_models.pricing import CAUSES, Decisions, RawSamples, band, estimate, site_bands, site_terms
from energy_models.quantities import Band, total

WORK = workload(dense_layer(16, 6))
PER_BIT = {"model": "per_bit", "energy": quantity(50, "pJ/bit", 20, 100)}
CONNECTED = {
    "model": "connected", "energy": quantity(30, "nJ/bit", 20, 50), "asleep": quantity(20, "uW", 2, 40),
    "event": quantity(8, "uJ", 1.6, 8), "interval": quantity(100, "ms", 50, 200),
    "startup": quantity(2, "uJ", 1, 4),
}  # fmt: skip
PULSES = {
    "model": "pulses", "amplitude": quantity(3, "mA"), "compliance": quantity(12, "V"),
    "pulse_width": quantity(320, "us"), "pulse_rate": quantity(200, "Hz"), "burst": quantity(100, "ms"),
    "bursts": quantity(1000, "1/day"), "efficiency": quantity(0.8, "1", 0.5, 1),
}  # fmt: skip


def test_a_connected_radio_by_hand() -> None:
    # 10 decisions/s of 20 bit at 30 nJ = 6 uW, 10 starts of 2 uJ = 20 uW,
    # 20 uW asleep, an event of 8 uJ every 100 ms = 80 uW
    report = estimate(WORK, toy_array(), toy_site(radio=CONNECTED), decode_rate_hz=10)
    assert report.power_w["radio"].nominal == pytest.approx(126e-6)
    assert report.power_w["radio"].low == pytest.approx((4 + 10 + 10) * 1e-6)
    assert report.power_w["radio"].high == pytest.approx((10 + 40 + 200) * 1e-6)
    assert report.decoder_power_w.nominal < 1e-6


def test_a_stimulator_by_hand() -> None:
    # a pulse 3 mA x 12 V x 320 us = 11.52 uJ; a burst 200 Hz x 100 ms = 20 pulses = 230.4 uJ; 1000 a day = 0.2304 J
    # over 86400 s = 2.667 uW; over 0.8 = 3.333 uW, 2.667 at efficiency 1, 5.333 at 0.5
    report = estimate(WORK, toy_array(), toy_site(stimulation=PULSES), decode_rate_hz=10)
    found = report.power_w["stimulation"]
    assert [end * 1e6 for end in (found.low, found.nominal, found.high)] == pytest.approx([8 / 3, 10 / 3, 16 / 3])
    assert report.total_power_w.nominal == pytest.approx(report.decoder_power_w.nominal + found.nominal)


def test_a_device_that_stimulates_uncharged_is_incomplete_and_one_that_does_not_is_whole() -> None:
    absent = {"model": "absent", "reason": "set by the clinic"}
    silent, uncharged = (
        estimate(WORK, toy_array(), toy_site(**parts), decode_rate_hz=10).incomplete
        for parts in ({}, {"stimulation": absent})
    )
    assert set(uncharged) - set(silent) == {"stimulation not charged: set by the clinic"}


def test_raw_streaming_by_hand() -> None:
    # 16 channels x 1 kS/s x 12 bit = 192 kbit/s, at 50 pJ/bit 9.6 uW; front end 16 x 2 = 32 uW; lost 41.6 / 4 = 10.4
    parts = {
        "radio": PER_BIT, "front_end": {"model": "per_channel", "power": quantity(2, "uW/channel")},
        "regulator": {"model": "efficiency", "efficiency": quantity(0.8, "1")},
    }  # fmt: skip
    raw = raw_stream(toy_site(**parts), channels=16)
    assert raw.rate_bit_s == Band(192e3, 192e3, 192e3)
    assert raw.power_w["radio"].nominal == pytest.approx(9.6e-6)
    assert raw.power_w["regulator"].nominal == pytest.approx(10.4e-6)
    assert raw.total_power_w.nominal == pytest.approx(52e-6)
    assert raw.link == "fits"  # of 1 Mbit/s
    assert raw_stream(toy_site(**parts), channels=160).link == "exceeds"


def test_decoding_against_streaming_by_hand() -> None:
    site = toy_site(radio=PER_BIT)
    report = estimate(WORK, toy_array(), site, decode_rate_hz=10)
    found = compare_raw_streaming(site, report, channels=16)
    # 192,000 - 10 x 20 = 191,800 bit/s less, at 50 pJ 9.59 uW, against a decoder of some nanowatts
    decoder = report.decoder_power_w
    assert found.saved_w.nominal == pytest.approx(191_800 * 50e-12 - decoder.nominal)
    assert found.saved_w.low == pytest.approx(191_800 * 20e-12 - decoder.high)
    assert found.cheaper == "decoding"
    assert found.break_even_j_per_bit == pytest.approx(decoder.nominal / 191_800)
    assert found.raw.total_power_w.nominal - found.decoded_w.nominal == pytest.approx(found.saved_w.nominal)
    dear = estimate(WORK, toy_array(static=quantity(1, "mW")), site, decode_rate_hz=10)
    assert compare_raw_streaming(site, dear, channels=16).cheaper == "streaming"
    between = estimate(WORK, toy_array(static=quantity(10, "uW")), site, decode_rate_hz=10)
    assert compare_raw_streaming(site, between, channels=16).cheaper == "undecided"


def test_a_decoder_that_sends_no_less_has_no_break_even() -> None:
    site = toy_site(radio=PER_BIT)  # one channel: 12 kbit/s; 1000 decisions of 20 bit: 20 kbit/s
    found = compare_raw_streaming(site, estimate(WORK, toy_array(), site, decode_rate_hz=1000), channels=1)
    assert found.break_even_j_per_bit is None
    assert found.cheaper == "streaming"
    assert found.saved_w.low <= found.saved_w.nominal <= found.saved_w.high < 0


def test_nothing_to_send_is_refused() -> None:
    with pytest.raises(PriceError, match="nothing is sent here"):
        raw_stream(load_site("implant_epilepsy"), channels=4)
    with pytest.raises(PriceError, match="0 channels"):
        raw_stream(toy_site(radio=PER_BIT), channels=0)


@given(st.floats(0.01, 1e4), st.floats(1, 100), st.sampled_from([PER_BIT, CONNECTED]))
def test_radio_power_is_affine_in_the_decision_rate(rate: float, factor: float, radio: dict[str, object]) -> None:
    site = toy_site(radio=radio)
    constants = site_bands(site)
    at = [band(site_terms(site, 16, Decisions(r))["radio"], constants).nominal for r in (0.0, rate, rate * factor)]
    assert at[2] - at[0] == pytest.approx((at[1] - at[0]) * factor, rel=1e-6)


@given(st.integers(1, 64), st.integers(1, 1000))
def test_streaming_does_not_ask_how_samples_are_cut(channels: int, samples: int) -> None:
    """Chunks of any length, as decisions of a radio without start-up that say all their samples, are the stream."""
    chunk = quantity(samples * channels * 12, "bit")
    site = toy_site(radio=PER_BIT, link={"rate": quantity(1, "Mbit/s"), "message": chunk})
    constants = site_bands(site)
    stream = band(site_terms(site, channels, RawSamples())["radio"], constants)
    chunks = band(site_terms(site, channels, Decisions(1000.0 / samples))["radio"], constants)
    for end in ("low", "nominal", "high"):
        assert getattr(chunks, end) == pytest.approx(getattr(stream, end))


@pytest.mark.parametrize("name", [n for n in site_names() if not isinstance(load_site(n).radio, Absent)])
def test_every_shipped_radio_carries_either_way(name: str) -> None:
    site = load_site(name)
    report = estimate(workload(dense_layer(16, 6), channels=site.channels), toy_array(), site, decode_rate_hz=10)
    for end in ("low", "nominal", "high"):
        assert getattr(report.total_power_w, end) == in_turn(getattr(report.power_w[cause], end) for cause in CAUSES)
    found = compare_raw_streaming(site, report, channels=site.channels)
    assert found.raw.total_power_w == total(found.raw.power_w.values())
    for one in (found.saved_w, found.raw.total_power_w, found.raw.rate_bit_s):
        assert one.low <= one.nominal <= one.high
