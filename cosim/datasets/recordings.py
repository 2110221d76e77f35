"""Recordings read lazily: what is known of one before a sample of it is read, and a function that reads samples."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy_models.errors import DataError

Read = Callable[[int, int], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of a recording.

    Parameters
    ----------
    name : str
    kind : str
        Such as ``eeg``, ``ecog``, ``seeg``, ``spike count``; empty where unknown.
    unit : str
        Unit of its samples; empty where unknown.
    position_m : tuple of three floats, or None
        Place of the electrode in head or array coordinates [m].
    """

    name: str
    kind: str = ""
    unit: str = ""
    position_m: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """A continuous recording, or one trial of a recording that was cut into trials when it was made.

    Parameters
    ----------
    name : str
        Unique within the dataset.
    channels : tuple of Channel
    rate_hz : float
        Samples per second and channel [Hz].
    steps : int
        Samples of each channel.
    read : callable
        ``read(start, stop)`` returns those samples, shape (channels, stop - start), and reads no others if it can.
    groups : mapping of str to str
        Subject, session, run and the like.
    first_step : int
        Number of its first sample in the time of the recording it was cut from; 0 where it was not.
    cut_from : str
        Name of the recording it was cut from, which may have been cut into others too; empty where it is whole.
    digest : str
        Hash of its content where that is known, such as of a stored recording; else empty.
    """

    name: str
    channels: tuple[Channel, ...]
    rate_hz: float
    steps: int
    read: Read
    groups: Mapping[str, str] = field(default_factory=dict[str, str])
    first_step: int = 0
    cut_from: str = ""
    digest: str = ""

    @property
    def source(self) -> str:
        """Name of what its steps are counted in: the recording it was cut from, or itself."""
        return self.cut_from or self.name

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the channels, in the order of the samples."""
        return tuple(channel.name for channel in self.channels)

    def content_digest(self) -> str:
        """Return the hash of what it holds as float32; reads all of it unless the hash is known."""
        if self.digest:
            return self.digest
        return samples_digest(self, np.asarray(self.read(0, self.steps), dtype=np.float32))


def samples_digest(recording: Recording, samples: NDArray[np.float32]) -> str:
    """Return the hash of a recording that holds these samples, shape (channels, steps)."""
    known = (recording.name, recording.channels, recording.rate_hz, recording.first_step, recording.cut_from,
             samples.shape)  # fmt: skip
    hasher = hashlib.blake2b(repr(known).encode(), digest_size=16)
    hasher.update(np.ascontiguousarray(samples).data)
    return hasher.hexdigest()


def array_recording(
    name: str,
    samples: NDArray[Any],
    channels: Sequence[Channel],
    rate_hz: float,
    *,
    groups: Mapping[str, str] | None = None,
    first_step: int = 0,
    cut_from: str = "",
) -> Recording:
    """Return the recording of an array in memory or mapped from a file, shape (channels, steps)."""
    if samples.ndim != 2 or len(samples) != len(channels):
        raise DataError(f"samples of shape {samples.shape} do not go with {len(channels)} channels", where=name,
                        remedy="Give an array of shape (channels, steps).")
    return Recording(name, tuple(channels), rate_hz, samples.shape[1], lambda start, stop: samples[:, start:stop],
                     groups or {}, first_step, cut_from)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recordings:
    """The recordings of a dataset; each may have channels of its own, as sessions of an implant do.

    Raises
    ------
    DataError
        If two have one name, they differ in rate, or there is none.
    """

    items: tuple[Recording, ...]

    def __post_init__(self) -> None:
        if not self.items:
            raise DataError("there is no recording to read", where="recordings",
                            remedy="Check the folder and the options.")
        check_rates(self.items)
        names = [one.name for one in self.items]
        if len(set(names)) < len(names):
            again = next(name for name in names if names.count(name) > 1)
            raise DataError(f"two recordings are called {again!r}", where="recordings", remedy="Rename one of them.")

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Recording]:
        return iter(self.items)

    def __getitem__(self, number: int) -> Recording:
        return self.items[number]

    @property
    def rate_hz(self) -> float:
        """Samples per second and channel [Hz]."""
        return self.items[0].rate_hz

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Every channel that any recording has, those of the first recording first."""
        found: dict[str, Channel] = {}
        for channels in self.channel_sets():
            found |= {channel.name: channel for channel in channels if channel.name not in found}
        return tuple(found.values())

    def channel_sets(self) -> tuple[tuple[Channel, ...], ...]:
        """Return the distinct objects that are the channels of a recording; thousands of trials share a few."""
        return tuple({id(one.channels): one.channels for one in self.items}.values())

    def common_channels(self) -> tuple[str, ...]:
        """Return the names of the channels that all recordings have, in the order of the first."""
        kept = set(self.items[0].channel_names)
        for channels in self.channel_sets():
            kept &= {channel.name for channel in channels}
        return tuple(name for name in self.items[0].channel_names if name in kept)

    def with_channels(self, names: Sequence[str]) -> Recordings:
        """Return the recordings with these channels alone, in this order.

        Raises
        ------
        DataError
            If a recording lacks one of them.
        """
        return Recordings(tuple(_with_channels(one, names) for one in self.items))


def check_rates(recordings: Sequence[Recording], *, where: str = "recordings") -> None:
    """Raise a `DataError` where recordings differ in sampling rate."""
    for other in recordings:
        if other.rate_hz != recordings[0].rate_hz:
            raise DataError(
                f"{other.name} is sampled at {other.rate_hz:g} Hz but {recordings[0].name} at "
                f"{recordings[0].rate_hz:g} Hz",
                where=where, remedy="Leave one of them out, or resample the files to one rate first.")  # fmt: skip


def _with_channels(recording: Recording, names: Sequence[str]) -> Recording:
    own = recording.channel_names
    if absent := [name for name in names if name not in own]:
        raise DataError(f"it has no channel {', '.join(absent)}", where=recording.name,
                        remedy=f"Its channels: {', '.join(own)}.")
    rows = [own.index(name) for name in names]

    def read(start: int, stop: int) -> NDArray[Any]:
        return recording.read(start, stop)[rows]

    chosen = tuple(recording.channels[row] for row in rows)
    return dataclasses.replace(recording, channels=chosen, digest="", read=read)
