"""Copies found by content: examples, or half examples at another offset, that hold the same samples.

A recording filed under two names, a trial listed twice or a stretch that occurs in two files would stand in training
and test. Every step is reduced to a number, and a stretch to the rolling hash of its numbers, so each recording is read
once and any offset is seen. Three comparisons are made, all of inputs as the dataset's pipeline leaves them:

- whole examples with the same values, constant ones included;
- stretches of half an example with the same values, that are not constant, at any offset;
- whole examples that rise and fall alike, or one where the other falls, at `SCALED_CHANGES` places at least, and then
  equal each other times one number, plus one for each channel, to `SCALED_TOLERANCE` of the largest value: a file
  written in another unit, with another polarity or offset.

Values that occur often may coincide by chance, as counts of a few bins do. Equal samples are copies only where chance
would make any two of all compared stretches equal less often than once in ``2 ** CHANCE_BITS``, each sample drawn from
the values of its channel in `POOL` examples. A dataset of one value throughout therefore holds no copies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.recordings import Channel, Recording
from cosim.datasets.windows import Windows

Indices = NDArray[np.int64]
Codes = NDArray[np.uint64]
Floats = NDArray[np.float32]

CHANCE_BITS = 20  # once in a million
POOL = 64
ANCHORS = 32  # offsets kept of each example: those whose hash is a multiple, so that two copies keep the same ones
SCALED_CHANGES = 64
SCALED_TOLERANCE = 1e-5
BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2^64
INVERSE = pow(BASE, -1, 1 << 64)
MIX = np.uint64(0xBF58476D1CE4E5B9)  # Steele, Lea and Flood 2014, doi 10.1145/2660193.2660195
HALF = np.uint64(32)
CHUNK = 1 << 20  # samples in hand at once


@dataclass(frozen=True, slots=True, eq=False)
class Copies:
    """Which examples hold the same content, one row for an example and a content that others share.

    Parameters
    ----------
    examples : ndarray of int64, shape (rows,)
    contents : ndarray of int64, shape (rows,)
        Number of the content.
    """

    examples: Indices
    contents: Indices

    def shared(self, one: Indices, other: Indices) -> tuple[int, int] | None:
        """Return an example of each part with the same content, or None."""
        mine, theirs = (np.isin(self.examples, part) for part in (one, other))
        both = np.intersect1d(self.contents[mine], self.contents[theirs])
        if not both.size:
            return None
        rows = [int(self.examples[part & (self.contents == both[0])][0]) for part in (mine, theirs)]
        return rows[0], rows[1]

    def without(self, part: Indices, others: Indices) -> Indices:
        """Return the examples of a part that share no content with others."""
        theirs = self.contents[np.isin(self.examples, others)]
        return np.setdiff1d(part, self.examples[np.isin(self.contents, theirs)])


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Stretches of recordings: number of the recording, first step in what it holds, and length."""

    recording: Indices
    start: Indices
    length: Indices

    def at(self, rows: NDArray[Any]) -> _Places:
        return _Places(self.recording[rows], self.start[rows], self.length[rows])


