"""Where recordings are looked for, and what is said when they are not there or are damaged."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from cosim.datasets.array_files import check_mat, check_npy, check_npz, names_in_archive
from energy_models.errors import CosimError, DataError, unknown_name

_io: Any = scipy.io  # scipy ships no types for its file readers
ENVIRONMENT = "COSIM_DATA"
LAST_CHARACTER = 0x10FFFF
DAMAGED = "It may be damaged or cut short: copy it again."


def root(data_dir: Path | None, *, corpus: str, expected: str) -> Path:
    """Return the folder the user named, by argument or by the environment variable ``COSIM_DATA``.

    Raises
    ------
    DataError
        If none was named, or it is no folder; the message names the path that is expected inside it.
    """
    named = data_dir if data_dir is not None else Path(os.environ.get(ENVIRONMENT, ""))
    if data_dir is None and not os.environ.get(ENVIRONMENT):
        raise DataError(f"no data folder was named, so {expected} cannot be found", where=f"dataset {corpus!r}",
                        remedy=f"Name it with --data-dir or the environment variable {ENVIRONMENT}.")
    if not os.path.isdir(named):
        raise DataError(f"the data folder {named} does not exist", where=f"dataset {corpus!r}",
                        remedy=f"Name the folder that holds {expected} with --data-dir or {ENVIRONMENT}.")
    return named


def missing(corpus: str, expected: Path | str, *, fetch: str) -> DataError:
    """Return the error for files that are not there; `fetch` says how a user gets them."""
    return DataError(f"{expected} was not found", where=f"dataset {corpus!r}", remedy=fetch)


def fetch_by_command(corpus: str) -> str:
    """Return the remedy for a corpus whose public source this package can download."""
    return (f"Put the files there, or fetch them on a machine with a network: "
            f"cosim datasets --download {corpus} --data-dir FOLDER.")


@contextmanager
def reading(path: Path, said: str = "the file cannot be read", *, remedy: str = DAMAGED) -> Generator[None]:
    """Turn whatever a reader raises on a damaged file into a `DataError` that names it; our own errors pass.

    Readers of other packages raise what they like on bytes they do not expect, plain `Exception` and `AssertionError`
    included; so nothing but their calls stands in here. What they warn of or print is not shown: it names no file, and
    numbers that are none are refused with their place.

    Parameters
    ----------
    path : Path
    said : str
        What went wrong; what the reader raised stands behind it in brackets.
    remedy : str

    Raises
    ------
    DataError
        In the place of any other exception.
    """
    try:
        with warnings.catch_warnings(action="ignore"), redirect_stdout(io.StringIO()):
            yield
    except CosimError:
        raise
    except Exception as error:
        raised = f"{type(error).__name__}: {error}".strip(": \n").splitlines()
        raise DataError(f"{said} ({raised[0][:300]})", where=str(path), remedy=remedy) from error


def read_mat(path: Path, keys: Iterable[str], *, corpus: str, fetch: str) -> dict[str, NDArray[Any]]:
    """Return the named variables of a MATLAB version 5 file.

    Raises
    ------
    DataError
        If the file is missing, is no such file, is cut short, or lacks a variable.
    """
    if not os.path.isfile(path):
        raise missing(corpus, path, fetch=fetch)
    remedy = f"{DAMAGED} One of version 7.3: save it with -v7."
    with reading(path, "the file cannot be read as MATLAB version 5", remedy=remedy):
        check_mat(path)
        content: dict[str, Any] = _io.loadmat(str(path))
    present = [name for name in content if not name.startswith("__")]
    for key in keys:
        if key not in content:
            raise DataError(f"the file holds no variable {key!r}", where=str(path),
                            remedy=unknown_name("variables", key, present))
    arrays = {key: np.asarray(content[key]) for key in keys}
    for key, array in arrays.items():
        if array.dtype.kind not in "iufb":
            kind = {"U": "text", "S": "text", "c": "complex"}.get(array.dtype.kind, "a cell or a structure")
            raise DataError(f"variable {key!r} is {kind}, not an array of real numbers", where=str(path),
                            remedy="Save its numbers as a variable of their own.")
    return arrays


def read_npy(path: Path) -> NDArray[Any]:
    """Return the array of an NPY file; one of Python objects is refused, nothing is unpickled.

    Raises
    ------
    DataError
        If the file cannot be read, or claims to hold more than it does.
    """
    with reading(path, "an array cannot be read"):
        check_npy(path)
        return checked_text(np.asarray(np.load(path, allow_pickle=False)))


def names_in_npz(path: Path) -> list[str]:
    """Return the names of the arrays in an NPZ file; a damaged file is a `DataError`."""
    with reading(path, "the file cannot be read as NPZ"):
        return names_in_archive(path)


def read_npz(path: Path, keys: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Return the named arrays of an NPZ file; object arrays are refused, nothing is unpickled.

    Raises
    ------
    DataError
        If the file cannot be read, lacks an array, or claims to hold more than it does.
    """
    wanted, present = list(keys), names_in_npz(path)
    for key in wanted:
        if key not in present:
            raise DataError(f"the file holds no array {key!r}", where=str(path),
                            remedy=unknown_name("arrays", key, present))
    with reading(path, "the file cannot be read as NPZ"):
        check_npz(path, wanted)
        with np.load(path, allow_pickle=False) as content:
            return {key: checked_text(np.asarray(content[key])) for key in wanted}


