"""Small MATLAB files of version 5 and 7.3 written for tests, with cells, structures and texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.io import savemat


class Cell(list[Any]):
    """A cell array of one row."""


class Structures(list[dict[str, Any]]):
    """An array of structures of one row."""


def for_version_5(value: Any) -> Any:
    if isinstance(value, Cell):
        found = np.empty((1, len(value)), dtype=object)
        found[0] = [for_version_5(one) for one in value]
        return found
    if isinstance(value, Structures):
        found = np.empty((1, len(value)), dtype=[(name, object) for name in value[0]])
        for number, row in enumerate(value):
            found[0, number] = tuple(for_version_5(one) for one in row.values())
        return found
    return {name: for_version_5(one) for name, one in value.items()} if isinstance(value, dict) else value


def for_version_7(file: Any, group: Any, name: str, value: Any) -> None:
    """Write a value as MATLAB 7.3 does: axes in the other order, cells and arrays of structures by references."""

    def referred(one: Any) -> Any:
        refs = file.require_group("#refs#")
        number = f"r{len(refs)}"
        for_version_7(file, refs, number, one)
        return refs[number].ref

    if isinstance(value, Cell):
        data = group.create_dataset(name, (len(value), 1), h5py.ref_dtype)
        data[:, 0] = [referred(one) for one in value]
        data.attrs["MATLAB_class"] = np.bytes_("cell")
    elif isinstance(value, Structures):
        own = group.create_group(name)
        own.attrs["MATLAB_class"] = np.bytes_("struct")
        for field in value[0]:
            data = own.create_dataset(field, (len(value), 1), h5py.ref_dtype)
            data[:, 0] = [referred(row[field]) for row in value]
    elif isinstance(value, dict):
        own = group.create_group(name)
        own.attrs["MATLAB_class"] = np.bytes_("struct")
        for field, one in value.items():
            for_version_7(file, own, field, one)
    elif isinstance(value, str):
        data = group.create_dataset(name, data=np.array([[ord(one)] for one in value], np.uint16))
        data.attrs["MATLAB_class"] = np.bytes_("char")
    else:
        data = group.create_dataset(name, data=np.atleast_2d(value).T)
        kinds = {"f": "double", "b": "logical", "u": "uint8"}
        data.attrs["MATLAB_class"] = np.bytes_(kinds.get(data.dtype.kind, "int64"))


def write(path: Path, version: str, content: dict[str, Any]) -> Path:
    if version == "5":
        savemat(path, {name: for_version_5(value) for name, value in content.items()})
    else:
        with h5py.File(path, "w", userblock_size=512) as file:
            for name, value in content.items():
                for_version_7(file, file, name, value)
        data = path.read_bytes()
        path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + data[128:])
    return path
