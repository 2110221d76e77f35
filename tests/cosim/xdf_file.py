"""Small XDF files written by hand for tests: a stream of samples and one of markers, each with a clock of its own."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tests.cosim.recording_files import RATE_HZ, noise

CUES = {200: "L", 400: "R", 600: "L", 800: "R"}
SAMPLES = noise(20.0, CUES)
TIMES_S = 1000 + np.arange(SAMPLES.shape[1]) / RATE_HZ
LABELS = "".join(f"<channel><label>{name}</label><type>EEG</type><unit>microvolts</unit></channel>"
                 for name in ("C3", "Cz", "C4"))  # fmt: skip


def chunk(tag: int, body: bytes) -> bytes:
    return b"\x04" + struct.pack("<I", len(body) + 2) + struct.pack("<H", tag) + body


def header(number: int, name: str, kind: str, channels: int, rate_hz: float, *, host: str, desc: str = "") -> bytes:
    fmt = "string" if kind == "Markers" else "float32"
    xml = (f"<?xml version='1.0'?><info><name>{name}</name><type>{kind}</type><channel_count>{channels}"
           f"</channel_count><nominal_srate>{rate_hz}</nominal_srate><channel_format>{fmt}</channel_format>"
           f"<hostname>{host}</hostname><desc><channels>{desc}</channels></desc></info>")  # fmt: skip
    return chunk(2, struct.pack("<I", number) + xml.encode())


def numbers(number: int, times_s: np.ndarray, samples: np.ndarray) -> bytes:
    body = struct.pack("<I", number) + b"\x04" + struct.pack("<I", len(times_s))
    for time_s, one in zip(times_s, samples.T, strict=True):
        body += b"\x08" + struct.pack("<d", time_s) + np.asarray(one, "<f4").tobytes()
    return chunk(3, body)


def texts(number: int, marks: Sequence[tuple[float, str]]) -> bytes:
    body = struct.pack("<I", number) + b"\x04" + struct.pack("<I", len(marks))
    for time_s, text in marks:
        body += b"\x08" + struct.pack("<d", time_s) + b"\x01" + bytes([len(text)]) + text.encode()
    return chunk(3, body)


def offsets(number: int, times_s: Sequence[float], values_s: Sequence[float]) -> bytes:
    return b"".join(chunk(4, struct.pack("<Idd", number, time_s, value_s))
                    for time_s, value_s in zip(times_s, values_s, strict=True))  # fmt: skip


def footer(number: int, count: int) -> bytes:
    xml = f"<?xml version='1.0'?><info><sample_count>{count}</sample_count></info>"
    return chunk(6, struct.pack("<I", number) + xml.encode())


def write(
    path: Path, *, times_s: np.ndarray = TIMES_S, samples: np.ndarray = SAMPLES, ahead_s: float = 0.0,
    with_offsets: str = "yes", desc: str = LABELS, more: bytes = b"", rate_hz: float = RATE_HZ, host: str = "b",
    count: int | None = None, cues: Mapping[int, str] = CUES,
) -> Path:  # fmt: skip
    """Write a stream of samples and one of markers, whose clock is ahead of that of the samples."""
    marks = [(float(TIMES_S[sample]) + ahead_s, text) for sample, text in cues.items()]
    body = header(1, "Amp", "EEG", len(samples), rate_hz, host="a", desc=desc)
    body += header(2, "Cues", "Markers", 1, 0, host=host)
    if with_offsets == "yes":
        asked = [float(times_s[0]) + n for n in range(20)]
        body += offsets(1, asked, [0.0] * 20) + offsets(2, [one + ahead_s for one in asked], [-ahead_s] * 20)
    body += numbers(1, times_s, samples) + texts(2, marks) + more
    body += footer(1, len(times_s) if count is None else count) + footer(2, len(marks))
    path.write_bytes(b"XDF:" + chunk(1, b"<?xml version='1.0'?><info><version>1.0</version></info>") + body)
    return path
