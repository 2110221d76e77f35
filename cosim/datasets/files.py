"""Where recordings are looked for, and what is said when they are not there or are damaged."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from energy_models.errors import DataError, unknown_name

_io: Any = scipy.io  # scipy ships no types for its file readers
ENVIRONMENT = "COSIM_DATA"
EDF_FIXED_BYTES = 256
EDF_SAMPLE_BYTES = 2


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
    if not named.is_dir():
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


def read_mat(path: Path, keys: Iterable[str], *, corpus: str, fetch: str) -> dict[str, NDArray[Any]]:
    """Return the named variables of a MATLAB version 5 file.

    Raises
    ------
    DataError
        If the file is missing, is no such file, is cut short, or lacks a variable.
    """
    if not path.is_file():
        raise missing(corpus, path, fetch=fetch)
    try:
        content: dict[str, Any] = _io.loadmat(str(path))
    except (_io.matlab.MatReadError, ValueError, NotImplementedError, OSError, TypeError, IndexError) as error:
        raise DataError(f"the file cannot be read as MATLAB version 5 ({error})", where=str(path),
                        remedy="It may be cut short, or saved as version 7.3: copy it again, or save it with -v7.") \
            from error
    present = [name for name in content if not name.startswith("__")]
    for key in keys:
        if key not in content:
            raise DataError(f"the file holds no variable {key!r}", where=str(path),
                            remedy=unknown_name("variables", key, present))
    return {key: np.asarray(content[key]) for key in keys}


def names_in_npz(path: Path) -> list[str]:
    """Return the names of the arrays in an NPZ file; a damaged file is a `DataError`."""
    try:
        with np.load(path, allow_pickle=False) as content:
            return sorted(content.files)
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise DataError(f"the file cannot be read as NPZ ({error})", where=str(path),
                        remedy="Copy it again.") from error


def read_npz(path: Path, keys: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Return the named arrays of an NPZ file; object arrays are refused, nothing is unpickled.

    Raises
    ------
    DataError
        If the file cannot be read or lacks an array.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            present = list(content.files)
            for key in keys:
                if key not in present:
                    raise DataError(f"the file holds no array {key!r}", where=str(path),
                                    remedy=unknown_name("arrays", key, present))
            return {key: np.asarray(content[key]) for key in keys}
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise DataError(f"the file cannot be read as NPZ ({error})", where=str(path),
                        remedy="Copy it again; arrays of Python objects are refused.") from error


def check_edf_length(path: Path) -> None:
    """Raise a `DataError` where an EDF file is shorter than its own header says.

    The header gives its own length at byte 184, the number of data records at 236, the number of signals at 252,
    and after 216 bytes per signal the samples per record (Kemp et al. 1992, doi 10.1016/0013-4694(92)90009-7).
    """
    size = path.stat().st_size
    remedy = "The copy was probably cut off: fetch the file again."
    with path.open("rb") as file:
        fixed = file.read(EDF_FIXED_BYTES)
        try:
            header_bytes, records, signals = int(fixed[184:192]), int(fixed[236:244]), int(fixed[252:256])
            file.seek(EDF_FIXED_BYTES + 216 * signals)
            widths = [int(file.read(8)) for _ in range(signals)]
        except ValueError as error:
            raise DataError("the EDF header is damaged or cut off", where=str(path), remedy=remedy) from error
    expected = header_bytes + records * sum(widths) * EDF_SAMPLE_BYTES
    if records < 0:
        raise DataError("the EDF header does not say how many records follow; the recording was never closed",
                        where=str(path), remedy="Repair it with the program that recorded it.")
    if size < expected:
        raise DataError(f"the file is truncated: its header promises {expected} bytes, {size} are there",
                        where=str(path), remedy=remedy)


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
    finite = np.isfinite(samples).all(axis=1)
    if not finite.all():
        guilty = ", ".join(names[index] for index in np.flatnonzero(~finite))
        raise DataError(f"not-a-number or infinite values in channel {guilty}", where=where,
                        remedy="Repair or leave out that channel; they are never filled in silently.")
    flat = samples.max(axis=1) == samples.min(axis=1)
    if flat.any():
        guilty = ", ".join(names[index] for index in np.flatnonzero(flat))
        raise DataError(f"channel {guilty} is flat: it never changes", where=where,
                        remedy="The electrode was off or the file is padded: leave the channel or the file out.")


def text(groups: Mapping[str, Iterable[str]]) -> dict[str, NDArray[np.str_]]:
    """Return group labels as arrays of text."""
    return {name: np.asarray(list(labels), dtype=np.str_) for name, labels in groups.items()}
