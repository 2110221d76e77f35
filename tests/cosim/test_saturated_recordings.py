"""Channels held at one end of their range are told by every reader; EEGLAB files of MATLAB 7.3 are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from eeglab_file import write_eeglab
from matlab_files import Structures, write
from recording_files import NAMES, noise, own, write_brainvision, write_edf, write_fif, write_persyst

from cosim.datasets.mne_files import read_continuous
from cosim.datasets.recording_files import saturation
from energy_models.errors import DataError

MARKS = [(2.0, "L"), (4.0, "R"), (6.0, "L"), (8.0, "R")]
RAIL = 2047.0


def held(samples: np.ndarray, start: int, stop: int, value: float = RAIL) -> np.ndarray:
    changed = samples.copy()
    changed[1, start:stop] = value
    return changed


WRITERS = {
    "edf": lambda path, samples: write_edf(path, samples, range(20), MARKS, kind="EDF+C"),
    "bdf": lambda path, samples: write_edf(path, samples, range(20), MARKS, kind="BDF+C"),
    "vhdr": lambda path, samples: write_brainvision(path, samples, [(round(100 * at), text) for at, text in MARKS]),
    "lay": lambda path, samples: write_persyst(path, samples, MARKS),
    "fif": lambda path, samples: write_fif(path, samples, [(at, 0.0, text) for at, text in MARKS]),
    "set": lambda path, samples: write_eeglab(path, samples, MARKS),
}

CLASSES = {"vhdr": "Stimulus/L,Stimulus/R"}


@pytest.mark.parametrize("ending", WRITERS)
def test_every_reader_tells_a_channel_at_its_limit(tmp_path: Path, ending: str) -> None:
    name = "one_raw" if ending == "fif" else "one"
    WRITERS[ending](tmp_path / f"{name}.{ending}", held(noise(20.0), 1000, 1030))
    dataset = own(tmp_path, f"{name}.{ending}", CLASSES.get(ending, "L,R"))
    notes = [note for note in dataset.notes if "saturated or off" in note]
    assert len(notes) == 1
    assert "channel cz (1.5% of its samples are 20" in notes[0].lower()
    assert "30 in a row" in notes[0]
    assert "c3" not in notes[0].lower()


@pytest.mark.parametrize("value", [RAIL, -RAIL])
@pytest.mark.parametrize(("length", "told"), [(24, False), (25, True)])
def test_a_quarter_of_a_second_of_a_long_recording_is_told_wherever_blocks_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, length: int, value: float, told: bool
) -> None:
    monkeypatch.setattr(saturation, "BLOCK", 16)
    read = read_continuous(write_fif(tmp_path / "a_raw.fif", held(noise(100.0), 40, 40 + length, value)))
    notes = saturation.with_saturation(tmp_path, read).notes
    assert bool(notes) is told
    assert not told or f"{length} in a row" in notes[0]


def test_peaks_bad_channels_and_flat_ones_are_not_told(tmp_path: Path) -> None:
    samples = noise(20.0)
    samples[0, ::10] = RAIL  # a tenth of the time, never five in a row
    path = write_fif(tmp_path / "a_raw.fif", held(samples, 0, 300), bads=["Cz"])
    assert not saturation.with_saturation(path, read_continuous(path)).notes
    flat = write_fif(tmp_path / "b_raw.fif", held(noise(20.0), 0, 2000))
    assert not saturation.with_saturation(flat, read_continuous(flat)).notes


def of_version_7(path: Path, data: object, steps: int) -> Path:
    events = Structures([{"latency": at * 100 + 1, "type": text, "duration": 0.0} for at, text in MARKS])
    eeg = {
        "data": data, "srate": 100.0, "nbchan": 3.0, "pnts": float(steps), "trials": 1.0, "xmin": 0.0,
        "xmax": (steps - 1) / 100, "chanlocs": Structures([{"labels": name} for name in NAMES]), "event": events,
        "setname": "one", "icaweights": np.zeros((0, 0)), "epoch": np.zeros((0, 0)),
    }  # fmt: skip
    return write(path, "7.3", {"EEG": eeg})


@pytest.mark.parametrize("place", ["beside", "inside"])
def test_an_eeglab_file_of_matlab_7(tmp_path: Path, place: str) -> None:
    samples = noise(20.0, [200, 400, 600, 800])
    of_version_7(tmp_path / "one.set", "one.fdt" if place == "beside" else samples, 2000)
    if place == "beside":
        (tmp_path / "one.fdt").write_bytes(samples.astype("<f4").T.tobytes())
    dataset = own(tmp_path, "one.set", "L,R")
    assert dataset.target_values.tolist() == [0, 1, 0, 1]
    for one, start in zip(dataset.windows.inputs(), (200, 400, 600, 800), strict=True):
        np.testing.assert_allclose(one, samples[:, start : start + 100], rtol=1e-6)


@pytest.mark.parametrize("package", ["h5py", "pymatreader"])
def test_what_reads_matlab_7_is_named_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    path = of_version_7(tmp_path / "one.set", noise(20.0), 2000)
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(DataError, match=rf"one.set: reading it needs the package {package}.*cosim\[recordings\]"):
        read_continuous(path)
