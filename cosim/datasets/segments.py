"""Recordings of binned activity, whole or one a trial, cut into consecutive segments with the targets of their bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.assemble import Origin, as_float32, owners, processed
from cosim.datasets.files import check_channels
from cosim.datasets.recordings import Channel, Recording, array_recording
from cosim.datasets.types import Dataset
from cosim.datasets.windows import Windows
from cosim.preprocessing import Operation, Step, Widths, pipeline_work, recorded_steps
from energy_models.errors import DataError

SESSION = ("subject", "session", "part")  # recordings alike in these are trials of one session
TOLD_SINGLY = 4

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class BinnedRecording:
    """A recording of binned activity with the targets of its bins.

    Parameters
    ----------
    recording : Recording
        Its rate is that of the bins.
    targets : ndarray, shape (bins, outputs)
    known : ndarray of bool, shape (bins,), or None
        Which bins have targets; None: all.
    """

    recording: Recording
    targets: NDArray[np.float64]
    known: Flags | None = None

    @property
    def has_target(self) -> Flags:
        """Which bins have targets, shape (bins,)."""
        return np.ones(len(self.targets), dtype=np.bool_) if self.known is None else self.known


def binned_counts(
    name: str,
    counts: NDArray[np.float64],
    targets: NDArray[np.float64],
    bin_s: float,
    *,
    groups: Mapping[str, str] | None = None,
) -> BinnedRecording:
    """Return spike counts in memory, shape (bins, units), with the targets of their bins, shape (bins, outputs).

    Raises
    ------
    DataError
        If `counts` has another number of axes.
    """
    if counts.ndim != 2:
        raise DataError(f"counts have shape {counts.shape}, expected (bins, units)", where=name,
                        remedy="Check the file.")
    units = tuple(Channel(f"unit {n}", "spike count", "spikes per bin") for n in range(counts.shape[1]))
    return BinnedRecording(array_recording(name, counts.T, units, 1.0 / bin_s, groups=groups), targets)


def segmented(
    origin: Origin,
    binned: Sequence[BinnedRecording],
    operations: Sequence[Operation],
    *,
    bin_s: float,
    segment_steps: int,
    silent: Literal["refused", "kept"] = "refused",
) -> Dataset:
    """Return consecutive segments that share no bin.

    Left out and noted: bins after the last whole segment, recordings shorter than a segment, and segments in which no
    bin has a target. Bins without one are masked in the others. A channel or output that is flat in one trial of a
    session, and not in all of it, stays and is noted; so does a channel that is flat throughout where `silent` says so.

    Raises
    ------
    DataError
        If inputs and targets differ in length, an output is flat or not finite, or no segment fits.
    """
    sources = [one.recording for one in binned]
    _check_sizes(binned, segment_steps)
    _check_targets(binned, origin)
    resting = _resting(binned, silent)
    channels, rate_hz = len(sources[0].channels), sources[0].rate_hz
    recordings = processed(sources, operations, resting)
    counts = [one.steps // segment_steps for one in sources]
    masks = [one.has_target[: count * segment_steps].reshape(count, segment_steps)
             for one, count in zip(binned, counts, strict=True)]
    kept: Flags = np.asarray(np.concatenate(masks).any(axis=1))
    if not kept.any():
        raise DataError("no bin of a whole segment has a target", where=f"dataset {origin.name!r}",
                        remedy="Choose shorter segments, or look at the targets.")
    shape = (segment_steps, len(origin.output_names))
    targets = [one.targets[: count * segment_steps].reshape(count, *shape).astype(np.float32)
               for one, count in zip(binned, counts, strict=True)]
    owner, groups = owners(recordings, counts)
    starts = np.concatenate([one.first_step + np.arange(count, dtype=np.int64) * segment_steps
                             for one, count in zip(recordings, counts, strict=True)])  # fmt: skip
    mask = np.concatenate(masks)[kept]
    notes = [*_unused(sources, segment_steps), *_without_targets(int((~kept).sum()), len(kept), mask),
             *_silent(sources, resting)]
    return Dataset(
        name=origin.name, card=origin.card, task="regression",
        windows=Windows(recordings, owner[kept], starts[kept], segment_steps),
        target_values=np.concatenate(targets)[kept], target_mask=None if mask.all() else mask,
        output_names=origin.output_names, groups={name: labels[kept] for name, labels in groups.items()},
        source_rate_hz=rate_hz, source_bits=origin.source_bits,
        pipeline=(Step("bin", {"bin_s": bin_s}, True), *recorded_steps(operations, rate_hz),
                  Step("segment", {"segment_steps": segment_steps}, True)),
        pipeline_work=pipeline_work(operations, channels=channels, samples=1, rate_hz=rate_hz,
                                    widths=Widths(origin.source_bits), window="none"),
        notes=(*origin.notes, *notes),
    )  # fmt: skip


def _check_sizes(binned: Sequence[BinnedRecording], segment_steps: int) -> None:
    channels = len(binned[0].recording.channels)
    for one in binned:
        bins, own, targets = one.recording.steps, len(one.recording.channels), len(one.targets)
        if targets != bins or own != channels:
            raise DataError(f"{bins} bins of {own} channels do not go with {targets} targets and {channels} channels",
                            where=one.recording.name, remedy="Check the file.")
    longest = max((one.recording for one in binned), key=lambda one: one.steps)
    if longest.steps < segment_steps:
        raise DataError(f"a segment of {segment_steps} steps is longer than the {longest.steps} bins there are",
                        where=longest.name, remedy=f"Choose segment_steps of at most {longest.steps}.")


def _sessions(binned: Sequence[BinnedRecording]) -> list[list[int]]:
    """Return the numbers of the recordings of each session."""
    found: dict[tuple[str, ...], list[int]] = {}
    for number, one in enumerate(binned):
        key = tuple(one.recording.groups.get(name, "") for name in SESSION)
        found.setdefault(key, []).append(number)
    return list(found.values())


def _check_targets(binned: Sequence[BinnedRecording], origin: Origin) -> None:
    """Raise a `DataError` where a target that is there is not finite, or an output is flat in a whole session."""
    for numbers in _sessions(binned):
        first = binned[numbers[0]].recording.name
        there = np.concatenate([binned[number].targets[binned[number].has_target] for number in numbers])
        if not len(there):
            raise DataError("no bin has a target", where=first, remedy="Leave the recording out.")
        where = first if len(numbers) == 1 else f"{first} and {len(numbers) - 1} more of its session"
        check_channels(there.T, origin.output_names, where=where)
        as_float32(there.T, origin.output_names, where=where)


def _resting(binned: Sequence[BinnedRecording], silent: Literal["refused", "kept"]) -> list[frozenset[str]]:
    """Return the channels that are flat in each recording; where those are refused, not those of a whole session."""
    found = [frozenset[str]() for _ in binned]
    for numbers in _sessions(binned):
        if len(numbers) == 1 and silent == "refused":
            continue  # it is read when its first sample is asked for
        ranges = [_range(binned[number].recording) for number in numbers]
        low, high = np.min([low for low, _ in ranges], axis=0), np.max([high for _, high in ranges], axis=0)
        for number, (least, most) in zip(numbers, ranges, strict=True):
            names = binned[number].recording.channel_names
            flat = np.flatnonzero((least == most) & ((low < high) | (silent == "kept")))
            found[number] = frozenset(names[index] for index in flat.tolist())
    return found


def _range(recording: Recording) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the least and the greatest sample of each channel."""
    samples = np.asarray(recording.read(0, recording.steps), dtype=np.float64)
    return samples.min(axis=1), samples.max(axis=1)


