"""Small recordings written for tests: noise of 10 µV with an impulse of 1 mV at every cue, in formats of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import mne
import numpy as np

from cosim.datasets.registry import load
from cosim.datasets.types import Dataset

RATE_HZ = 100.0
NAMES = ("C3", "Cz", "C4")


def noise(seconds: float, cues: Sequence[int] = (), *, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Return microvolts, shape (channels, samples), with an impulse in every channel at each cue."""
    samples = np.random.default_rng(seed).normal(0, 10, (channels, round(seconds * RATE_HZ)))
    samples[:, list(cues)] = 1000.0
    return samples


def raw_of(microvolts: np.ndarray, names: Sequence[str] = NAMES, first: int = 0) -> mne.io.RawArray:
    info = mne.create_info(list(names), RATE_HZ, "eeg")
    return mne.io.RawArray(microvolts * 1e-6, info, first_samp=first, verbose="ERROR")


def write_fif(
    path: Path,
    microvolts: np.ndarray,
    marks: Sequence[tuple[float, float, str]] = (),
    *,
    names: Sequence[str] = NAMES,
    bads: Sequence[str] = (),
    stimulus: np.ndarray | None = None,
) -> Path:
    """Write a FIF file with annotations (onset [s], duration [s], text), bad channels and a stimulus channel."""
    raw = raw_of(microvolts, names)
    if stimulus is not None:
        info = mne.create_info(["STI 014"], RATE_HZ, "stim")
        raw.add_channels([mne.io.RawArray(stimulus[None, :], info, verbose="ERROR")], force_update_info=True)
    raw.info["bads"] = list(bads)
    if marks:
        raw.set_annotations(mne.Annotations(*zip(*marks, strict=True)))
    raw.save(path, overwrite=True, verbose="ERROR")
    return path


def write_edf(
    path: Path,
    microvolts: np.ndarray,
    begins_s: Sequence[float],
    marks: Sequence[tuple[float, str]] = (),
    *,
    kind: str = "EDF+D",
    dimension: str = "uV",
) -> Path:
    """Write EDF+ or BDF+ by hand: records of one second that begin at `begins_s`, marks at (time [s], text)."""
    width = 3 if path.suffix == ".bdf" else 2
    prefix, limit = path.suffix[1:].upper(), 2 ** (8 * width - 1) - 1
    labels = [*NAMES[: len(microvolts)], f"{prefix} Annotations"]
    rate, tal_samples = round(RATE_HZ), 60
    counts = [rate] * len(microvolts) + [tal_samples]

    def field(values: Sequence[object], size: int) -> bytes:
        return b"".join(str(value).encode().ljust(size) for value in values)

    signals, plain = len(labels), len(microvolts)
    head = (b"\xffBIOSEMI" if width == 3 else b"0".ljust(8)) + b"X X X X".ljust(80) + b"Startdate X X X X".ljust(80)
    head += b"01.01.2000.00.00" + field([256 * (signals + 1)], 8) + field([kind.replace("EDF", prefix)], 44)
    head += field([len(begins_s)], 8) + field([1], 8) + field([signals], 4)
    head += field(labels, 16) + field([""] * signals, 80) + field([*[dimension] * plain, ""], 8)
    head += field([*[-5000] * plain, -1], 8) + field([*[5000] * plain, 1], 8)
    head += field([-limit - 1] * signals, 8) + field([limit] * signals, 8) + field([""] * signals, 80)
    head += field(counts, 8) + field([""] * signals, 32)
    digital = np.round(microvolts / 5000 * limit).astype("<i4")
    body = b""
    for number, begin_s in enumerate(begins_s):
        part = digital[:, number * rate : (number + 1) * rate]
        body += part.reshape(-1, 1).view(np.uint8).reshape(-1, 4)[:, :width].tobytes()
        tal = f"+{begin_s:g}\x14\x14\x00".encode()
        tal += b"".join(f"+{time_s:g}\x14{text}\x14\x00".encode() for time_s, text in marks
                        if begin_s <= time_s < begin_s + 1)  # fmt: skip
        body += tal.ljust(tal_samples * width, b"\x00")
    path.write_bytes(head + body)
    return path


def write_brainvision(path: Path, microvolts: np.ndarray, marks: Sequence[tuple[int, str]], points: str = "") -> Path:
    """Write a BrainVision header (``.vhdr``), its samples and its markers (sample, text)."""
    channels = len(microvolts)
    lines = ["Brain Vision Data Exchange Header File Version 1.0", "[Common Infos]", f"DataFile={path.stem}.eeg",
             f"MarkerFile={path.stem}.vmrk", "DataFormat=BINARY", "DataOrientation=MULTIPLEXED",
             f"NumberOfChannels={channels}", f"SamplingInterval={1e6 / RATE_HZ:g}", points, "[Binary Infos]",
             "BinaryFormat=INT_16", "[Channel Infos]"]  # fmt: skip
    lines += [f"Ch{n + 1}={name},,0.1,µV" for n, name in enumerate(NAMES[:channels])]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    head = ["Brain Vision Data Exchange Marker File, Version 1.0", "[Common Infos]", f"DataFile={path.stem}.eeg",
            "[Marker Infos]", "Mk1=New Segment,,1,1,0,20200101000000000000"]  # fmt: skip
    head += [f"Mk{n}={'New Segment,' if text == 'pause' else f'Stimulus,{text}'},{sample + 1},1,0"
             for n, (sample, text) in enumerate(marks, start=2)]  # fmt: skip
    path.with_suffix(".vmrk").write_text("\n".join(head) + "\n", encoding="utf-8")
    path.with_suffix(".eeg").write_bytes(np.round(microvolts.T * 10).astype("<i2").tobytes())
    return path


def write_persyst(path: Path, microvolts: np.ndarray, marks: Sequence[tuple[float, str]]) -> Path:
    """Write a Persyst header (``.lay``) and its samples, comments at (time [s], text)."""
    lines = ["[FileInfo]", f"File={path.stem}.dat", "FileType=Interleaved", f"SamplingRate={RATE_HZ:g}",
             "HeaderLength=0", "Calibration=0.1", f"WaveformCount={len(microvolts)}", "DataType=0", "[Patient]",
             "First=A", "Last=B", "Sex=M", "Hand=R", "BirthDate=01/01/80", "TestDate=01/01/2020", "TestTime=00:00:00",
             "[ChannelMap]"]  # fmt: skip
    lines += [f"{name}-Ref={n + 1}" for n, name in enumerate(NAMES[: len(microvolts)])]
    lines += ["[SampleTimes]", "0=0.000000", "[Comments]"]
    lines += [f"{time_s:g},0.0,0,100,{text}" for time_s, text in marks]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path.with_suffix(".dat").write_bytes(np.round(microvolts.T * 10).astype("<i2").tobytes())
    return path


def own(folder: Path, files: object, classes: object = "L,R", **options: object) -> Dataset:
    """Return what `mne_file` makes of files; windows of one second after each cue unless options say otherwise."""
    plain: Mapping[str, object] = {"files": files, "classes": classes, "source_bits": 16}
    window = {} if "cut" in options else {"start_s": 0.0, "stop_s": 1.0}
    return load("mne_file", data_dir=folder, options={**plain, **window, **options})  # type: ignore[arg-type]