def checked_text(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array after checking that its texts, if any, are of characters.

    Raises
    ------
    ValueError
        A number that is no character's stands in it; Python fails on each use of such a text.
    """
    if array.dtype.kind == "U":
        plain = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("="))
        if plain.size and int(plain.reshape(-1).view(np.uint32).max(initial=0)) > LAST_CHARACTER:
            raise ValueError("a text holds what is no character")
    return array


def check_finite(
    samples: NDArray[np.float64], names: Sequence[str], *, where: str, rate_hz: float | None = None, first: int = 0
) -> None:
    """Raise a `DataError` that names channels with values that are not finite, and the first sample that holds one.

    Parameters
    ----------
    samples : ndarray, shape (channels, samples)
    names : sequence of str
    where : str
        File or recording.
    rate_hz : float or None
        Sampling rate, for the time of that sample [Hz]; None: it is not told.
    first : int
        Number of the first of `samples` in the file, counted from 0.
    """
    finite = np.isfinite(samples)
    if finite.all():
        return
    guilty = _channel_text([names[index] for index in np.flatnonzero(~finite.all(axis=1)).tolist()])
    sample = first + int(np.argmin(finite.all(axis=0)))
    time = "" if rate_hz is None else f", {sample / rate_hz:.6g} s after the first"
    raise DataError(f"not-a-number or infinite values in {guilty}, the first in sample {sample + 1}{time}", where=where,
                    remedy="Repair or leave out that channel; they are never filled in silently.")


def _channel_text(names: Sequence[str]) -> str:
    """Return names of channels as text, the word channel once where it is not part of each."""
    listed = ", ".join(names)
    return listed if all(name.startswith("channel ") for name in names) else f"channel {listed}"


def check_channels(samples: NDArray[np.float64], names: tuple[str, ...], *, where: str) -> None:
    """Raise a `DataError` that names every channel which is flat or holds values that are not finite.

    Parameters
    ----------
    samples : ndarray, shape (channels, samples)
    names : tuple of str
    where : str
        File or recording.
    """
    if samples.shape[1] == 0:
        raise DataError("the recording holds no sample", where=where, remedy="Fetch the file again.")
    check_finite(samples, names, where=where)
    flat = samples.max(axis=1) == samples.min(axis=1)
    if flat.any():
        guilty = _channel_text([names[index] for index in np.flatnonzero(flat)])
        raise DataError(f"{guilty} is flat: it never changes", where=where,
                        remedy="The electrode was off or the file is padded: leave the channel or the file out.")


def text(groups: Mapping[str, Iterable[str]]) -> dict[str, NDArray[np.str_]]:
    """Return group labels as arrays of text."""
    return {name: np.asarray(list(labels), dtype=np.str_) for name, labels in groups.items()}
