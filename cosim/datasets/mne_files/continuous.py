"""One continuous recording file: its channels, annotations, stimulus codes, and what reads its samples."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mne
import numpy as np
from numpy.typing import NDArray

from cosim.datasets.files import reading
from cosim.datasets.mne_files import stimulus
from cosim.datasets.mne_files.annotations import Annotation, read_annotations
from cosim.datasets.mne_files.edf_header import dimensions
from cosim.datasets.mne_files.lengths import check_fif, check_promised
from cosim.datasets.mne_files.record_times import Stretch, in_stretches, stretches
from cosim.datasets.recordings import Channel, Read, Recording
from energy_models.errors import DataError, unknown_name

_mne: Any = mne  # its annotations are too partial for strict checking
MICROVOLTS_PER_VOLT = 1e6
ELECTRODES = ("eeg", "ecog", "seeg", "dbs")
FOLDERS = frozenset({".mff", ".ds", ".mefd"})  # formats whose recordings are folders
OF_FORMAT = {".set": "µV", ".fif": "V"}  # EEGLAB and FIFF state the unit of voltages, their files do not
DAMAGED = "It may be damaged, cut short, or of a format MNE does not know."
ReadRuns = Callable[[str, int | None], tuple[tuple[stimulus.Run, ...], ...]]


@dataclass(frozen=True, slots=True)
class Continuous:
    """A recording file: its channels, cues by sample and by name; samples are read when asked for.

    Parameters
    ----------
    read : callable
        ``read(start, stop)`` returns samples of the chosen channels, shape (channels, samples); volts in the file are
        microvolts here, bad channels included.
    steps : int
        Samples of each channel.
    rate_hz : float
        Sampling rate [Hz].
    channels : tuple of Channel
    annotations : tuple of Annotation
    read_runs : callable
        ``read_runs(name, mask)`` returns the runs of the stimulus channel of a name, or of each one there is.
    first_sample : int
        Number that separate event files give to the first stored sample.
    bad_channels : tuple of str
        Channels that the file marks as bad.
    stretches : tuple of Stretch
        Stretches whose samples follow on in time; one, unless the format keeps gaps.
    notes : tuple of str
        What is to be said about the file.
    cue_steps : int or None
        Where every stretch is a trial that was cut before: samples from its first one to its cue, which need not lie
        inside; its annotations begin at its first sample. None: annotations are cues themselves.
    units : mapping of str to str
        The unit that the file, or its format, states of channels by name; none of those it says nothing about.
    """

    read: Read
    steps: int
    rate_hz: float
    channels: tuple[Channel, ...]
    annotations: tuple[Annotation, ...]
    read_runs: ReadRuns
    first_sample: int
    bad_channels: tuple[str, ...]
    stretches: tuple[Stretch, ...]
    notes: tuple[str, ...] = ()
    cue_steps: int | None = None
    units: Mapping[str, str] = field(default_factory=dict[str, str])

    def recording(self, name: str, groups: Mapping[str, str]) -> Recording:
        """Return all of it as one recording under a name, in groups.

        Raises
        ------
        DataError
            If it has gaps, across which nothing may be filtered or cut.
        """
        if len(self.stretches) > 1:
            raise DataError(f"the file is discontinuous (EDF+D): it has {len(self.stretches) - 1} gap(s)", where=name,
                            remedy="Read it with the dataset 'mne_file', which keeps to its stretches.")
        return Recording(name, self.channels, self.rate_hz, self.steps, self.read, groups)

    def stimulus_cues(
        self, asked: Collection[int], *, channel: str = "", mask: int | None = None
    ) -> tuple[tuple[int, int], ...]:
        """Return (sample, code) of every cue of the codes asked for, in the order of time.

        See `stimulus.cues` for what is a cue. A `channel` that is not named is the summed trigger channel, or every
        stimulus channel; a `mask` keeps some bits of the codes.
        """
        found = [stimulus.cues(runs, asked, self.rate_hz) for runs in self.read_runs(channel, mask)]
        return tuple(sorted({cue for cues in found for cue in cues}))

    def stimulus_codes(self, *, channel: str = "", mask: int | None = None) -> tuple[int, ...]:
        """Return every code but zero that its stimulus channels take."""
        return tuple(sorted({run.code for runs in self.read_runs(channel, mask) for run in runs} - {0}))


def read_continuous(path: Path, *, kinds: Sequence[str] = ELECTRODES, names: Sequence[str] = ()) -> Continuous:
    """Return a recording of any format MNE recognises by its name; its samples are left in the file.

    Parameters
    ----------
    path : Path
    kinds : sequence of str
        Kinds of channels that are read, in the words of MNE-Python, in the order of the file.
    names : sequence of str
        Channels that are read, of whatever kind, in this order; none: those of `kinds`.

    Raises
    ------
    DataError
        If the file is missing, truncated, damaged or of no known format, or holds no such channel.
    """
    if not os.path.isfile(path) and not (os.path.isdir(path) and path.suffix.lower() in FOLDERS):
        said = "it is a folder, and no recording" if os.path.isdir(path) else "the file does not exist"
        raise DataError(said, where=str(path), remedy="Check the folder and the name.")
    with reading(path, remedy=DAMAGED):
        check_promised(path)
        with redirect_stdout(io.StringIO()) as printed:
            raw: Any = _mne.io.read_raw(path, preload=False, verbose="ERROR")
        notes = tuple(f"{path.name}: {line.strip()}" for line in printed.getvalue().splitlines() if line.strip())
        steps, rate_hz = int(raw.n_times), float(raw.info["sfreq"])
        picks = picks_of(raw, path, kinds, names)
        if steps < 1 or not math.isfinite(rate_hz) or rate_hz <= 0:
            raise DataError(f"the file states {steps} samples at {rate_hz:g} Hz", where=str(path), remedy=DAMAGED)
        raw.get_data(picks, steps - 1, steps, verbose="ERROR")  # a header may promise more than the file holds
        own = stretches(path, steps, rate_hz)
        whole = len(own) == 1
        channels, factors = channels_of(raw, picks)
        found = read_annotations(raw, raw.annotations if whole else _mne.read_annotations(path))
        return Continuous(
            _reader(path, raw, picks, factors), steps, rate_hz, channels,
            found if whole else in_stretches(found, own), _read_runs(path, raw), int(raw.first_samp),
            tuple(map(str, raw.info["bads"])), own, notes, units=_units(path, raw),
        )  # fmt: skip


def _units(path: Path, raw: Any) -> dict[str, str]:
    """Return the units that a file states by channel: its header's, else that in which its format holds voltages."""
    ending = path.suffix.lower()
    if ending in {".edf", ".bdf"}:
        return {name: unit for name, unit in dimensions(path) if unit}
    if ending in OF_FORMAT:
        kinds: list[str] = raw.get_channel_types()
        return {str(name): OF_FORMAT[ending] for name, kind in zip(raw.ch_names, kinds, strict=True)
                if kind in ELECTRODES}  # fmt: skip
    return {str(name): str(unit) for name, unit in raw._orig_units.items() if unit != "n/a"}


