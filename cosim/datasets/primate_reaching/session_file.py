"""A session's MATLAB file: times, cursor, target and the spike times of every unit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cosim.datasets import files
from cosim.datasets.array_files.extras import reader_package
from cosim.datasets.array_files.matlab import needs_hdf5, read_variable
from energy_models.errors import DataError

PLANE = 2  # x and y
UNEVEN = 0.1  # of a sampling interval; what a time stamp may be off


@dataclass(frozen=True, slots=True)
class Session:
    """The variables of a file.

    Parameters
    ----------
    times_s : ndarray, shape (samples,)
        Rising evenly [s].
    cursor, target : ndarray, shape (samples, 2)
    units : list of lists of ndarray
        Spike times [s] of the units of each channel.
    channels : list of str
        Their names.
    """

    times_s: NDArray[np.float64]
    cursor: NDArray[np.float64]
    target: NDArray[np.float64]
    units: list[list[NDArray[np.float64]]]
    channels: list[str]


def read_session(path: Path) -> Session:
    """Return the variables of a file, of version 5 or 7.3.

    Raises
    ------
    DataError
        If it is damaged, lacks a variable, or its variables do not go together.
    """
    with files.reading(path, "the file cannot be read as MATLAB"):
        return _read(path)


def _read(path: Path) -> Session:
    hdf5 = reader_package("h5py", path) if needs_hdf5(path) else None
    times, cursor, target = (
        np.asarray(_numbers(read_variable(path, name, hdf5), name, path), dtype=np.float64)
        for name in ("t", "cursor_pos", "target_pos")
    )
    times = times.reshape(-1)
    for name, found in (("cursor_pos", cursor), ("target_pos", target)):
        if found.shape != (len(times), PLANE):
            raise DataError(f"{name} has shape {found.shape}, expected ({len(times)}, {PLANE})", where=str(path),
                            remedy="One row a sample of t, and x and y.")
    names = _texts(read_variable(path, "chan_names", hdf5))
    cells = _cells(read_variable(path, "spikes", hdf5))
    if not names or not cells or len(cells) % len(names):
        raise DataError(f"{len(cells)} cells of spikes do not go with {len(names)} channels", where=str(path),
                        remedy="spikes is a cell array of channels by units, chan_names one name a channel.")
    spikes = [np.asarray(_numbers(one, "spikes", path), dtype=np.float64).reshape(-1) for one in cells]
    by_channel = [spikes[place :: len(names)] for place in range(len(names))]
    return Session(times, cursor, target, by_channel, names)


def _numbers(found: Any, name: str, path: Path) -> NDArray[Any]:
    """Return an array of numbers, which a cell without spikes is too."""
    if isinstance(found, list) and not found:
        return np.zeros(0)
    if not isinstance(found, np.ndarray) or not np.isfinite(cast("NDArray[np.float64]", found)).all():
        raise DataError(f"{name} holds other things than finite numbers", where=str(path), remedy=files.DAMAGED)
    return cast("NDArray[Any]", found)


def _cells(found: Any) -> list[Any]:
    return cast("list[Any]", found) if isinstance(found, list) else [found]


def _texts(found: Any) -> list[str]:
    texts = [found] if isinstance(found, str) else _cells(found)
    return [re.sub(r"\s+", " ", str(one)).strip() for one in texts]


def sampling_interval(times_s: NDArray[np.float64], path: Path) -> float:
    """Return the sampling interval [s]; times that do not rise evenly are a `DataError`."""
    if len(times_s) < 3:
        raise DataError(f"t has {len(times_s)} samples", where=str(path), remedy="Choose another session.")
    interval = (times_s[-1] - times_s[0]) / (len(times_s) - 1)
    off = float(np.abs(np.diff(times_s) - interval).max())
    if not interval > 0 or off > UNEVEN * interval:
        raise DataError(f"samples of t are {off:.3g} s off from {interval:.6g} s apart", where=str(path),
                        remedy="Times must rise evenly.")
    return float(interval)
