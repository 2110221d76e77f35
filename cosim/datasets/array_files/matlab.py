"""Variables of MATLAB files, of version 5 and of 7.3 alike: arrays in MATLAB's order of axes, cells and structures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import scipy.io  # pyright: ignore[reportMissingTypeStubs]
import scipy.sparse  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from cosim.datasets.array_files.claimed_size import check_mat
from cosim.datasets.array_files.hdf5 import check_hdf5, is_hdf5
from energy_models.errors import DataError, unknown_name

_io: Any = scipy.io
_sparse: Any = scipy.sparse
AS_NUMBERS = "Save numbers, cells or structures of them: double(x), cellstr(x)."
AS_REAL = "Save a real array: real(x), abs(x), or both parts along an axis."
AS_FULL = "Save a full array: full(x)."
CHARACTERS, CELL, LOGICAL = "char", "cell", "logical"
NUMBERS = frozenset({"double", "single", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"})

Node = Any
"""An array; a text; a table of fields (structure); a list of these (cell, or array of structures)."""


def names_in_mat(path: Path, h5py: Any) -> list[str]:
    """Return the names of the variables of a MATLAB file; `h5py` reads those of version 7.3, else it is None."""
    if h5py is None:
        return sorted(str(name) for name, _, _ in _io.whosmat(str(path)))
    with h5py.File(path, "r") as file:
        return sorted(name for name in file if not name.startswith("#"))


def read_variable(path: Path, named: str, h5py: Any) -> Node:
    """Return a variable, or a field of a structure by dots such as ``data.trials.x``.

    A field of an array of structures is a list of the fields of all of them.

    Raises
    ------
    DataError
        If it is not there, is no number, text, cell or structure, or the file claims more than it holds.
    """
    first, *fields = named.split(".")
    present = names_in_mat(path, h5py)
    if first not in present:
        raise DataError(f"the file holds no variable {first!r}", where=str(path),
                        remedy=unknown_name("variables", first, present))
    if h5py is None:
        check_mat(path)
        node = _of_version_5(_io.loadmat(str(path), variable_names=[first])[first], path, first)
    else:
        with h5py.File(path, "r") as file:
            check_hdf5(file, path)
            node = _of_version_7(file, file[first], path, first)
    return _field(node, fields, path, first)


def needs_hdf5(path: Path) -> bool:
    """Return whether a MATLAB file is of version 7.3, which is HDF5."""
    return is_hdf5(path)


def _field(node: Node, fields: Sequence[str], path: Path, named: str) -> Node:
    """Return a field of a structure, or of each structure of a list."""
    if not fields:
        return node
    if isinstance(node, list):
        return [_field(one, fields, path, named) for one in cast(list[Node], node)]
    own = cast(dict[str, Node], node) if isinstance(node, dict) else {}
    if fields[0] not in own:
        raise DataError(f"{named!r} has no field {fields[0]!r}", where=str(path),
                        remedy=unknown_name("fields", fields[0], list(own)))
    return _field(own[fields[0]], fields[1:], path, f"{named}.{fields[0]}")


def _refused(path: Path, named: str, what: str) -> DataError:
    return DataError(f"variable {named!r} is {what}, not numbers or text", where=str(path), remedy=AS_NUMBERS)


def _refused_form(path: Path, named: str, what: str, remedy: str) -> DataError:
    return DataError(f"variable {named!r} is {what}", where=str(path), remedy=remedy)


def _texts(rows: list[str]) -> str | list[str]:
    """Return the rows of an array of characters; several are padded to one length with blanks, which are left out."""
    return rows[0] if len(rows) == 1 else [row.rstrip(" ") for row in rows]


def _of_version_5(found: Any, path: Path, named: str) -> Node:
    """Return what SciPy reads, as a node."""
    kind = str(found.__class__.__name__)
    if _sparse.issparse(found):
        raise _refused_form(path, named, "a sparse array", AS_FULL)
    if kind != "ndarray":
        raise _refused(path, named, f"a {kind}")
    array: NDArray[Any] = found
    if array.dtype.names:
        rows = [{name: _of_version_5(row[name], path, f"{named}.{name}") for name in array.dtype.names}
                for row in array.ravel(order="F")]  # fmt: skip
        return rows[0] if len(rows) == 1 else rows
    if array.dtype.hasobject:
        return [_of_version_5(one, path, named) for one in array.ravel(order="F")]
    if array.dtype.kind == "U":
        return _texts([str(one) for one in array.ravel()] or [""])
    if array.dtype.kind == "c":
        raise _refused_form(path, named, "an array of complex numbers", AS_REAL)
    if array.dtype.kind not in "iufb":
        raise _refused(path, named, f"of type {array.dtype}")
    return array


def _of_version_7(file: Any, found: Any, path: Path, named: str) -> Node:
    """Return an object of an HDF5 file, as a node; its axes are stored in the other order."""
    kind = _kind(found)
    if hasattr(found, "keys"):
        if "MATLAB_sparse" in found.attrs:
            raise _refused_form(path, named, "a sparse array", AS_FULL)
        if kind not in {"", "struct"}:
            raise _refused(path, named, f"an object of class {kind}")
        own = {str(name): found[name] for name in found}
        listed = [one for one in own.values() if not hasattr(one, "keys") and one.dtype.hasobject and not _kind(one)]
        if not listed or len(listed) < len(own):
            return {name: _of_version_7(file, one, path, f"{named}.{name}") for name, one in own.items()}
        flat = {name: one[()].ravel() for name, one in own.items()}
        return [{name: _of_version_7(file, file[own[row]], path, f"{named}.{name}") for name, own in flat.items()}
                for row in range(len(next(iter(flat.values()))))]  # fmt: skip
    if "MATLAB_empty" in found.attrs:
        return "" if kind == CHARACTERS else [] if kind == CELL else np.zeros(tuple(int(one) for one in found[()]))
    if kind == CELL:
        return [_of_version_7(file, file[one], path, named) for one in found[()].ravel()]
    stored: NDArray[Any] = found[()]
    if kind == CHARACTERS:
        return _texts(["".join(map(chr, row)) for row in np.atleast_2d(stored.T).tolist()])
    if stored.dtype.names == ("real", "imag"):
        raise _refused_form(path, named, "an array of complex numbers", AS_REAL)
    if kind not in {*NUMBERS, LOGICAL, ""} or stored.dtype.kind not in "iufb":
        raise _refused(path, named, f"of class {kind or stored.dtype}")
    return stored.T.astype(np.bool_) if kind == LOGICAL else stored.T


def _kind(found: Any) -> str:
    """Return MATLAB's name of the class of an object; empty where it has none."""
    text = found.attrs.get("MATLAB_class", b"")
    return text.decode() if isinstance(text, bytes) else str(text)


def as_array(node: Node, path: Path, named: str) -> NDArray[Any] | list[NDArray[Any]]:
    """Return a node as one array, a list of unequal arrays as it is.

    The arrays of a cell, or of a field of structures, stand behind each other along a new first axis; numbers and texts
    are one axis.

    Raises
    ------
    DataError
        If it is a structure, or a list of other things than arrays.
    """
    if isinstance(node, str):
        return np.asarray([node])
    if isinstance(node, np.ndarray):
        return cast(NDArray[Any], node)
    own = cast(list[Node], node) if isinstance(node, list) else []
    if own and all(isinstance(one, str) for one in own):
        return np.asarray(own, dtype=np.str_)
    if not own or not all(isinstance(one, np.ndarray) for one in own):
        raise DataError(f"variable {named!r} is a structure, or a cell of unlike things", where=str(path),
                        remedy="Name one of its fields, such as data.trials.")
    arrays = [np.asarray(one) for one in own]
    if len({one.shape for one in arrays}) > 1:
        return arrays
    stacked = np.stack(arrays)
    return stacked.reshape(-1) if arrays[0].size == 1 else stacked
