"""Windows of recordings after cues, and what every dataset of continuous recordings is put together from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.card import Card
from cosim.datasets.files import check_channels, text
from cosim.datasets.recordings import Recording, Recordings, check_rates
from cosim.datasets.types import Dataset
from cosim.datasets.windows import Windows
from cosim.preprocessing import Operation, Step, Widths, pipeline_work, process, recorded_steps
from cosim.preprocessing.pipeline import check_aliasing, rate_after, samples_after
from energy_models.errors import DataError

ROUNDING = 1e-6  # samples; more than a rate that is no whole number leaves


@dataclass(frozen=True, slots=True)
class CuedRecording:
    """A recording with its cues.

    Parameters
    ----------
    recording : Recording
    cues : ndarray of int64, shape (trials,)
        Sample of each cue.
    labels : ndarray of int64, shape (trials,)
        Class of each cue, an index into the output names.
    bad_stretches : tuple of (int, int)
        First sample and the one after the last of what no window may touch.
    """

    recording: Recording
    cues: NDArray[np.int64]
    labels: NDArray[np.int64]
    bad_stretches: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """What a dataset says about itself whatever was cut from it."""

    name: str
    card: Card
    output_names: tuple[str, ...]
    source_bits: int
    notes: tuple[str, ...] = ()


def check_alike(recordings: Sequence[Recording], *, where: str) -> None:
    """Raise a `DataError` where recordings differ in sampling rate or channels, or there is none."""
    if not recordings:
        raise DataError("there is no recording to read", where=where, remedy="Check the folder and the options.")
    check_rates(recordings, where=where)
    first = recordings[0]
    for other in recordings:
        if other.channel_names != first.channel_names:
            differing = sorted(set(other.channel_names) ^ set(first.channel_names)) or ["their order"]
            raise DataError(f"{other.name} and {first.name} differ in channels: {', '.join(differing)}", where=where,
                            remedy="Leave one of them out, or choose the channels both have.")


def as_float32(samples: NDArray[np.float64], names: Sequence[str], *, where: str) -> NDArray[np.float32]:
    """Return samples, shape (channels, samples), in 32 bits; one that does not fit is a `DataError`."""
    with np.errstate(over="ignore"):
        narrow = samples.astype(np.float32)
    if guilty := [names[row] for row in np.flatnonzero(~np.isfinite(narrow).all(axis=1)).tolist()]:
        raise DataError(f"values too large for 32 bits in channel {', '.join(guilty)}", where=where,
                        remedy="Repair or rescale the channel; if it is filtered, choose a lower order.")
    return narrow


def processed(
    recordings: Sequence[Recording], operations: Sequence[Operation], resting: Sequence[Collection[str]] = ()
) -> Recordings:
    """Return the recordings after all operations; one is read and processed when its first sample is asked for.

    A filter's output depends on all samples before, so a recording is processed whole; only the last one is kept.
    Its channels are checked then: one that is flat or not finite is a `DataError`.

    Parameters
    ----------
    recordings : sequence of Recording
    operations : sequence of Operation
    resting : sequence of collections of str
        For each recording, the channels that may be flat in it, as a unit that is silent in one trial; empty: none.

    Raises
    ------
    DataError
        If a filter cannot be built at its rate, or samples would be dropped without a low-pass before.
    """
    check_aliasing(operations, recordings[0].rate_hz)

    @lru_cache(maxsize=1)
    def whole(number: int) -> NDArray[np.float32]:
        source = recordings[number]
        samples = np.asarray(source.read(0, source.steps), dtype=np.float64)
        checked = [row for row, name in enumerate(source.channel_names) if not resting or name not in resting[number]]
        check_channels(samples[checked], tuple(source.channel_names[row] for row in checked), where=source.name)
        return as_float32(process(operations, samples, source.rate_hz).samples, source.channel_names, where=source.name)

    def result(number: int, source: Recording) -> Recording:
        steps, rate_hz = source.steps, source.rate_hz
        for operation in operations:
            steps, rate_hz = samples_after(operation, steps, rate_hz), rate_after(operation, rate_hz)
        first_step = round(source.first_step / source.rate_hz * rate_hz)
        return Recording(source.name, source.channels, rate_hz, steps,
                         lambda start, stop: whole(number)[:, start:stop], source.groups, first_step,
                         source.cut_from)  # fmt: skip

    return Recordings(tuple(result(number, source) for number, source in enumerate(recordings)))


def touching(
    begins: NDArray[Any], ends: NDArray[Any], stretches: Sequence[tuple[int, int]]
) -> NDArray[np.bool_]:
    """Return which spans hold a sample of any stretch, both given by first sample and the one after the last."""
    first, stop = np.asarray(stretches, dtype=np.float64).reshape(-1, 2).T
    begun = np.searchsorted(np.sort(first), ends, side="left")
    ended = np.searchsorted(np.sort(stop), begins, side="right")
    return begun > ended


@dataclass(frozen=True, slots=True)
class _Cut:
    """The windows of one recording: first step and class of each, and how many were left out, by reason."""

    windows: tuple[tuple[int, int], ...]
    left_out: Mapping[str, int]

    def notes(self, name: str) -> list[str]:
        """Return a sentence for every reason."""
        return [f"{count} window(s) of {name} {why} and were left out" for why, count in self.left_out.items() if count]


def _cut(cued: CuedRecording, after: Recording, start_s: float, steps: int) -> _Cut:
    """Return the windows that lie wholly inside the processed recording, touch nothing bad and have one class.

    Two cues may share a window, by one sample or after decimation: of one class, they are one window; of two, none.
    """
    outside = bad = again = 0
    classes: dict[int, list[int]] = {}
    to_source = cued.recording.rate_hz / after.rate_hz
    starts = np.rint((cued.cues / cued.recording.rate_hz + start_s) * after.rate_hz).astype(np.int64)
    touches = touching(starts * to_source + ROUNDING, (starts + steps) * to_source - ROUNDING, cued.bad_stretches)
    for start, label, marked in zip(starts.tolist(), cued.labels.tolist(), touches.tolist(), strict=True):
        if not 0 <= start <= after.steps - steps:
            outside += 1
        elif marked:
            bad += 1
        elif label in classes.setdefault(start, []):
            again += 1
        else:
            classes[start].append(label)
    two = sum(len(labels) for labels in classes.values() if len(labels) > 1)
    return _Cut(tuple((start, labels[0]) for start, labels in classes.items() if len(labels) == 1), {
        "pass an end of the recording": outside, "touch what is marked bad": bad,
        "stand at one place under two classes": two, "are there twice": again})  # fmt: skip


def _check_classes(
    labels: NDArray[np.int64], names: tuple[str, ...], notes: Sequence[str], *, where: str
) -> None:
    """Raise a `DataError` where no window, or none of some class, is left, with the notes on those left out."""
    why = "".join(f"; {note}" for note in notes[:5])
    if not len(labels):
        raise DataError(f"no window lies inside its recording{why}", where=where,
                        remedy="Shorten or move the window.")
    if absent := [name for index, name in enumerate(names) if index not in labels]:
        raise DataError(f"no trial of class {', '.join(absent)}{why}", where=where,
                        remedy="Check the files and the task.")


def owners(recordings: Recordings, counts: Sequence[int]) -> tuple[NDArray[np.int64], dict[str, NDArray[np.str_]]]:
    """Return the recording of each example, by number, and the groups that follow from it.

    A recording's own group ``recording``, where it has one, is what its user calls it; else its name stands there.

    Raises
    ------
    DataError
        If some recordings lack a group that others have: a split by it would not know where they belong.
    """
    labels = [{"recording": one.name, **one.groups} for one in recordings]
    names = dict.fromkeys(name for own in labels for name in own)
    for one, own in zip(recordings, labels, strict=True):
        if absent := [name for name in names if name not in own]:
            raise DataError(f"it has no group {', '.join(absent)}, which other recordings have", where=one.name,
                            remedy="Give every recording a label in each group, or none.")
    owner = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    return owner, text({name: [labels[number][name] for number in owner.tolist()] for name in names})


def epoched(
    origin: Origin,
    cued: Sequence[CuedRecording],
    operations: Sequence[Operation],
    *,
    start_s: float,
    stop_s: float,
) -> Dataset:
    """Return the windows from `start_s` to `stop_s` after every cue, of recordings that are processed whole.

    A window is left out and counted in the notes if it passes an end of its recording, touches what is marked bad, or
    stands at the place of another one.

    Raises
    ------
    DataError
        If the recordings differ in rate or channels, or leave no window of some class.
    """
    where = f"dataset {origin.name!r}"
    sources = [one.recording for one in cued]
    check_alike(sources, where=where)
    source_rate_hz, channels = sources[0].rate_hz, len(sources[0].channels)
    recordings = processed(sources, operations)
    steps = round((stop_s - start_s) * recordings.rate_hz)
    if steps < 1:
        raise DataError(f"a window from {start_s:g} to {stop_s:g} s holds no step at the "
                        f"{recordings.rate_hz:g} Hz that were read", where=sources[0].name,
                        remedy="The window must end after it starts; a wrong rate comes from times in another unit.")
    cut = [_cut(one, after, start_s, steps) for one, after in zip(cued, recordings, strict=True)]
    labels = np.asarray([label for one in cut for _, label in one.windows], dtype=np.int64)
    notes = [note for source, one in zip(sources, cut, strict=True) for note in one.notes(source.name)]
    _check_classes(labels, origin.output_names, notes, where=where)
    owner, groups = owners(recordings, [len(one.windows) for one in cut])
    starts = np.asarray([after.first_step + start for after, one in zip(recordings, cut, strict=True)
                         for start, _ in one.windows], dtype=np.int64)  # fmt: skip
    return Dataset(
        name=origin.name, card=origin.card, task="classification", windows=Windows(recordings, owner, starts, steps),
        target_values=labels, output_names=origin.output_names, groups=groups,
        source_rate_hz=source_rate_hz, source_bits=origin.source_bits,
        pipeline=(*recorded_steps(operations, source_rate_hz),
                  Step("epoch", {"start_s": start_s, "stop_s": stop_s}, causal=True)),
        pipeline_work=pipeline_work(
            operations, channels=channels, samples=round((stop_s - start_s) * source_rate_hz),
            rate_hz=source_rate_hz, widths=Widths(origin.source_bits),
        ),
        notes=(*origin.notes, *notes),
    )  # fmt: skip
