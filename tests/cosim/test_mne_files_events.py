"""Where cues are found in recordings that MNE-Python reads: each window must hold the impulse planted at its cue."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pytest
from recording_files import NAMES, RATE_HZ, noise, own, raw_of, write_brainvision, write_edf, write_fif

from cosim.datasets.mne_files import read_continuous
from cosim.datasets.types import Dataset
from energy_models.errors import DataError


def at_impulses(dataset: Dataset) -> bool:
    """Return whether every window begins with an impulse."""
    return bool((np.abs(dataset.windows.inputs()).argmax(axis=2) == 0).all())


@pytest.mark.parametrize("dated", ["with a date", "without a date"])
@pytest.mark.parametrize("first_s", [0.0, 7.0, 128.703])
def test_annotation_times_do_not_depend_on_the_measurement_date(tmp_path: Path, dated: str, first_s: float) -> None:
    cues = [250 + 400 * n for n in range(10)]
    raw = raw_of(noise(60.0, cues), first=round(first_s * RATE_HZ))
    if dated == "with a date":
        raw.set_meas_date(1_500_000_000)
    raw.set_annotations(mne.Annotations(np.array(cues) / RATE_HZ, 0.0, ["L", "R"] * 5))
    raw.crop(1.0, 50.0)
    raw.save(tmp_path / "one_raw.fif", verbose="ERROR")
    expected, _ = mne.events_from_annotations(raw, verbose="ERROR")
    read = read_continuous(tmp_path / "one_raw.fif")
    assert [one.start for one in read.annotations] == (expected[:, 0] - raw.first_samp).tolist()
    dataset = own(tmp_path, "one_raw.fif")
    assert at_impulses(dataset)
    np.testing.assert_array_equal(dataset.windows.starts, np.array(cues) - 100)


# Records 0 to 9 begin at 0 to 9 s, records 10 to 19 five seconds later; cues at 2, 6, 8, 16, 18, 23 s.
GAP_BEGINS_S = [*range(10), *range(15, 25)]
GAP_MARKS = [(2.0, "L"), (6.0, "R"), (8.0, "L"), (12.0, "R"), (16.0, "R"), (18.0, "L"), (23.5, "R")]
GAP_SAMPLES = [200, 600, 800, 1100, 1300, 1850]


@pytest.mark.parametrize("suffix", [".edf", ".bdf"])
@pytest.mark.parametrize("begin_s", [0.0, 0.25])
def test_cues_of_a_discontinuous_file_are_in_place(tmp_path: Path, suffix: str, begin_s: float) -> None:
    begins = [begin_s + one for one in GAP_BEGINS_S]
    marks = [(time_s + begin_s, text) for time_s, text in GAP_MARKS if time_s != 12.0]
    write_edf(tmp_path / f"gap{suffix}", noise(20.0, GAP_SAMPLES), begins, marks)
    dataset = own(tmp_path, f"gap{suffix}")
    assert at_impulses(dataset)
    np.testing.assert_array_equal(dataset.targets, [0, 1, 0, 1, 0, 1])
    np.testing.assert_array_equal(dataset.windows.starts, [200, 600, 800, 1600, 1800, 2350])  # gaps count as time
    assert dataset.notes == ("gap has gaps or boundaries: its 2 parts are filtered and cut apart",)
    assert set(dataset.groups["recording"]) == {"gap"}
    assert set(dataset.windows.sources) == {0}


def test_windows_across_a_gap_are_left_out_and_filters_start_again_behind_it(tmp_path: Path) -> None:
    samples = noise(20.0)
    samples[:, 1000:] += 3000.0  # the offset of the electrodes changed in the pause
    marks = [(2.0, "L"), (6.0, "R"), (9.5, "L"), (16.0, "R"), (18.0, "L")]
    write_edf(tmp_path / "gap.edf", samples, GAP_BEGINS_S, marks)
    dataset = own(tmp_path, "gap.edf", low_hz=1.0)
    np.testing.assert_array_equal(dataset.windows.starts, [200, 600, 1600, 1800])
    assert "1 window(s) of gap part 1 pass an end of the recording and were left out" in dataset.notes
    alone = write_edf(tmp_path / "alone.edf", samples[:, 1000:], range(10), [(1.0, "R"), (3.0, "L")], kind="EDF+C")
    second = own(tmp_path, alone.name, low_hz=1.0)
    np.testing.assert_array_equal(dataset.windows.inputs()[2:], second.windows.inputs())


def test_a_cue_before_the_file_may_have_its_window_inside(tmp_path: Path) -> None:
    write_fif(tmp_path / "one_raw.fif", noise(20.0), stimulus=np.zeros(2000))
    mne.write_events(tmp_path / "one-eve.fif", np.array([[-50, 0, 1], [300, 0, 2], [1990, 0, 2]]), verbose="ERROR")
    dataset = own(tmp_path, "one_raw.fif", "1,2", events="file", start_s=0.5, stop_s=1.5)
    np.testing.assert_array_equal(dataset.windows.starts, [0, 350])
    assert dataset.notes == ("1 window(s) of one_raw pass an end of the recording and were left out",)


def test_cues_that_all_lie_in_a_pause_are_told(tmp_path: Path) -> None:
    marks = [(4.0, 6.0, "BAD_ACQ_SKIP"), (5.0, 0.0, "L"), (7.0, 0.0, "R")]
    write_fif(tmp_path / "one_raw.fif", noise(20.0), marks)
    with pytest.raises(DataError, match=r"every event called L or R stands where nothing was recorded"):
        own(tmp_path, "one_raw.fif")
    assert len(own(tmp_path, "one_raw.fif", bad_intervals="keep").targets) == 2


def test_a_discontinuous_file_without_gaps_is_one_recording(tmp_path: Path) -> None:
    write_edf(tmp_path / "none.edf", noise(20.0, [200, 600]), range(20), [(2.0, "L"), (6.0, "R")])
    dataset = own(tmp_path, "none.edf")
    assert at_impulses(dataset)
    assert dataset.notes == ()


def test_a_discontinuous_file_whose_records_do_not_tell_the_time_is_refused(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "gap.edf", noise(20.0), [*range(10), *range(5, 15)], [(2.0, "L"), (6.0, "R")])
    with pytest.raises(DataError, match=r"gap.edf: the file is discontinuous \(EDF\+D\)"):
        own(tmp_path, path.name)


def test_windows_over_bad_stretches_and_joins_are_left_out_and_counted(tmp_path: Path) -> None:
    marks = [(2.0, 0.0, "L"), (4.0, 0.0, "R"), (6.0, 0.0, "L"), (8.0, 0.0, "R"), (12.0, 0.0, "L"), (14.0, 0.0, "R"),
             (6.9, 0.5, "BAD_blink"), (12.5, 0.0, "BAD boundary"), (12.5, 0.0, "EDGE boundary"), (8.0, 0.0, "hello")]
    write_fif(tmp_path / "one_raw.fif", noise(20.0), marks)
    dataset = own(tmp_path, "one_raw.fif")
    np.testing.assert_array_equal(dataset.windows.starts, [200, 400, 800, 1500])  # behind a join time is shifted by 1 s
    np.testing.assert_array_equal(dataset.targets, [0, 1, 1, 1])
    assert "1 window(s) of one_raw part 1 touch what is marked bad and were left out" in dataset.notes
    assert "1 window(s) of one_raw part 1 pass an end of the recording and were left out" in dataset.notes
    kept = own(tmp_path, "one_raw.fif", bad_intervals="keep")
    np.testing.assert_array_equal(kept.windows.starts, [200, 400, 600, 800, 1200, 1400])
    assert kept.notes == ()


def test_a_window_may_touch_the_ends_of_a_bad_stretch_but_no_sample_of_it(tmp_path: Path) -> None:
    marks = [(2.0, 0.0, "L"), (3.0, 1.0, "bad"), (4.0, 0.0, "R"), (6.0, 0.0, "L"), (6.99, 0.0, "bad"), (8.0, 0.0, "R"),
             (10.0, 0.0, "badge")]  # fmt: skip
    write_fif(tmp_path / "one_raw.fif", noise(20.0), marks)
    np.testing.assert_array_equal(own(tmp_path, "one_raw.fif").windows.starts, [200, 400, 800])
    assert own(tmp_path, "one_raw.fif", "L,badge").targets.tolist() == [0, 1]  # what is asked for is not bad


def test_an_edge_artefact_that_lasts_is_bad_as_in_mne_and_a_boundary_of_eeglab_is_not(tmp_path: Path) -> None:
    marks = [(2.0, 0.0, "L"), (4.0, 0.0, "R"), (6.0, 0.0, "L"), (8.0, 0.0, "R"), (5.9, 1.5, "EDGE artefact")]
    write_fif(tmp_path / "one_raw.fif", noise(20.0), marks)
    assert own(tmp_path, "one_raw.fif").targets.tolist() == [0, 1, 1]
    write_fif(tmp_path / "one_raw.fif", noise(20.0), [*marks[:4], (5.9, 1.5, "boundary")])
    assert own(tmp_path, "one_raw.fif").targets.tolist() == [0, 1, 0, 1]


def test_codes_may_be_listed_as_whole_numbers(tmp_path: Path) -> None:
    codes = np.zeros(2000)
    codes[[300, 301, 700, 701]] = [1, 1, 2, 2]
    write_fif(tmp_path / "one_raw.fif", noise(20.0), stimulus=codes)
    dataset = own(tmp_path, "one_raw.fif", [1, 2], events="stimulus")
    assert dataset.output_names == ("1", "2")
    assert dataset.targets.tolist() == [0, 1]


def test_a_pause_of_brainvision_parts_the_recording(tmp_path: Path) -> None:
    marks = [(200, "L"), (400, "R"), (570, "L"), (600, "pause"), (700, "R"), (900, "L")]
    write_brainvision(tmp_path / "one.vhdr", noise(20.0, [one for one, _ in marks if one != 600]), marks)
    dataset = own(tmp_path, "one.vhdr", "Stimulus/L,Stimulus/R")
    np.testing.assert_array_equal(dataset.windows.starts, [200, 400, 800, 1000])
    assert at_impulses(dataset)


def stimulus(*runs: tuple[int, int]) -> np.ndarray:
    """Return a stimulus channel of runs (samples, value)."""
    return np.concatenate([np.full(count, float(value)) for count, value in runs])


def found(tmp_path: Path, channel: np.ndarray, classes: str = "1,2", **options: object) -> list[tuple[int, str]]:
    """Return (sample, class) of every window of 0.1 s at the cues of a stimulus channel."""
    write_fif(tmp_path / "stim_raw.fif", noise(len(channel) / RATE_HZ), stimulus=channel)
    dataset = own(tmp_path, "stim_raw.fif", classes, events="stimulus", stop_s=0.1, **options)
    names = [dataset.output_names[label] for label in dataset.targets]
    return list(zip(dataset.windows.starts.tolist(), names, strict=True))


def test_pulses_are_found_as_mne_finds_them(tmp_path: Path) -> None:
    channel = stimulus((100, 0), (5, 1), (95, 0), (1, 2), (99, 0), (5, 1), (5, 2), (90, 0), (5, 4), (200, 0))
    events = found(tmp_path, channel)
    assert events == [(100, "1"), (200, "2"), (300, "1"), (305, "2")]
    raw = mne.io.read_raw_fif(tmp_path / "stim_raw.fif", verbose="ERROR")
    rows = mne.find_events(raw, shortest_event=0, verbose="ERROR")
    assert [(int(sample), str(code)) for sample, _, code in rows if code < 3] == events


def test_held_codes_are_found_with_and_without_a_return_to_zero(tmp_path: Path) -> None:
    held = stimulus((200, 0), (400, 1), (400, 2), (60, 1), (400, 2), (300, 0), (400, 2), (400, 1), (400, 0))
    assert found(tmp_path, held) == [(200, "1"), (600, "2"), (1000, "1"), (1060, "2"), (1760, "2"), (2160, "1")]
    never_zero = stimulus((100, 3), (300, 2), (300, 1), (300, 3), (300, 1), (300, 2), (200, 3))
    assert found(tmp_path, never_zero) == [(100, "2"), (400, "1"), (1000, "1"), (1300, "2")]


def test_a_value_passed_on_the_way_down_is_no_cue(tmp_path: Path) -> None:
    steps = stimulus((200, 0), (400, 3), (3, 1), (300, 0), (400, 2), (4, 1), (300, 2), (200, 0), (300, 1), (300, 0))
    assert found(tmp_path, steps, "1,2,3") == [(200, "3"), (903, "2"), (1807, "1")]
    lines_apart = stimulus((200, 0), (1, 1), (50, 3), (1, 2), (300, 0), (50, 2), (200, 0), (50, 1), (50, 0))
    assert found(tmp_path, lines_apart, "1,2,3") == [(201, "3"), (552, "2"), (802, "1")]


def test_a_channel_that_rests_high(tmp_path: Path) -> None:
    pulses = stimulus((200, 255), (5, 1), (200, 255), (1, 2), (200, 255), (5, 1), (200, 255))
    assert found(tmp_path, pulses) == [(200, "1"), (405, "2"), (606, "1")]


def test_a_mask_keeps_some_bits_and_a_code_that_is_none_is_told(tmp_path: Path) -> None:
    channel = stimulus((200, 256), (5, 257), (200, 256), (5, 258), (200, 256))
    assert found(tmp_path, channel, stimulus_mask=255) == [(200, "1"), (405, "2")]
    with pytest.raises(DataError, match=r"no event is called 1 or 2.*256, 257, 258"):
        found(tmp_path, channel)
    with pytest.raises(DataError, match=r"events L, R are no codes"):
        own(tmp_path, "stim_raw.fif", "L,R", events="stimulus")
    with pytest.raises(DataError, match=r"no stimulus channel 'TRIG'.*STI 014"):
        found(tmp_path, channel, stimulus_channel="TRIG")


def test_two_labels_at_one_place_are_left_out_and_told(tmp_path: Path) -> None:
    marks = [(2.0, 0.0, "L"), (4.0, 0.0, "R"), (6.0, 0.0, "L"), (6.0, 0.0, "R"), (8.0, 0.0, "L"), (8.0, 0.0, "L"),
             (10.0, 0.0, "R"), (10.01, 0.0, "L")]  # fmt: skip
    write_fif(tmp_path / "one_raw.fif", noise(20.0), marks)
    dataset = own(tmp_path, "one_raw.fif")
    np.testing.assert_array_equal(dataset.windows.starts, [200, 400, 800, 1000, 1001])
    assert dataset.notes == ("2 window(s) of one_raw stand at one place under two classes and were left out",
                             "1 window(s) of one_raw are there twice and were left out")  # fmt: skip
    slower = own(tmp_path, "one_raw.fif", resample_hz=25.0)  # the last two cues are one window there
    np.testing.assert_array_equal(slower.windows.starts, [50, 100, 200])


def test_bad_channels_are_left_out_of_all_files_and_told(tmp_path: Path) -> None:
    marks = [(2.0, 0.0, "L"), (4.0, 0.0, "R")]
    samples = noise(20.0)
    samples[1] *= 1e4
    write_fif(tmp_path / "a_raw.fif", samples, marks, bads=["Cz"])
    write_fif(tmp_path / "b_raw.fif", noise(20.0, seed=1), marks)
    dataset = own(tmp_path, "a_raw.fif,b_raw.fif")
    assert [one.name for one in dataset.windows.channels] == ["C3", "C4"]
    assert dataset.notes == ("channel Cz is marked as bad in a_raw and was left out",)
    assert [one.name for one in own(tmp_path, "a_raw.fif", bad_channels="keep").windows.channels] == list(NAMES)
    write_fif(tmp_path / "c_raw.fif", samples, marks, bads=NAMES)
    with pytest.raises(DataError, match=r"c_raw: every channel is marked as bad: C3, C4, Cz"):
        own(tmp_path, "c_raw.fif")
