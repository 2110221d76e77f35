"""NWB files: voltages by conversion and offset, trials as cues and intervals, invalid times, gaps of time stamps."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from nwb_files import write_nwb
from recording_files import RATE_HZ, noise, own

from cosim.datasets.types import Dataset
from energy_models.errors import DataError

pytest.importorskip("pynwb")
h5py = pytest.importorskip("h5py")
CUES = {200: "L", 400: "R", 600: "L", 800: "R"}
SAMPLES = noise(20.0, CUES)  # microvolts
BEGIN_S = 5.0
CONVERSION, OFFSET_V, CHANNELS = 1e-7, 2e-4, [1.0, 2.0, 0.5]
STORED = np.round((SAMPLES * 1e-6 - OFFSET_V) / (CONVERSION * np.asarray(CHANNELS)[:, None])).T.astype("<i2")
SERIES = {"conversion": CONVERSION, "offset": OFFSET_V, "channel_conversion": CHANNELS, "rate": RATE_HZ,
          "starting_time": BEGIN_S}  # fmt: skip
TRIALS = [{"start_time": BEGIN_S + sample / RATE_HZ, "stop_time": BEGIN_S + sample / RATE_HZ + 1.5, "side": text,
           "go_time": BEGIN_S + sample / RATE_HZ + 0.25} for sample, text in CUES.items()]  # fmt: skip


def check(dataset: Dataset, shift: int = 0, cues: tuple[int, ...] = tuple(CUES)) -> None:
    for one, sample in zip(dataset.windows.inputs(), cues, strict=True):
        np.testing.assert_allclose(one, SAMPLES[:, sample + shift : sample + shift + 100], atol=0.15)
    assert [(one.name, one.unit) for one in dataset.windows.channels] == [("C0", "µV"), ("C1", "µV"), ("C2", "µV")]


def test_the_impulse_is_at_the_first_sample_of_its_window(tmp_path: Path) -> None:
    write_nwb(tmp_path / "one.nwb", STORED, series=SERIES, trials=TRIALS)
    dataset = own(tmp_path, "one.nwb")
    assert dataset.target_values.tolist() == [0, 1, 0, 1]
    check(dataset)
    check(own(tmp_path, "one.nwb", stream="acquisition/ECoG", cue_column="go_time"), shift=25)
    assert len(own(tmp_path, "one.nwb", cut="intervals", length_s=0.5).windows) == 12


def test_invalid_times_are_left_out(tmp_path: Path) -> None:
    write_nwb(tmp_path / "one.nwb", STORED, series=SERIES, trials=TRIALS, invalid=[(BEGIN_S + 4.5, BEGIN_S + 4.6)])
    dataset = own(tmp_path, "one.nwb")
    check(dataset, cues=(200, 600, 800))
    assert any("touch what is marked bad" in note for note in dataset.notes)


def test_gaps_of_time_stamps_are_told(tmp_path: Path) -> None:
    keep = np.ones(len(STORED), dtype=bool)
    keep[390:450] = False
    stamps = BEGIN_S + np.flatnonzero(keep) / RATE_HZ
    series = {name: value for name, value in SERIES.items() if name not in {"rate", "starting_time"}}
    write_nwb(tmp_path / "one.nwb", STORED[keep], series={**series, "timestamps": stamps}, trials=TRIALS)
    dataset = own(tmp_path, "one.nwb")
    check(dataset, cues=(200, 600, 800))
    said = " ".join(dataset.notes)
    assert "60 samples are lost in 1 gap(s)" in said
    assert "1 interval(s) have no time, or one in a gap" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"markers": "epochs"}, r"no table of intervals 'epochs'.*trials"),
        ({"event_column": "hand"}, r"no column 'hand'.*side"),
        ({"stream": "LFP"}, r"0 series are called 'LFP'.*acquisition/ECoG"),
        ({"channels": "C9"}, r"no channel C9"),
    ],
)
def test_names_that_are_not_there_are_refused(options: dict[str, object], said: str, tmp_path: Path) -> None:
    write_nwb(tmp_path / "one.nwb", STORED, series=SERIES, trials=TRIALS)
    with pytest.raises(DataError, match=rf"one.nwb.*{said}"):
        own(tmp_path, "one.nwb", **options)


def test_several_columns_of_trials_ask_for_a_name(tmp_path: Path) -> None:
    write_nwb(tmp_path / "one.nwb", STORED, series=SERIES, trials=[{**one, "block": 1} for one in TRIALS])
    with pytest.raises(DataError, match=r"which column holds the classes is not known.*side, block"):
        own(tmp_path, "one.nwb")
    check(own(tmp_path, "one.nwb", event_column="side"))


def test_files_cut_short_of_another_format_or_with_samples_elsewhere_are_refused(tmp_path: Path) -> None:
    path = write_nwb(tmp_path / "one.nwb", STORED, series=SERIES, trials=TRIALS)
    whole = path.read_bytes()
    for length in (100, len(whole) // 2, len(whole) - 10):
        (tmp_path / "cut.nwb").write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"cut.nwb"):
            own(tmp_path, "cut.nwb")
    (tmp_path / "cut.nwb").write_bytes(b"XDF:" + bytes(1000))
    with pytest.raises(DataError, match=r"cut.nwb: it is no HDF5 file"):
        own(tmp_path, "cut.nwb")
    with h5py.File(path, "a") as file:
        file["acquisition"]["other"] = h5py.ExternalLink("secret.h5", "/x")
    with pytest.raises(DataError, match=r"/acquisition/other lies in another file"):
        own(tmp_path, "one.nwb")


def test_a_series_that_claims_terabytes_is_refused(tmp_path: Path) -> None:
    path = write_nwb(tmp_path / "one.nwb", STORED, series=SERIES, trials=TRIALS)
    with h5py.File(path, "a") as file:
        file["acquisition"].create_dataset("claim", (1 << 40, 3), "i2", chunks=(1024, 3))
    with pytest.raises(DataError, match=r"/acquisition/claim claims 6,597,069,766,656 bytes, and 0 are stored"):
        own(tmp_path, "one.nwb")


def test_the_extra_is_named_where_its_package_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_nwb(tmp_path / "one.nwb", STORED, series=SERIES, trials=TRIALS)
    monkeypatch.setitem(sys.modules, "pynwb", None)
    with pytest.raises(DataError, match=r"needs the package pynwb.*pip install 'cosim\[recordings\]'"):
        own(tmp_path, "one.nwb")


def test_data_of_fewer_columns_than_electrodes_are_refused(tmp_path: Path) -> None:
    write_nwb(tmp_path / "one.nwb", STORED, series=SERIES, trials=TRIALS)
    with h5py.File(tmp_path / "one.nwb", "r+") as file:
        del file["acquisition/ECoG/data"]
        file["acquisition/ECoG"].create_dataset("data", data=STORED[:, :1]).attrs["unit"] = "volts"
        file["acquisition/ECoG/data"].attrs["conversion"] = CONVERSION
    with pytest.raises(DataError, match=r"one.nwb: series 'ECoG' has 1 channel\(s\), and names 3 electrode\(s\)"):
        own(tmp_path, "one.nwb")
