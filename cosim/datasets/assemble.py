"""Cut recordings into examples: windows after cues (classification), consecutive segments (regression)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.card import Card
from cosim.datasets.files import check_channels, text
from cosim.datasets.types import Dataset
from cosim.preprocessing import Operation, Step, Widths, pipeline_work, process, recorded_steps
from energy_models.errors import DataError


@dataclass(frozen=True, slots=True)
class Recording:
    """One continuous recording with its cues.

    Parameters
    ----------
    name : str
        Unique within the dataset.
    samples : ndarray, shape (channels, samples)
    rate_hz : float
        Sampling rate [Hz].
    channels : tuple of str
    cues : ndarray of int64, shape (trials,)
        Sample of each cue.
    labels : ndarray of int64, shape (trials,)
        Class of each cue, an index into the output names.
    groups : mapping of str to str
        Subject, session, run.
    """

    name: str
    samples: NDArray[np.float64]
    rate_hz: float
    channels: tuple[str, ...]
    cues: NDArray[np.int64]
    labels: NDArray[np.int64]
    groups: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Origin:
    """What a dataset says about itself whatever was cut from it."""

    name: str
    card: Card
    output_names: tuple[str, ...]
    unit: str
    source_bits: int
    notes: tuple[str, ...] = ()


def check_alike(recordings: Sequence[Recording], *, where: str) -> None:
    """Raise a `DataError` where recordings differ in sampling rate or channels, or hold unusable channels."""
    if not recordings:
        raise DataError("there is no recording to read", where=where, remedy="Check the folder and the options.")
    first = recordings[0]
    for other in recordings:
        if other.rate_hz != first.rate_hz:
            raise DataError(
                f"{other.name} is sampled at {other.rate_hz:g} Hz but {first.name} at {first.rate_hz:g} Hz",
                where=where, remedy="Leave one of them out, or resample the files to one rate first.")
        if other.channels != first.channels:
            differing = sorted(set(other.channels) ^ set(first.channels)) or ["their order"]
            raise DataError(f"{other.name} and {first.name} differ in channels: {', '.join(differing)}", where=where,
                            remedy="Leave one of them out, or choose the channels both have.")
        check_channels(other.samples, other.channels, where=other.name)


@dataclass(frozen=True, slots=True)
class _Windows:
    """The windows of one recording: arrays of shape (channels, steps), their classes, first steps and rate."""

    inputs: list[NDArray[np.float32]]
    labels: list[int]
    starts: list[int]
    rate_hz: float


def _windows(recording: Recording, operations: Sequence[Operation], start_s: float, stop_s: float) -> _Windows:
    """Return the windows that lie wholly inside the processed recording."""
    processed = process(operations, recording.samples, recording.rate_hz)
    steps = round((stop_s - start_s) * processed.rate_hz)
    if steps < 1:
        raise DataError(f"a window from {start_s:g} to {stop_s:g} s holds no step", where=recording.name,
                        remedy="The window must end after it starts.")
    cut = _Windows([], [], [], processed.rate_hz)
    for cue, label in zip(recording.cues.tolist(), recording.labels.tolist(), strict=True):
        start = round((cue / recording.rate_hz + start_s) * processed.rate_hz)
        if 0 <= start <= processed.samples.shape[1] - steps:
            cut.inputs.append(processed.samples[:, start : start + steps].astype(np.float32))
            cut.labels.append(label)
            cut.starts.append(start)
    return cut


def _check_classes(labels: NDArray[np.int64], names: tuple[str, ...], *, where: str) -> None:
    """Raise a `DataError` where no window, or none of some class, is left."""
    if not len(labels):
        raise DataError("no window lies inside its recording", where=where, remedy="Shorten or move the window.")
    if absent := [name for index, name in enumerate(names) if index not in labels]:
        raise DataError(f"no trial of class {', '.join(absent)}", where=where, remedy="Check the files and the task.")


def epoched(
    origin: Origin,
    recordings: Sequence[Recording],
    operations: Sequence[Operation],
    *,
    start_s: float,
    stop_s: float,
) -> Dataset:
    """Return the windows from `start_s` to `stop_s` after every cue, cut after the whole recording was processed.

    A window that passes an end of its recording is left out and counted in the notes.

    Raises
    ------
    DataError
        If the recordings differ in rate or channels, hold unusable channels, or leave no window of some class.
    """
    where = f"dataset {origin.name!r}"
    check_alike(recordings, where=where)
    first = recordings[0]
    cut = [_windows(recording, operations, start_s, stop_s) for recording in recordings]
    labels = np.asarray([label for one in cut for label in one.labels], dtype=np.int64)
    _check_classes(labels, origin.output_names, where=where)
    counts = [len(one.labels) for one in cut]
    left_out = [len(recording.cues) - count for recording, count in zip(recordings, counts, strict=True)]
    notes = [f"{n} window(s) of {recording.name} pass an end of the recording and were left out"
             for recording, n in zip(recordings, left_out, strict=True) if n]
    owner = [recording for recording, count in zip(recordings, counts, strict=True) for _ in range(count)]
    groups = {name: [recording.groups[name] for recording in owner] for name in first.groups}
    return Dataset(
        name=origin.name, card=origin.card, task="classification",
        inputs=np.stack([window for one in cut for window in one.inputs]), targets=labels,
        output_names=origin.output_names, groups=text({"recording": [one.name for one in owner], **groups}),
        starts=np.asarray([start for one in cut for start in one.starts], dtype=np.int64),
        step_rate_hz=cut[0].rate_hz, source_rate_hz=first.rate_hz, source_bits=origin.source_bits,
        pipeline=(*recorded_steps(operations, first.rate_hz),
                  Step("epoch", {"start_s": start_s, "stop_s": stop_s}, causal=True)),
        pipeline_work=pipeline_work(
            operations, channels=len(first.channels), samples=round((stop_s - start_s) * first.rate_hz),
            rate_hz=first.rate_hz, widths=Widths(origin.source_bits),
        ),
        unit=origin.unit, notes=(*origin.notes, *notes),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class BinnedRecording:
    """One continuous recording of binned activity with the targets of its bins.

    Parameters
    ----------
    name : str
    inputs : ndarray, shape (bins, channels)
    targets : ndarray, shape (bins, outputs)
    groups : mapping of str to str
    """

    name: str
    inputs: NDArray[np.float64]
    targets: NDArray[np.float64]
    groups: Mapping[str, str]


def _segments(recording: BinnedRecording, origin: Origin, channels: int, segment_steps: int) -> int:
    """Return how many whole segments a recording holds, after checking it."""
    bins, width = recording.inputs.shape
    if len(recording.targets) != bins or width != channels:
        raise DataError(f"{bins} bins of {width} channels do not go with {len(recording.targets)} targets and "
                        f"{channels} channels", where=recording.name, remedy="Check the file.")
    check_channels(recording.inputs.T, tuple(f"unit {n}" for n in range(channels)), where=recording.name)
    check_channels(recording.targets.T, origin.output_names, where=recording.name)
    if bins < segment_steps:
        raise DataError(f"a segment of {segment_steps} steps is longer than the {bins} bins there are",
                        where=recording.name, remedy=f"Choose segment_steps of at most {bins}.")
    return bins // segment_steps


def segmented(
    origin: Origin,
    recordings: Sequence[BinnedRecording],
    operations: Sequence[Operation],
    *,
    bin_s: float,
    segment_steps: int,
) -> Dataset:
    """Return consecutive segments that share no bin; bins after the last whole segment are left out and noted.

    Raises
    ------
    DataError
        If inputs and targets differ in length, a channel or an output is flat or not finite, or no segment fits.
    """
    rate_hz = 1.0 / bin_s
    channels = recordings[0].inputs.shape[1]
    counts = [_segments(recording, origin, channels, segment_steps) for recording in recordings]
    inputs: list[NDArray[np.float32]] = []
    targets: list[NDArray[np.float32]] = []
    notes = list(origin.notes)
    for recording, count in zip(recordings, counts, strict=True):
        used = count * segment_steps
        if unused := len(recording.inputs) - used:
            notes.append(f"the last {unused} of {len(recording.inputs)} bins of {recording.name} fill no segment and "
                         "were left out")
        processed = process(operations, recording.inputs.T, rate_hz).samples[:, :used]
        inputs.append(processed.reshape(channels, count, segment_steps).transpose(1, 0, 2).astype(np.float32))
        targets.append(recording.targets[:used].reshape(count, segment_steps, -1).astype(np.float32))
    owner = [recording for recording, count in zip(recordings, counts, strict=True) for _ in range(count)]
    groups = {name: [recording.groups[name] for recording in owner] for name in recordings[0].groups}
    bin_step, cut = Step("bin", {"bin_s": bin_s}, True), Step("segment", {"segment_steps": segment_steps}, True)
    return Dataset(
        name=origin.name, card=origin.card, task="regression", inputs=np.concatenate(inputs),
        targets=np.concatenate(targets), output_names=origin.output_names,
        groups=text({"recording": [recording.name for recording in owner], **groups}),
        starts=np.concatenate([np.arange(count, dtype=np.int64) * segment_steps for count in counts]),
        step_rate_hz=rate_hz, source_rate_hz=rate_hz, source_bits=origin.source_bits,
        pipeline=(bin_step, *recorded_steps(operations, rate_hz), cut),
        pipeline_work=pipeline_work(operations, channels=channels, samples=1, rate_hz=rate_hz,
                                    widths=Widths(origin.source_bits), window="none"),
        unit=origin.unit, notes=tuple(notes),
    )  # fmt: skip
