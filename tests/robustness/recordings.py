"""Recordings: EDF, BDF, GDF, FIF, BrainVision, EEGLAB, Persyst."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np

from cosim.datasets.registry import load
from tests.cosim.recording_files import NAMES, RATE_HZ, noise, write_brainvision, write_edf, write_fif, write_persyst
from tests.robustness.arrays import check_dataset
from tests.robustness.documents import in_csv
from tests.robustness.kind import Change, Kind, Read
from tests.robustness.mild import factor

MARKS = [(2.0, "L"), (4.0, "R"), (7.5, "L")]
SECONDS = 10
FIELDS = ("-1", "0", "1", "99999999", "1e308", "nan", "inf", "", "x", "3", "-0", "1,5", "0.0001", "۳")
FIXED = ((0, 8), (168, 8), (176, 8), (184, 8), (192, 44), (236, 8), (244, 8), (252, 4))
"""Places and widths of the fields of an EDF header before those of its signals."""
PER_SIGNAL = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
GDF_MICROVOLT, GDF_INT16 = 4275, 3
FIF_TAG = 16


Record = Callable[[Path, np.ndarray], Path]


def samples() -> np.ndarray:
    """Return the microvolts of every recording, shape (channels, samples)."""
    return noise(float(SECONDS), [round(time_s * RATE_HZ) for time_s, _ in MARKS])


def recorded(name: str, record: Record, read: Read, *changes: Change) -> Kind:
    """Return the kind of a recording: the mild change is one of its amplitudes."""

    def mild(path: Path, dice: Random) -> str:
        by = factor(dice)
        record(path.parent, samples() * by)
        return f"amplitudes by {by:g}"

    return Kind(name, lambda folder: record(folder, samples()), read, mild, changes)


def in_edf(path: Path, dice: Random) -> str:
    """Write something else into a field of an EDF header, of the file or of one signal."""
    data = bytearray(path.read_bytes())
    signals = len(NAMES) + 1
    if dice.random() < 0.4:
        start, width = dice.choice(FIXED)
    else:
        column = dice.randrange(len(PER_SIGNAL))
        width = PER_SIGNAL[column]
        start = 256 + signals * sum(PER_SIGNAL[:column]) + width * dice.randrange(signals)
    text = dice.choice((*FIELDS, "EDF+D", "BDF Annotations", "C3", "V", "mV"))
    data[start : start + width] = text.encode()[:width].ljust(width)
    path.write_bytes(bytes(data))
    return f"{text!r} at {start}"


def in_binary(path: Path, dice: Random) -> str:
    """Write a number that no one means over one of a binary header."""
    data = bytearray(path.read_bytes())
    form = dice.choice(("<H", "<I", "<i", "<q", "<d", "<f", ">i", ">I"))
    wide = dice.choice((0, -1 if form[1] in "iqdf" else 1, 1, 7, 255, 32767))
    value = dice.choice((float("nan"), float("inf"), 1e30, wide)) if form[1] in "df" else wide
    at = dice.randrange(min(len(data) - 8, 1500)) // 2 * 2
    data[at : at + struct.calcsize(form)] = struct.pack(form, value)
    path.write_bytes(bytes(data))
    return f"{value} {form} at {at}"


def in_fif(path: Path, dice: Random) -> str:
    """Change the kind, type, length or successor of a tag of a FIF file, or drop or double the tag."""
    data = path.read_bytes()
    places = [0]
    while places[-1] + FIF_TAG <= len(data):
        size, after = struct.unpack(">ii", data[places[-1] + 8 : places[-1] + FIF_TAG])
        following = after if after > 0 else places[-1] + FIF_TAG + size
        if after == -1 or following <= places[-1]:
            break
        places.append(following)
    at = dice.choice(places)
    kind, form, size, after = struct.unpack(">iiii", data[at : at + FIF_TAG])
    match dice.choice(("kind", "type", "size", "after", "value", "drop", "double")):
        case "kind":
            kind = dice.choice((0, 100, 101, 102, 103, 104, 105, 200, 201, 203, 300, 104, 2**31 - 1))
        case "type":
            form = dice.choice((0, 1, 3, 4, 5, 10, 20, 30, 0x40000004, -1))
        case "size":
            size = dice.choice((0, -1, 1, 4, 2**31 - 1, size + 4))
        case "after":
            after = dice.choice((0, -1, at, 4, 2**31 - 1, places[0]))
        case "value":
            value = struct.pack(">i", dice.choice((0, -1, 2**31 - 1, 3, 0x7FC00000)))
            path.write_bytes(data[: at + FIF_TAG] + value + data[at + FIF_TAG + 4 :])
            return f"value of tag {kind} at {at}"
        case "drop":
            path.write_bytes(data[:at] + data[at + FIF_TAG + max(size, 0) :])
            return f"tag {kind} at {at} dropped"
        case _:
            end = at + FIF_TAG + max(size, 0)
            path.write_bytes(data[:end] + data[at:end] + data[end:])
            return f"tag {kind} at {at} doubled"
    path.write_bytes(data[:at] + struct.pack(">iiii", kind, form, size, after) + data[at + FIF_TAG :])
    return f"tag at {at} now {kind} {form} {size} {after}"


def in_lines(path: Path, dice: Random) -> str:
    """Drop, double, move or change a line of a text header, or of the text file beside it."""
    texts = [path, *(one for one in path.parent.glob("*.vmrk"))]
    chosen = dice.choice([one for one in texts if one.is_file()])
    lines = chosen.read_text(encoding="utf-8").splitlines()
    at = dice.randrange(len(lines))
    key, sign, value = lines[at].partition("=")
    act = dice.choice(("drop", "double", "order", "value", "value", "value", "value", "part"))
    match act:
        case "drop":
            del lines[at]
        case "double":
            lines.insert(at, lines[at])
        case "order":
            dice.shuffle(lines)
        case "part":
            lines[at] = lines[at][: len(lines[at]) // 2]
        case _ if sign:
            parts = value.split(",")
            parts[dice.randrange(len(parts))] = dice.choice((*FIELDS, "MULTIPLEXED", "VECTORIZED", "IEEE_FLOAT_32",
                                                             "µV", "../../x.eeg", path.name))  # fmt: skip
            lines[at] = f"{key}={','.join(parts)}"
        case _:
            lines[at] = dice.choice(FIELDS)
    chosen.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"{chosen.name} line {at} {act}: {lines[at][:40] if at < len(lines) else ''}"


def _edf(suffix: str) -> Record:
    return lambda folder, own: write_edf(folder / f"one.{suffix}", own, range(SECONDS), MARKS, kind="EDF+C")


def _gdf(folder: Path, own: np.ndarray) -> Path:
    """Write GDF 2.10 by hand: 16 bits, records of one second, a table of events."""
    count, rate = len(NAMES), round(RATE_HZ)
    head = b"GDF 2.10".ljust(8) + b"X X".ljust(66) + bytes(10) + bytes(4) + b"X".ljust(64) + bytes(4) + bytes(12)
    head += bytes(16) + struct.pack("<H", 1 + count) + bytes(6) + bytes(8) + bytes(6) + bytes(6) + bytes(24)
    head += struct.pack("<q", SECONDS) + struct.pack("<II", 1, 1) + struct.pack("<HH", count, 0)
    head += b"".join(name.encode().ljust(16) for name in NAMES) + bytes(80 * count) + bytes(6 * count)
    head += struct.pack(f"<{count}H", *[GDF_MICROVOLT] * count)
    for ends in (-5000.0, 5000.0, -32768.0, 32767.0):
        head += struct.pack(f"<{count}d", *[ends] * count)
    head += bytes(68 * count) + struct.pack(f"<{3 * count}f", *[50.0] * count, *[0.0] * 2 * count)
    head += struct.pack(f"<{2 * count}I", *[rate] * count, *[GDF_INT16] * count)
    head += bytes(12 * count) + bytes(20 * count)
    digital = np.round(own / 5000 * 32767).astype("<i2")
    body = digital.reshape(count, SECONDS, rate).transpose(1, 0, 2).tobytes()
    codes = [769 if text == "L" else 770 for _, text in MARKS]
    table = b"\x01" + len(MARKS).to_bytes(3, "little") + struct.pack("<f", RATE_HZ)
    table += struct.pack(f"<{len(MARKS)}I", *[round(time_s * RATE_HZ) + 1 for time_s, _ in MARKS])
    table += struct.pack(f"<{len(MARKS)}H", *codes)
    (folder / "one.gdf").write_bytes(head + body + table)
    return folder / "one.gdf"


def _fif(folder: Path, own: np.ndarray) -> Path:
    return write_fif(folder / "one_raw.fif", own, [(time_s, 0.0, text) for time_s, text in MARKS])


def _brainvision(folder: Path, own: np.ndarray) -> Path:
    return write_brainvision(folder / "one.vhdr", own, [(round(t * RATE_HZ), text) for t, text in MARKS])


def _persyst(folder: Path, own: np.ndarray) -> Path:
    return write_persyst(folder / "one.lay", own, MARKS)


def _eeglab(folder: Path, own: np.ndarray) -> Path:
    from tests.cosim.eeglab_file import write_eeglab

    return write_eeglab(folder / "one.set", own, MARKS)


def _text(folder: Path, own: np.ndarray) -> Path:
    """Write a table with a header: times, channels in microvolts, a column of marks."""
    marks = [""] * own.shape[1]
    for time_s, text in MARKS:
        marks[round(time_s * RATE_HZ)] = text
    lines = [",".join(["time_s", *(f"{name} (uV)" for name in NAMES), "marker"])]
    lines += [",".join([f"{n / RATE_HZ:.3f}", *(f"{x:.3f}" for x in row), marks[n]]) for n, row in enumerate(own.T)]
    (folder / "one.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "one.csv"


def reader(classes: str, **more: object) -> Read:
    """Return what reads a recording as a study does: windows of a second after each cue."""

    def read(path: Path) -> None:
        options = {"files": path.name, "classes": classes, "source_bits": 16, "start_s": 0.0, "stop_s": 1.0, **more}
        check_dataset(load("mne_file", data_dir=path.parent, options=options))

    return read


LETTERS = reader("L,R")
RECORDINGS = (
    recorded("edf", _edf("edf"), LETTERS, in_edf),
    recorded("bdf", _edf("bdf"), LETTERS, in_edf),
    recorded("gdf", _gdf, reader("769,770"), in_binary),
    recorded("fif", _fif, LETTERS, in_fif),
    recorded("brainvision", _brainvision, reader("Stimulus/L,Stimulus/R"), in_lines),
    recorded("persyst", _persyst, LETTERS, in_lines),
    recorded("text", _text, LETTERS, in_csv),
    recorded("eeglab", _eeglab, LETTERS),
)
