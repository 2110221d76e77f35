"""Preprocessing: what it does to a signal, what it looks at, and what it costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from cosim.preprocessing import (
    Band,
    CommonAverageReference,
    Decimate,
    Resample,
    SquareRoot,
    Widths,
    eeg_operations,
    fit_scaler,
    pipeline_work,
    process,
    recorded_steps,
)
from cosim.preprocessing.signals import resampling_delay_s, sections
from energy_models.errors import DataError

WIDTHS = Widths(sample_bits=16)
BAND = Band(7.0, 30.0, 4, "causal")


def noise(channels: int, samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((channels, samples))


def test_common_average_reference_by_hand() -> None:
    # means over channels: (1+3)/2 = 2 and (2+6)/2 = 4
    out = process((CommonAverageReference(),), np.array([[1.0, 2.0], [3.0, 6.0]]), 1.0)
    np.testing.assert_array_equal(out.samples, [[-1.0, -2.0], [1.0, 2.0]])


@settings(max_examples=25, deadline=None)
@given(cut=st.integers(50, 390), operations=st.sampled_from([
    (CommonAverageReference(), BAND), (Band(None, 7.0, 2, "causal"),), (Resample(80.0),),
    (CommonAverageReference(), BAND, Resample(64.0)), (BAND, Decimate(2)),
]))
def test_a_causal_pipeline_never_looks_ahead(cut: int, operations: tuple) -> None:
    first = noise(3, 400)
    second = first.copy()
    second[:, cut:] = noise(3, 400, seed=1)[:, cut:]
    a, b = (process(operations, one, 160.0) for one in (first, second))
    steps = int(np.ceil(cut * a.rate_hz / 160.0))  # output m stands at time m / rate: strictly before the cut
    np.testing.assert_allclose(a.samples[:, :steps], b.samples[:, :steps], atol=1e-9)
    assert not np.allclose(a.samples[:, steps:], b.samples[:, steps:])
    assert all(step.causal for step in recorded_steps(operations, 160.0))


def test_the_acausal_filter_looks_ahead_and_says_so() -> None:
    band = (Band(7.0, 30.0, 4, "acausal"),)
    first = noise(1, 400)
    second = first.copy()
    second[:, 300:] = 0
    a, b = (process(band, one, 160.0).samples for one in (first, second))
    assert not np.allclose(a[:, 290:300], b[:, 290:300])
    assert [step.causal for step in recorded_steps(band, 160.0)] == [False]


@pytest.mark.parametrize("order", [1, 2, 5])
def test_too_few_samples_for_an_acausal_filter(order: int) -> None:
    band = Band(7.0, 30.0, order, "acausal")
    pad = 3 * (2 * order + 1)  # scipy's own default for this band
    assert process((band,), noise(2, pad + 1), 160.0).samples.shape == (2, pad + 1)
    with pytest.raises(DataError, match=rf"a stretch of {pad} samples is too short for an acausal filter"):
        process((band,), noise(2, pad), 160.0)


def test_band_pass_passes_and_stops() -> None:
    time = np.arange(1600) / 160.0
    tones = np.stack([np.sin(2 * np.pi * hz * time) for hz in (2.0, 15.0, 60.0)])
    settled = process((BAND,), tones, 160.0).samples[:, 800:]
    amplitude = settled.std(axis=1) * np.sqrt(2)
    assert amplitude[1] == pytest.approx(1.0, abs=0.02)
    assert amplitude[0] < 5e-3
    assert amplitude[2] < 5e-3


def test_an_offset_makes_no_transient() -> None:
    flat = np.full((2, 100), 5000.0)
    assert np.abs(process((BAND,), flat, 160.0).samples).max() < 1e-6


def test_resampling_delays_by_what_it_states() -> None:
    resample = Resample(80.0)
    time = np.arange(1600) / 160.0
    out = process((resample,), np.sin(2 * np.pi * 5.0 * time)[None], 160.0)
    delay_s = resampling_delay_s(resample, 160.0)
    later = np.arange(out.samples.shape[1]) / 80.0
    expected = np.sin(2 * np.pi * 5.0 * (later - delay_s))
    np.testing.assert_allclose(out.samples[0, 100:], expected[100:], atol=5e-3)
    assert delay_s == pytest.approx(20 / 160)  # 2 x 10 x 2 + 1 taps: 20 samples of 1/160 s
    assert recorded_steps((resample,), 160.0)[0].parameters["delay_s"] == delay_s


@pytest.mark.parametrize("band", [
    Band(30.0, 7.0, 4, "causal"), Band(7.0, 80.0, 4, "causal"), Band(0.0, 30.0, 4, "causal"),
    Band(None, None, 4, "causal"),
])
def test_impossible_edges(band: Band) -> None:
    with pytest.raises(DataError, match="cannot be built at 160 Hz"):
        process((band,), noise(1, 100), 160.0)


def test_decimation_keeps_every_nth_sample_and_costs_nothing() -> None:
    operations = (Band(None, 30.0, 2, "causal"), Decimate(2))
    whole = process(operations[:1], noise(2, 101), 160.0).samples
    kept = process(operations, noise(2, 101), 160.0)
    np.testing.assert_array_equal(kept.samples, whole[:, ::2])
    assert kept.rate_hz == 80.0
    rows = pipeline_work(operations, channels=2, samples=101, rate_hz=160.0, widths=WIDTHS)
    assert rows[1].operations == {}
    assert (rows[1].inputs, rows[1].outputs, rows[2].state_elements) == (2 * 101, 2 * 51, 2 * 51)


@pytest.mark.parametrize("operations", [(Decimate(2),), (Band(7.0, 45.0, 4, "causal"), Decimate(2)),
                                        (Band(7.0, 30.0, 4, "causal"), Decimate(2), Decimate(2))])  # fmt: skip
def test_decimation_that_would_alias_is_refused(operations: tuple) -> None:
    with pytest.raises(DataError, match="would alias"):
        process(operations, noise(1, 100), 160.0)


def test_impossible_rates() -> None:
    with pytest.raises(DataError, match="cannot be resampled"):
        process((Resample(100.0001),), noise(1, 100), 160.0)


def test_square_root() -> None:
    np.testing.assert_array_equal(process((SquareRoot(),), np.array([[0.0, 4.0, 9.0]]), 10.0).samples, [[0, 2, 3]])
    with pytest.raises(DataError, match="negative"):
        process((SquareRoot(),), np.array([[-1.0]]), 10.0)


def test_the_usual_pipeline_holds_only_what_was_asked_for() -> None:
    plain = eeg_operations(reference="none", low_hz=None, high_hz=None, order=4, direction="causal", resample_hz=None)
    full = eeg_operations(reference="average", low_hz=7.0, high_hz=30.0, order=4, direction="causal", resample_hz=80.0)
    assert plain == ()
    assert full == (CommonAverageReference(), BAND, Resample(80.0))


def test_work_by_hand() -> None:
    operations = (CommonAverageReference(), BAND, Resample(80.0))
    rows = pipeline_work(operations, channels=64, samples=320, rate_hz=160.0, widths=WIDTHS)
    reference, band, resample, window = rows
    # reference: (63 + 64) additions and one product a sample, 320 samples
    assert {k: c.total for k, c in reference.operations.items()} == {"add": 127 * 320, "multiply": 320}
    # band: a band-pass of order 4 has 4 sections; 5 products, 4 additions, 2 states each, channel and sample
    assert {k: c.total for k, c in band.operations.items()} == {"multiply": 5 * 4 * 64 * 320, "add": 4 * 4 * 64 * 320}
    visits = 2 * 4 * 64 * 320
    assert (band.state_elements, band.state_reads, band.state_writes) == (2 * 4 * 64, visits, visits)
    assert (band.weights, band.weight_bits) == (20, 16)
    # resample 160 -> 80: up 1, down 2, 41 taps, one phase of 41; 160 outputs a channel
    assert {k: c.total for k, c in resample.operations.items()} == {"multiply": 41 * 160 * 64, "add": 40 * 160 * 64}
    assert resample.state_writes == 320 * 64
    # window: 160 steps of 64 channels kept
    assert (window.state_elements, window.state_writes, window.state_bits) == (160 * 64, 160 * 64, 16)
    assert all(row.kind == "filter" and row.arithmetic == "integer" for row in rows)


def test_acausal_work_is_twice_the_causal() -> None:
    rows = [pipeline_work((Band(7.0, 30.0, 2, direction),), channels=2, samples=10, rate_hz=160.0, widths=WIDTHS)[0]
            for direction in ("causal", "acausal")]  # fmt: skip
    assert rows[1].operations["multiply"].total == 2 * rows[0].operations["multiply"].total


def fixed_point(band: Band, samples: np.ndarray, rate_hz: float) -> np.ndarray:
    """Direct form II transposed in integers: coefficients of 16 bits (2 before the point), state of 32 bits.

    Samples are 16-bit integers kept with 12 fraction bits in the state; products are rounded to that grid.
    """
    point, fraction = 14, 12
    values = samples.astype(np.int64) << fraction
    for row in sections(band, rate_hz):
        b0, b1, b2, _, a1, a2 = np.round(row * 2**point).astype(np.int64)
        assert all(-(2**15) <= one < 2**15 for one in (b0, b1, b2, a1, a2))
        first = second = np.zeros(samples.shape[0], dtype=np.int64)
        out = np.empty_like(values)
        for n in range(values.shape[1]):
            x = values[:, n]
            y = (b0 * x + (first << point) + 2 ** (point - 1)) >> point
            first = (b1 * x - a1 * y + (second << point) + 2 ** (point - 1)) >> point
            second = (b2 * x - a2 * y + 2 ** (point - 1)) >> point
            assert max(np.abs(first).max(), np.abs(second).max()) < 2**31
            out[:, n] = y
        values = out
    return values / 2**fraction


@pytest.mark.parametrize(("band", "rate_hz"), [
    (Band(7.0, 30.0, 2, "causal"), 160.0), (Band(6.0, 48.0, 2, "causal"), 256.0), (Band(4.0, 30.0, 2, "causal"), 128.0),
])
def test_the_counted_widths_are_enough(band: Band, rate_hz: float) -> None:
    """The shipped band-passes, run in the widths they are counted at, err by less than one converter step."""
    samples = np.round(noise(2, 1000) * 2000).astype(np.int64)
    wanted = signal.sosfilt(sections(band, rate_hz), samples, axis=-1)
    assert (fixed_point(band, samples, rate_hz) - wanted).std() < 0.5


def test_scaler_sees_training_examples_only_and_inverts() -> None:
    inputs = (noise(40, 300).reshape(40, 3, 100) * np.array([1.0, 5.0, 0.1])[:, None] + 2).astype(np.float32)
    scaler = fit_scaler(inputs[:30])
    scaled = scaler.apply(inputs)
    np.testing.assert_allclose(scaled[:30].mean(axis=(0, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(scaled[:30].std(axis=(0, 2)), 1, atol=1e-5)
    np.testing.assert_allclose(scaler.invert(scaled), inputs, atol=1e-4)
    changed = inputs.copy()
    changed[30:] += 100
    np.testing.assert_array_equal(fit_scaler(changed[:30]).mean, scaler.mean)


def test_scaler_of_targets_and_of_a_constant() -> None:
    targets = noise(10, 100).reshape(10, 50, 2).astype(np.float32)
    assert fit_scaler(targets, axis=2).mean.shape == (2,)
    with pytest.raises(DataError, match="index 1 of axis 1 is constant"):
        fit_scaler(np.stack([noise(5, 20), np.ones((5, 20))], axis=1).astype(np.float32))
    with pytest.raises(DataError, match="no example"):
        fit_scaler(np.empty((0, 2, 3), dtype=np.float32))
