"""Where windows stand in a recording file: at cues, inside annotated intervals, or everywhere, one step apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.assemble import CuedRecording, touching
from cosim.datasets.mne_files.annotations import Annotation, contiguous_parts
from cosim.datasets.mne_files.continuous import Continuous
from cosim.datasets.recordings import Recording

HALF = 0.5


@dataclass(frozen=True, slots=True)
class Placed:
    """Windows of one file: sample and class of each, and what is to be said about them.

    `cue_steps`: samples from there to the cue, where parts are trials that were cut before; None: they are not.
    """

    starts: tuple[tuple[int, int], ...]
    notes: tuple[str, ...] = ()
    cue_steps: int | None = None


def parts_of(read: Continuous, marks: Sequence[Annotation]) -> tuple[tuple[int, int, int], ...]:
    """Return first sample, the one after the last, and first number in time of every part that is used.

    A file is cut at its gaps and at the joins among `marks`. How long the pause at a join was is not known: it counts
    as one second, so that windows on its two sides never touch.
    """
    found: list[tuple[int, int, int]] = []
    pause, joins = round(read.rate_hz), 0
    for stretch in read.stretches:
        whole = ((stretch.start, stretch.stop),)
        cut = contiguous_parts(whole, marks)
        shift = stretch.first_step - stretch.start
        found += [(start, stop, start + shift + pause * (joins + n)) for n, (start, stop) in enumerate(cut)]
        joins += len(cut) - 1
    return tuple(found)


def at_cues(found: Sequence[tuple[int, str]], classes: Mapping[str, int]) -> Placed:
    """Return the place of every event that belongs to a class, from (sample, text) of all events."""
    return Placed(tuple((sample, classes[text]) for sample, text in found if text in classes))


def inside_intervals(
    annotations: Sequence[Annotation], classes: Mapping[str, int], *, length: int, step: int
) -> Placed:
    """Return windows of `length` samples, one `step` apart, that lie wholly inside annotations of a class.

    A window that an annotation of another class touches is left out and counted in the notes.
    """
    intervals = [(one.start, one.stop, classes[one.text]) for one in annotations if one.text in classes]
    found: list[tuple[int, int]] = []
    doubtful = 0
    for start, stop, label in intervals:
        begins = np.arange(start, stop - length + 1, step)
        others = [(a, b) for a, b, other in intervals if other != label and a < stop and b > start]
        wrong = touching(begins, begins + length, others)
        doubtful += int(wrong.sum())
        found += [(begin, label) for begin in begins[~wrong].tolist()]
    short = sum(stop - start < length for start, stop, _ in intervals)
    notes = (*((f"{doubtful} window(s) lie in annotations of two classes and were left out",) if doubtful else ()),
             *((f"{short} annotation(s) are shorter than a window",) if short else ()))  # fmt: skip
    return Placed(tuple(found), notes)


def sliding(
    annotations: Sequence[Annotation],
    classes: Mapping[str, int],
    parts: Sequence[tuple[int, int, int]],
    *,
    length: int,
    step: int,
    background: int | None,
) -> Placed:
    """Return windows of `length` samples, one `step` apart, from the begin of every part on.

    A window has the class whose annotations hold more than half of its samples; one that no class or two classes hold
    has the class `background` or is left out, and counted in the notes.
    """
    last = max(stop for _, stop, _ in parts)
    inside = {label: np.zeros(last + 1, dtype=np.int64) for label in sorted(set(classes.values()))}
    for one in annotations:
        if one.text in classes:
            inside[classes[one.text]][max(one.start, 0) : max(one.stop, 0)] = 1
    held = {label: np.concatenate(([0], np.cumsum(own))) for label, own in inside.items()}
    found: list[tuple[int, int]] = []
    left_out = 0
    for start, stop, _ in parts:
        for begin in range(start, stop - length + 1, step):
            own = [label for label, total in held.items() if total[begin + length] - total[begin] > HALF * length]
            label = own[0] if len(own) == 1 else background if not own else None
            if label is None:
                left_out += 1
            else:
                found.append((begin, label))
    notes = (f"{left_out} window(s) are held by no class, or by two, and were left out",) if left_out else ()
    return Placed(tuple(found), notes)


def cued(
    recording: Recording,
    placed: Placed,
    parts: Sequence[tuple[int, int, int]],
    bad: Sequence[tuple[int, int]],
) -> tuple[list[CuedRecording], list[str]]:
    """Return the parts of a recording that hold a place of a window, with their windows, and notes.

    Parameters
    ----------
    recording : Recording
        All samples of a file.
    placed : Placed
    parts : sequence of (int, int, int)
        What `parts_of` returns.
    bad : sequence of (int, int)
        First sample and the one after the last of what no window may touch.
    """
    found: list[CuedRecording] = []
    taken = 0
    for number, (start, stop, first_step) in enumerate(parts, start=1):
        # a cue outside of the file is one of its first or last part: the window after it may still lie inside
        reach = (start if number > 1 else -np.inf, stop if number < len(parts) else np.inf)
        own = [(sample - start + (placed.cue_steps or 0), label) for sample, label in placed.starts
               if reach[0] <= sample < reach[1]]  # fmt: skip
        taken += len(own)
        if own:
            whole = (start, stop) == (0, recording.steps)
            one = recording if whole else _part(recording, number, start, stop, first_step)
            shifted = tuple((first - start, last - start) for first, last in bad)
            places = np.asarray(own, dtype=np.int64)
            found.append(CuedRecording(one, places[:, 0], places[:, 1], shifted))
    notes = [f"{recording.name}: {note}" for note in placed.notes]
    if len(parts) > 1 and placed.cue_steps is None:
        notes.append(f"{recording.name} has gaps or boundaries: its {len(parts)} parts are filtered and cut apart")
    if lost := len(placed.starts) - taken:
        notes.append(f"{lost} window(s) of {recording.name} stand where nothing was recorded and were left out")
    return found, notes


def _part(recording: Recording, number: int, start: int, stop: int, first_step: int) -> Recording:
    """Return the samples from `start` to `stop` as a recording that was cut from the whole one."""

    def read(begin: int, end: int) -> NDArray[np.float64]:
        return recording.read(start + begin, start + end)

    return dataclasses.replace(
        recording, name=f"{recording.name} part {number}", steps=stop - start, read=read, first_step=first_step,
        cut_from=recording.name, groups={"recording": recording.name, **recording.groups},
    )  # fmt: skip
