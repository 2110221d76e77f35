"""Any recordings MNE-Python can read, with cues from annotations, a stimulus channel or an event file."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from cosim.datasets import files
from cosim.datasets.assemble import CuedRecording, Origin, epoched
from cosim.datasets.card import Card
from cosim.datasets.corpus import Corpus
from cosim.datasets.mne_files import Continuous, read_continuous, read_event_file
from cosim.datasets.plausible import MICROVOLTS, check_amplitudes
from cosim.datasets.recordings import Recording
from cosim.datasets.types import Dataset
from cosim.preprocessing import eeg_operations
from energy_models.errors import DataError, unknown_name

NAME = "mne_file"
UNIT_REMEDY = ("State the unit of the numbers (option unit), leave the file or the channel out, or set "
               "unit = 'as stored' where they are in no unit of volts.")

CARD = Card(
    title="A recording of your own (any format MNE-Python reads)",
    licence="that of the recording",
    citation="Gramfort et al. 2013, MEG and EEG data analysis with MNE-Python, Front. Neurosci. 7, "
             "doi 10.3389/fnins.2013.00267; and whoever recorded the file",
    homepage="https://mne.tools",
    caveats=("What a score may claim depends on how the recording was made; this loader cannot know.",),
)


class Options(BaseModel):
    """Files, cues and cutting.

    Parameters
    ----------
    files : str
        One or more paths, relative to the data folder or absolute, separated by commas; each file is one run.
    classes : str
        Annotation texts or event codes that are the classes, separated by commas, in the order of the outputs.
    events : {'annotations', 'stimulus', 'file'}
        Where cues come from; ``file``: an MNE event file beside each recording, ``<stem>-eve.fif``.
    start_s, stop_s : float
        Window after the cue [s].
    source_bits : int
        Width of the converter that made the recording [bits].
    unit : {'file', 'V', 'mV', 'uV', 'nV', 'as stored'}
        ``file``: the unit each file states; amplitudes no electrode gives are then refused. Another: what MNE-Python
        returns, in volts where the file states no unit, is in this unit instead; ``as stored``: in no known unit, so
        that only files are compared with each other.
    reference, direction, low_hz, high_hz, order, decimate, resample_hz
        Preprocessing; edges left out are not filtered.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: str
    classes: str
    events: Literal["annotations", "stimulus", "file"] = "annotations"
    start_s: float
    stop_s: float
    source_bits: int = Field(ge=1, le=32)
    unit: Literal["file", "V", "mV", "uV", "nV", "as stored"] = "file"
    reference: Literal["average", "none"] = "none"
    direction: Literal["causal", "acausal"] = "causal"
    low_hz: float | None = Field(default=None, gt=0)
    high_hz: float | None = Field(default=None, gt=0)
    order: int = Field(default=4, ge=1, le=8)
    decimate: int = Field(default=1, ge=1)
    resample_hz: float | None = Field(default=None, gt=0)


def in_unit(recording: Recording, unit: str) -> Recording:
    """Return a recording whose numbers MNE took for volts, in microvolts if they are in `unit`; 'file': as it was."""
    if unit == "file":
        return recording
    factor = MICROVOLTS.get(unit, 1.0) / MICROVOLTS["V"]
    named = "µV" if unit in MICROVOLTS else unit
    channels = tuple(dataclasses.replace(one, unit=named) if one.unit == "µV" else one for one in recording.channels)

    def read(start: int, stop: int) -> NDArray[np.float64]:
        return recording.read(start, stop) * factor

    return dataclasses.replace(recording, channels=channels, read=read)


def _found(path: Path, read: Continuous, source: str) -> list[tuple[int, str]]:
    """Return (sample, text) of every event, wherever they are kept."""
    if source == "annotations":
        return list(read.annotations)
    if source == "stimulus":
        return [(sample, str(code)) for sample, code in read.stimulus]
    stem = path.name.removesuffix(path.suffix).removesuffix("_raw").removesuffix("-raw")
    events = read_event_file(path.with_name(f"{stem}-eve.fif"))
    return [(sample - read.first_sample, str(code)) for sample, code in events]


def _recording(path: Path, options: Options, classes: list[str]) -> CuedRecording:
    """Return one file with the cues of the wanted classes."""
    read = read_continuous(path)
    found = _found(path, read, options.events)
    cues = [(sample, classes.index(text)) for sample, text in found if text in classes]
    if not cues:
        present = sorted({text for _, text in found})
        raise DataError(f"no event is called {' or '.join(classes)}", where=str(path),
                        remedy=unknown_name(f"events by {options.events}", classes[0], present))
    recording = in_unit(read.recording(path.stem, {"run": path.stem}), options.unit)
    return CuedRecording(
        recording, np.asarray([c for c, _ in cues], dtype=np.int64),
        np.asarray([label for _, label in cues], dtype=np.int64),
    )  # fmt: skip


def load(options: Options, data_dir: Path | None) -> Dataset:
    """Return windows after the cues of all files, in microvolts, shape (trials, channels, steps).

    Raises
    ------
    DataError
        If a file is missing, truncated or damaged, rates or channels differ, or an event does not occur.
    """
    classes = [part.strip() for part in options.classes.split(",")]
    if len(set(classes)) < 2:
        raise DataError(f"classes = {options.classes!r} names fewer than two events", where=f"options of {NAME!r}",
                        remedy="Write classes = \"T1,T2\".")
    paths = [Path(part.strip()) for part in options.files.split(",")]
    if not all(path.is_absolute() for path in paths):
        folder = files.root(data_dir, corpus=NAME, expected=options.files)
        paths = [folder / path for path in paths]
    if len({path.stem for path in paths}) < len(paths):
        raise DataError("two files have the same name, so their trials could not be told apart",
                        where=f"options of {NAME!r}", remedy="List each file once, and rename one of two namesakes.")
    recordings = [_recording(path, options, classes) for path in paths]
    check_amplitudes([one.recording for one in recordings], remedy=UNIT_REMEDY)
    origin = Origin(NAME, CARD, tuple(classes), options.source_bits)
    operations = eeg_operations(
        reference=options.reference, low_hz=options.low_hz, high_hz=options.high_hz, order=options.order,
        direction=options.direction, resample_hz=options.resample_hz, decimate=options.decimate,
    )  # fmt: skip
    return epoched(origin, recordings, operations, start_s=options.start_s, stop_s=options.stop_s)


DATASET = Corpus(CARD, "classification", Options, load)
