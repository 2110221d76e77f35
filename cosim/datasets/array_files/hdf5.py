"""HDF5 files, NWB and MATLAB 7.3 among them: what they claim to hold, and that they hold it themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from energy_models.errors import DataError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
SIGNATURE_PLACES = (0, 512)  # MATLAB writes a header of its own before it
MOST_PACKED = 1032  # bytes out of one of a DEFLATE stream (RFC 1951)
SMALL = 1 << 24  # bytes; what a fill value may stand for
DAMAGED = "The file is damaged, cut short or made to look larger than it is: copy it again."
ITS_OWN = "Copy the samples into the file itself."


def is_hdf5(path: Path) -> bool:
    """Return whether a file begins as HDF5 does."""
    with path.open("rb") as file:
        for place in SIGNATURE_PLACES:
            file.seek(place)
            if file.read(len(SIGNATURE)) == SIGNATURE:
                return True
    return False


def check_hdf5(file: Any, path: Path) -> None:
    """Raise a `DataError` where an open HDF5 file refers to other files, or claims more than it holds.

    Parameters
    ----------
    file : h5py.File
    path : Path
        For messages.
    """
    todo: list[Any] = [file]
    while todo:
        group = todo.pop()
        for name in group:
            link = type(group.get(name, getlink=True)).__name__
            if link == "ExternalLink":
                where = f"{group.name.rstrip('/')}/{name}"
                raise DataError(f"{where} lies in another file", where=str(path), remedy=ITS_OWN)
            if link != "HardLink":
                continue  # a soft link leads to something that is looked at where it is
            one = group[name]
            if hasattr(one, "keys"):
                todo.append(one)
            elif hasattr(one, "shape") and one.shape is not None:
                _check_dataset(one, path)


def _check_dataset(one: Any, path: Path) -> None:
    """Raise a `DataError` where a dataset lies in other files, or is larger than what is stored can be."""
    if one.is_virtual or one.external:
        raise DataError(f"the samples of {one.name} lie in other files", where=str(path), remedy=ITS_OWN)
    claimed, stored = int(one.size) * int(one.dtype.itemsize), int(one.id.get_storage_size())
    if claimed > SMALL + stored * MOST_PACKED:
        raise DataError(f"{one.name} claims {claimed:,} bytes, and {stored:,} are stored", where=str(path),
                        remedy=DAMAGED)
