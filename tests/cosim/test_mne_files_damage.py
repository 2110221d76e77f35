"""Files that MNE-Python reads, cut short and damaged: every failure is one of our errors and names the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mne
import numpy as np
import pytest
from recording_files import noise, own, raw_of, write_brainvision, write_edf, write_fif, write_persyst
from scipy.io import savemat

from cosim.datasets import files
from cosim.datasets.mne_files import read_continuous
from energy_models.errors import DataError

TRIES = 40
MARKS = [(2.0, "L"), (4.0, "R"), (8.5, "L")]


def edf(folder: Path) -> tuple[Path, Path]:
    path = write_edf(folder / "one.edf", noise(10.0), range(10), MARKS, kind="EDF+C")
    return path, path


def bdf(folder: Path) -> tuple[Path, Path]:
    path = write_edf(folder / "one.bdf", noise(10.0), range(10), MARKS, kind="EDF+C")
    return path, path


def brainvision(folder: Path) -> tuple[Path, Path]:
    path = write_brainvision(folder / "one.vhdr", noise(10.0), [(200, "L"), (400, "R"), (850, "L")])
    return path, path.with_suffix(".eeg")


def brainvision_with_length(folder: Path) -> tuple[Path, Path]:
    path = write_brainvision(folder / "one.vhdr", noise(10.0), [(20, "L"), (90, "R")], points="DataPoints=1000")
    return path, path.with_suffix(".eeg")


def persyst(folder: Path) -> tuple[Path, Path]:
    path = write_persyst(folder / "one.lay", noise(10.0), MARKS)
    return path, path.with_suffix(".dat")


def fif(folder: Path) -> tuple[Path, Path]:
    path = write_fif(folder / "one_raw.fif", noise(10.0), [(time_s, 0.0, text) for time_s, text in MARKS])
    return path, path


def eeglab(folder: Path) -> tuple[Path, Path]:
    """Write an EEGLAB header with its samples in a file of their own."""
    samples = noise(10.0).astype("<f4")
    fields = [("latency", "f8"), ("type", "O"), ("duration", "f8")]
    events = np.array([(201.0, "L", 0.0), (401.0, "R", 0.0)], dtype=fields)
    places = np.array([("C3",), ("Cz",), ("C4",)], dtype=[("labels", "O")])
    eeg = {"data": "one.fdt", "srate": 100.0, "nbchan": 3, "pnts": 1000, "trials": 1, "xmin": 0.0, "xmax": 9.99,
           "chanlocs": places, "event": events, "setname": "one", "icaweights": [], "epoch": []}  # fmt: skip
    savemat(folder / "one.set", {"EEG": eeg}, appendmat=False)
    (folder / "one.fdt").write_bytes(samples.T.tobytes())
    return folder / "one.set", folder / "one.fdt"


Write = Callable[[Path], tuple[Path, Path]]
FORMATS: tuple[Write, ...] = (edf, bdf, brainvision, brainvision_with_length, persyst, fif, eeglab)


@pytest.mark.parametrize("write", FORMATS)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.803])
def test_a_file_cut_short_is_refused(tmp_path: Path, write: Write, share: float) -> None:
    path, samples = write(tmp_path)
    assert read_continuous(path).steps == 1000
    whole = samples.read_bytes()
    samples.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match=r"one(_raw)?\.\w+: .*(truncated|cannot be read)"):
        own(tmp_path, path.name)


def test_whole_samples_that_end_before_a_marker_are_refused(tmp_path: Path) -> None:
    for path, samples in (brainvision(tmp_path), persyst(tmp_path)):
        samples.write_bytes(samples.read_bytes()[: 500 * 3 * 2])
        with pytest.raises(DataError, match=r"truncated: a marker stands at sample 850, but only 500 samples"):
            read_continuous(path)
        samples.unlink()
        with pytest.raises(DataError, match=r"the header names the file one\.(eeg|dat), which is not there"):
            read_continuous(path)


def damaged(content: bytes, chance: np.random.Generator) -> bytes:
    """Return a file with some bytes replaced, or cut, or with a piece of it doubled; mostly near its begin."""
    size = len(content)
    place = int(chance.integers(size) if chance.random() < 0.3 else min(size - 1, chance.integers(4096)))
    match int(chance.integers(4)):
        case 0:
            return content[:place]
        case 1:
            piece = chance.integers(256, size=int(chance.integers(1, 32)), dtype=np.uint8).tobytes()
            return content[:place] + piece + content[place + len(piece) :]
        case 2:
            changed = bytearray(content)
            changed[place] ^= 1 << int(chance.integers(8))
            return bytes(changed)
        case _:
            return content[:place] + content[place // 2 :]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("write", FORMATS)
def test_damage_anywhere_ends_in_our_errors(tmp_path: Path, write: Write) -> None:
    path, _ = write(tmp_path)
    chance = np.random.default_rng(7)
    classes = "Stimulus/L,Stimulus/R" if path.suffix == ".vhdr" else "L,R"
    assert len(own(tmp_path, path.name, classes).targets) > 1
    victims = [one for one in tmp_path.iterdir() if one.is_file()]
    refused: list[DataError] = []
    for _ in range(TRIES):
        victim = victims[int(chance.integers(len(victims)))]
        whole = victim.read_bytes()
        victim.write_bytes(damaged(whole, chance))
        try:
            own(tmp_path, path.name, classes).windows.inputs()
        except DataError as error:
            refused.append(error)
        victim.write_bytes(whole)
    assert refused
    assert all(error.where and error.remedy for error in refused)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", [".npz", ".mat"])
def test_damaged_arrays_end_in_our_errors(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"one{suffix}"
    content = {"inputs": np.random.default_rng(0).normal(size=(50, 8)), "targets": np.arange(50)}
    if suffix == ".npz":
        np.savez_compressed(path, **content)
    else:
        savemat(path, content, do_compression=True)
    whole, chance = path.read_bytes(), np.random.default_rng(8)
    refused: list[DataError] = []
    for _ in range(300):
        path.write_bytes(damaged(whole, chance))
        try:
            if suffix == ".npz":
                files.names_in_npz(path)
                files.read_npz(path, content)
            else:
                files.read_mat(path, content, corpus="x", fetch="y")
        except DataError as error:
            refused.append(error)
    assert refused
    assert {error.where for error in refused} == {str(path)}


@pytest.mark.parametrize("raised", [AssertionError, AttributeError, TypeError, RecursionError, MemoryError, KeyError,
                                    UnicodeDecodeError, NotImplementedError, OverflowError, Exception])  # fmt: skip
def test_whatever_a_reader_raises_becomes_one_of_ours(
    tmp_path: Path, raised: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = fif(tmp_path)

    def fail(*args: object, **kwargs: object) -> None:
        raise raised("utf-8", b"", 0, 1, "odd") if raised is UnicodeDecodeError else raised("odd")

    monkeypatch.setattr(mne.io, "read_raw", fail)
    with pytest.raises(DataError, match=rf"one_raw.fif: the file cannot be read \({raised.__name__}.*damaged"):
        read_continuous(path)


def test_what_the_user_stops_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    path, _ = fif(tmp_path)
    monkeypatch.setattr(mne.io, "read_raw", stop)
    with pytest.raises(KeyboardInterrupt):
        read_continuous(path)


def test_an_event_file_of_noise(tmp_path: Path) -> None:
    raw_of(noise(10.0)).save(tmp_path / "one_raw.fif", verbose="ERROR")
    (tmp_path / "one-eve.fif").write_bytes(b"\x00\x01" * 500)
    with pytest.raises(DataError, match=r"one-eve.fif: the event file cannot be read"):
        own(tmp_path, "one_raw.fif", "1,2", events="file")
