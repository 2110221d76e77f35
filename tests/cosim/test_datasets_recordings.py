"""Real recordings, where the folder COSIM_DATA names has them: shapes, rates, class counts, damage to real files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from cosim.datasets import bonn_eeg
from cosim.datasets.registry import load
from cosim.splits.schemes import BlockedInTime, GivenParts, LeaveOneGroupOut, StratifiedFolds
from energy_models.errors import DataError

pytestmark = pytest.mark.recordings
COUNTS = {"imagined_left_right": (23, 22), "imagined_fists_feet": (21, 24), "real_left_right": (23, 22),
          "real_fists_feet": (23, 22)}  # fmt: skip


@pytest.mark.parametrize("task", sorted(COUNTS))
def test_eegmmidb(recordings: Path, task: str) -> None:
    dataset = load("eegmmidb", data_dir=recordings, options={"task": task, "subjects": "1"})
    assert dataset.windows.inputs().shape == (45, 64, 320)
    assert dataset.step_rate_hz == 160.0
    assert tuple(np.bincount(dataset.targets)) == COUNTS[task]
    assert all((dataset.groups["run"] == run).sum() == 15 for run in np.unique(dataset.groups["run"]))
    assert 1 < dataset.windows.inputs().std() < 50  # microvolts
    assert len(LeaveOneGroupOut(group="run").folds(dataset, seed=0)) == 3


def test_a_real_edf_that_was_cut_off(recordings: Path, tmp_path: Path) -> None:
    folder = tmp_path / "eegmmidb_S001"
    folder.mkdir()
    for run in (6, 10, 14):
        shutil.copyfile(recordings / "eegmmidb_S001" / f"S001R{run:02d}.edf", folder / f"S001R{run:02d}.edf")
    whole = (folder / "S001R10.edf").read_bytes()
    (folder / "S001R10.edf").write_bytes(whole[:-1000])
    with pytest.raises(DataError, match="its header promises 2596896 bytes, 2595896 are there"):
        load("eegmmidb", data_dir=tmp_path, options={})


def test_ssvep(recordings: Path) -> None:
    dataset = load("ssvep_exoskeleton", data_dir=recordings, options={"classes": "with_rest"})
    assert dataset.windows.inputs().shape == (384, 8, 1024)
    assert dataset.step_rate_hz == 256.0
    sessions = np.unique(dataset.groups["session"])
    assert len(sessions) == 12
    for session in sessions:  # 32 trials a session, eight a class; the GDF of subject01 is no thirteenth session
        np.testing.assert_array_equal(np.bincount(dataset.targets[dataset.groups["session"] == session]), [8] * 4)
    frequencies = load("ssvep_exoskeleton", data_dir=recordings, options={})
    np.testing.assert_array_equal(np.bincount(frequencies.targets), [96] * 3)
    assert len(LeaveOneGroupOut(group="session").folds(frequencies, seed=0)) == 12


def test_the_gdf_alone_reads_as_the_same_session(recordings: Path, tmp_path: Path) -> None:
    source = recordings / "ssvep_exoskeleton" / "subject01"
    target = tmp_path / "ssvep_exoskeleton" / "subject01"
    target.mkdir(parents=True)
    gdf = next(source.glob("*.gdf"))
    shutil.copyfile(gdf, target / gdf.name)
    options = {"classes": "with_rest", "subjects": "1"}
    alone = load("ssvep_exoskeleton", data_dir=tmp_path, options=options)
    both = load("ssvep_exoskeleton", data_dir=recordings, options=options)
    np.testing.assert_array_equal(alone.targets, both.targets[:32])
    # Its events are numbered one sample earlier.
    np.testing.assert_array_equal(alone.windows.starts + 1, both.windows.starts[:32])
    np.testing.assert_allclose(alone.windows.inputs()[:, :, 1:], both.windows.inputs()[:32, :, :-1], atol=0.02)
    shutil.copyfile(source / gdf.name.replace(".gdf", "_raw.fif"), target / "copy_raw.fif")
    shutil.copyfile(source / gdf.name.replace(".gdf", "-eve.fif"), target / "copy-eve.fif")
    with pytest.raises(DataError, match="are the same session"):
        load("ssvep_exoskeleton", data_dir=tmp_path, options=options)


def test_intracortical(recordings: Path) -> None:
    easy = load("m1_contdata95", data_dir=recordings, options={"segment_steps": 1})
    assert easy.windows.inputs().shape == (31413, 95, 1)
    assert easy.windows.inputs().max() == 21
    fold = BlockedInTime(gap_steps=10).folds(easy, seed=0)[0]
    assert fold.test[0] == round(0.8 * 31413)
    hard = load("m1_brown42", data_dir=recordings, options={"outputs": "all"})
    assert hard.windows.inputs().shape == (44 + 13, 42, 70)
    assert hard.targets.shape == (57, 70, 4)
    assert len(GivenParts().folds(hard, seed=0)[0].test) * 70 == 910


def test_bonn(recordings: Path) -> None:
    dataset = load("bonn_eeg", data_dir=recordings, options={"classes": "five"})
    assert dataset.windows.inputs().shape == (500, 1, 4097)
    assert dataset.step_rate_hz == 173.61
    np.testing.assert_array_equal(np.bincount(dataset.targets), [100] * 5)
    seizure = load("bonn_eeg", data_dir=recordings, options={})
    np.testing.assert_array_equal(np.bincount(seizure.targets), [400, 100])
    assert len(StratifiedFolds(folds=10).folds(seizure, seed=0)) == 10
    original = bonn_eeg.read_text_files(recordings / "bonn_eeg")
    for name, segment in original.items():  # the array file is the text files, sample by sample
        np.testing.assert_array_equal(dataset.windows.inputs()[list(dataset.groups["segment"]).index(name), 0], segment)


def test_sp1s(recordings: Path) -> None:
    dataset = load("bci2_sp1s", data_dir=recordings, options={})
    assert dataset.windows.inputs().shape == (316, 28, 50)
    assert dataset.step_rate_hz == 100.0
    assert np.bincount(dataset.targets).sum() == 316


def test_any_file_mne_reads(recordings: Path) -> None:
    options = {"files": "eegmmidb_S001/S001R04.edf", "classes": "T1,T2", "start_s": 0.0, "stop_s": 2.0,
               "source_bits": 16}  # fmt: skip
    dataset = load("mne_file", data_dir=recordings, options=options)
    assert dataset.windows.inputs().shape == (15, 64, 320)
    with pytest.raises(DataError, match="no event is called T1 or T2"):
        load("mne_file", data_dir=recordings, options={**options, "files": "mne_ecog_seizure/sample_ecog.edf"})
