"""PhysioNet EEG Motor Movement/Imagery: real and imagined fists and feet, 64 channels, 160 Hz, EDF+."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from cosim.datasets import files
from cosim.datasets.assemble import CuedRecording, Origin, epoched
from cosim.datasets.card import Card
from cosim.datasets.corpus import Corpus
from cosim.datasets.mne_files import bad_stretches, read_continuous
from cosim.datasets.plausible import check_amplitudes
from cosim.datasets.types import Dataset
from cosim.preprocessing import eeg_operations
from energy_models.errors import DataError

NAME = "eegmmidb"
SOURCE_BITS = 16  # EDF stores 16-bit integers
RUNS = {
    "real_left_right": (3, 7, 11),
    "imagined_left_right": (4, 8, 12),
    "real_fists_feet": (5, 9, 13),
    "imagined_fists_feet": (6, 10, 14),
}
SUBJECTS = 109
PATTERN = re.compile(r"^(S\d{3})R(\d{2})\.edf$")

CARD = Card(
    title="EEG Motor Movement/Imagery Dataset (PhysioNet, version 1.0.0)",
    licence="ODC-By 1.0",
    citation=(
        "Schalk et al. 2004, BCI2000: a general-purpose brain-computer interface system, IEEE Trans. Biomed. Eng. 51, "
        "doi 10.1109/TBME.2004.827072; Goldberger et al. 2000, PhysioBank, PhysioToolkit and PhysioNet, "
        "doi 10.1161/01.CIR.101.23.e215"
    ),
    homepage="https://physionet.org/content/eegmmidb/1.0.0/",
    caveats=(
        "Each task was recorded in runs of its own: pooling tasks lets a decoder tell runs apart instead of movements.",
        "15 trials a run and 45 a task: one subject's score has a wide interval.",
        "Splits must leave out whole runs.",
    ),
)


class Options(BaseModel):
    """Which trials, and how they are cut.

    Parameters
    ----------
    task : str
        One of the four tasks; T1 and T2 of its three runs are the two classes.
    subjects : str
        ``present`` for every subject found, or numbers such as ``1,5,12``.
    reference, direction
        Re-reference and direction of the band-pass; causal is what a device can do.
    low_hz, high_hz : float
        Band edges [Hz].
    order : int
    start_s, stop_s : float
        Window after the cue [s].
    decimate : int
        Keep every n-th sample after the filter; 1 keeps 160 Hz.
    resample_hz : float or None
        Rate to resample to instead [Hz]; costs a filter of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Literal["imagined_left_right", "imagined_fists_feet", "real_left_right", "real_fists_feet"] = (
        "imagined_fists_feet"
    )
    subjects: str = "present"
    reference: Literal["average", "none"] = "average"
    direction: Literal["causal", "acausal"] = "causal"
    low_hz: float = Field(default=7.0, gt=0)
    high_hz: float = Field(default=30.0, gt=0)
    order: int = Field(default=2, ge=1, le=8)
    start_s: float = Field(default=0.5, ge=0)
    stop_s: float = Field(default=2.5, gt=0, le=4.1)
    decimate: int = Field(default=1, ge=1)
    resample_hz: float | None = Field(default=None, gt=0)


def find_files(folder: Path) -> dict[tuple[str, int], Path]:
    """Return the path of every SxxxRyy.edf by (subject, run), in any of the usual layouts below `folder`.

    Raises
    ------
    DataError
        If none is found, or one is found twice.
    """
    places = [folder, *sorted(folder.glob("S[0-9][0-9][0-9]"))]
    for below in (*sorted(folder.glob(f"{NAME}*")), *sorted(folder.glob("MNE-eegbci-data"))):
        places += [below, *sorted(path for path in below.rglob("*") if path.is_dir())]
    found: dict[tuple[str, int], Path] = {}
    for path in (path for place in places if place.is_dir() for path in sorted(place.glob("S*R*.edf"))):
        match = PATTERN.match(path.name)
        if match is None:
            continue
        key = (match[1], int(match[2]))
        if key in found:
            raise DataError(f"{path.name} is there twice: {found[key]} and {path}", where=f"dataset {NAME!r}",
                            remedy="Remove one copy, or name a folder that holds only one.")
        found[key] = path
    if not found:
        expected = folder / f"{NAME}_S001" / "S001R03.edf"
        raise files.missing(NAME, expected, fetch=files.fetch_by_command(NAME))
    return found


