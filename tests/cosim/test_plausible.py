"""Amplitudes that no electrode gives, within one recording and between recordings."""

from __future__ import annotations

import numpy as np
import pytest

from cosim.datasets.plausible import check_amplitudes, spreads
from cosim.datasets.recordings import Channel, Recording, array_recording
from energy_models.errors import DataError

NAMES = ("C3", "Cz", "C4")


def noise(name: str, scale: float | tuple[float, ...], *, unit: str = "µV", seed: int = 0) -> Recording:
    samples = np.random.default_rng(seed).normal(0, 10, (3, 4000)) * np.broadcast_to(scale, 3)[:, None]
    return array_recording(name, samples, [Channel(one, "eeg", unit) for one in NAMES], 100.0)


def check(*recordings: Recording, skipped: tuple[str, ...] = ()) -> None:
    check_amplitudes(recordings, remedy="State the unit.", skipped=skipped)


def test_the_spread_is_the_deviation_of_noise_whatever_offset_drift_and_artefacts() -> None:
    time_s = np.arange(4000) / 100
    samples = np.random.default_rng(1).normal(0, 10, (3, 4000)) + 2e5 + 5 * time_s
    samples[:, 500:520] += 1e6
    found = spreads(array_recording("one", samples, [Channel(one, "eeg", "µV") for one in NAMES], 100.0))
    np.testing.assert_allclose(found, 10, rtol=0.15)  # drift of 10 µV in each stretch adds little


def test_sparse_events_on_a_constant_and_a_channel_that_never_changes() -> None:
    samples = np.zeros((2, 4000))
    samples[0, ::50] = 100.0
    found = spreads(array_recording("one", samples, [Channel(one, "eeg", "µV") for one in NAMES[:2]], 100.0))
    assert found[0] == pytest.approx(100 * np.sqrt(0.02 * 0.98))  # the deviation of one sample in fifty
    assert np.isnan(found[1])


@pytest.mark.parametrize("scale", [0.02, 0.1, 1.0, 100.0])
def test_what_electrodes_give_is_accepted(scale: float) -> None:
    check(noise("one", scale))


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3, 1e6])
def test_a_wrong_unit_is_refused_with_recording_and_channels(scale: float) -> None:
    with pytest.raises(DataError, match=r"^two: amplitudes no electrode gives.*C3 by .*, Cz by .*, C4 by .*State the"):
        check(noise("one", 1.0), noise("two", scale, seed=1))


def test_one_channel_in_another_unit_is_named_unless_it_is_known_to_be_bad() -> None:
    odd = noise("one", (1.0, 1e4, 1.0))
    with pytest.raises(DataError, match=r"channel Cz by 1\.\d*e\+05 µV; "):
        check(odd)
    check(odd, skipped=("Cz",))
    check(noise("one", 1e4, unit="as stored"))  # nobody knows


def test_one_channel_far_from_the_others_of_its_recording_is_named() -> None:
    odd = noise("one", (1.0, 200.0, 1.0))  # 2 mV: within what electrodes give, and alike in both files
    with pytest.raises(DataError, match=r"^one: channel Cz varies by .* µV, the channels of its recording"):
        check(odd, noise("two", (1.0, 200.0, 1.0), seed=1))
    check(odd, skipped=("Cz",))
    check(noise("one", (1.0, 50.0, 0.05)))


def test_magnetometers_in_different_units_are_refused() -> None:
    channel = [Channel("MEG0111", "mag", "as stored")]
    tesla, femto = (array_recording(f"scale{scale:g}", noise("one", scale).read(0, 4000)[:1], channel, 100.0)
                    for scale in (1e-14, 10.0))
    with pytest.raises(DataError, match=r"channel MEG0111 varies by .* not in one unit"):
        check(tesla, femto)


@pytest.mark.parametrize("factor", [1e-3, 1e3, 1e6])
def test_recordings_in_different_units_are_refused(factor: float) -> None:
    parts = [noise(f"part{n}", scale, unit="as stored", seed=n) for n, scale in enumerate((1.0, 3.0, factor, 0.5))]
    with pytest.raises(DataError, match=r"channel C3 varies by .* as stored in part\d, but by .* not in one unit"):
        check(*parts)
    check(*parts[:2], parts[3])


def test_a_count_is_no_voltage() -> None:
    counts = np.random.default_rng(0).poisson(0.01, (1, 4000))
    check(array_recording("one", counts, [Channel("unit 0", "spike count", "spikes per bin")], 20.0))
