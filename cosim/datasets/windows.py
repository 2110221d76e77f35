"""Windows: where each example lies in the recordings, cut only when it is asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.recordings import Channel, Recordings, array_recording
from cosim.preprocessing.scaling import Scaler
from energy_models.errors import DataError

Examples = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Masked:
    """Values some of which do not exist.

    Parameters
    ----------
    values : ndarray of float32
        Not a number where `mask` is False.
    mask : ndarray of bool
        Of the shape of `values`, or of its leading axes.
    """

    values: NDArray[np.float32]
    mask: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Windows:
    """An index of examples of one length; the arrays are cut from the recordings on demand.

    Parameters
    ----------
    recordings : Recordings
    recording : ndarray of int64, shape (examples,)
        Which recording each example lies in.
    starts : ndarray of int64, shape (examples,)
        First step of each example, in the time of its recording; with `steps` it tells which examples overlap.
    steps : int
        Steps of every example. One may pass the end of its recording (a short trial): its last steps are then masked.
    scaler : Scaler or None
        Applied to what is read; fitted on training examples only.

    Raises
    ------
    DataError
        If an example lies in no recording, or starts outside of its own.
    """

    recordings: Recordings
    recording: Examples
    starts: Examples
    steps: int
    scaler: Scaler | None = None

    def __post_init__(self) -> None:
        if self.recording.shape != self.starts.shape or self.starts.ndim != 1 or self.steps < 1:
            raise DataError(f"recording {self.recording.shape}, starts {self.starts.shape} and {self.steps} steps do "
                            "not describe windows", where="windows", remedy="Give one entry per example to both.")
        if len(self) and not 0 <= self.recording.min() <= self.recording.max() < len(self.recordings):
            raise DataError(f"an example lies in none of the {len(self.recordings)} recordings", where="windows",
                            remedy="Number the recordings from 0.")
        outside = np.flatnonzero((self._offsets < 0) | (self._offsets >= self._lengths))
        if outside.size:
            one = self.recordings[int(self.recording[outside[0]])]
            raise DataError(f"example {outside[0]} starts at {self.starts[outside[0]]}, outside of the {one.steps} "
                            f"steps of {one.name} from {one.first_step} on", where="windows",
                            remedy="Check the index.")

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def _offsets(self) -> Examples:
        """First sample of each example within what its recording holds."""
        return self.starts - np.array([one.first_step for one in self.recordings], dtype=np.int64)[self.recording]

    @property
    def _lengths(self) -> Examples:
        """Samples of each example's recording."""
        return np.array([one.steps for one in self.recordings], dtype=np.int64)[self.recording]

    @property
    def sources(self) -> Examples:
        """Which recording the start of each example is counted in, numbered in the order of the recordings.

        Examples overlap or touch only where this is the same; labels in the groups of a dataset may be coarser.
        """
        numbers: dict[str, int] = {}
        own = [numbers.setdefault(one.source, len(numbers)) for one in self.recordings]
        return np.asarray(own, dtype=np.int64)[self.recording]

    @property
    def examples(self) -> Examples:
        """The indices of all examples."""
        return np.arange(len(self), dtype=np.int64)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels of the inputs: every channel that any recording has."""
        return self.recordings.channels

    def missing_inputs(self) -> str:
        """Return what of the inputs does not exist, in words; empty where every window is whole."""
        names = {channel.name for channel in self.channels}
        used = [self.recordings[number] for number in np.unique(self.recording).tolist()]
        lacking = {one.name: sorted(names - set(one.channel_names)) for one in used if len(one.channels) < len(names)}
        said = [f"{name} lacks channel {', '.join(absent)}" for name, absent in lacking.items()]
        if short := int((self._offsets + self.steps > self._lengths).sum()):
            said.append(f"{short} of {len(self)} windows pass the end of their recording")
        return "; ".join(said)

    def inputs(self, examples: Examples | Sequence[int] | None = None) -> NDArray[np.float32]:
        """Return the inputs of some examples, or of all, shape (examples, channels, steps), reading only these.

        Raises
        ------
        DataError
            If any example of the dataset lacks a channel or a step: whoever asks here cannot use a mask.
        """
        if said := self.missing_inputs():
            raise DataError(f"inputs without a mask were asked for, but {said}", where="windows",
                            remedy="Keep the channels all recordings have and whole windows only, or use what takes a "
                                   "mask (masked_inputs).")
        return self._cut(self.examples if examples is None else np.asarray(examples, dtype=np.int64))

    def masked_inputs(self, examples: Examples | Sequence[int]) -> Masked:
        """Return the inputs of some examples and which of them exist, both of shape (examples, channels, steps)."""
        chosen = np.asarray(examples, dtype=np.int64)
        names = [channel.name for channel in self.channels]
        has = np.array([np.isin(names, one.channel_names) for one in self.recordings])
        within = self._offsets[:, None] + np.arange(self.steps) < self._lengths[:, None]
        return Masked(self._cut(chosen), has[self.recording[chosen]][:, :, None] & within[chosen][:, None, :])

    def scaled(self, scaler: Scaler) -> Windows:
        """Return the same windows, their inputs scaled as they are read."""
        return dataclasses.replace(self, scaler=scaler)

    def _cut(self, chosen: Examples) -> NDArray[np.float32]:
        """Return the samples of some examples, not a number where there are none."""
        names = [channel.name for channel in self.channels]
        rows = {id(own): [names.index(channel.name) for channel in own] for own in self.recordings.channel_sets()}
        values = np.full((len(chosen), len(names), self.steps), np.nan, dtype=np.float32)
        offsets = self._offsets
        # In the order of the recordings, so that each is opened or processed once.
        for place in np.argsort(self.recording[chosen], kind="stable").tolist():
            example = int(chosen[place])
            one = self.recordings[int(self.recording[example])]
            start = int(offsets[example])
            stop = min(start + self.steps, one.steps)
            values[place, rows[id(one.channels)], : stop - start] = one.read(start, stop)
        return values if self.scaler is None else self.scaler.apply(values)


def example_windows(
    inputs: NDArray[np.float32], cut_from: Sequence[str], starts: Examples, channels: tuple[Channel, ...],
    rate_hz: float,
) -> Windows:  # fmt: skip
    """Return windows of examples that were cut before; each is read alone.

    Parameters
    ----------
    inputs : ndarray, shape (examples, channels, steps)
    cut_from : sequence of str
        Name of the recording each example was cut from; all different where they are separate trials.
    starts : ndarray of int64, shape (examples,)
        First step of each in the recording it was cut from; 0 where that is not known.
    channels : tuple of Channel
    rate_hz : float
        Steps per second [Hz].
    """
    recordings = tuple(
        array_recording(f"example{number}", one, channels, rate_hz, first_step=int(start), cut_from=name)
        for number, (name, one, start) in enumerate(zip(cut_from, inputs, starts, strict=True))
    )
    return Windows(Recordings(recordings), np.arange(len(inputs), dtype=np.int64), starts, inputs.shape[2])
