"""Recordings of MNE-Python's formats and others, cues from annotations, a stimulus channel or a table of events."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.assemble import CuedRecording, Origin, epoched
from cosim.datasets.card import Card
from cosim.datasets.corpus import Corpus
from cosim.datasets.files import check_finite
from cosim.datasets.mne_files import Continuous, bad_stretches, read_event_file
from cosim.datasets.mne_files.cutting import Placed, at_cues, cued, inside_intervals, parts_of, sliding
from cosim.datasets.mne_files.labelled_paths import LabelledPath, labelled_paths
from cosim.datasets.mne_files.options import MIN_CLASSES, Options
from cosim.datasets.mne_files.same_channels import in_one_order, without_bad
from cosim.datasets.plausible import check_amplitudes
from cosim.datasets.recording_files import read_recording
from cosim.datasets.recordings import Recording, Recordings
from cosim.datasets.types import Dataset
from cosim.preprocessing import eeg_operations
from energy_models.errors import DataError, errors_placed, unknown_name

NAME = "mne_file"
UNIT_REMEDY = ("State the unit of the numbers (option unit), leave the file or the channel out, or set "
               "unit = 'as stored' where they are in no unit of volts.")  # fmt: skip

CARD = Card(
    title="A recording of your own (formats of MNE-Python, text, XDF, NWB)",
    licence="that of the recording",
    citation="Gramfort et al. 2013, MEG and EEG data analysis with MNE-Python, Front. Neurosci. 7, "
             "doi 10.3389/fnins.2013.00267; and whoever recorded the file",
    homepage="https://mne.tools",
    caveats=("What a score may claim depends on how the recording was made; this loader cannot know.",),
)


def _codes(options: Options) -> tuple[int, ...]:
    """Return the events of all classes as codes of a stimulus channel."""
    texts = [text for own in options.texts.values() for text in own]
    try:
        return tuple(int(text) for text in texts)
    except ValueError as error:
        raise DataError(f"events {', '.join(texts)} are no codes of a stimulus channel", where=f"options of {NAME!r}",
                        remedy="Write whole numbers, or set events = 'annotations'.") from error


def _events(path: Path, read: Continuous, options: Options) -> tuple[list[tuple[int, str]], list[str]]:
    """Return (sample, text) of every event of a class, wherever they are kept, and the texts of all events."""
    if options.events in {"annotations", "bids"}:
        found = [(one.start, one.text) for one in read.annotations if not one.continued]
    elif options.events == "stimulus":
        named, mask = options.stimulus_channel, options.stimulus_mask
        found = [(sample, str(code)) for sample, code in read.stimulus_cues(_codes(options), channel=named, mask=mask)]
        if not found:
            return [], [str(code) for code in read.stimulus_codes(channel=named, mask=mask)]
    else:
        stem = path.name.removesuffix(path.suffix).removesuffix("_raw").removesuffix("-raw")
        events = read_event_file(path.with_name(f"{stem}-eve.fif"))
        found = [(sample - read.first_sample, str(code)) for sample, code in events]
    return found, sorted({text for _, text in found})


def _placed(file: LabelledPath, read: Continuous, options: Options, parts: Sequence[tuple[int, int, int]]) -> Placed:
    """Return where the windows of a file stand.

    Raises
    ------
    DataError
        If it holds no event of any class, and windows are to be cut at cues.
    """
    classes = {text: label for label, own in enumerate(options.texts.values()) for text in own}
    if options.cut == "cues":
        found, present = _events(file.path, read, options)
        placed = dataclasses.replace(at_cues(found, classes), cue_steps=read.cue_steps)
        if not placed.starts:
            raise DataError(f"no event is called {' or '.join(classes)}", where=str(file.path),
                            remedy=unknown_name(f"events by {options.events}", next(iter(classes)), present))
        return placed
    length_s = options.length_s or 0.0
    length, step = round(length_s * read.rate_hz), round((options.step_s or length_s) * read.rate_hz)
    if min(length, step) < 1:
        raise DataError(f"a window of {length_s:g} s, or a step, holds no sample at the {read.rate_hz:g} Hz that were "
                        "read", where=str(file.path),
                        remedy="Choose a longer length_s or step_s.")
    if options.cut == "intervals":
        return inside_intervals(read.annotations, classes, length=length, step=step)
    background = len(options.classes) if options.background else None
    return sliding(read.annotations, classes, parts, length=length, step=step, background=background)


def _chosen(
    found: Sequence[LabelledPath], reads: Sequence[Continuous], options: Options
) -> tuple[Recordings, list[str]]:
    """Return the recordings of all files, their channels in one order, and notes on channels left out."""
    sets = [(file.name, read.channels) for file, read in zip(found, reads, strict=True)]
    bad = {file.name: read.bad_channels for file, read in zip(found, reads, strict=True)}
    dropped: list[str] = []
    if options.bad_channels == "drop":
        sets, dropped = without_bad(sets, bad)
    names, notes = in_one_order(sets, options.differing_channels)
    whole = Recordings(tuple(Recording(file.name, read.channels, read.rate_hz, read.steps, read.read, file.groups)
                             for file, read in zip(found, reads, strict=True)))  # fmt: skip
    recordings = whole.with_channels(names)
    known = {name for own in bad.values() for name in own}
    check_amplitudes(recordings.items, remedy=UNIT_REMEDY, skipped=known)
    placed = tuple(_finite(file.path, one) for file, one in zip(found, recordings, strict=True))
    return Recordings(placed), [*(note for read in reads for note in read.notes), *dropped, *notes]


def _finite(path: Path, recording: Recording) -> Recording:
    """Return a recording that says file, sample and time of a value that is not finite, once it is read."""

    def read(start: int, stop: int) -> NDArray[Any]:
        samples = recording.read(start, stop)
        check_finite(samples, recording.channel_names, where=str(path), rate_hz=recording.rate_hz, first=start)
        return samples

    return dataclasses.replace(recording, read=read)


def load(options: Options, data_dir: Path | None) -> Dataset:
    """Return the windows of all files, in microvolts, shape (trials, channels, steps).

    Raises
    ------
    DataError
        If a file is missing, truncated or damaged, rates or channels differ, or an event does not occur.
    """
    if len(set(options.class_names)) < MIN_CLASSES:
        raise DataError(f"classes = {', '.join(options.class_names)!r} names fewer than two events",
                        where=f"options of {NAME!r}", remedy="Write classes = \"T1,T2\".")
    found = labelled_paths(options, data_dir, corpus=NAME)
    place = str(found[0].path if len(found) == 1 else found[0].path.parent)
    with errors_placed(place), np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
        return _windows(options, found)


def _windows(options: Options, found: Sequence[LabelledPath]) -> Dataset:
    """Return the windows of files."""
    reads = [read_recording(file.path, options) for file in found]
    recordings, notes = _chosen(found, reads, options)
    cut: list[CuedRecording] = []
    for file, read, one in zip(found, reads, recordings, strict=True):
        own, said = _cut(file, read, one, options)
        cut += own
        notes += said
    if not cut:
        raise _nothing_cut(reads, options)
    origin = Origin(NAME, CARD, options.class_names, options.source_bits, tuple(notes))
    operations = eeg_operations(
        reference=options.reference, low_hz=options.low_hz, high_hz=options.high_hz, order=options.order,
        direction=options.direction, resample_hz=options.resample_hz, decimate=options.decimate,
    )  # fmt: skip
    start_s, stop_s = options.window_s
    return epoched(origin, cut, operations, start_s=start_s, stop_s=stop_s)


def _nothing_cut(reads: Sequence[Continuous], options: Options) -> DataError:
    """Return the error for files that leave no window at all."""
    asked = [text for own in options.texts.values() for text in own]
    present = {one.text for read in reads for one in read.annotations}
    said = f"no annotation called {' or '.join(asked)} holds a window of {options.length_s} s"
    if options.cut == "cues":
        said = f"every event called {' or '.join(asked)} stands where nothing was recorded"
    return DataError(said, where=f"dataset {NAME!r}", remedy=unknown_name("annotations", asked[0], present))


def _cut(
    file: LabelledPath, read: Continuous, recording: Recording, options: Options
) -> tuple[list[CuedRecording], list[str]]:
    """Return the parts of one file that hold windows, with their windows, and notes."""
    asked = {text for own in options.texts.values() for text in own}
    drop = options.bad_intervals == "drop"
    marks = [one for one in read.annotations if drop and one.text not in asked]
    parts = parts_of(read, marks)
    return cued(recording, _placed(file, read, options, parts), parts, bad_stretches(marks))


DATASET = Corpus(CARD, "classification", Options, load)
