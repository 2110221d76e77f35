"""Recordings in containers: XDF streams, NWB, EDF with the tables of BIDS, trials in FIF and EEGLAB files."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random

import numpy as np

from tests.cosim.nwb_files import write_nwb
from tests.cosim.recording_files import RATE_HZ, write_edf
from tests.cosim.trial_files import write_set_trials, write_trials
from tests.cosim.xdf_file import write as write_xdf
from tests.robustness.documents import in_csv
from tests.robustness.networks import in_hdf5
from tests.robustness.recordings import LETTERS, MARKS, SECONDS, in_fif, reader, recorded

CUES = {round(time_s * RATE_HZ): text for time_s, text in MARKS}
CHUNKS = (1, 2, 3, 4, 5, 6, 0, 9)
STEM = "sub-01_task-hand_run-1"
BEFORE_S, AFTER_S = 0.5, 1.5
VOLTS_PER_CODE = 1e-7


def in_chunks(path: Path, dice: Random) -> str:
    """Drop, double, move or cut a chunk of an XDF file, or change its kind, its stream or a number in it."""
    chunks = _chunks(path.read_bytes())
    at = dice.randrange(len(chunks))
    tag, body = chunks[at]
    act = dice.choice(("drop", "double", "move", "cut", "tag", "stream", "number", "number", "text", "text"))
    match act:
        case "drop":
            del chunks[at]
        case "double":
            chunks.insert(dice.randrange(len(chunks)), (tag, body))
        case "move":
            chunks.insert(dice.randrange(len(chunks)), chunks.pop(at))
        case "cut":
            chunks[at] = (tag, body[: dice.randrange(len(body) + 1)])
        case "tag":
            chunks[at] = (dice.choice(CHUNKS), body)
        case "stream":
            chunks[at] = (tag, struct.pack("<I", dice.choice((0, 1, 2, 3, 2**32 - 1))) + body[4:])
        case "text":
            old = dice.choice((b"float32", b"100", b"EEG", b"Markers", b"microvolts", b"<channel>", b"</info>", b"3"))
            new = dice.choice((b"int8", b"string", b"0", b"-1", b"nan", b"1e308", b"", b"<", b"V", b"double64"))
            chunks = [(tag, body.replace(old, new, 1)) for tag, body in chunks]
        case _:
            place = 4 + 4 * dice.randrange(max(1, min(len(body), 400) // 4 - 1))
            value = struct.pack("<d", dice.choice((float("nan"), float("inf"), 0.0, -1e9, 1e300)))
            chunks[at] = (tag, body[:place] + value + body[place + 8 :])
    path.write_bytes(b"XDF:" + b"".join(_chunk(tag, body) for tag, body in chunks))
    return f"chunk {at} {act}"


def _chunks(data: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 4
    while at < len(data):
        size = struct.unpack("<I", data[at + 1 : at + 5])[0]  # as the writer has it: always four bytes
        found.append((struct.unpack("<H", data[at + 5 : at + 7])[0], data[at + 7 : at + 5 + size]))
        at += 5 + size
    return found


def _chunk(tag: int, body: bytes) -> bytes:
    return b"\x04" + struct.pack("<IH", len(body) + 2, tag) + body


def in_tables(path: Path, dice: Random) -> str:
    """Change a cell, a row or a column of a table beside a recording."""
    table = dice.choice(sorted(path.parent.glob("*.tsv")))
    text = table.read_text(encoding="utf-8").replace("\t", ",")
    table.write_text(text, encoding="utf-8")
    said = in_csv(table, dice)
    table.write_text(table.read_text(encoding="utf-8").replace(",", "\t"), encoding="utf-8")
    return f"{table.name} {said}"


def _xdf(folder: Path, own: np.ndarray) -> Path:
    return write_xdf(folder / "one.xdf", samples=own, times_s=1000 + np.arange(own.shape[1]) / RATE_HZ, cues=CUES)


def _nwb(folder: Path, own: np.ndarray) -> Path:
    stored = np.round(own.T * 1e-6 / VOLTS_PER_CODE).astype("<i2")
    trials = [{"start_time": time_s, "stop_time": time_s + 1.0, "side": text} for time_s, text in MARKS]
    return write_nwb(folder / "one.nwb", stored, series={"conversion": VOLTS_PER_CODE, "rate": RATE_HZ}, trials=trials)


def _bids(folder: Path, own: np.ndarray) -> Path:
    events = "".join(f"{time_s}\t1.5\t{text}\n" for time_s, text in MARKS)
    (folder / f"{STEM}_events.tsv").write_text(f"onset\tduration\ttrial_type\n{events}", encoding="utf-8")
    channels = "".join(f"{name}\tEEG\tuV\tgood\n" for name in ("C3", "Cz", "C4"))
    (folder / f"{STEM}_channels.tsv").write_text(f"name\ttype\tunits\tstatus\n{channels}", encoding="utf-8")
    return write_edf(folder / f"{STEM}_eeg.edf", own, range(SECONDS), kind="EDF+C")


def _trials(folder: Path, own: np.ndarray) -> Path:
    return write_trials(folder / "one-epo.fif", -BEFORE_S, AFTER_S, CUES, own)


def _set_trials(folder: Path, own: np.ndarray) -> Path:
    return write_set_trials(folder / "one.set", cues=CUES, samples=own)


STREAMS = (
    recorded("xdf", _xdf, LETTERS, in_chunks),
    recorded("nwb", _nwb, LETTERS, in_hdf5),
    recorded("bids", _bids, reader("L,R", events="bids"), in_tables),
    recorded("trials_fif", _trials, LETTERS, in_fif),
    recorded("trials_set", _set_trials, LETTERS),
)
