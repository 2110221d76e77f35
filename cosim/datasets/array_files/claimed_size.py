"""What NPY, NPZ and MATLAB files claim to hold, against what is there: a few bytes can claim terabytes.

A reader allocates what a header claims before it reads a sample. Arrays of Python objects are refused here as well:
reading one runs code that the file holds.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np

from cosim.datasets.array_files.mat_elements import COMPRESSED, check_variable
from energy_models.errors import DataError

_format: Any = np.lib.format  # its stubs leave the readers of headers out
DEFLATE_LARGEST = 1032  # bytes out of one: a match of 258 bytes takes two bits at least (RFC 1951)
ZIP_BLOCK = 1 << 12  # bytes; ends of streams
MAT_HEADER = 128
MAT_LEVEL_5 = 1  # the upper byte of the version
AS_NUMPY, AS_MAT = "the file cannot be read as NPZ or NPY", "the file cannot be read as MATLAB version 5"
DAMAGED = "The file is damaged, cut short or made to look larger than it is: copy it again."


def check_npy(path: Path) -> None:
    """Raise a `DataError` where an NPY file claims more than it holds, or holds Python objects."""
    with path.open("rb") as file:
        _check_array(file, path.stat().st_size, path.name, str(path))


def check_npz(path: Path, names: Iterable[str]) -> None:
    """Raise a `DataError` where one of the named arrays claims more than its file holds, or holds Python objects."""
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        there = {info.filename: info for info in archive.infolist()}
        for name in names:
            info = there.get(f"{name}.npy")
            if info is None:
                continue
            most = min(info.compress_size, size) * DEFLATE_LARGEST + ZIP_BLOCK
            if info.file_size > (size if info.compress_type == zipfile.ZIP_STORED else most):
                raise DataError(f"{AS_NUMPY}: array {name!r} claims {info.file_size:,} bytes in a file of {size:,}",
                                where=str(path), remedy=DAMAGED)
            with archive.open(info) as file:
                _check_array(file, info.file_size, name, str(path))


def names_in_archive(path: Path) -> list[str]:
    """Return the names of the arrays in an NPZ file, sorted."""
    with zipfile.ZipFile(path) as archive:
        return sorted(name.removesuffix(".npy") for name in archive.namelist())


def _check_array(file: IO[bytes], size: int, name: str, where: str) -> None:
    """Raise a `DataError` where the NPY header at the front of an open file does not go with its `size` in bytes."""
    version = _format.read_magic(file)
    read_header = _format.read_array_header_1_0 if version == (1, 0) else _format.read_array_header_2_0
    shape, _, dtype = read_header(file)
    if dtype.hasobject:
        raise DataError(f"{AS_NUMPY}: array {name!r} holds Python objects", where=where,
                        remedy="Save numbers or text of one type: numpy.asarray(..., dtype=float).")
    claimed, there = math.prod(shape) * max(dtype.itemsize, 1), size - file.tell()
    if claimed > there:
        raise DataError(f"{AS_NUMPY}: array {name!r} claims {claimed:,} bytes, shape {shape} of {dtype}, and {there:,} "
                        "are there", where=where, remedy=DAMAGED)


def check_mat(path: Path) -> None:
    """Raise where an element of a MATLAB version 5 file claims to end behind what holds it, or is of an unknown type.

    Other versions are left to their reader. Elements follow a header of 128 bytes whose last two tell the byte order.

    Raises
    ------
    DataError, ValueError, zlib.error
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(MAT_HEADER)
        order = "little" if header[-2:] == b"IM" else "big"
        if header[:6] != b"MATLAB" or int.from_bytes(header[-4:-2], order) >> 8 != MAT_LEVEL_5:
            return
        place = MAT_HEADER
        while place + 8 <= size:
            tag = file.read(8)
            kind, length = int.from_bytes(tag[:4], order), int.from_bytes(tag[4:], order)
            place += 8 + length
            if place > size:
                raise DataError(f"{AS_MAT}: a variable claims {length:,} bytes, and {size - place + length:,} are "
                                "there", where=str(path), remedy=DAMAGED)
            check_variable(file, kind, length, order)
            if kind != COMPRESSED:
                place += -length % 8
            file.seek(place)