def picks_of(raw: Any, path: Path, kinds: Sequence[str], names: Sequence[str]) -> list[int]:
    """Return the numbers of the channels of some names, or of some kinds."""
    present: list[str] = [str(name) for name in raw.ch_names]
    if absent := [name for name in names if name not in present]:
        raise DataError(f"the file holds no channel {', '.join(absent)}", where=str(path),
                        remedy=unknown_name("channels", absent[0], present))
    if names:
        return [present.index(name) for name in names]
    own: list[str] = list(raw.get_channel_types())
    if picks := [number for number, kind in enumerate(own) if kind in kinds]:
        return picks
    said = "EEG, ECoG, sEEG or DBS channel" if tuple(kinds) == ELECTRODES else f"channel of kind {', '.join(kinds)}"
    raise DataError(f"the file holds no {said}", where=str(path),
                    remedy=f"Its channel types: {', '.join(sorted(set(own)))}.")


def _reader(path: Path, raw: Any, picks: list[int], factors: NDArray[np.float64]) -> Read:
    """Return what reads samples of an open file, volts in microvolts."""

    def read(start: int, stop: int) -> NDArray[np.float64]:
        with reading(path, remedy=DAMAGED):
            found = raw.get_data(picks, start, stop, verbose="ERROR")
        if np.iscomplexobj(found):
            raise DataError("its samples are complex numbers", where=str(path), remedy="Store real voltages")
        return np.asarray(found, dtype=np.float64) * factors

    return read


def no_runs(named: str, mask: int | None) -> tuple[tuple[stimulus.Run, ...], ...]:
    """Return no run: what a file without a stimulus channel reads."""
    return ()


def _read_runs(path: Path, raw: Any) -> ReadRuns:
    """Return what reads the runs of the stimulus channels of an open file."""

    def read_runs(named: str, mask: int | None) -> tuple[tuple[stimulus.Run, ...], ...]:
        kept = stimulus.EVENT_BITS_OF_BIOSEMI if path.suffix.lower() == ".bdf" else -1
        with reading(path, remedy=DAMAGED):
            channels = stimulus.stimulus_channels(raw, named)
            found = [np.asarray(raw.get_data([one], verbose="ERROR"), dtype=np.float64)[0] for one in channels]
            return tuple(stimulus.runs(values, kept if mask is None else mask) for values in found)

    return read_runs


def _unit(raw: Any, pick: int) -> tuple[str, float]:
    """Return the unit of a channel and what its samples are multiplied by; what is in no volts stays as it is."""
    code = int(raw.info["chs"][pick]["unit"])
    return ("µV", MICROVOLTS_PER_VOLT) if code == int(_mne.io.constants.FIFF.FIFF_UNIT_V) else ("as stored", 1.0)


def channels_of(raw: Any, picks: list[int]) -> tuple[tuple[Channel, ...], NDArray[np.float64]]:
    """Return channels with kinds, and places where the file knows them, and factors to their units, shape (n, 1)."""
    kinds: list[str] = raw.get_channel_types(picks)
    channels: list[Channel] = []
    for index, kind in zip(picks, kinds, strict=True):
        x, y, z = (float(part) for part in raw.info["chs"][index]["loc"][:3])
        known = all(map(math.isfinite, (x, y, z))) and any((x, y, z))  # MNE writes zeros or nan for an unknown place
        place = (x, y, z) if known else None
        channels.append(Channel(str(raw.ch_names[index]), kind, _unit(raw, index)[0], place))
    return tuple(channels), np.asarray([_unit(raw, pick)[1] for pick in picks])[:, None]


def read_event_file(path: Path) -> tuple[tuple[int, int], ...]:
    """Return (sample, code) of every event of an MNE event file (``-eve.fif`` or text).

    Raises
    ------
    DataError
        If the file is missing or damaged.
    """
    if not os.path.isfile(path):
        raise DataError("the event file does not exist", where=str(path), remedy="Check the folder and the name.")
    with reading(path, "the event file cannot be read"):
        if path.suffix.lower() == ".fif":
            check_fif(path)
        found: Any = _mne.read_events(path, verbose="ERROR")
        return tuple((int(row[0]), int(row[2])) for row in found)
