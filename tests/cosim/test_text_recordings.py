"""Recordings as text: OpenBCI, Muse and plain tables; the impulse at each cue is in its window, in microvolts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from recording_files import NAMES, RATE_HZ, noise, own

from cosim.datasets.mne_files.same_channels import in_one_order
from cosim.datasets.recording_files.text_table import read_table
from cosim.datasets.recording_files.timeline import timeline
from cosim.datasets.recordings import Channel
from cosim.datasets.types import Dataset
from energy_models.errors import DataError

CUES = {200: "L", 400: "R", 600: "L", 800: "R"}
SAMPLES = noise(20.0, CUES)


def rows_of(columns: dict[str, object], *, separator: str = ",") -> list[str]:
    lines = [separator.join(columns)]
    return [*lines, *(separator.join(map(str, row)) for row in zip(*columns.values(), strict=True))]


def codes() -> np.ndarray:
    values = np.zeros(SAMPLES.shape[1], dtype=int)
    for sample, text in CUES.items():
        values[sample] = 1 if text == "L" else 2
    return values


def openbci(path: Path, keep: np.ndarray | None = None) -> Path:
    """Write a file of the OpenBCI GUI 5 of the rows to keep; times in seconds since 1970."""
    steps = np.arange(SAMPLES.shape[1])
    columns = {"Sample Index": steps % 256}
    columns |= {f" EXG Channel {n}": np.round(own_row, 3) for n, own_row in enumerate(SAMPLES)}
    columns |= {" Accel Channel 0": np.zeros(len(steps)), " Not Used": np.zeros(len(steps))}
    columns |= {" Timestamp": np.round(1.7e9 + steps / RATE_HZ, 4), " Marker Channel": codes().astype(float)}
    columns[" Timestamp (Formatted)"] = np.full(len(steps), "2024-01-01 10:00:00.000")
    head = ["%OpenBCI Raw EXG Data", "%Number of channels = 3", f"%Sample Rate = {RATE_HZ:g} Hz", "%Board = X"]
    lines = rows_of(columns)
    kept = lines[1:] if keep is None else [line for line, there in zip(lines[1:], keep, strict=True) if there]
    path.write_text("\n".join([*head, lines[0], *kept]) + "\n", encoding="utf-8")
    return path


def old_openbci(path: Path) -> Path:
    """Write a file of the OpenBCI GUI before version 5: no header line."""
    steps = np.arange(SAMPLES.shape[1])
    values = [", ".join(f"{value:.3f}" for value in own) for own in SAMPLES.T]
    rows = [f"{n % 256}, {values[n]}, 0.0, 0.0, 0.0, 10:00:{n // 100:02d}.000, {1.7e12 + n * 10:.0f}" for n in steps]
    head = ["%OpenBCI Raw EEG Data", "%Number of channels = 3", f"%Sample Rate = {RATE_HZ} Hz", "%First Column = X"]
    path.write_text("\n".join([*head, *rows]) + "\n", encoding="utf-8")
    return path


def mind_monitor(path: Path) -> Path:
    """Write a file of Mind Monitor: a row without samples for every marker."""
    lines = ["TimeStamp,Delta_TP9,RAW_TP9,RAW_AF7,RAW_AF8,Battery,Elements"]
    for n in range(SAMPLES.shape[1]):
        stamp = f"2024-01-01 10:00:{n // 100:02d}.{n % 100 * 10:03d}"
        if n in CUES:
            lines.append(f"{stamp},,,,,,/Marker/{CUES[n]}")
        lines.append(f"{stamp},0.5,{','.join(f'{800 + value:.3f}' for value in SAMPLES[:, n])},90,")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def muselsl(path: Path) -> Path:
    steps = np.arange(SAMPLES.shape[1])
    columns = {"timestamps": 1.7e9 + steps / RATE_HZ}
    columns |= dict(zip(("TP9", "AF7", "AF8"), np.round(SAMPLES, 3), strict=True))
    columns |= {"TP10": np.round(SAMPLES[0] + 1, 3), "Marker0": codes()}
    path.write_text("\n".join(rows_of(columns)) + "\n", encoding="utf-8")
    return path


def plain(
    path: Path, *, factor: float = 1.0, unit: str = " (uV)", time: str = "time_s", separator: str = ",",
    rate_hz: float = RATE_HZ,
) -> Path:
    steps = np.arange(SAMPLES.shape[1])
    columns = {time: np.round(steps / rate_hz, 4)} if time else {}
    columns |= {f"{name}{unit}": row * factor for name, row in zip(NAMES, SAMPLES, strict=True)}
    columns["marker"] = [CUES.get(n, "") for n in steps]
    path.write_text("\n".join(rows_of(columns, separator=separator)) + "\n", encoding="utf-8")
    return path


def with_commas(path: Path) -> Path:
    """Write decimal commas, as a spreadsheet of another country does."""
    path.write_text(path.read_text(encoding="utf-8").replace(".", ","), encoding="utf-8")
    return path


def check_impulses(dataset: Dataset, *, offset: float = 0.0) -> None:
    """Check that every window begins with its impulse of 1 mV, and is what was written."""
    inputs = dataset.windows.inputs()[:, :3]
    assert dataset.target_values.tolist() == [0, 1, 0, 1]
    for one, sample in zip(inputs, CUES, strict=True):
        np.testing.assert_allclose(one, SAMPLES[:, sample : sample + 100] + offset, atol=0.01)
    assert {one.unit for one in dataset.windows.channels} == {"µV"}


@pytest.mark.parametrize(
    ("write", "classes", "options"),
    [
        (openbci, "1,2", {"events": "stimulus"}),
        (openbci, "1,2", {}),
        (muselsl, "1,2", {}),
        (plain, "L,R", {}),
        (lambda path: plain(path, separator=";"), "L,R", {}),
        (lambda path: with_commas(plain(path, separator=";")), "L,R", {}),
        (lambda path: with_commas(plain(path, separator="\t", unit=" [V]", factor=1e-6)), "L,R", {}),
        (lambda path: plain(path, separator="\t", unit=" [mV]", factor=1e-3), "L,R", {}),
        (lambda path: plain(path, unit=""), "L,R", {"unit": "uV"}),
        (lambda path: plain(path, unit="", factor=1e-6), "L,R", {"unit": "V"}),
        (lambda path: plain(path, time=""), "L,R", {"rate_hz": RATE_HZ}),
        (lambda path: plain(path, time="time"), "L,R", {"rate_hz": RATE_HZ}),
    ],
)
def test_the_impulse_is_at_the_first_sample_of_its_window(
    write: Callable[[Path], Path], classes: str, options: dict[str, object], tmp_path: Path
) -> None:
    write(tmp_path / "one.csv")
    dataset = own(tmp_path, "one.csv", classes, **options)
    check_impulses(dataset)
    assert dataset.source_rate_hz == RATE_HZ


def test_markers_in_rows_of_their_own_stand_at_the_next_sample(tmp_path: Path) -> None:
    mind_monitor(tmp_path / "one.csv")
    dataset = own(tmp_path, "one.csv", "/Marker/L,/Marker/R")
    check_impulses(dataset, offset=800.0)
    assert [one.name for one in dataset.windows.channels] == ["TP9", "AF7", "AF8"]


def test_a_file_of_the_old_openbci_gui_has_no_header_line(tmp_path: Path) -> None:
    old_openbci(tmp_path / "one.txt")
    with pytest.raises(DataError, match=r"no event is called 1 or 2"):
        own(tmp_path, "one.txt", "1,2")


@pytest.mark.parametrize(("lost", "said"), [(3, "3 samples"), (256, "256 samples"), (300, "300 samples")])
def test_lost_samples_are_told_and_no_window_passes_them(lost: int, said: str, tmp_path: Path) -> None:
    keep = np.ones(SAMPLES.shape[1], dtype=bool)
    keep[450 : 450 + lost] = False
    openbci(tmp_path / "one.txt", keep)
    dataset = own(tmp_path, "one.txt", "1,2")
    whole = [sample for sample in CUES if keep[sample : sample + 100].all()]
    starts = dataset.windows.starts.tolist()
    assert starts == whole
    for one, sample in zip(dataset.windows.inputs(), whole, strict=True):
        np.testing.assert_allclose(one, SAMPLES[:, sample : sample + 100], atol=0.01)
    assert any(said in note and "1 gap" in note for note in dataset.notes)


def test_a_gap_in_the_times_of_a_plain_table_is_told(tmp_path: Path) -> None:
    path = plain(tmp_path / "one.csv")
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(lines[:451] + lines[501:]) + "\n", encoding="utf-8")
    dataset = own(tmp_path, "one.csv", "L,R")
    assert dataset.windows.starts.tolist() == [200, 600, 800]
    assert any("50 samples are lost in 1 gap(s)" in note for note in dataset.notes)


def test_times_at_no_constant_rate_are_refused_or_read_between(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    times = np.cumsum(rng.uniform(0.2, 1.8, SAMPLES.shape[1])) / RATE_HZ
    columns = {"time_s": times, "C3 (uV)": 100 * np.sin(2 * np.pi * times), "C4 (uV)": 100 * np.cos(2 * np.pi * times),
               "marker": [CUES.get(n, "") for n in range(SAMPLES.shape[1])]}  # fmt: skip
    (tmp_path / "one.csv").write_text("\n".join(rows_of(columns)) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"one.csv: its samples come at no constant rate.*irregular = 'resample'"):
        own(tmp_path, "one.csv", "L,R")
    dataset = own(tmp_path, "one.csv", "L,R", irregular="resample", rate_hz=200.0)
    for one, sample in zip(dataset.windows.inputs(), CUES, strict=True):
        wanted = np.sin(2 * np.pi * (times[sample] + np.arange(200) / 200.0))
        np.testing.assert_allclose(one[0], 100 * wanted, atol=4)
    assert any("read linearly between" in note for note in dataset.notes)


def test_a_channel_that_stays_at_its_limit_is_told(tmp_path: Path) -> None:
    path = plain(tmp_path / "one.csv")
    lines = path.read_text(encoding="utf-8").splitlines()
    for row in range(1000, 1100):
        parts = lines[row].split(",")
        lines[row] = ",".join([*parts[:2], "2000.0", *parts[3:]])
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert any("saturated or off: channel Cz (5% of its samples are 2000 µV, 100 in a row)" in note
               for note in own(tmp_path, "one.csv", "L,R").notes)  # fmt: skip


@pytest.mark.parametrize(
    ("write", "options", "said"),
    [
        (lambda path: plain(path, unit=""), {}, r"states no unit of channel C3.*option unit"),
        (lambda path: plain(path, time=""), {}, r"rate is not known.*rate_hz"),
        (lambda path: plain(path, time="time"), {}, r"unit of the column 'time' is not known.*time_ms"),
        (plain, {"rate_hz": 125.0}, r"rate is stated as 125 Hz, but its time stamps run at 100 Hz"),
        (plain, {"channels": "C5"}, r"no channel C5.*Did you mean"),
        (lambda path: path.write_bytes(b"0       X X" + bytes(300)), {}, r"it is no text file"),
        (lambda path: path.write_text(""), {}, r"it holds no row"),
        (lambda path: path.write_text("1,2,3\n4,5,6\n"), {}, r"first row holds numbers"),
        (lambda path: path.write_text("a,b\nx,y\n"), {}, r"none of its columns holds a signal: a, b"),
        (lambda path: path.write_text("time_s,C3 (uV)\n0,1\n1,2,3\n"), {}, r"line 3 has 3 fields, the header 2"),
        (lambda path: path.write_text("#\ntime_s,C3 (uV)\n0,1\n\n1\n2,3\n"), {}, r"line 5 has 1 fields, the header 2"),
        (lambda path: path.write_text("#\ntime_s,C3 (uV)\n" + 60 * "0,1\n" + "1,x\n" + 60 * "2,3\n"), {},
         r"holds 'x' in line 63, no number"),
        (lambda path: plain(path, rate_hz=0.1), {}, r"at the 0.1 Hz that were read.*times in another unit"),
        (lambda path: path.write_text("time_s,C3 (uV)\n"), {}, r"a header and no row below it"),
        (lambda path: plain(path, unit=" (mVolt)"), {}, r"unit 'mVolt' of channel C3 is not known.*Known are V, mV"),
        (lambda path: plain(path, unit=" [mcV]"), {}, r"unit 'mcV' of channel C3 is not known"),
        (lambda path: plain(path, unit=" (1)"), {}, r"states no unit of channel C3 \(1\)"),
        (lambda path: path.write_text("time_s,C3 (uV),C3 (uV),C4 (uV)\n0,1,2,3\n1,2,3,4\n"), {},
         r"two columns are called C3 \(uV\)"),
    ],
)
def test_what_is_not_known_or_no_table_is_refused(
    write: Callable[[Path], object], options: dict[str, object], said: str, tmp_path: Path
) -> None:
    write(tmp_path / "one.csv")
    with pytest.raises(DataError, match=rf"one.csv.*{said}"):
        own(tmp_path, "one.csv", "L,R", **options)


def test_files_of_one_dataset_that_state_two_units_are_refused(tmp_path: Path) -> None:
    plain(tmp_path / "a.csv")
    plain(tmp_path / "b.csv", unit=" (mVolt)")
    with pytest.raises(DataError, match=r"b.csv: the unit 'mVolt' of channel C3 is not known"):
        own(tmp_path, "a.csv,b.csv", "L,R")
    sets = [(name, (Channel("C3", "", unit),)) for name, unit in (("a", "µV"), ("b", "as stored"))]
    with pytest.raises(DataError, match=r"b: channel C3 is in as stored, but in µV in a.*option unit"):
        in_one_order(sets, "refuse")


def test_a_value_that_is_no_number_is_told_with_file_sample_and_time(tmp_path: Path) -> None:
    """The field of Cz on line 300 (header: line 1) is sample 299; at 100 Hz it is 298/100 s after the first."""
    plain(tmp_path / "a.csv")
    lines = plain(tmp_path / "b.csv").read_text(encoding="utf-8").splitlines()
    parts = lines[299].split(",")
    lines[299] = ",".join([*parts[:2], "nan", *parts[3:]])
    (tmp_path / "b.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    said = r"b.csv: not-a-number or infinite values in channel Cz, the first in sample 299, 2.98 s after the first"
    with pytest.raises(DataError, match=said):
        own(tmp_path, "a.csv,b.csv", "L,R").windows.inputs()


def test_a_row_cut_short_is_refused(tmp_path: Path) -> None:
    path = openbci(tmp_path / "one.txt")
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(DataError, match=r"one.txt: the file is truncated: its last row has"):
        own(tmp_path, "one.txt", "1,2")


@pytest.mark.recordings
def test_a_file_of_the_openbci_gui_that_was_recorded() -> None:
    folder = Path(os.environ.get("COSIM_DATA", "")) / "openbci_sample"
    found = sorted(folder.glob("*.txt")) if os.environ.get("COSIM_DATA") else []
    if not found:
        pytest.skip("the folder COSIM_DATA holds no openbci_sample")
    from cosim.datasets.mne_files.options import Options
    from cosim.datasets.recording_files import read_recording

    options = Options(files=(str(found[0]),), classes={"1": ("1",), "2": ("2",)}, start_s=0.0, stop_s=1.0,
                      source_bits=24)  # fmt: skip
    read = read_recording(found[0], options)
    assert (len(read.channels), read.rate_hz, len(read.stretches)) == (8, 250.0, 1)
    assert read.read(0, 1)[:2, 0].tolist() == [61379.36, 49492.89]


@pytest.mark.parametrize("every", [10, 50])
@pytest.mark.parametrize(("rate_hz", "decimals"), [(100.0, 3), (256.0, 3), (500.0, 4), (250.0, 6)])
def test_samples_lost_regularly_are_counted(every: int, rate_hz: float, decimals: int) -> None:
    steps = np.delete(np.arange(20_000), np.arange(every - 1, 20_000, every))
    times_s = np.round(1.7e9 + steps / rate_hz, decimals)
    found = timeline(times_s, Path("own.csv"))
    assert found.rate_hz == rate_hz
    firsts = np.concatenate([one.first_step + np.arange(one.stop - one.start) for one in found.stretches])
    np.testing.assert_array_equal(firsts, steps)
    lost = 20_000 // every
    assert any(f"{lost - 1} samples are lost in {lost - 1} gap(s)" in note for note in found.notes)


def test_stamps_too_coarse_to_tell_a_loss_are_told() -> None:
    """Milliseconds: 960 Hz without a loss, or 1000 Hz and every 25th sample lost."""
    times_s = np.round(np.arange(20_000) / 960, 3)
    found = timeline(times_s, Path("own.csv"))
    assert found.rate_hz == 960
    assert len(found.stretches) == 1
    assert any("too coarse to tell 960 Hz from 1000 Hz with" in note for note in found.notes)
    assert timeline(times_s, Path("own.csv"), rate_hz=960.0).notes == ()
    lost = timeline(np.delete(np.arange(20_000), np.arange(24, 20_000, 25)) / 1000, Path("own.csv"), rate_hz=1000.0)
    assert len(lost.stretches) == 800


ROUNDED = [(498.0, 3), (490.0, 3), (400.0, 3), (300.0, 3), (600.0, 3), (512.0, 3), (1024.0, 3), (180.0, 3), (64.0, 2)]


@pytest.mark.parametrize(("rate_hz", "decimals"), ROUNDED)
def test_rounded_stamps_are_no_loss(rate_hz: float, decimals: int) -> None:
    found = timeline(np.round(np.arange(20_000) / rate_hz, decimals), Path("own.csv"))
    assert found.rate_hz == pytest.approx(rate_hz, rel=1e-3)
    assert len(found.stretches) == 1


def test_a_table_that_loses_every_50th_row_is_read_at_its_rate(tmp_path: Path) -> None:
    keep = np.delete(np.arange(SAMPLES.shape[1]), np.arange(49, SAMPLES.shape[1], 50))
    columns: dict[str, object] = {"time_s": keep / RATE_HZ}
    columns |= {f"{name} (uV)": np.round(SAMPLES[row, keep], 3) for row, name in enumerate(NAMES)}
    columns["marker"] = [CUES.get(int(step), "") for step in keep]
    (tmp_path / "own.csv").write_text("\n".join(rows_of(columns)) + "\n", encoding="utf-8")
    found = own(tmp_path, "own.csv", start_s=0.0, stop_s=0.4)
    assert found.windows.inputs().shape[-1] == 40
    np.testing.assert_allclose(found.windows.inputs()[0], SAMPLES[:, 200:240], atol=1e-3)
    assert any("samples are lost in 39 gap(s)" in note for note in found.notes)


@pytest.mark.parametrize(
    ("fields", "read"),
    [
        (("1,250", "0,5"), ("1.250", "0.5")),
        (("1,250", "2,000"), ("1,250", "2,000")),  # thousands, or numbers of three decimals
        (("1,25", "2.5"), ("1,25", "2.5")),
        (("-,5", "7"), ("-.5", "7")),
        (("a,5", "7,5"), ("a,5", "7,5")),
    ],
)
def test_a_comma_is_a_decimal_point_where_it_can_be_nothing_else(
    fields: tuple[str, str], read: tuple[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "one.csv"
    path.write_text("a;b\n" + "".join(f"{one};1\n" for one in fields), encoding="utf-8")
    assert tuple(read_table(path).columns["a"]) == read
