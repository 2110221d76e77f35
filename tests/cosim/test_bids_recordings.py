"""Recordings of BIDS data sets: events, bad channels, kinds and units from the tables beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from eeglab_file import write_eeglab
from recording_files import noise, own, write_brainvision, write_edf, write_fif

from cosim.datasets.types import Dataset
from energy_models.errors import DataError

CUES = {200: "L", 400: "R", 600: "L", 800: "R"}
SAMPLES = noise(20.0, CUES)
STEM = "sub-01_task-hand_run-1"
EVENTS = "onset\tduration\ttrial_type\tvalue\n" + "".join(
    f"{sample / 100}\t1.5\t{text}\t{1 if text == 'L' else 2}\n" for sample, text in CUES.items())  # fmt: skip
CHANNELS = "name\ttype\tunits\tstatus\nC3\tEEG\tuV\tgood\nCz\tEEG\tuV\tbad\nC4\tEOG\tuV\tgood\n"


def folder(tmp_path: Path, events: str = EVENTS, channels: str = "", **more: str) -> Path:
    """Make a data set of one EDF file, with more files by name."""
    place = tmp_path / "sub-01" / "eeg"
    place.mkdir(parents=True)
    write_edf(place / f"{STEM}_eeg.edf", SAMPLES, range(20), kind="EDF+C")
    (place / f"{STEM}_events.tsv").write_text(events, encoding="utf-8")
    if channels:
        (place / f"{STEM}_channels.tsv").write_text(channels, encoding="utf-8")
    for name, text in more.items():
        (tmp_path / name.replace("__", ".").replace("task_", "task-")).write_text(text, encoding="utf-8")
    return tmp_path


def bids(tmp_path: Path, classes: object = "L,R", **options: object) -> Dataset:
    return own(tmp_path, "sub-01/eeg/*.edf", classes, **{"events": "bids", **options})


def check(dataset: Dataset, rows: list[int]) -> None:
    assert dataset.target_values.tolist() == [0, 1, 0, 1]
    for one, sample in zip(dataset.windows.inputs(), CUES, strict=True):
        np.testing.assert_allclose(one, SAMPLES[rows, sample : sample + 100], atol=0.2)


def test_events_stand_at_their_onsets(tmp_path: Path) -> None:
    folder(tmp_path)
    check(bids(tmp_path), [0, 1, 2])
    check(bids(tmp_path, "1,2", event_column="value"), [0, 1, 2])
    inside = bids(tmp_path, cut="intervals", length_s=0.5)
    assert len(inside.windows) == 12


def test_codes_are_read_where_no_event_has_a_type(tmp_path: Path) -> None:
    folder(tmp_path, EVENTS.replace("L\t", "n/a\t").replace("R\t", "n/a\t"))
    check(bids(tmp_path, "1,2"), [0, 1, 2])


def test_bad_channels_and_kinds_are_those_of_the_table(tmp_path: Path) -> None:
    folder(tmp_path, channels=CHANNELS)
    dataset = bids(tmp_path)
    check(dataset, [0])
    assert any("Cz is marked as bad" in note for note in dataset.notes)
    kept = bids(tmp_path, bad_channels="keep", kinds="eeg,eog")
    assert [(one.name, one.kind) for one in kept.windows.channels] == [("C3", "eeg"), ("Cz", "eeg"), ("C4", "eog")]


def test_a_unit_the_file_leaves_out_is_that_of_the_table(tmp_path: Path) -> None:
    folder(tmp_path, channels=CHANNELS.replace("bad", "good").replace("EOG", "EEG"))
    write_edf(tmp_path / "sub-01" / "eeg" / f"{STEM}_eeg.edf", SAMPLES, range(20), kind="EDF+C", dimension="")
    check(bids(tmp_path), [0, 1, 2])


@pytest.mark.parametrize(("unit", "told"), [("mV", True), ("uV", False), ("µV", False), ("n/a", False)])
def test_a_unit_that_contradicts_the_file_is_told(tmp_path: Path, unit: str, told: bool) -> None:
    folder(tmp_path, channels=CHANNELS.replace("bad", "good").replace("EOG", "EEG").replace("uV", unit))
    dataset = bids(tmp_path)
    check(dataset, [0, 1, 2])  # the file's own unit is taken
    assert any("another unit" in note and "C3, Cz, C4" in note for note in dataset.notes) is told


@pytest.mark.parametrize(
    ("ending", "unit", "told"),
    [("vhdr", "mV", True), ("vhdr", "µV", False), ("vhdr", "n/a", False), ("set", "mV", True), ("set", "uV", False),
     ("fif", "uV", True), ("fif", "V", False)],
)  # fmt: skip
def test_a_unit_that_contradicts_other_formats_is_told(tmp_path: Path, ending: str, unit: str, told: bool) -> None:
    folder(tmp_path, channels=CHANNELS.replace("bad", "good").replace("EOG", "EEG").replace("uV", unit))
    path = tmp_path / "sub-01" / "eeg" / f"{STEM}_eeg.{ending}"
    if ending == "vhdr":
        write_brainvision(path, SAMPLES, [])
    elif ending == "set":
        write_eeglab(path, SAMPLES, [(1.0, "x")])
    else:
        write_fif(path, SAMPLES)
    dataset = own(tmp_path, f"sub-01/eeg/*.{ending}", "L,R", events="bids")
    check(dataset, [0, 1, 2])  # the file's own unit is taken
    assert any("another unit" in note and "C3, Cz, C4" in note for note in dataset.notes) is told


def test_a_table_in_a_folder_above_is_found(tmp_path: Path) -> None:
    folder(tmp_path, task_hand_channels__tsv=CHANNELS, task_other_channels__tsv="name\tstatus\nC3\tbad\n")
    check(bids(tmp_path), [0])


def test_onset_and_sample_that_differ_are_told(tmp_path: Path) -> None:
    rows = EVENTS.splitlines()
    late = [f"{row}\t{sample + 25}" for row, sample in zip(rows[1:], CUES, strict=True)]
    text = "\n".join([f"{rows[0]}\tsample", *late])
    folder(tmp_path, text + "\n")
    dataset = bids(tmp_path)
    check(dataset, [0, 1, 2])
    assert any("onset and sample of 4 event(s) differ by up to 25 samples" in note for note in dataset.notes)


def test_events_of_a_recording_with_gaps_are_in_time(tmp_path: Path) -> None:
    folder(tmp_path)
    begins = [*range(3), *range(5, 22)]  # two seconds are missing
    write_edf(tmp_path / "sub-01" / "eeg" / f"{STEM}_eeg.edf", SAMPLES, begins, kind="EDF+D")
    dataset = bids(tmp_path)
    assert dataset.windows.starts.tolist() == [200, 600, 800]
    last = dataset.windows.inputs()[-1]
    np.testing.assert_allclose(last, SAMPLES[:, 600:700], atol=0.2)
    assert any("1 event(s) stand in gaps" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("settings", "options", "said"),
    [
        ({"events": EVENTS.replace("onset", "begin")}, {}, r"events.tsv: it has no column 'onset'"),
        ({}, {"event_column": "kind"}, r"events.tsv: it has no column 'kind'"),
        ({"events": EVENTS.replace("2.0\t", "two\t", 1)}, {}, r"column 'onset' holds 'two' in line 2"),
        ({"channels": "label\nC3\n"}, {}, r"channels.tsv: it has no column 'name'"),
        ({"task_hand_eeg__json": '{"SamplingFrequency": 250}'}, {}, r"eeg.json: it states 250 Hz, the recording 100"),
        ({"task_hand_eeg__json": "{"}, {}, r"cannot be read as JSON"),
    ],
)
def test_tables_that_say_nothing_or_something_else_are_refused(
    settings: dict[str, str], options: dict[str, object], said: str, tmp_path: Path
) -> None:
    folder(tmp_path, **settings)
    with pytest.raises(DataError, match=said):
        bids(tmp_path, **options)


def test_events_that_are_not_there_are_refused(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "sub-01" / "eeg" / f"{STEM}_events.tsv").unlink()
    with pytest.raises(DataError, match=r"there is no events.tsv for it"):
        bids(tmp_path)
    write_fif(tmp_path / "a_raw.fif", SAMPLES, [(2.0, 0.0, "L"), (4.0, 0.0, "R")])
    with pytest.raises(DataError, match=r"its name is none of BIDS"):
        own(tmp_path, "a_raw.fif", events="bids")
