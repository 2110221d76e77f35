"""Options of `mne_file`: channels, labels of files, several events a class, windows in intervals and sliding ones."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pytest
from recording_files import NAMES, RATE_HZ, noise, own, raw_of, write_fif
from tiny_study import cosim

from cosim.datasets.types import Dataset
from energy_models.errors import DataError

MARKS = [(2.0, 0.0, "L"), (4.0, 0.0, "R"), (6.0, 0.0, "L"), (8.0, 0.0, "R")]


def channels(dataset: Dataset) -> list[str]:
    return [one.name for one in dataset.windows.channels]


def test_channels_by_name_and_in_the_order_named(tmp_path: Path) -> None:
    samples = noise(20.0)
    write_fif(tmp_path / "a_raw.fif", samples, MARKS)
    dataset = own(tmp_path, "a_raw.fif", channels="C4, C3")
    assert channels(dataset) == ["C4", "C3"]
    np.testing.assert_allclose(dataset.windows.inputs()[0], samples[[2, 0], 200:300], rtol=1e-4)
    with pytest.raises(DataError, match=r"a_raw.fif: the file holds no channel C5.*Did you mean.*C3"):
        own(tmp_path, "a_raw.fif", channels=["C5"])


def test_channels_by_kind(tmp_path: Path) -> None:
    raw = raw_of(noise(20.0))
    raw.set_channel_types({"Cz": "ecog", "C4": "misc"}, on_unit_change="ignore")
    raw.set_annotations(mne.Annotations(*zip(*MARKS, strict=True)))
    raw.save(tmp_path / "a_raw.fif", verbose="ERROR")
    assert channels(own(tmp_path, "a_raw.fif")) == ["C3", "Cz"]
    assert channels(own(tmp_path, "a_raw.fif", kinds="ecog")) == ["Cz"]
    both = own(tmp_path, "a_raw.fif", kinds=["misc", "eeg"])
    assert [(one.name, one.kind, one.unit) for one in both.windows.channels] == [
        ("C3", "eeg", "µV"), ("C4", "misc", "as stored")]  # fmt: skip
    spread = both.windows.inputs().std(axis=(0, 2))
    assert spread[0] == pytest.approx(1e6 * spread[1], rel=0.2)  # what is in no volts stays as it is
    with pytest.raises(DataError, match=r"no channel of kind seeg.*ecog, eeg, misc"):
        own(tmp_path, "a_raw.fif", kinds="seeg")


def test_files_whose_channels_stand_in_another_order(tmp_path: Path) -> None:
    first, second = noise(20.0), noise(20.0, seed=1)
    write_fif(tmp_path / "a_raw.fif", first, MARKS)
    write_fif(tmp_path / "b_raw.fif", second[[2, 0, 1]], MARKS, names=["C4", "C3", "Cz"])
    dataset = own(tmp_path, "a_raw.fif,b_raw.fif")
    assert channels(dataset) == list(NAMES)
    np.testing.assert_allclose(dataset.windows.inputs()[4], second[:, 200:300], rtol=1e-4)


def test_files_with_different_channels_are_refused_or_cut_to_what_all_have(tmp_path: Path) -> None:
    write_fif(tmp_path / "a_raw.fif", noise(20.0), MARKS)
    write_fif(tmp_path / "b_raw.fif", noise(20.0, seed=1), MARKS, names=["Fz", "C4", "C3"])
    with pytest.raises(DataError, match=r"b_raw and a_raw differ in channels: Cz, Fz.*differing_channels"):
        own(tmp_path, "a_raw.fif,b_raw.fif")
    dataset = own(tmp_path, "a_raw.fif,b_raw.fif", differing_channels="common")
    assert channels(dataset) == ["C3", "C4"]
    assert dataset.notes == ("channel Cz of a_raw is not in every file and was left out",
                             "channel Fz of b_raw is not in every file and was left out")  # fmt: skip
    assert channels(own(tmp_path, "a_raw.fif,b_raw.fif", channels="C4,C3")) == ["C4", "C3"]
    write_fif(tmp_path / "c_raw.fif", noise(20.0, seed=1), MARKS, names=["F1", "F2", "F3"])
    with pytest.raises(DataError, match=r"no channel in common"):
        own(tmp_path, "a_raw.fif,c_raw.fif", differing_channels="common")


def two_subjects(folder: Path) -> None:
    for subject in ("01", "02"):
        for run in ("1", "2"):
            path = folder / f"sub-{subject}" / f"sub-{subject}_run-{run}_raw.fif"
            path.parent.mkdir(exist_ok=True)
            write_fif(path, noise(20.0, seed=int(subject + run)), MARKS)


def test_labels_stand_in_the_paths(tmp_path: Path) -> None:
    two_subjects(tmp_path)
    dataset = own(tmp_path, "sub-*/*_raw.fif", path_pattern="sub-{subject}/*_run-{run}_raw")
    assert dataset.groups["subject"].tolist() == ["01"] * 8 + ["02"] * 8
    assert dataset.groups["run"].tolist() == (["1"] * 4 + ["2"] * 4) * 2
    assert len(set(dataset.groups["recording"])) == 4
    with pytest.raises(DataError, match=r"sub-01_run-1_raw.fif: the path does not hold path_pattern"):
        own(tmp_path, "sub-*/*_raw.fif", path_pattern="subject{subject}")
    with pytest.raises(DataError, match=r"names no group, or one twice"):
        own(tmp_path, "sub-*/*_raw.fif", path_pattern="sub-*")
    with pytest.raises(DataError, match=r"no file is called so"):
        own(tmp_path, "sub-*/*_ica.fif")


def test_labels_are_given_for_all_files_or_for_each(tmp_path: Path) -> None:
    two_subjects(tmp_path)
    listed = [f"sub-{subject}/sub-{subject}_run-{run}_raw.fif" for subject in ("01", "02") for run in "12"]
    dataset = own(tmp_path, listed, subject=["a", "a", "b", "b"], session="x")
    assert dataset.groups["subject"].tolist() == ["a"] * 8 + ["b"] * 8
    assert set(dataset.groups["session"]) == {"x"}
    assert len(set(dataset.groups["run"])) == 4
    with pytest.raises(DataError, match=r"subject has 2 labels for 4 files"):
        own(tmp_path, listed, subject="a,b")


def test_files_of_one_name_in_two_folders_are_told_apart(tmp_path: Path) -> None:
    for folder in ("day1", "day2"):
        (tmp_path / folder).mkdir()
        write_fif(tmp_path / folder / "rest_raw.fif", noise(20.0, seed=len(folder)), MARKS)
    dataset = own(tmp_path, "day1/rest_raw.fif,day2/rest_raw.fif")
    assert list(dict.fromkeys(dataset.groups["recording"])) == ["day1/rest_raw", "day2/rest_raw"]


def test_several_events_are_one_class(tmp_path: Path) -> None:
    marks = [(2.0, 0.0, "T1"), (4.0, 0.0, "769"), (6.0, 0.0, "T2"), (8.0, 0.0, "x,y"), (10.0, 0.0, "other")]
    write_fif(tmp_path / "a_raw.fif", noise(20.0), marks)
    dataset = own(tmp_path, "a_raw.fif", {"left": ["T1", 769], "right": ["T2", "x,y"]})
    assert dataset.output_names == ("left", "right")
    assert dataset.targets.tolist() == [0, 0, 1, 1]
    assert own(tmp_path, "a_raw.fif", {"a": "T1", "b": "x,y"}).targets.tolist() == [0, 1]
    with pytest.raises(DataError, match=r"event T1 stands in two classes"):
        own(tmp_path, "a_raw.fif", {"left": ["T1"], "right": ["T2", "T1"]})


SEIZURE = [(10.0, 5.5, "sz"), (30.0, 4.0, "sz"), (20.0, 3.0, "calm"), (40.0, 0.5, "calm"), (32.5, 3.0, "calm")]


def test_windows_inside_annotated_intervals(tmp_path: Path) -> None:
    write_fif(tmp_path / "a_raw.fif", noise(60.0), SEIZURE)
    options = {"classes": {"seizure": ["sz"], "rest": ["calm"]}, "cut": "intervals"}
    dataset = own(tmp_path, "a_raw.fif", **options, length_s=2.0, step_s=1.0)
    starts_s = (dataset.windows.starts / RATE_HZ).tolist()
    assert starts_s == [10, 11, 12, 13, 20, 21, 30]  # 31 and 32 touch "calm", 32.5 and 33.5 touch "sz"
    assert dataset.targets.tolist() == [0] * 4 + [1] * 2 + [0]
    assert dataset.notes == ("a_raw: 4 window(s) lie in annotations of two classes and were left out",
                             "a_raw: 1 annotation(s) are shorter than a window")  # fmt: skip
    apart = own(tmp_path, "a_raw.fif", **options, length_s=2.0)
    assert (apart.windows.starts / RATE_HZ).tolist() == [10, 12, 20, 30]


def test_sliding_windows_have_the_class_that_holds_more_than_half(tmp_path: Path) -> None:
    write_fif(tmp_path / "a_raw.fif", noise(60.0), [(10.0, 5.5, "sz"), (30.0, 5.0, "BAD_move")])
    write_fif(tmp_path / "b_raw.fif", noise(60.0, seed=1))
    options = {"classes": {"seizure": ["sz"]}, "background": "rest", "cut": "sliding"}
    dataset = own(tmp_path, "a_raw.fif,b_raw.fif", **options, length_s=2.0, step_s=1.0)
    assert dataset.output_names == ("seizure", "rest")
    in_first = dataset.groups["run"] == "a_raw"
    starts_s = dataset.windows.starts / RATE_HZ
    assert starts_s[(dataset.targets == 0)].tolist() == [10, 11, 12, 13, 14]  # 9 and 15 are held by half and less
    assert set(starts_s[in_first]) == set(range(59)) - set(range(29, 35))
    assert (~in_first).sum() == 59
    held = own(tmp_path, "a_raw.fif", cut="sliding", classes={"seizure": ["sz"], "moving": ["BAD_move"]}, length_s=2.0)
    assert (held.windows.starts / RATE_HZ).tolist() == [10, 12, 14, 30, 32]
    assert held.notes == ("a_raw: 25 window(s) are held by no class, or by two, and were left out",)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cut": "cues"}, r"cut = 'cues' needs start_s and stop_s"),
        ({"cut": "intervals"}, r"cut = 'intervals' needs length_s"),
        ({"cut": "sliding", "length_s": 1.0, "start_s": 0.0}, r"cut = 'sliding' has no use for start_s"),
        ({"cut": "intervals", "length_s": 1.0, "background": "x"}, r"has no use for background"),
        ({"cut": "sliding", "length_s": 1.0, "events": "stimulus"}, r"takes intervals from annotations"),
        ({"cut": "intervals", "length_s": 0.001}, r"a window of 0.001 s, or a step, holds no sample"),
        ({"cut": "intervals", "length_s": 9.0}, r"no annotation called L or R holds a window of 9.0 s.*mean 'L'"),
    ],
)
def test_options_that_do_not_go_together(tmp_path: Path, options: dict[str, object], said: str) -> None:
    write_fif(tmp_path / "a_raw.fif", noise(20.0), MARKS)
    with pytest.raises(DataError, match=said):
        own(tmp_path, "a_raw.fif", **options)


STUDY = """
[study]
name = "own"
title = "Own"
seeds = [0]

