"""EEG files written here in the corpora's own formats: what is read, and what every kind of damage is called."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import mne
import numpy as np
import pytest

from cosim.datasets import ssvep_exoskeleton
from cosim.datasets.mne_files import Annotation, Continuous
from cosim.datasets.mne_files.record_times import Stretch
from cosim.datasets.recordings import Channel
from cosim.datasets.registry import download, load
from cosim.datasets.types import Dataset
from energy_models.errors import DataError

CHANNELS = ["Fc5.", "C3..", "C4..", "Cz.."]


def raw_of(samples: np.ndarray, rate_hz: float, names: list[str] | None = None) -> mne.io.RawArray:
    info = mne.create_info(names or CHANNELS[: len(samples)], rate_hz, "eeg")
    return mne.io.RawArray(samples * 1e-6, info, verbose="ERROR")


def microvolts(seconds: float, rate_hz: float, seed: int, channels: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 20, (channels, round(seconds * rate_hz)))


def write_run(path: Path, *, rate_hz: float = 160.0, flat: int | None = None, seed: int = 0) -> None:
    """Write 30 s of EDF+ with T0 and six cues 4 s apart."""
    samples = microvolts(30.0, rate_hz, seed)
    if flat is not None:
        samples[flat] = 0.0
    raw = raw_of(samples, rate_hz)
    cues = [2.0 + 4.0 * n for n in range(6)]
    raw.set_annotations(mne.Annotations([0.0, *cues], [1.0] * 7, ["T0", "T1", "T2", "T2", "T1", "T1", "T2"]))
    mne.export.export_raw(path, raw, physical_range=(-200.0, 200.0), overwrite=True, verbose="ERROR")


@pytest.fixture(scope="module")
def edf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("edf") / "eegmmidb_S001"
    folder.mkdir()
    for number, run in enumerate((6, 10, 14)):
        write_run(folder / f"S001R{run:02d}.edf", seed=number)
    return folder.parent


@pytest.fixture
def copied(edf: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "eegmmidb_S001"
    folder.mkdir()
    for path in (edf / "eegmmidb_S001").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_eegmmidb_reads_cues_units_and_channels(edf: Path) -> None:
    plain = {"reference": "none", "low_hz": 1.0, "high_hz": 70.0, "order": 1}
    dataset = load("eegmmidb", data_dir=edf, options=plain)
    assert dataset.windows.inputs().shape == (18, 4, 320)
    np.testing.assert_array_equal(dataset.targets[:6], [0, 1, 1, 0, 0, 1])
    assert dataset.output_names == ("imagined both fists", "imagined both feet")
    assert dataset.windows.starts[0] == round((2.0 + 0.5) * 160)
    assert set(dataset.groups["run"]) == {"S001R06", "S001R10", "S001R14"}
    assert dataset.windows.inputs().std() == pytest.approx(19.0, rel=0.1)  # written with 20 microvolts
    assert dataset.source_bits == 16


def test_eegmmidb_in_a_plain_folder_and_in_the_download_layout(edf: Path, tmp_path: Path) -> None:
    wanted = load("eegmmidb", data_dir=edf, options={}).digest
    assert load("eegmmidb", data_dir=edf / "eegmmidb_S001", options={}).digest == wanted
    deep = tmp_path / "MNE-eegbci-data" / "files" / "eegmmidb" / "1.0.0" / "S001"
    deep.mkdir(parents=True)
    for path in (edf / "eegmmidb_S001").iterdir():
        (deep / path.name).write_bytes(path.read_bytes())
    assert load("eegmmidb", data_dir=tmp_path, options={}).digest == wanted


def test_truncated_edf(copied: Path) -> None:
    victim = copied / "eegmmidb_S001" / "S001R10.edf"
    whole = victim.read_bytes()
    victim.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(DataError, match=rf"S001R10.edf: the file is truncated: its header promises {len(whole)} bytes"):
        load("eegmmidb", data_dir=copied, options={})
    victim.write_bytes(whole[:300])
    with pytest.raises(DataError, match=r"S001R10.edf: the EDF header is damaged or cut off"):
        load("eegmmidb", data_dir=copied, options={})


def test_edf_that_is_none(copied: Path) -> None:
    (copied / "eegmmidb_S001" / "S001R10.edf").write_text("not found\n" * 100)
    with pytest.raises(DataError, match=r"S001R10.edf: the EDF header is damaged"):
        load("eegmmidb", data_dir=copied, options={})


def test_flat_channel_is_named(copied: Path) -> None:
    write_run(copied / "eegmmidb_S001" / "S001R10.edf", flat=2)
    read_later = load("eegmmidb", data_dir=copied, options={})
    with pytest.raises(DataError, match=r"S001R10: channel C4 is flat"):
        read_later.windows.inputs()


def test_a_run_in_another_unit_is_refused(copied: Path) -> None:
    raw = mne.io.read_raw_edf(copied / "eegmmidb_S001" / "S001R10.edf", preload=True, verbose="ERROR")
    raw.apply_function(lambda samples: samples * 1e3, verbose="ERROR")
    mne.export.export_raw(copied / "eegmmidb_S001" / "S001R10.edf", raw, physical_range=(-2e5, 2e5), overwrite=True,
                          verbose="ERROR")  # fmt: skip
    with pytest.raises(DataError, match=r"S001R10: amplitudes no electrode gives"):
        load("eegmmidb", data_dir=copied, options={})


def test_unequal_sampling_rates(copied: Path) -> None:
    write_run(copied / "eegmmidb_S001" / "S001R14.edf", rate_hz=128.0)
    with pytest.raises(DataError, match=r"S001R14 is sampled at 128 Hz but S001R06 at 160 Hz"):
        load("eegmmidb", data_dir=copied, options={})


def test_missing_run_missing_subject_and_two_copies(copied: Path) -> None:
    (copied / "eegmmidb_S001" / "S001R14.edf").rename(copied / "S001R14.edf")
    assert len(load("eegmmidb", data_dir=copied, options={}).targets) == 18  # found beside the folder too
    (copied / "eegmmidb_S001" / "S001R06.edf").unlink()
    with pytest.raises(DataError, match=r"run S001R06.edf of task imagined_fists_feet is missing.*--download eegmmidb"):
        load("eegmmidb", data_dir=copied, options={})
    with pytest.raises(DataError, match=r"subject S007 is not there \(present: S001\)"):
        load("eegmmidb", data_dir=copied, options={"subjects": "7"})
    with pytest.raises(DataError, match=r"no list of numbers"):
        load("eegmmidb", data_dir=copied, options={"subjects": "one"})
    (copied / "S001R10.edf").write_bytes((copied / "S001R14.edf").read_bytes())
    with pytest.raises(DataError, match=r"S001R10.edf is there twice"):
        load("eegmmidb", data_dir=copied, options={})


def test_windows_past_the_end_are_counted_in_the_notes(edf: Path) -> None:
    dataset = load("eegmmidb", data_dir=edf, options={"start_s": 0.5, "stop_s": 4.0})
    assert dataset.notes == ()
    write = edf / "short" / "eegmmidb_S001"
    write.mkdir(parents=True)
    for run in (6, 10, 14):
        raw = mne.io.read_raw_edf(edf / "eegmmidb_S001" / f"S001R{run:02d}.edf", preload=True, verbose="ERROR")
        raw.crop(0, 24.0, include_tmax=False)
        mne.export.export_raw(write / f"S001R{run:02d}.edf", raw, physical_range=(-200.0, 200.0), verbose="ERROR")
    cut = load("eegmmidb", data_dir=write, options={"start_s": 0.5, "stop_s": 4.0})
    assert len(cut.targets) == 15
    assert cut.notes[0] == "1 window(s) of S001R06 pass an end of the recording and were left out"


def write_session(folder: Path, name: str, seed: int, *, stimulus: bool = False) -> None:
    """Write 48 s of FIF at 128 Hz, eight trials 6 s apart, codes 1 to 4, events beside it or in a channel."""
    folder.mkdir(parents=True, exist_ok=True)
    raw = raw_of(microvolts(52.0, 128.0, seed), 128.0)
    events = np.array([[128 * (1 + 6 * n), 0, 1 + n % 4] for n in range(8)])
    if stimulus:
        channel = np.zeros((1, raw.n_times))
        for sample, _, code in events:
            channel[0, sample : sample + 5] = code
        raw.add_channels([mne.io.RawArray(channel, mne.create_info(["STI"], 128.0, "stim"), verbose="ERROR")])
    else:
        mne.write_events(folder / f"{name}-eve.fif", events, verbose="ERROR")
    raw.save(folder / f"{name}_raw.fif", verbose="ERROR")


@pytest.mark.filterwarnings("ignore:This filename")
def test_ssvep_reads_event_files_and_stimulus_channels(tmp_path: Path) -> None:
    folder = tmp_path / "ssvep_exoskeleton" / "subject01"
    write_session(folder, "record-[a]", 0)
    write_session(folder, "subject01_run1", 1, stimulus=True)
    dataset = load("ssvep_exoskeleton", data_dir=tmp_path, options={})
    assert dataset.windows.inputs().shape == (12, 4, 512)
    assert dataset.output_names == ("13 Hz", "17 Hz", "21 Hz")
    # codes in time: 1 2 3 4 1 2 3 4; without rest 2 3 4 are classes 13, 21 and 17 Hz: 0, 2, 1
    np.testing.assert_array_equal(dataset.targets, [0, 2, 1] * 4)
    np.testing.assert_array_equal(dataset.windows.starts[:3], [128 * (1 + 6 * n) + 128 for n in (1, 2, 3)])
    assert list(np.unique(dataset.groups["session"])) == ["subject01-session1", "subject01-session2"]
    rest = load("ssvep_exoskeleton", data_dir=tmp_path, options={"classes": "with_rest", "subjects": "1"})
    np.testing.assert_array_equal(np.bincount(rest.targets), [4, 4, 4, 4])


@pytest.mark.filterwarnings("ignore:This filename")
def test_ssvep_subjects_of_several_folders(tmp_path: Path) -> None:
    write_session(tmp_path / "ssvep_exoskeleton" / "subject01", "a", 0)
    write_session(tmp_path / "more" / "subject08", "b", 1)
    write_session(tmp_path / "more" / "subject01", "a", 2)  # the same session again, under the same name
    both = load("ssvep_exoskeleton", data_dir=tmp_path, options={"folders": "ssvep_exoskeleton, more"})
    assert sorted(set(both.groups["session"])) == ["subject01-session1", "subject08-session1"]
    alone = load("ssvep_exoskeleton", data_dir=tmp_path, options={})
    np.testing.assert_array_equal(both.windows.inputs()[:6], alone.windows.inputs())
    chosen = load("ssvep_exoskeleton", data_dir=tmp_path, options={"folders": "more", "subjects": "8"})
    np.testing.assert_array_equal(chosen.windows.inputs(), both.windows.inputs()[6:])
    with pytest.raises(DataError, match=r"none/subject01.* was not found"):
        load("ssvep_exoskeleton", data_dir=tmp_path, options={"folders": "ssvep_exoskeleton,none"})


@pytest.mark.filterwarnings("ignore:This filename")
def test_ssvep_damage(tmp_path: Path) -> None:
    folder = tmp_path / "ssvep_exoskeleton" / "subject01"
    write_session(folder, "one", 0)
    whole = (folder / "one_raw.fif").read_bytes()
    (folder / "one_raw.fif").write_bytes(whole[:2000])
    with pytest.raises(DataError, match=r"one_raw.fif: the file cannot be read"):
        load("ssvep_exoskeleton", data_dir=tmp_path, options={})
    (folder / "one_raw.fif").write_bytes(whole)
    (folder / "two_raw.fif").write_bytes(whole)
    (folder / "two-eve.fif").write_bytes((folder / "one-eve.fif").read_bytes())
    with pytest.raises(DataError, match=r"subject01/one and subject01/two are the same session"):
        load("ssvep_exoskeleton", data_dir=tmp_path, options={})
    (folder / "two_raw.fif").unlink()
    (folder / "one-eve.fif").unlink()
    with pytest.raises(DataError, match=r"neither an event file nor a stimulus channel.*Put one-eve.fif beside it"):
        load("ssvep_exoskeleton", data_dir=tmp_path, options={})


def test_gdf_events_take_the_label_announced_before_the_stimulation() -> None:
    marks = ((5, "32769"), (10, "33024"), (15, "32779"), (30, "32780"), (40, "33027"), (45, "32779"))
    read = Continuous(lambda start, stop: np.zeros((1, stop - start)), 1, 256.0, (Channel("Oz"),),
                      tuple(Annotation(sample, sample, text) for sample, text in marks), lambda name, mask: (), 0, (),
                      (Stretch(0, 1, 0),))  # fmt: skip
    assert ssvep_exoskeleton.gdf_events(read) == ((15, 1), (45, 4))


def own(folder: Path, **options: str | float) -> Dataset:
    given: Mapping[str, str | float] = {"files": "a.edf,b.edf", "classes": "T2,T1", "start_s": 0.0, "stop_s": 1.0,
                                        "source_bits": 16} | options  # fmt: skip
    return load("mne_file", data_dir=folder, options=given)


def test_own_files(tmp_path: Path) -> None:
    write_run(tmp_path / "a.edf", seed=1)
    write_run(tmp_path / "b.edf", seed=2)
    dataset = own(tmp_path)
    assert dataset.windows.inputs().shape == (12, 4, 160)
    np.testing.assert_array_equal(dataset.targets[:6], [1, 0, 0, 1, 1, 0])
    assert set(dataset.groups["run"]) == {"a", "b"}
    assert own(tmp_path, low_hz=8.0, high_hz=30.0, resample_hz=80.0).windows.inputs().shape == (12, 4, 80)
    with pytest.raises(DataError, match=r"a.edf: no event is called left or right.*T0, T1, T2"):
        own(tmp_path, classes="left,right")
    with pytest.raises(DataError, match=r"c.edf: the file does not exist"):
        own(tmp_path, files="a.edf,c.edf")
    with pytest.raises(DataError, match=r"fewer than two events"):
        own(tmp_path, classes="T1")
    with pytest.raises(DataError, match=r"same name"):
        own(tmp_path, files="a.edf,a.edf")


def test_own_fif_with_an_event_file_that_counts_from_the_first_sample(tmp_path: Path) -> None:
    raw = raw_of(microvolts(20.0, 128.0, 0), 128.0)
    raw.set_annotations(mne.Annotations([4.0, 8.0, 12.0], [0.5] * 3, ["1", "2", "1"]))
    raw.set_meas_date(0)
    raw.crop(2.0, None)
    raw.save(tmp_path / "own_raw.fif", verbose="ERROR")
    assert raw.first_samp == 256
    mne.write_events(tmp_path / "own-eve.fif", np.array([[512, 0, 1], [1024, 0, 2]]), verbose="ERROR")
    by_file = own(tmp_path, files="own_raw.fif", classes="1,2", events="file")
    np.testing.assert_array_equal(by_file.windows.starts, [256, 768])
    by_text = own(tmp_path, files="own_raw.fif", classes="1,2")
    np.testing.assert_array_equal(by_text.windows.starts, [256, 768, 1280])


def test_download_of_eegmmidb_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: object, **kwargs: object) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(mne.datasets.eegbci, "load_data", unreachable)
    with pytest.raises(DataError, match=r"could not be read \(no route to host\).*eegmmidb_S001"):
        download("eegmmidb", tmp_path)


def test_download_of_eegmmidb_leaves_what_the_loader_reads(
    edf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(subject: int, runs: list[int], *, path: str, update_path: bool, verbose: str) -> None:
        assert (runs, update_path) == (list(range(3, 15)), False)
        folder = Path(path) / "MNE-eegbci-data" / "files" / "eegmmidb" / "1.0.0" / f"S{subject:03d}"
        folder.mkdir(parents=True)
        for source in (edf / "eegmmidb_S001").iterdir():
            (folder / source.name).write_bytes(source.read_bytes())

    monkeypatch.setattr(mne.datasets.eegbci, "load_data", fetch)
    assert download("eegmmidb", tmp_path) == tmp_path / "MNE-eegbci-data"
    assert len(load("eegmmidb", data_dir=tmp_path, options={}).targets) == 18


@pytest.mark.filterwarnings("ignore:This filename")
def test_download_of_ssvep_through_moabb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "moabb.datasets", None)
    with pytest.raises(DataError, match=r"MOABB is not installed.*pip install 'cosim\[moabb\]'"):
        download("ssvep_exoskeleton", tmp_path)
    write_session(tmp_path / "cache", "subject01_run1", 3, stimulus=True)

    class Kalunga2016:
        def data_path(self, subject: int) -> list[str]:
            if subject > 1:
                raise ConnectionError("gone")
            return [str(tmp_path / "cache" / "subject01_run1_raw.fif")]

    module = ModuleType("moabb.datasets")
    module.Kalunga2016 = Kalunga2016  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "moabb", ModuleType("moabb"))
    monkeypatch.setitem(sys.modules, "moabb.datasets", module)
    assert ssvep_exoskeleton.download(tmp_path, subjects=(1,)) == tmp_path / "ssvep_exoskeleton"
    assert len(load("ssvep_exoskeleton", data_dir=tmp_path, options={}).targets) == 6
    with pytest.raises(DataError, match=r"the source could not be read \(gone\)"):
        ssvep_exoskeleton.download(tmp_path, subjects=(2,))
