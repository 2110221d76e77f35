"""An open NWB file: its series by name, its tables of intervals, and the times of samples."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.array_files.extras import reader_package
from cosim.datasets.array_files.hdf5 import check_hdf5, is_hdf5
from cosim.datasets.files import reading
from cosim.datasets.recording_files.timeline import Timeline, steady, timeline
from energy_models.errors import DataError, unknown_name

SAID = "it cannot be read as NWB"
REMEDY = "It may be damaged, cut short, or of NWB 1: validate it with pynwb."
OF_INTERVALS = frozenset({"start_time", "stop_time", "tags", "timeseries", "tags_index", "timeseries_index"})


def open_nwb(path: Path) -> Any:
    """Return the content of an NWB 2 file, its samples left in the file.

    Raises
    ------
    DataError
        If a package is missing, or the file is damaged, refers to other files or claims more than it holds.
    """
    pynwb, h5py = reader_package("pynwb", path), reader_package("h5py", path)
    if not is_hdf5(path):
        raise DataError("it is no HDF5 file, and NWB 2 is HDF5", where=str(path),
                        remedy="Give it the ending of its own format.")
    with reading(path, SAID, remedy=REMEDY), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of extensions and versions
        with h5py.File(path, "r") as file:
            check_hdf5(file, path)
        return pynwb.NWBHDF5IO(str(path), "r").read()  # stays open while its content is used


def series_of(nwb: Any, kind: str) -> dict[str, Any]:
    """Return the time series of a type and its subtypes, by path such as ``acquisition/ECoG``."""
    found: dict[str, Any] = {}
    for one in nwb.objects.values():
        if any(own.__name__ == kind for own in type(one).__mro__):
            names: list[str] = []
            holder = one
            while holder is not None and holder.name != "root":
                names.append(str(holder.name))
                holder = holder.parent
            within = "acquisition/" if len(names) == 1 and one.name in nwb.acquisition else ""
            found[within + "/".join(reversed(names))] = one
    return found


def chosen_series(nwb: Any, named: str, kind: str, path: Path) -> Any:
    """Return the series of a path, or of a name that only one has, or the only one of a kind.

    Raises
    ------
    DataError
        If there is none, or several are; the message lists them.
    """
    found = series_of(nwb, "TimeSeries" if named else kind)
    own = [one for name, one in found.items() if named in {"", name, str(one.name)}]
    exact = [one for name, one in found.items() if named == name]
    if len(own) == 1 or len(exact) == 1:
        return (exact or own)[0]
    if named:
        what = f"{len(own)} series are called {named!r}"
        raise DataError(what, where=str(path), remedy=unknown_name("series", named, list(found)))
    raise DataError(f"it holds {len(own)} series of type {kind}", where=str(path),
                    remedy=f"Name one: {', '.join(found) or ', '.join(series_of(nwb, 'TimeSeries')) or 'none'}.")


def times_of(series: Any, path: Path, rate_hz: float | None) -> Timeline:
    """Return where the samples of a series lie in the time of the file."""
    steps = int(series.data.shape[0])
    if series.rate is not None:
        if not np.isfinite(float(series.rate)) or float(series.rate) <= 0 or steps < 1:
            raise DataError(f"series {series.name!r} states {steps} samples at {series.rate} Hz", where=str(path),
                            remedy=REMEDY)
        return steady(steps, float(series.rate), float(series.starting_time or 0.0))
    return timeline(np.asarray(series.timestamps[:], dtype=np.float64), path, rate_hz=rate_hz)


def table_of(nwb: Any, name: str, path: Path) -> Any:
    """Return a table of intervals by name, as pandas has it.

    Raises
    ------
    DataError
        If there is none of that name.
    """
    found: dict[str, Any] = dict(nwb.intervals or {})
    if name not in found:
        raise DataError(f"it holds no table of intervals {name!r}", where=str(path),
                        remedy=unknown_name("tables", name, list(found)))
    with reading(path, SAID, remedy=REMEDY):
        return found[name].to_dataframe()


def text_column(table: Any, named: str, path: Path) -> list[str]:
    """Return the texts of a column of a table of intervals; of the only one that is no time, where none is named.

    Raises
    ------
    DataError
        If there is no such column, or several may be meant.
    """
    names: list[str] = [str(one) for one in table.columns]
    other = [one for one in names if one not in OF_INTERVALS and not one.endswith("_time")]
    if named and named not in names:
        raise DataError(f"its table has no column {named!r}", where=str(path),
                        remedy=unknown_name("columns", named, names))
    if not named and len(other) != 1:
        raise DataError("which column holds the classes is not known", where=str(path),
                        remedy=f"Name it (option event_column): {', '.join(other) or 'there is none'}.")
    column = table[named or other[0]]
    return [_text(value) for value in column.tolist()]


def _text(value: Any) -> str:
    """Return a cell as text: a whole number without decimals, true and false as they are."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def time_column(table: Any, name: str, path: Path) -> NDArray[np.float64]:
    """Return a column of times [s]."""
    if name not in table.columns:
        raise DataError(f"its table has no column {name!r}", where=str(path),
                        remedy=unknown_name("columns", name, [str(one) for one in table.columns]))
    with reading(path, f"column {name!r} holds no times", remedy=REMEDY):
        return np.asarray(table[name], dtype=np.float64)


def invalid_times(nwb: Any, path: Path) -> Sequence[tuple[float, float]]:
    """Return begin and end of what the file calls invalid [s]."""
    if "invalid_times" not in dict(nwb.intervals or {}):
        return ()
    table = table_of(nwb, "invalid_times", path)
    starts, stops = (time_column(table, name, path) for name in ("start_time", "stop_time"))
    return tuple(zip(starts.tolist(), stops.tolist(), strict=True))
