"""XDF files: streams with clocks of their own, gaps, resets; the impulse at each marker is in its window."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest
from recording_files import RATE_HZ, own
from xdf_file import CUES, LABELS, SAMPLES, TIMES_S, footer, header, numbers, offsets, texts, write

from energy_models.errors import DataError

pytest.importorskip("pyxdf")

@pytest.mark.parametrize("ahead_s", [0.0, 3.21, -250.0])
def test_markers_of_another_clock_stand_at_their_samples(ahead_s: float, tmp_path: Path) -> None:
    write(tmp_path / "one.xdf", ahead_s=ahead_s)
    dataset = own(tmp_path, "one.xdf")
    assert dataset.target_values.tolist() == [0, 1, 0, 1]
    for one, sample in zip(dataset.windows.inputs(), CUES, strict=True):
        np.testing.assert_allclose(one, SAMPLES[:, sample : sample + 100], atol=0.01)
    assert [(one.name, one.kind, one.unit) for one in dataset.windows.channels][:1] == [("C3", "eeg", "µV")]


def test_a_packed_file_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "one.xdf")
    (tmp_path / "one.xdfz").write_bytes(gzip.compress(path.read_bytes()))
    assert own(tmp_path, "one.xdfz").windows.starts.tolist() == list(CUES)


def test_a_clock_that_drifts_and_is_reset_is_followed(tmp_path: Path) -> None:
    """The computer of the samples restarts in the middle: its clock begins anew, 500 s back."""
    times = TIMES_S.copy()
    times[1000:] -= 500
    body_offsets = offsets(1, [1000.0 + n for n in range(11)] + [510.5 + n for n in range(10)],
                           [0.0] * 11 + [500.0] * 10)  # fmt: skip
    marks = [(float(TIMES_S[sample]), text) for sample, text in [*CUES.items(), (1500, "L"), (1700, "R")]]
    body = header(1, "Amp", "EEG", 3, RATE_HZ, host="a", desc=LABELS) + header(2, "C", "Markers", 1, 0, host="b")
    body += body_offsets + offsets(2, [1000.0 + n for n in range(21)], [0.0] * 21)
    body += numbers(1, times, SAMPLES) + texts(2, marks) + footer(1, len(times)) + footer(2, len(marks))
    (tmp_path / "one.xdf").write_bytes(b"XDF:" + body)
    assert own(tmp_path, "one.xdf").windows.starts.tolist() == [*CUES, 1500, 1700]


def test_lost_samples_are_told_and_markers_in_gaps_left_out(tmp_path: Path) -> None:
    keep = np.ones(len(TIMES_S), dtype=bool)
    keep[390:450] = False
    write(tmp_path / "one.xdf", times_s=TIMES_S[keep], samples=SAMPLES[:, keep])
    dataset = own(tmp_path, "one.xdf")
    assert dataset.windows.starts.tolist() == [200, 600, 800]
    np.testing.assert_allclose(dataset.windows.inputs()[1], SAMPLES[:, 600:700], atol=0.01)
    said = " ".join(dataset.notes)
    assert "60 samples are lost in 1 gap(s)" in said
    assert "1 marker(s) stand in gaps" in said


def test_one_of_several_streams_is_named(tmp_path: Path) -> None:
    other = header(3, "Other", "EEG", 1, 50, host="b") + numbers(3, TIMES_S[::2], SAMPLES[:1, ::2])
    write(tmp_path / "one.xdf", more=other)
    with pytest.raises(DataError, match=r"2 streams may be meant.*'Amp' \(number 1, EEG, 3 channels.*'Other'"):
        own(tmp_path, "one.xdf")
    assert own(tmp_path, "one.xdf", stream="Amp", markers="Cues").windows.starts.tolist() == list(CUES)
    coarse = own(tmp_path, "one.xdf", stream="3", unit="uV")
    assert coarse.source_rate_hz == 50
    assert coarse.windows.inputs()[0, 0, 0] == pytest.approx(1000.0)
    assert any("'Other' was never closed" in note for note in coarse.notes)


def test_a_stream_at_no_constant_rate_is_refused_or_read_between(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    times = 1000 + np.cumsum(rng.uniform(0.2, 1.8, len(TIMES_S))) / RATE_HZ
    waves = 100 * np.stack([np.sin(2 * np.pi * times + phase) for phase in (0, 1, 2)])
    write(tmp_path / "one.xdf", times_s=times, samples=waves, rate_hz=0)
    with pytest.raises(DataError, match=r"no constant rate.*irregular = 'resample'"):
        own(tmp_path, "one.xdf")
    dataset = own(tmp_path, "one.xdf", irregular="resample", rate_hz=200.0)
    cue_s = TIMES_S[200]
    wanted = 100 * np.sin(2 * np.pi * (cue_s + np.arange(200) / 200.0))
    np.testing.assert_allclose(dataset.windows.inputs()[0, 0], wanted, atol=6)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"desc": ""}, r"states no unit of channel Amp 1.*option unit"),
        ({"with_offsets": "no"}, r"'Amp' and 'Cues' come from the computers 'a' and 'b', and .* no offsets"),
        ({"rate_hz": 250.0}, r"rate is stated as 250 Hz, but its time stamps run at 100 Hz"),
        ({"count": 5000}, r"stream 'Amp' holds 2000 samples of 5000"),
    ],
)
def test_what_is_not_known_is_refused(settings: dict[str, object], said: str, tmp_path: Path) -> None:
    write(tmp_path / "one.xdf", **settings)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=rf"one.xdf.*{said}"):
        own(tmp_path, "one.xdf")


def test_without_offsets_streams_of_one_computer_share_a_clock(tmp_path: Path) -> None:
    write(tmp_path / "one.xdf", with_offsets="no", host="a")
    assert own(tmp_path, "one.xdf").windows.starts.tolist() == list(CUES)


def test_files_cut_short_and_of_another_format_are_refused(tmp_path: Path) -> None:
    whole = write(tmp_path / "one.xdf").read_bytes()
    for length in (len(whole) // 2, len(whole) - 5, 300):
        (tmp_path / "cut.xdf").write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"cut.xdf: the file is truncated"):
            own(tmp_path, "cut.xdf")
    (tmp_path / "cut.xdf").write_bytes(b"0       X X X X" + bytes(500))
    with pytest.raises(DataError, match=r"it is no XDF file"):
        own(tmp_path, "cut.xdf")
    rng = np.random.default_rng(0)
    for _ in range(15):
        damaged = np.frombuffer(whole, np.uint8).copy()
        damaged[rng.integers(0, len(whole), 20)] = rng.integers(0, 256, 20)
        (tmp_path / "cut.xdf").write_bytes(damaged.tobytes())
        try:
            own(tmp_path, "cut.xdf")
        except DataError as error:
            assert "cut" in str(error)  # noqa: PT017


def test_the_extra_is_named_where_its_package_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "one.xdf")
    monkeypatch.setitem(sys.modules, "pyxdf", None)
    with pytest.raises(DataError, match=r"one.xdf: .* needs the package pyxdf.*pip install 'cosim\[recordings\]'"):
        own(tmp_path, "one.xdf")


def test_what_pyxdf_says_is_a_note_or_an_error_and_never_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    late = offsets(2, [9000.0, 9001.0], [50.0, 50.0])  # a reset of the clock, after which nothing was recorded
    dataset = own(write(tmp_path / "one.xdf", more=late).parent, "one.xdf")
    assert dataset.target_values.tolist() == [0, 1, 0, 1]
    assert any("pyxdf: Stream 2: No samples in clock offsets" in note for note in dataset.notes)
    data = (tmp_path / "one.xdf").read_bytes()
    place = data.index(b"<?xml", 200)  # a header of a stream
    (tmp_path / "one.xdf").write_bytes(data[:place] + b"<<<<<" + data[place + 5 :])
    with pytest.raises(DataError, match=r"one.xdf: "):
        own(tmp_path, "one.xdf")
    assert capfd.readouterr() == ("", "")
