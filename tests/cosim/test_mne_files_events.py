"""Where cues are found in recordings that MNE-Python reads: each window must hold the impulse planted at its cue."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pytest

from cosim.datasets.mne_files import read_continuous
from cosim.datasets.registry import load

RATE_HZ = 100.0


def planted(seconds: float, cues: list[int], names: list[str] | None = None) -> mne.io.RawArray:
    """Return noise of 10 µV with an impulse of 1 mV in every channel at each cue."""
    names = names or ["C3", "C4"]
    samples = np.random.default_rng(0).normal(0, 10e-6, (len(names), round(seconds * RATE_HZ)))
    samples[:, cues] = 1e-3
    return mne.io.RawArray(samples, mne.create_info(names, RATE_HZ, "eeg"), verbose="ERROR")


@pytest.mark.parametrize("dated", ["with a date", "without a date"])
@pytest.mark.parametrize("first_s", [0.0, 7.0, 128.703])
def test_annotation_times_do_not_depend_on_the_measurement_date(tmp_path: Path, dated: str, first_s: float) -> None:
    cues = [250 + 400 * n for n in range(10)]
    raw = planted(60.0, cues)
    raw = mne.io.RawArray(raw.get_data(), raw.info, first_samp=round(first_s * RATE_HZ), verbose="ERROR")
    if dated == "with a date":
        raw.set_meas_date(1_500_000_000)
    raw.set_annotations(mne.Annotations(np.array(cues) / RATE_HZ, 0.0, ["L", "R"] * 5))
    raw.crop(1.0, 50.0)
    raw.save(tmp_path / "one_raw.fif", verbose="ERROR")
    expected, _ = mne.events_from_annotations(raw, verbose="ERROR")
    read = read_continuous(tmp_path / "one_raw.fif")
    assert [sample for sample, _ in read.annotations] == (expected[:, 0] - raw.first_samp).tolist()
    dataset = load("mne_file", data_dir=tmp_path, options={
        "files": "one_raw.fif", "classes": "L,R", "start_s": 0.0, "stop_s": 1.0, "source_bits": 16})  # fmt: skip
    assert (dataset.windows.inputs()[:, :, 0] > 900).all()
    np.testing.assert_array_equal(dataset.windows.starts, np.array(cues) - 100)
