"""Trials cut before they were stored (FIF, EEGLAB): the impulse at the cue is in its window, in microvolts."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pytest
from recording_files import RATE_HZ, own, raw_of
from trial_files import CUES, SAMPLES, write_set_trials, write_trials

from energy_models.errors import DataError


@pytest.mark.parametrize("ending", ["-epo.fif", ".set"])
@pytest.mark.parametrize(("start_s", "stop_s"), [(0.0, 1.0), (-0.5, 0.5), (0.3, 1.2)])
def test_windows_stand_at_the_cue_inside_of_each_trial(
    ending: str, start_s: float, stop_s: float, tmp_path: Path
) -> None:
    (write_trials if ending.endswith("fif") else write_set_trials)(tmp_path / f"one{ending}")
    dataset = own(tmp_path, f"one{ending}", start_s=start_s, stop_s=stop_s)
    assert dataset.target_values.tolist() == [0, 1, 0, 1, 0, 1]
    begin, end = round(start_s * RATE_HZ), round(stop_s * RATE_HZ)
    for one, sample in zip(dataset.windows.inputs(), CUES, strict=True):
        np.testing.assert_allclose(one, SAMPLES[:, sample + begin : sample + end], atol=0.01)
    assert {one.unit for one in dataset.windows.channels} == {"µV"}
    assert any("holds 6 trials that were cut before" in note for note in dataset.notes)


def test_a_cue_may_lie_before_its_trial(tmp_path: Path) -> None:
    write_trials(tmp_path / "one-epo.fif", tmin=0.2, tmax=1.4)
    dataset = own(tmp_path, "one-epo.fif", start_s=0.5, stop_s=1.0)
    for one, sample in zip(dataset.windows.inputs(), CUES, strict=True):
        np.testing.assert_allclose(one, SAMPLES[:, sample + 50 : sample + 100], atol=0.01)
    with pytest.raises(DataError, match=r"pass an end of the recording"):
        own(tmp_path, "one-epo.fif", start_s=0.0, stop_s=1.0)


def test_trials_that_overlap_in_time_are_known_to(tmp_path: Path) -> None:
    write_trials(tmp_path / "one-epo.fif", cues={200: "L", 250: "R", 600: "L"})
    dataset = own(tmp_path, "one-epo.fif")
    assert np.diff(dataset.windows.starts).tolist() == [50, 350]
    assert len(set(dataset.windows.sources.tolist())) == 1


def test_windows_may_slide_inside_of_trials(tmp_path: Path) -> None:
    write_trials(tmp_path / "one-epo.fif")
    dataset = own(tmp_path, "one-epo.fif", cut="intervals", length_s=0.5)
    assert dataset.target_values.tolist() == [0] * 4 + [1] * 4 + [0] * 4 + [1] * 4 + [0] * 4 + [1] * 4
    np.testing.assert_allclose(dataset.windows.inputs()[1], SAMPLES[:, 200:250], atol=0.01)


@pytest.mark.parametrize("ending", ["-epo.fif", ".set"])
def test_a_file_cut_short_is_refused(ending: str, tmp_path: Path) -> None:
    path = (write_trials if ending.endswith("fif") else write_set_trials)(tmp_path / f"one{ending}")
    whole = path.read_bytes()
    for share in (0.2, 0.5, 0.9):
        path.write_bytes(whole[: round(share * len(whole))])
        with pytest.raises(DataError, match=rf"one{ending}"):
            own(tmp_path, f"one{ending}")


def test_a_name_does_not_make_epochs_of_a_recording(tmp_path: Path) -> None:
    raw = raw_of(SAMPLES)
    raw.set_annotations(mne.Annotations([2.0, 4.0], [0, 0], ["L", "R"]))
    raw.save(tmp_path / "one_raw.fif", verbose="ERROR")
    (tmp_path / "one-epo.fif").write_bytes((tmp_path / "one_raw.fif").read_bytes())
    assert own(tmp_path, "one-epo.fif").windows.starts.tolist() == [200, 400]
