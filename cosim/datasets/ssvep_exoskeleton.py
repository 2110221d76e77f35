"""SSVEP for an exoskeleton: LEDs at 13, 17 and 21 Hz and rest, 8 occipital channels, 256 Hz, FIF and GDF."""

from __future__ import annotations

import dataclasses
import importlib
import shutil
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from cosim.datasets import files
from cosim.datasets.assemble import CuedRecording, Origin, epoched
from cosim.datasets.card import Card
from cosim.datasets.corpus import Corpus
from cosim.datasets.mne_files import Continuous, bad_stretches, read_continuous, read_event_file
from cosim.datasets.plausible import check_amplitudes
from cosim.datasets.recordings import Recording
from cosim.datasets.types import Dataset
from cosim.preprocessing import eeg_operations
from energy_models.errors import DataError

NAME = "ssvep_exoskeleton"
SOURCE_BITS = 16  # the g.MOBIlab+ amplifier converts at 16 bits
CODES = {1: "rest", 2: "13 Hz", 3: "21 Hz", 4: "17 Hz"}
# The GDF announces the target (OpenViBE label codes) half a second before it marks the start of the stimulation.
GDF_LABELS = {"33024": 1, "33025": 2, "33026": 3, "33027": 4}
GDF_STIMULATION = "32779"
GDF_SCALE = 1e6  # its samples carry microvolts where the FIF files of the same session carry volts
SAME_SAMPLES = 1e-4  # relative; the formats round differently
COMPARED_S = 10.0  # two sessions do not share ten seconds of noise
UNIT = "µV as stored"
STEM_ENDINGS = ("_raw.fif", ".gdf")

CARD = Card(
    title="SSVEP-based BCI recordings of subjects operating an upper-limb exoskeleton",
    licence="CC0 1.0",
    citation=(
        "Kalunga, Chevallier, Barthelemy, Djouani, Monacelli, Hamam 2016, Online SSVEP-based BCI using Riemannian "
        "geometry, Neurocomputing 191, doi 10.1016/j.neucom.2016.01.007"
    ),
    homepage="https://doi.org/10.5281/zenodo.2392979",
    caveats=(
        "32 trials of 5 s a session, eight of each class; sessions of one subject are minutes apart.",
        "Some subjects respond weakly: a training-free decoder is near chance on subject02.",
        "The absolute voltage scale of the files is uncertain; decoders must not rely on it.",
    ),
)


