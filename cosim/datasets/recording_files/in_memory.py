"""A recording whose samples are in memory: its units, the texts and codes that stand beside its samples."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.mne_files import stimulus
from cosim.datasets.mne_files.annotations import Annotation
from cosim.datasets.mne_files.continuous import Continuous, ReadRuns
from cosim.datasets.mne_files.record_times import Stretch
from cosim.datasets.plausible import MICROVOLTS
from cosim.datasets.recordings import Channel
from energy_models.errors import DataError, unknown_name

UNITS = {"microvolt": "µV", "microvolts": "µV", "uv": "µV", "µv": "µV", "μv": "µV", "millivolt": "mV",
         "millivolts": "mV", "mv": "mV", "volt": "V", "volts": "V", "v": "V", "nanovolt": "nV", "nanovolts": "nV",
         "nv": "nV"}  # fmt: skip
STATE_UNIT = "State it (option unit), or set unit = 'as stored' where the samples are in no unit of volts."


def unit_of(text: str) -> str:
    """Return a unit of volts as MNE-Python's and this package's tables write it, any other unit as it is."""
    return UNITS.get(text.strip().lower(), text.strip())


def scale(unit: str, asked: str, names: Sequence[str], path: Path) -> tuple[str, float]:
    """Return the unit in which channels are read and what their samples are multiplied by.

    Parameters
    ----------
    unit : str
        The one the file states; empty: none.
    asked : str
        The option `unit`.
    names : sequence of str
        The channels, for the message.
    path : Path

    Raises
    ------
    DataError
        If neither the file nor the option states one, or the one that the file states is not known.
    """
    if asked == "as stored":
        return "as stored", 1.0
    stated = unit_of(unit if asked == "file" else asked)
    if not stated:
        raise DataError(f"the file states no unit of channel {', '.join(names[:8])}", where=str(path),
                        remedy=STATE_UNIT)
    if stated not in MICROVOLTS:
        raise DataError(f"the unit {stated!r} of channel {', '.join(names[:8])} is not known", where=str(path),
                        remedy=f"Known are V, mV, uV (µV), nV and their names in full. {STATE_UNIT} Leave out "
                               "channels that are no voltages (option channels).")
    return "µV", MICROVOLTS[stated]


def chosen(present: Sequence[str], asked: Sequence[str], path: Path) -> list[int]:
    """Return the numbers of the channels that are asked for, or of all.

    Raises
    ------
    DataError
        If one is not there, or two have one name.
    """
    if again := sorted({name for name in present if present.count(name) > 1}):
        raise DataError(f"two channels are called {', '.join(again)}", where=str(path), remedy="Rename one of them.")
    if absent := [name for name in asked if name not in present]:
        raise DataError(f"the file holds no channel {', '.join(absent)}", where=str(path),
                        remedy=unknown_name("channels", absent[0], list(present)))
    return [present.index(name) for name in asked] or list(range(len(present)))


def in_memory(
    path: Path,
    samples: NDArray[Any],
    channels: Sequence[Channel],
    rate_hz: float,
    *,
    annotations: Iterable[Annotation] = (),
    codes: Mapping[str, NDArray[np.float64]] | None = None,
    stretches: Sequence[Stretch] = (),
    bad_channels: Sequence[str] = (),
    notes: Iterable[str] = (),
) -> Continuous:
    """Return a recording of samples in memory, shape (channels, samples).

    Parameters
    ----------
    path : Path
        For messages and notes.
    samples : ndarray
        In the unit of its channel.
    channels : sequence of Channel
    rate_hz : float
        [Hz]
    annotations : iterable of Annotation
    codes : mapping of str to ndarray, shape (samples,)
        Stimulus channels by name.
    stretches : sequence of Stretch
        None: all samples follow on.
    bad_channels, notes : sequences of str

    Raises
    ------
    DataError
        If there is no sample.
    """
    steps = samples.shape[1]
    if steps < 1 or not channels:
        raise DataError(f"it holds {len(channels)} channels of {steps} samples", where=str(path),
                        remedy="It may be cut short: copy it again.")
    return Continuous(
        lambda start, stop: np.asarray(samples[:, start:stop], dtype=np.float64), steps, rate_hz, tuple(channels),
        tuple(sorted(annotations, key=lambda one: one.start)), _runs(codes or {}), 0, tuple(bad_channels),
        tuple(stretches) or (Stretch(0, steps, 0),), tuple(notes),
    )  # fmt: skip


def _runs(codes: Mapping[str, NDArray[np.float64]]) -> ReadRuns:
    """Return what reads the runs of the stimulus channels of a file."""

    def read_runs(named: str, mask: int | None) -> tuple[tuple[stimulus.Run, ...], ...]:
        if named and named not in codes:
            raise DataError(f"there is no stimulus channel {named!r}",
                            remedy=unknown_name("channels", named, list(codes)))
        found = [codes[named]] if named else list(codes.values())
        return tuple(stimulus.runs(values, -1 if mask is None else mask) for values in found)

    return read_runs


def held_texts(texts: Sequence[str]) -> list[Annotation]:
    """Return an annotation for every run of one text beside the samples; empty texts are none."""
    found: list[Annotation] = []
    start = 0
    for text, run in itertools.groupby(texts):
        stop = start + sum(1 for _ in run)
        if text:
            found.append(Annotation(start, stop if stop > start + 1 else start, text))
        start = stop
    return found


def whole_number(text: str) -> str:
    """Return a number that is whole without its decimals, any other text as it is: ``2.0`` is the code 2."""
    return re.sub(r"^([+-]?\d+)\.0*$", r"\1", text.strip())
