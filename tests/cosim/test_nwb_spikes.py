"""Spikes of NWB files in bins, with the movement that goes with them: which bin, and which bins have no target."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from nwb_files import write_nwb

from cosim.datasets.registry import load
from cosim.datasets.types import Dataset
from energy_models.errors import DataError

pytest.importorskip("pynwb")
BEGIN_S, RATE_HZ, BINS = 3.0, 20.0, 400  # bins of 50 ms
TIMES_S = BEGIN_S + np.arange(BINS * 5) / 100.0
HAND = np.stack([np.sin(TIMES_S), np.cos(TIMES_S)], axis=1)
RNG = np.random.default_rng(0)
SPIKES = [np.sort(RNG.uniform(BEGIN_S, BEGIN_S + 20, 300)) for _ in range(3)]


def read(folder: Path, **options: object) -> Dataset:
    plain = {"path": "one.nwb", "task": "regression", "rate_hz": RATE_HZ, "source_bits": 8, "output_names": "x,y",
             "segment_steps": 20, "targets": "behavior/hand"}  # fmt: skip
    return load("arrays", data_dir=folder, options={**plain, **options})  # type: ignore[arg-type]


def write(folder: Path, **settings: object) -> None:
    hand = {"data": HAND * 100, "conversion": 0.01, "rate": 100.0, "starting_time": BEGIN_S}
    plain: dict[str, object] = {"spikes": [{"spike_times": own} for own in SPIKES], "hand": hand}
    write_nwb(folder / "one.nwb", **{**plain, **settings})  # type: ignore[arg-type]


def test_a_spike_is_counted_in_its_bin_and_a_target_is_the_mean_of_its_bin(tmp_path: Path) -> None:
    edge = [BEGIN_S, BEGIN_S + 0.049, BEGIN_S + 0.05, BEGIN_S + 10.0]  # bins 0, 0, 1 and 200
    write(tmp_path, spikes=[*({"spike_times": own} for own in SPIKES), {"spike_times": np.array(edge)}])
    dataset = read(tmp_path)
    counts = dataset.windows.inputs().transpose(0, 2, 1).reshape(BINS, 4)
    assert np.flatnonzero(counts[:, 3]).tolist() == [0, 1, 200]
    assert counts[[0, 1, 200], 3].tolist() == [2.0, 1.0, 1.0]
    wanted = np.histogram(SPIKES[0], BEGIN_S + np.arange(BINS + 1) / RATE_HZ)[0]
    np.testing.assert_allclose(counts[:, 0], wanted)
    np.testing.assert_allclose(dataset.target_values.reshape(BINS, 2), HAND.reshape(BINS, 5, 2).mean(axis=1), rtol=1e-4,
                               atol=1e-6)  # fmt: skip


def test_bins_that_were_not_observed_or_are_invalid_have_no_target(tmp_path: Path) -> None:
    whole = [[BEGIN_S, BEGIN_S + 20.0]]
    seen = [[BEGIN_S, BEGIN_S + 5.02], [BEGIN_S + 6.0, BEGIN_S + 20.0]]
    spikes = [{"spike_times": own, "obs_intervals": seen if number == 1 else whole}
              for number, own in enumerate(SPIKES)]
    write(tmp_path, spikes=spikes, invalid=[(BEGIN_S + 10.01, BEGIN_S + 10.12)])
    dataset = read(tmp_path)
    assert dataset.target_mask is not None
    masked = [*range(100, 120), 200, 201, 202]  # 5.02 lies inside of bin 100, which is not observed as a whole
    shown = np.flatnonzero(~dataset.target_mask.reshape(-1)).tolist()
    dropped = [number for number in masked if 100 <= number < 120]  # a whole segment: it is left out
    assert shown == [number - len(dropped) for number in masked if number not in dropped]
    said = " ".join(dataset.notes)
    assert "20 bins lie where a unit was not observed" in said
    assert "3 bins lie in invalid times" in said


def test_columns_of_trials_are_labels_and_bins_outside_have_no_target(tmp_path: Path) -> None:
    begins = BEGIN_S + 2.0 * np.arange(10)
    trials = [{"start_time": begin, "stop_time": begin + 1.0, "side": "LR"[number % 2]}
              for number, begin in enumerate(begins.tolist())]
    write(tmp_path, trials=trials)
    dataset = read(tmp_path, labels="trial,side")
    assert dataset.groups["trial"].tolist() == [str(number) for number in range(10)]
    assert dataset.groups["side"].tolist() == ["L", "R"] * 5
    counts = np.histogram(SPIKES[0], BEGIN_S + np.arange(BINS + 1) / RATE_HZ)[0]
    np.testing.assert_allclose(dataset.windows.inputs()[1, 0], counts[40:60])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"task": "classification"}, r"units of an NWB file are read for regression"),
        ({"targets": "behavior/eye"}, r"0 series are called 'behavior/eye'.*behavior/hand"),
        ({"labels": "side"}, r"no table of intervals 'trials'"),
    ],
)
def test_what_is_not_there_is_refused(options: dict[str, object], said: str, tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(DataError, match=said):
        read(tmp_path, **options)


def test_a_file_without_units_is_refused(tmp_path: Path) -> None:
    write(tmp_path, spikes=[])
    with pytest.raises(DataError, match=r"one.nwb: it holds no units with spike times"):
        read(tmp_path)