def _subjects(wanted: str, found: dict[tuple[str, int], Path]) -> list[str]:
    """Return subject labels in order; ``present`` means all that were found."""
    present = sorted({subject for subject, _ in found})
    if wanted == "present":
        return present
    try:
        labels = [f"S{int(part):03d}" for part in wanted.split(",")]
    except ValueError as error:
        raise DataError(f"subjects = {wanted!r} is no list of numbers", where=f"options of dataset {NAME!r}",
                        remedy="Write subjects = \"1,5,12\" or \"present\".") from error
    if absent := [label for label in labels if label not in present]:
        raise DataError(f"subject {', '.join(absent)} is not there (present: {', '.join(present)})",
                        where=f"dataset {NAME!r}", remedy=files.fetch_by_command(NAME))
    return labels


def _recording(path: Path, subject: str, run: int) -> CuedRecording:
    """Return one run with its T1 and T2 cues."""
    read = read_continuous(path)
    cues = [(one.start, ("T1", "T2").index(one.text)) for one in read.annotations if one.text in {"T1", "T2"}]
    if not cues:
        raise DataError("the file holds no T1 or T2 annotation", where=str(path), remedy="Fetch the file again.")
    channels = tuple(dataclasses.replace(channel, name=channel.name.rstrip(".")) for channel in read.channels)
    recording = read.recording(path.stem, {"subject": subject, "run": f"{subject}R{run:02d}"})
    return CuedRecording(
        dataclasses.replace(recording, channels=channels),
        cues=np.asarray([sample for sample, _ in cues], dtype=np.int64),
        labels=np.asarray([label for _, label in cues], dtype=np.int64),
        bad_stretches=bad_stretches(read.annotations),
    )  # fmt: skip


def load(options: Options, data_dir: Path | None) -> Dataset:
    """Return the windows of one task, in microvolts, shape (trials, 64, steps).

    Raises
    ------
    DataError
        If a file or run is missing, truncated or damaged, a channel is flat or not finite, or rates differ.
    """
    folder = files.root(data_dir, corpus=NAME, expected=f"{NAME}_S001/S001R03.edf")
    found = find_files(folder)
    recordings: list[CuedRecording] = []
    for subject in _subjects(options.subjects, found):
        runs = RUNS[options.task]
        if absent := [f"{subject}R{run:02d}.edf" for run in runs if (subject, run) not in found]:
            raise DataError(f"run {', '.join(absent)} of task {options.task} is missing", where=f"dataset {NAME!r}",
                            remedy=files.fetch_by_command(NAME))
        recordings += [_recording(found[subject, run], subject, run) for run in runs]
    check_amplitudes([one.recording for one in recordings], remedy="Fetch the files again.")
    side = ("left fist", "right fist") if options.task.endswith("left_right") else ("both fists", "both feet")
    verb = options.task.split("_")[0]
    origin = Origin(NAME, CARD, tuple(f"{verb} {name}" for name in side), SOURCE_BITS)
    operations = eeg_operations(
        reference=options.reference, low_hz=options.low_hz, high_hz=options.high_hz, order=options.order,
        direction=options.direction, resample_hz=options.resample_hz, decimate=options.decimate,
    )  # fmt: skip
    return epoched(origin, recordings, operations, start_s=options.start_s, stop_s=options.stop_s)


def download(data_dir: Path, subjects: tuple[int, ...] = (1,)) -> Path:
    """Fetch runs 3 to 14 of some subjects from PhysioNet through MNE-Python; return the folder written.

    Raises
    ------
    DataError
        If PhysioNet cannot be reached.
    """
    from mne.datasets import eegbci  # deferred: only a download needs it

    fetch: Any = getattr(eegbci, "load_data")  # noqa: B009  (its annotations are partial)
    target = data_dir / "MNE-eegbci-data"
    try:
        for subject in subjects:
            fetch(subject, list(range(3, 15)), path=str(data_dir), update_path=False, verbose="ERROR")
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"PhysioNet could not be read ({error})", where=f"download of {NAME!r}",
                        remedy=f"Fetch the files from {CARD.homepage} on a machine with a network and put them in "
                               f"{data_dir / (NAME + '_S001')}.") from error
    return target


DATASET = Corpus(CARD, "classification", Options, load, download)
