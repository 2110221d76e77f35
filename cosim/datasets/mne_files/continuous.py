"""One continuous recording file: its channels, annotations, stimulus codes, and what reads its samples."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mne
import numpy as np
from numpy.typing import NDArray

from cosim.datasets.files import check_edf_length
from cosim.datasets.recordings import Channel, Read, Recording
from energy_models.errors import DataError

_mne: Any = mne  # its annotations are too partial for strict checking
MICROVOLTS_PER_VOLT = 1e6
DAMAGE = (OSError, ValueError, RuntimeError, IndexError, KeyError, TypeError, EOFError, struct.error)


@dataclass(frozen=True, slots=True)
class Continuous:
    """A recording file: its channels, cues by sample and by name; samples are read when asked for.

    Parameters
    ----------
    read : callable
        ``read(start, stop)`` returns samples of EEG, ECoG, sEEG and similar channels, shape (channels, samples); volts
        in the file are microvolts here, bad channels included.
    steps : int
        Samples of each channel.
    rate_hz : float
        Sampling rate [Hz].
    channels : tuple of Channel
    annotations : tuple of (int, str)
        First sample and text of every annotation.
    stimulus : tuple of (int, int)
        Sample and code of every rise of the stimulus channel, if there is one.
    first_sample : int
        Number that separate event files give to the first stored sample.
    """

    read: Read
    steps: int
    rate_hz: float
    channels: tuple[Channel, ...]
    annotations: tuple[tuple[int, str], ...]
    stimulus: tuple[tuple[int, int], ...]
    first_sample: int

    def recording(self, name: str, groups: Mapping[str, str]) -> Recording:
        """Return its recording under a name, in groups."""
        return Recording(name, self.channels, self.rate_hz, self.steps, self.read, groups)


def read_continuous(path: Path) -> Continuous:
    """Return a recording of any format MNE recognises by its name; its samples are left in the file.

    Raises
    ------
    DataError
        If the file is missing, truncated, damaged or of no known format.
    """
    if not path.is_file():
        raise DataError("the file does not exist", where=str(path), remedy="Check the folder and the name.")
    if path.suffix.lower() == ".edf":
        check_edf_length(path)
    try:
        raw: Any = _mne.io.read_raw(path, preload=False, verbose="ERROR")
        wanted = {"meg": False, "eeg": True, "ecog": True, "seeg": True, "dbs": True}
        picks: list[int] = list(_mne.pick_types(raw.info, exclude=(), **wanted))
        if not picks:
            raise DataError("the file holds no EEG, ECoG, sEEG or DBS channel", where=str(path),
                            remedy=f"Its channel types: {', '.join(sorted(set(raw.get_channel_types())))}.")
        annotations: Any = raw.annotations
        # as mne.events_from_annotations: without a measurement date onsets count from the begin of the acquisition
        onsets = raw.time_as_index(annotations.onset, use_rounding=True, origin=annotations.orig_time)
        if annotations.orig_time is None:
            onsets = onsets - raw.first_samp
        stimulus: tuple[tuple[int, int], ...] = ()
        if "stim" in raw.get_channel_types():
            found: Any = _mne.find_events(raw, shortest_event=0, verbose="ERROR")
            stimulus = tuple((int(row[0]) - int(raw.first_samp), int(row[2])) for row in found)
        return Continuous(
            _reader(path, raw, picks), int(raw.n_times), float(raw.info["sfreq"]), _channels(raw, picks),
            tuple(zip(onsets.tolist(), map(str, annotations.description), strict=True)), stimulus, int(raw.first_samp),
        )  # fmt: skip
    except DAMAGE as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: BaseException) -> DataError:
    return DataError(f"the file cannot be read ({error})", where=str(path),
                     remedy="It may be damaged, cut short, or of a format MNE does not know.")


def _reader(path: Path, raw: Any, picks: list[int]) -> Read:
    """Return what reads samples of an open file, in microvolts."""

    def read(start: int, stop: int) -> NDArray[np.float64]:
        try:
            found = raw.get_data(picks, start, stop, verbose="ERROR")
        except DAMAGE as error:
            raise _damaged(path, error) from error
        return np.asarray(found, dtype=np.float64) * MICROVOLTS_PER_VOLT

    return read


def _channels(raw: Any, picks: list[int]) -> tuple[Channel, ...]:
    """Return the channels of a file with their kinds, and their places where the file knows them."""
    kinds: list[str] = raw.get_channel_types(picks)
    channels: list[Channel] = []
    for index, kind in zip(picks, kinds, strict=True):
        x, y, z = (float(part) for part in raw.info["chs"][index]["loc"][:3])
        known = all(map(math.isfinite, (x, y, z))) and any((x, y, z))  # MNE writes zeros or nan for an unknown place
        channels.append(Channel(str(raw.ch_names[index]), kind, "µV", (x, y, z) if known else None))
    return tuple(channels)


def read_event_file(path: Path) -> tuple[tuple[int, int], ...]:
    """Return (sample, code) of every event of an MNE event file (``-eve.fif`` or text).

    Raises
    ------
    DataError
        If the file is missing or damaged.
    """
    if not path.is_file():
        raise DataError("the event file does not exist", where=str(path), remedy="Check the folder and the name.")
    try:
        found: Any = _mne.read_events(path, verbose="ERROR")
    except DAMAGE as error:
        raise DataError(f"the event file cannot be read ({error})", where=str(path),
                        remedy="Fetch it again.") from error
    return tuple((int(row[0]), int(row[2])) for row in found)