class Options(BaseModel):
    """Which trials, and how they are cut.

    Parameters
    ----------
    classes : {'frequencies', 'with_rest'}
        The three flicker frequencies, or these and rest.
    subjects : str
        ``present``, or numbers such as ``1,2``.
    folders : str
        Folders of the data folder that hold subjects, such as ``ssvep_exoskeleton,more``; a session that two of them
        hold is taken from the first.
    reference, direction
    low_hz, high_hz : float
        Band edges [Hz]; the second harmonic of 21 Hz must pass.
    order : int
    start_s, stop_s : float
        Window after the stimulation began [s].
    decimate : int
        Keep every n-th sample after the filter; 1 keeps 256 Hz.
    resample_hz : float or None
        Rate to resample to instead [Hz]; costs a filter of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: Literal["frequencies", "with_rest"] = "frequencies"
    subjects: str = "present"
    folders: str = Field(default=NAME, min_length=1)
    reference: Literal["average", "none"] = "none"
    direction: Literal["causal", "acausal"] = "causal"
    low_hz: float = Field(default=6.0, gt=0)
    high_hz: float = Field(default=48.0, gt=0)
    order: int = Field(default=2, ge=1, le=8)
    start_s: float = Field(default=1.0, ge=0)
    stop_s: float = Field(default=5.0, gt=0, le=5.0)
    decimate: int = Field(default=1, ge=1)
    resample_hz: float | None = Field(default=None, gt=0)


def find_sessions(folder: Path) -> dict[tuple[str, str], Path]:
    """Return one file per (subject, session): a GDF only where no FIF holds the same session.

    Raises
    ------
    DataError
        If no subject folder is there.
    """
    found: dict[tuple[str, str], Path] = {}
    for ending in STEM_ENDINGS:
        for path in sorted(folder.glob(f"subject[0-9][0-9]/*{ending}")):
            found.setdefault((path.parent.name, path.name.removesuffix(ending)), path)
    if not found:
        raise files.missing(NAME, folder / "subject01" / "*_raw.fif", fetch=files.fetch_by_command(NAME))
    return dict(sorted(found.items()))


def gdf_events(read: Continuous) -> tuple[tuple[int, int], ...]:
    """Return (sample, code) of every stimulation of a GDF: the label announced last gives the code."""
    events: list[tuple[int, int]] = []
    code = 0
    for one in read.annotations:
        code = GDF_LABELS.get(one.text, code)
        if one.text == GDF_STIMULATION and code:
            events.append((one.start, code))
    return tuple(events)


def _events(path: Path, read: Continuous) -> tuple[tuple[int, int], ...]:
    """Return (sample, code) from the event file beside a FIF, from its stimulus channel, or from a GDF."""
    if path.suffix == ".gdf":
        return gdf_events(read)
    beside = path.with_name(path.name.removesuffix("_raw.fif") + "-eve.fif")
    if beside.is_file():
        return tuple((sample - read.first_sample, code) for sample, code in read_event_file(beside))
    if found := read.stimulus_cues(tuple(CODES)):
        return found
    raise DataError("the recording has neither an event file nor a stimulus channel", where=str(path),
                    remedy=f"Put {beside.name} beside it.")


def _recording(path: Path, subject: str, session: str, number: int, codes: tuple[int, ...]) -> CuedRecording:
    """Return one session with the cues of the wanted classes."""
    read = read_continuous(path)
    events = [(sample, codes.index(code)) for sample, code in _events(path, read) if code in codes]
    scale = GDF_SCALE if path.suffix == ".gdf" else 1.0
    recording = Recording(
        f"{subject}/{session}", tuple(dataclasses.replace(one, unit=UNIT) for one in read.channels), read.rate_hz,
        read.steps, lambda start, stop: read.read(start, stop) * scale,
        {"subject": subject, "session": f"{subject}-session{number}"},
    )  # fmt: skip
    return CuedRecording(
        recording,
        cues=np.asarray([sample for sample, _ in events], dtype=np.int64),
        labels=np.asarray([label for _, label in events], dtype=np.int64),
        bad_stretches=bad_stretches(read.annotations),
    )  # fmt: skip


def refuse_copies(recordings: list[Recording]) -> None:
    """Raise a `DataError` where two recordings of one subject begin with the same samples under two names."""
    begun = [one.read(0, min(one.steps, round(COMPARED_S * one.rate_hz))) for one in recordings]
    for (first, early), (second, other) in combinations(zip(recordings, begun, strict=True), 2):
        alike = first.groups["subject"] == second.groups["subject"] and early.shape == other.shape
        if alike and first.steps == second.steps and np.allclose(early, other, rtol=SAME_SAMPLES):
            raise DataError(f"{first.name} and {second.name} are the same session", where=f"dataset {NAME!r}",
                            remedy="Remove one of the two files: counted twice, it would leak into the test part.")


def load(options: Options, data_dir: Path | None) -> Dataset:
    """Return the windows of all sessions, shape (trials, 8, steps).

    Raises
    ------
    DataError
        If files are missing or damaged, a channel is flat or not finite, or rates differ.
    """
    names = [name.strip() for name in options.folders.split(",")]
    folder = files.root(data_dir, corpus=NAME, expected=f"{names[0]}/subject01")
    found: dict[tuple[str, str], Path] = {}
    for name in names:
        found = find_sessions(folder / name) | found
    sessions = dict(sorted(found.items()))
    present = sorted({subject for subject, _ in sessions})
    wanted = present
    if options.subjects != "present":
        wanted = [f"subject{part.strip():0>2}" for part in options.subjects.split(",")]
        if absent := [label for label in wanted if label not in present]:
            raise DataError(f"{', '.join(absent)} is not there (present: {', '.join(present)})",
                            where=f"dataset {NAME!r}", remedy=files.fetch_by_command(NAME))
    codes = (2, 4, 3) if options.classes == "frequencies" else (1, 2, 4, 3)
    recordings: list[CuedRecording] = []
    for subject in wanted:
        mine = [(session, path) for (owner, session), path in sessions.items() if owner == subject]
        recordings += [_recording(path, subject, session, n, codes) for n, (session, path) in enumerate(mine, start=1)]
    refuse_copies([one.recording for one in recordings])
    check_amplitudes([one.recording for one in recordings], remedy=files.fetch_by_command(NAME))
    origin = Origin(NAME, CARD, tuple(CODES[code] for code in codes), SOURCE_BITS)
    operations = eeg_operations(
        reference=options.reference, low_hz=options.low_hz, high_hz=options.high_hz, order=options.order,
        direction=options.direction, resample_hz=options.resample_hz, decimate=options.decimate,
    )  # fmt: skip
    return epoched(origin, recordings, operations, start_s=options.start_s, stop_s=options.stop_s)


def download(data_dir: Path, subjects: tuple[int, ...] = tuple(range(1, 13))) -> Path:
    """Fetch the public recordings through MOABB (optional extra ``moabb``) and return the folder written.

    Raises
    ------
    DataError
        If MOABB is not installed, or its source cannot be reached.
    """
    remedy = f"Fetch the files from {CARD.homepage} and put them in {data_dir / NAME}/subject01 and so on."
    try:
        moabb: Any = importlib.import_module("moabb.datasets")  # deferred: an optional extra without types
    except ImportError as error:
        raise DataError("MOABB is not installed", where=f"download of {NAME!r}",
                        remedy=f"pip install 'cosim[moabb]'. Or: {remedy}") from error
    source: Any = moabb.Kalunga2016()
    try:
        for subject in subjects:
            target = data_dir / NAME / f"subject{subject:02d}"
            target.mkdir(parents=True, exist_ok=True)
            for path in map(Path, source.data_path(subject)):
                shutil.copyfile(path, target / path.name)
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"the source could not be read ({error})", where=f"download of {NAME!r}",
                        remedy=remedy) from error
    return data_dir / NAME


DATASET = Corpus(CARD, "classification", Options, load, download)
