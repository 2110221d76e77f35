"""Bonn EEG: 500 single-channel segments of 23.6 s in five sets; set E was recorded during seizures."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from cosim.datasets import files
from cosim.datasets.assemble import CuedRecording, Origin, epoched
from cosim.datasets.card import Card
from cosim.datasets.corpus import Corpus
from cosim.datasets.recordings import Channel, array_recording
from cosim.datasets.types import Dataset
from cosim.preprocessing import eeg_operations
from energy_models.errors import DataError

NAME = "bonn_eeg"
FILE = "bonn_500x4097_int16.npz"
RATE_HZ = 173.61  # Andrzejak et al. 2001
SAMPLES = 4097
SOURCE_BITS = 12  # converter width stated by Andrzejak et al. 2001
SETS = "ABCDE"
PREFIXES = dict(zip("ZONFS", SETS, strict=True))  # the first letter of an original file names its set
PER_SET = 100
CHANNELS = (Channel("EEG", "eeg", "converter steps, about 1 µV"),)

CARD = Card(
    title="Bonn EEG time series (sets A to E)",
    licence="research use with citation; not to be redistributed",
    citation=(
        "Andrzejak, Lehnertz, Mormann, Rieke, David, Elger 2001, Indications of nonlinear deterministic and finite-"
        "dimensional structures in time series of brain electrical activity, Phys. Rev. E 64, 061907, "
        "doi 10.1103/PhysRevE.64.061907"
    ),
    homepage="https://www.upf.edu/web/ntsa/downloads",
    caveats=(
        "No patient identities are published: a test fold may share a patient with the training folds.",
        "Segments were chosen by eye to be free of artefacts, scalp (A, B) and intracranial (C, D, E) mixed.",
        "E against the rest is near ceiling for simple band power.",
    ),
)


class Options(BaseModel):
    """Which classes, and how much of each segment.

    Parameters
    ----------
    classes : {'seizure', 'five'}
        Set E against all others, or all five sets.
    source : {'npz', 'text'}
        One array file, or the original text files (one per segment) in folders below.
    low_hz, high_hz : float or None
        Band edges of a causal filter [Hz]; None on both leaves the segments as published.
    order : int
    window_s : float or None
        Length of the consecutive windows cut from each segment [s]; None keeps it whole.
    decimate : int
        Keep every n-th sample after the filter; 1 keeps 173.61 Hz.
    resample_hz : float or None
        Rate to resample to instead [Hz]; costs a filter of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: Literal["seizure", "five"] = "seizure"
    source: Literal["npz", "text"] = "npz"
    low_hz: float | None = Field(default=None, gt=0)
    high_hz: float | None = Field(default=None, gt=0)
    order: int = Field(default=4, ge=1, le=8)
    window_s: float | None = Field(default=None, gt=0, le=SAMPLES / RATE_HZ)
    decimate: int = Field(default=1, ge=1)
    resample_hz: float | None = Field(default=None, gt=0)


def read_array_file(path: Path) -> dict[str, NDArray[np.float64]]:
    """Return segment name (A001 to E100) to samples, from the array file."""
    if not path.is_file():
        fetch = f"Build it from the text files of {CARD.homepage}, or set source = 'text'."
        raise files.missing(NAME, path, fetch=fetch)
    content = files.read_npz(path, ("X", "y"))
    segments, labels = content["X"], content["y"]
    if segments.ndim != 2 or segments.shape[1] != SAMPLES or labels.shape != (len(segments),):
        raise DataError(f"X has shape {segments.shape} and y {labels.shape}, expected (segments, {SAMPLES}) and "
                        "(segments,)", where=str(path), remedy="Build the file again.")
    counts = dict.fromkeys(SETS, 0)
    found: dict[str, NDArray[np.float64]] = {}
    for segment, label in zip(segments, labels.tolist(), strict=True):
        letter = SETS[int(label)]
        counts[letter] += 1
        found[f"{letter}{counts[letter]:03d}"] = np.asarray(segment, dtype=np.float64)
    return found


def read_text_files(folder: Path) -> dict[str, NDArray[np.float64]]:
    """Return segment name to samples, from every Z001.txt to S100.txt in or below the folder."""
    found: dict[str, NDArray[np.float64]] = {}
    for path in sorted(folder.rglob("*.[tT][xX][tT]")):
        letter, number = path.stem[:1].upper(), path.stem[1:]
        if letter not in PREFIXES or not number.isdigit():
            continue
        with files.reading(path, "the file is no column of numbers"):
            segment = np.loadtxt(path, dtype=np.float64)
        if segment.shape != (SAMPLES,):
            raise DataError(f"the file holds {segment.size} samples, expected {SAMPLES}", where=str(path),
                            remedy="It was cut off: fetch it again.")
        found[f"{PREFIXES[letter]}{int(number):03d}"] = segment
    if not found:
        raise files.missing(NAME, folder / "Z" / "Z001.txt", fetch=f"Fetch the five sets from {CARD.homepage}.")
    return found


def _recording(name: str, segment: NDArray[np.float64], label: int, windows: NDArray[np.int64]) -> CuedRecording:
    """Return one segment as a recording of one channel, with a cue where each window starts."""
    groups = {"segment": name, "set": name[0]}
    recording = array_recording(name, segment[None, :], CHANNELS, RATE_HZ, groups=groups)
    return CuedRecording(recording, windows, np.full(len(windows), label))


def load(options: Options, data_dir: Path | None) -> Dataset:
    """Return the segments, shape (segments, 1, 4097) as published, in the integer units of the files (about 1 µV).

    Raises
    ------
    DataError
        If a file is missing, damaged or too short, a set is absent, or a segment is flat.
    """
    folder = files.root(data_dir, corpus=NAME, expected=f"{NAME}/{FILE}") / NAME
    found = read_array_file(folder / FILE) if options.source == "npz" else read_text_files(folder)
    if absent := [letter for letter in SETS if not any(name[0] == letter for name in found)]:
        raise DataError(f"no segment of set {', '.join(absent)} is there", where=str(folder),
                        remedy="Fetch all five sets (file names start with Z, O, N, F, S).")
    length_s = SAMPLES / RATE_HZ if options.window_s is None else options.window_s
    count = int(SAMPLES / (length_s * RATE_HZ))
    cues = np.round(np.arange(count) * length_s * RATE_HZ).astype(np.int64)
    five = options.classes == "five"
    recordings = [
        _recording(name, segment, SETS.index(name[0]) if five else int(name[0] == "E"), cues)
        for name, segment in sorted(found.items())
    ]
    short = tuple(f"set {letter} has {n} of {PER_SET} segments" for letter in SETS
                  if (n := sum(name[0] == letter for name in found)) != PER_SET)
    names = tuple(f"set {letter}" for letter in SETS) if five else ("no seizure", "seizure")
    origin = Origin(NAME, CARD, names, SOURCE_BITS, short)
    operations = eeg_operations(reference="none", low_hz=options.low_hz, high_hz=options.high_hz, order=options.order,
                                direction="causal", resample_hz=options.resample_hz, decimate=options.decimate)
    return epoched(origin, recordings, operations, start_s=0.0, stop_s=length_s)


DATASET = Corpus(CARD, "classification", Options, load)
