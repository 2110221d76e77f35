"""Arrays by name from NPZ files, folders of NPY files and MATLAB files, in one order of axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.datasets import files
from cosim.datasets.array_files.extras import reader_package
from cosim.datasets.array_files.matlab import as_array, names_in_mat, needs_hdf5, read_variable
from energy_models.errors import DataError, unknown_name

AXES = {"classification": ("examples", "channels", "steps"), "regression": ("bins", "channels")}
MATLAB = "the file cannot be read as MATLAB"
TRIAL = "run"  # the label of bins that were kept trial by trial


def read_named(path: Path, names: Mapping[str, str], required: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file that are there.

    Parameters
    ----------
    path : Path
        An NPZ or MATLAB file, or a folder of NPY files.
    names : mapping of str to str
        Name in the file by what the array is.
    required : sequence of str
        Arrays that must be there.

    Raises
    ------
    DataError
        If an array cannot be read, or one that is required is missing.
    """
    if path.suffix.lower() == ".mat" and path.is_file():
        return _from_matlab(path, names, required)
    if path.is_dir():
        found = {key: files.read_npy(path / f"{name}.npy") for key, name in names.items()
                 if (path / f"{name}.npy").is_file()}  # fmt: skip
        present = sorted(one.stem for one in path.glob("*.npy"))
    else:
        present = files.names_in_npz(path)
        there = {key: name for key, name in names.items() if name in present}
        read = files.read_npz(path, list(there.values()))
        found = {key: read[name] for key, name in there.items()}
    for key in required:
        if key not in found:
            raise DataError(f"there is no array {names[key]!r}", where=str(path),
                            remedy=unknown_name("arrays", names[key], present))
    return found


def _from_matlab(path: Path, names: Mapping[str, str], required: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return the arrays of a MATLAB file; a row or a column of labels is one axis."""
    hdf5 = reader_package("h5py", path) if needs_hdf5(path) else None
    found: dict[str, NDArray[Any]] = {}
    ragged: dict[str, list[NDArray[Any]]] = {}
    with files.reading(path, MATLAB):
        present = names_in_mat(path, hdf5)
        for key, name in names.items():
            if key not in required and name not in present:
                continue
            array = as_array(read_variable(path, name, hdf5), path, name)
            if isinstance(array, list):
                ragged[key] = array
            else:
                found[key] = array if key == "inputs" else _plain(array)
    if ragged:
        found |= _trial_by_trial(ragged, found, path)
    return found


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """Return a row or a column as one axis, and whole numbers as such: MATLAB's numbers are doubles."""
    own = array.reshape(-1) if min(array.shape, default=0) == 1 else array
    whole = own.dtype.kind == "f" and own.ndim == 1 and np.isfinite(own).all() and (own == np.rint(own)).all()
    return own.astype(np.int64) if whole else own


def _trial_by_trial(
    ragged: Mapping[str, Sequence[NDArray[Any]]], found: Mapping[str, NDArray[Any]], path: Path
) -> dict[str, NDArray[Any]]:
    """Return trials of unequal length behind each other, with the number of each bin's trial as its run."""
    lengths = {key: [len(one) for one in arrays] for key, arrays in ragged.items()}
    if set(ragged) != {"inputs", "targets"} or lengths["inputs"] != lengths["targets"]:
        raise DataError(f"the arrays of {', '.join(sorted(ragged))} differ in shape from cell to cell", where=str(path),
                        remedy="Cells of trials hold (bins, channels) and (bins, outputs), as many bins in both.")
    joined = {key: np.concatenate(list(arrays)) for key, arrays in ragged.items()}
    trial = np.repeat(np.arange(len(lengths["inputs"])), lengths["inputs"])
    return joined if TRIAL in found else {**joined, TRIAL: trial}


def in_axes(found: dict[str, NDArray[Any]], stored: str, task: str, path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays with the axes of their inputs in the order of this package.

    Parameters
    ----------
    found : dict of str to ndarray
    stored : str
        Names of the axes as stored, separated by commas; empty: they are in order.
    task : {'classification', 'regression'}
    path : Path
        For messages.

    Raises
    ------
    DataError
        If these are not the axes of the task.
    """
    if not stored:
        return found
    wanted, own = AXES[task], tuple(part.strip() for part in stored.split(","))
    if sorted(own) != sorted(wanted) or found["inputs"].ndim != len(own):
        raise DataError(f"axes = {stored!r} are not those of inputs of shape {found['inputs'].shape}", where=str(path),
                        remedy=f"Write each of {', '.join(wanted)} once, in the order they are stored in.")
    moved = {**found, "inputs": found["inputs"].transpose([own.index(name) for name in wanted])}
    if task == "regression" and own != wanted and found["targets"].ndim == len(own):
        moved["targets"] = found["targets"].T
    return moved


def numbered(targets: NDArray[Any], names: Sequence[str], first: int) -> NDArray[Any]:
    """Return classes counted from 0: texts by their names, whole numbers by the number of the first class.

    False and true are the classes 0 and 1, whatever number the first class of other arrays has.
    """
    if targets.dtype.kind == "b":
        return targets.astype(np.int64)
    if targets.dtype.kind in "US" and targets.ndim == 1:
        own = [name.strip() for name in names]
        texts = np.char.decode(targets, "utf-8", "replace") if targets.dtype.kind == "S" else targets
        return np.asarray([own.index(text) if text in own else -1 for text in texts.tolist()])
    return targets.astype(np.int64) - first if targets.dtype.kind in "iu" and first else targets