def _unused(sources: Sequence[Recording], segment_steps: int) -> list[str]:
    """Return notes on the bins that fill no segment."""
    short = [one for one in sources if one.steps < segment_steps]
    ends = {one.name: rest for one in sources if one not in short and (rest := one.steps % segment_steps)}
    notes: list[str] = []
    if short:
        named = ", ".join(f"{one.name} ({one.steps} bins)" for one in short[:TOLD_SINGLY])
        more = f" and {len(short) - TOLD_SINGLY} more" if len(short) > TOLD_SINGLY else ""
        notes.append(f"{len(short)} of {len(sources)} recordings are shorter than a segment of {segment_steps} bins "
                     f"and were left out: {named}{more}")
    if len(ends) <= TOLD_SINGLY:
        bins = {one.name: one.steps for one in sources}
        return [*notes, *(f"the last {rest} of {bins[name]} bins of {name} fill no segment and were left out"
                          for name, rest in ends.items())]
    total = sum(one.steps for one in sources)
    return [*notes, f"the last bins of {len(ends)} recordings, {sum(ends.values())} of {total} bins in all, fill no "
                    "segment and were left out"]


def _without_targets(dropped: int, segments: int, mask: Flags) -> list[str]:
    """Return notes on the segments and bins without targets."""
    notes: list[str] = []
    if dropped:
        notes.append(f"{dropped} of {segments} segments have no bin with a target and were left out")
    if missing := int((~mask).sum()):
        notes.append(f"{missing} of {mask.size} bins have no target and are masked")
    return notes


def _silent(sources: Sequence[Recording], resting: Sequence[frozenset[str]]) -> list[str]:
    """Return notes on the channels that never change in some recordings of a session."""
    where: dict[str, list[str]] = {}
    for one, names in zip(sources, resting, strict=True):
        for name in names:
            where.setdefault(name, []).append(one.name)
    return [f"{name} never changes in {len(places)} of {len(sources)} recordings, the first of them {places[0]}"
            for name, places in sorted(where.items())]