[dataset]
name = "mne_file"

[dataset.options]
files = ["a_raw.fif", "b_raw.fif"]
classes = { left = ["L", "l"], right = ["R"] }
start_s = 0.0
stop_s = 1.0
source_bits = 16

[split]
method = "leave_one_group_out"
group = "run"
validation = "fraction"

[[baselines]]
name = "majority"

[hardware]
profiles = ["cortex_m4f"]
sites = ["headset_commodity"]
decode_rate_hz = 1.0
observed_examples = 4
"""


def test_a_study_takes_lists_and_tables(tmp_path: Path) -> None:
    marks = [(1.0 + 2.0 * n, 0.0, "LRlR"[n % 4]) for n in range(28)]
    for seed, name in enumerate("ab"):
        write_fif(tmp_path / f"{name}_raw.fif", noise(60.0, seed=seed), marks)
    (tmp_path / "own.toml").write_text(STUDY)
    code, _, err = cosim("run", str(tmp_path / "own.toml"), "--data-dir", str(tmp_path), "--out", str(tmp_path / "run"))
    assert code == 0, err
    (tmp_path / "wrong.toml").write_text(STUDY.replace('right = ["R"]', 'right = ["R", "L"]'))
    code, _, err = cosim("run", str(tmp_path / "wrong.toml"), "--data-dir", str(tmp_path))
    assert code == 2
    assert "dataset.options: event L stands in two classes" in err