def find_copies(windows: Windows) -> Copies:
    """Return which examples hold the same content; every recording is read, one after the other.

    Parameters
    ----------
    windows : Windows
        Without a scaler.
    """
    starts = windows.starts - np.asarray([one.first_step for one in windows.recordings], dtype=np.int64)[
        windows.recording
    ]
    lengths = np.asarray([one.steps for one in windows.recordings], dtype=np.int64)[windows.recording] - starts
    whole = _Places(windows.recording, starts, np.minimum(lengths, windows.steps))
    hashes = _hashes(windows, whole)
    exact = _repeated(windows, hashes.whole, whole)
    stretches = _repeated(windows, hashes.stretch, hashes.places)
    owners, contents = _owners(whole, hashes.places.at(stretches[0]), windows.steps)
    scaled = _scaled(windows, hashes.scaled)
    first, second = len(windows), len(windows) + len(hashes.stretch)  # contents of the three kinds are told apart
    return Copies(
        np.concatenate([exact[0], owners, scaled[0]]),
        np.concatenate([exact[1], first + stretches[1][contents], second + scaled[1]]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Hashes:
    """Hashes of whole examples, by value and by rise and fall (0: too few changes), and of stretches at `places`."""

    whole: Codes
    scaled: Codes
    stretch: Codes
    places: _Places


def _hashes(windows: Windows, whole: _Places) -> _Hashes:
    half = max(1, (windows.steps + 1) // 2)
    every = np.uint64(max(1, (windows.steps - half + 1) // ANCHORS))
    by_value, by_change = np.zeros((2, len(windows)), dtype=np.uint64)
    stretches: list[Codes] = [np.zeros(0, dtype=np.uint64)]
    found: list[tuple[int, Indices]] = []
    rolling = _Rolling.up_to(max(one.steps for one in windows.recordings))
    keys = {id(own): _keys(own) for own in windows.recordings.channel_sets()}
    for number, rows in _rows_by_recording(windows.recording):
        one = windows.recordings[number]
        values, changes, opposed, moved = _step_codes(one, keys[id(one.channels)])
        begin, length = whole.start[rows], whole.length[rows]
        by_value[rows] = rolling.of(values, begin, length)
        enough = moved[begin + length - 1] - moved[begin] >= SCALED_CHANGES
        either = np.minimum(*(rolling.of(codes, begin, length - 1) for codes in (changes, opposed)))
        by_change[rows] = np.where(enough, either, np.uint64(0))
        if half < windows.steps:
            offsets = _offsets(begin, length, half, len(values))
            offsets = offsets[moved[offsets + half - 1] > moved[offsets]]
            hashed = rolling.of(values, offsets, np.full_like(offsets, half))
            kept = hashed % every == 0
            stretches.append(hashed[kept])
            found.append((number, offsets[kept]))
    owner = np.repeat([number for number, _ in found], [len(places) for _, places in found]).astype(np.int64)
    steps = np.concatenate([np.zeros(0, dtype=np.int64), *(places for _, places in found)])
    places = _Places(owner, steps, np.full_like(steps, half))
    return _Hashes(by_value, by_change, np.concatenate(stretches), places)


def _rows_by_recording(owner: Indices) -> Iterator[tuple[int, Indices]]:
    """Yield each recording's number and its examples."""
    order = np.argsort(owner, kind="stable").astype(np.int64)
    for rows in np.split(order, np.flatnonzero(np.diff(owner[order])) + 1):
        if len(rows):
            yield int(owner[rows[0]]), rows


def _keys(channels: Sequence[Channel]) -> Codes:
    """Return three numbers of each channel, shape (channels, 3), that its name decides."""
    digests = [hashlib.blake2b(channel.name.encode(), digest_size=24).digest() for channel in channels]
    return np.frombuffer(b"".join(digests), dtype=np.uint64).reshape(len(channels), 3)


def _step_codes(recording: Recording, keys: Codes) -> tuple[Codes, Codes, Codes, Indices]:
    """Return codes of each step: of its values, of each rise and fall to the next one, and of the latter times -1.

    Last, the number of changes before each step.
    """
    values, changes, opposed = np.zeros((3, recording.steps), dtype=np.uint64)
    moved = np.zeros(recording.steps, dtype=np.int64)
    chunk = max(1, CHUNK // len(keys))
    for start in range(0, recording.steps, chunk):
        stop = min(start + chunk + 1, recording.steps)  # one more, for the change to the next chunk
        samples = np.ascontiguousarray(recording.read(start, stop), dtype=np.float32)
        samples = samples + np.float32(0)  # minus zero equals zero
        bits = samples.view(np.uint32).astype(np.uint64)
        bits += keys[:, :1]
        values[start:stop] = _mixed(bits).sum(axis=0)
        rises, falls = samples[:, 1:] > samples[:, :-1], samples[:, 1:] < samples[:, :-1]
        changes[start : stop - 1] = (rises * keys[:, 1:2]).sum(axis=0) + (falls * keys[:, 2:]).sum(axis=0)
        opposed[start : stop - 1] = (falls * keys[:, 1:2]).sum(axis=0) + (rises * keys[:, 2:]).sum(axis=0)
        moved[start + 1 : stop] = (rises | falls).sum(axis=0)
    return _mixed(values), _mixed(changes[:-1]), _mixed(opposed[:-1]), np.cumsum(moved)


def _mixed(codes: Codes) -> Codes:
    """Return codes whose every bit depends on all bits; changes its argument."""
    codes *= MIX
    codes ^= codes >> HALF
    codes *= MIX
    codes ^= codes >> HALF
    return codes


@dataclass(frozen=True, slots=True, eq=False)
class _Rolling:
    """Powers of `BASE` modulo 2^64 and their inverses, from the power 0 on."""

    powers: Codes
    inverses: Codes

    @classmethod
    def up_to(cls, steps: int) -> _Rolling:
        both = np.ones((2, steps + 1), dtype=np.uint64)
        both[:, 1:] = np.asarray([[BASE], [INVERSE]], dtype=np.uint64)
        return cls(*np.cumprod(both, axis=1, dtype=np.uint64))

    def of(self, codes: Codes, starts: Indices, lengths: Indices) -> Codes:
        """Return the hash ``sum(codes[start + i] BASE ** i)`` of each stretch, never 0."""
        sums = np.zeros(len(codes) + 1, dtype=np.uint64)
        np.cumsum(codes * self.powers[: len(codes)], out=sums[1:])
        hashed = (sums[starts + lengths] - sums[starts]) * self.inverses[starts] + lengths.astype(np.uint64)
        return np.maximum(_mixed(hashed), np.uint64(1))


def _offsets(begin: Indices, length: Indices, half: int, steps: int) -> Indices:
    """Return every step at which a stretch of `half` steps lies wholly inside an example."""
    edges = np.zeros(steps + 1, dtype=np.int64)
    room = length >= half
    np.add.at(edges, begin[room], 1)
    np.add.at(edges, (begin + length - half + 1)[room], -1)
    return np.flatnonzero(np.cumsum(edges)[:-1] > 0).astype(np.int64)


def _repeated(windows: Windows, hashes: Codes, places: _Places) -> tuple[Indices, Indices]:
    """Return the rows whose hash occurs more than once and not by chance, and the number of each one's content."""
    order = np.argsort(hashes, kind="stable").astype(np.int64)
    ordered = hashes[order]
    content = np.cumsum(np.concatenate([[0], np.diff(ordered) != 0])).astype(np.int64)[: len(hashes)]
    again = np.bincount(content, minlength=1)[content] > 1
    rows, content = order[again], content[again]
    if len(rows):
        needed = 2 * np.log2(len(hashes)) + CHANCE_BITS
        certain = _information_bits(windows, places.at(rows)) >= needed
        rows, content = rows[certain], content[certain]
    return rows, content


def _information_bits(windows: Windows, places: _Places) -> NDArray[np.float64]:
    """Return minus the logarithm to base 2 of how likely each stretch's samples are, drawn one by one."""
    levels = _frequencies(windows)
    found = np.empty(len(places.start))
    for number, rows in _rows_by_recording(places.recording):
        one = windows.recordings[number]
        samples = np.asarray(one.read(0, one.steps), dtype=np.float32)
        bits = np.zeros(one.steps, dtype=np.float64)
        for index, channel in enumerate(one.channels):
            row: Floats = samples[index]
            values, information = levels[channel.name]
            at = np.searchsorted(values[:-1], row)
            bits += np.where(values[at] == row, information[at], information.max())
        total = np.concatenate([[0.0], np.cumsum(bits)])
        found[rows] = total[places.start[rows] + places.length[rows]] - total[places.start[rows]]
    return found


def _frequencies(windows: Windows) -> dict[str, tuple[Floats, NDArray[np.float64]]]:
    """Return the values of each channel in some examples, and how many bits tell each of them from the others."""
    chosen = np.unique(np.linspace(0, len(windows) - 1, POOL).round().astype(np.int64))
    pool = windows.masked_inputs(chosen)
    levels: dict[str, tuple[Floats, NDArray[np.float64]]] = {}
    for index, channel in enumerate(windows.channels):
        there = pool.values[:, index][pool.mask[:, index]]
        values, counts = np.unique(there, return_counts=True)
        levels[channel.name] = values, np.log2(len(there) / counts)
    return levels


def _owners(whole: _Places, stretches: _Places, steps: int) -> tuple[Indices, Indices]:
    """Return every example that holds a stretch, beside the row of the stretch."""
    examples: list[Indices] = [np.zeros(0, dtype=np.int64)]
    held: list[Indices] = [np.zeros(0, dtype=np.int64)]
    of_recording = dict(_rows_by_recording(whole.recording)) if len(stretches.start) else {}
    for number, rows in _rows_by_recording(stretches.recording):
        mine = of_recording[number]
        mine = mine[np.argsort(whole.start[mine], kind="stable")]
        begin = stretches.start[rows]
        first = np.searchsorted(whole.start[mine], begin + stretches.length[rows] - steps).astype(np.int64)
        counts = np.searchsorted(whole.start[mine], begin, side="right").astype(np.int64) - first
        before = np.cumsum(counts) - counts
        place = np.repeat(first - before, counts) + np.arange(counts.sum(), dtype=np.int64)
        examples.append(mine[place.astype(np.int64)])
        held.append(np.repeat(rows, counts))
    return np.concatenate(examples), np.concatenate(held)


def _scaled(windows: Windows, hashes: Codes) -> tuple[Indices, Indices]:
    """Return examples that rise and fall alike and are one another times a number plus one a channel, with contents."""
    rows, contents = _groups(hashes)
    kept: list[tuple[int, int]] = []
    for members, content in _by_content(rows, contents):
        first, *others = (windows.masked_inputs([example]).values[0] for example in members)
        alike = [example for example, other in zip(members[1:], others, strict=True) if _proportional(first, other)]
        kept += [(example, content) for example in (members[0], *alike) if alike]
    found = np.asarray(kept, dtype=np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _groups(hashes: Codes) -> tuple[Indices, Indices]:
    """Return rows with a hash that others have too, 0 being none, and the number of the hash."""
    _, content, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    rows = np.flatnonzero((counts[content] > 1) & (hashes > 0)).astype(np.int64)
    return rows, content[rows].astype(np.int64)


def _by_content(rows: Indices, contents: Indices) -> Iterator[tuple[Sequence[int], int]]:
    order = np.argsort(contents, kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(contents[order])) + 1):
        if len(part):
            yield rows[part].tolist(), int(contents[part[0]])


def _proportional(one: Floats, other: Floats) -> bool:
    """Return whether one array is the other times a number, plus one for each channel, where both exist."""
    there = np.isfinite(one) & np.isfinite(other)
    first, second = (np.where(there, array, 0.0).astype(np.float64) for array in (one, other))
    count = np.maximum(there.sum(axis=1, keepdims=True), 1)
    first, second = (np.where(there, array - array.sum(axis=1, keepdims=True) / count, 0.0)
                     for array in (first, second))  # fmt: skip
    square = float((second * second).sum())
    factor = float((first * second).sum()) / square if square else 0.0
    largest = float(np.abs(one[there]).max(initial=0.0))
    return factor != 0 and bool(np.abs(first - factor * second).max(initial=0.0) <= SCALED_TOLERANCE * largest)
