"""NWB files: one series of voltages, with annotations from tables of trials or other intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.files import reading
from cosim.datasets.mne_files.annotations import Annotation
from cosim.datasets.mne_files.continuous import Continuous, no_runs
from cosim.datasets.mne_files.options import Options
from cosim.datasets.recording_files.in_memory import chosen, scale
from cosim.datasets.recording_files.nwb_tables import (
    REMEDY,
    SAID,
    chosen_series,
    invalid_times,
    open_nwb,
    table_of,
    text_column,
    time_column,
    times_of,
)
from cosim.datasets.recording_files.timeline import Timeline
from cosim.datasets.recordings import Channel
from energy_models.errors import DataError

NAME_COLUMNS = ("label", "channel_name", "electrode_name", "name")


def read_nwb(path: Path, options: Options) -> Continuous:
    """Return one series of an NWB file, read when asked for, in microvolts where it is in volts.

    Raises
    ------
    DataError
        If a package is missing, the file is damaged, or the series, a table or a column is not known.
    """
    nwb = open_nwb(path)
    if options.irregular == "resample":
        raise DataError("irregular = 'resample' is for XDF and text", where=str(path), remedy="Leave it out.")
    series = chosen_series(nwb, options.stream, "ElectricalSeries", path)
    with reading(path, SAID, remedy=REMEDY):
        shape = tuple(series.data.shape)
        if len(shape) not in {1, 2} or 0 in shape:
            raise DataError(f"series {series.name!r} has shape {shape}, not (samples, channels)", where=str(path),
                            remedy="Name another one (option stream).")
        line = times_of(series, path, options.rate_hz)
        present = _names(series, 1 if len(shape) == 1 else shape[1], path)
    picks = chosen(present, options.channels, path)
    unit, factor = scale(str(series.unit or ""), options.unit, [present[pick] for pick in picks], path)
    channels = tuple(Channel(present[pick], "", unit) for pick in picks)
    marks, notes = _annotations(nwb, line, options, path)
    with reading(path, SAID, remedy=REMEDY):
        read = _reader(series, picks, factor, path)
    return Continuous(read, int(shape[0]), line.rate_hz, channels, tuple(marks), no_runs, 0, (), line.stretches,
                      (*line.notes, *notes))  # fmt: skip


def _names(series: Any, count: int, path: Path) -> list[str]:
    """Return the names of the channels: those of its electrodes where they differ, else their numbers."""
    region = getattr(series, "electrodes", None)
    if region is None:
        return [f"{series.name} {number}" for number in range(count)]
    table = region.to_dataframe()
    if len(table) != count:
        raise DataError(f"series {series.name!r} has {count} channel(s), and names {len(table)} electrode(s)",
                        where=str(path), remedy="Write one electrode for each column of its data.")
    for column in NAME_COLUMNS:
        if column in table.columns and len(set(names := [str(one) for one in table[column]])) == count:
            return names
    return [f"electrode {number}" for number in table.index.tolist()]


def _reader(series: Any, picks: list[int], factor: float, path: Path) -> Any:
    """Return what reads samples: stored numbers times conversion, of the channel too, plus offset (NWB 2.1 on)."""
    own: Any = getattr(series, "channel_conversion", None)
    by_channel = np.ones(1) if own is None else np.asarray(own[:], dtype=np.float64)[picks]
    conversion = float(series.conversion) * by_channel[:, None]
    offset = float(getattr(series, "offset", 0.0) or 0.0)

    def read(start: int, stop: int) -> NDArray[np.float64]:
        with reading(path, SAID, remedy=REMEDY):
            stored = np.asarray(series.data[start:stop], dtype=np.float64)
            return (stored.reshape(len(stored), -1)[:, picks].T * conversion + offset) * factor

    return read


def _annotations(nwb: Any, line: Timeline, options: Options, path: Path) -> tuple[list[Annotation], list[str]]:
    """Return the intervals of the tables asked for, and those that are invalid, and notes."""
    found: list[Annotation] = []
    lost = 0
    for name in options.markers or ("trials",):
        table = table_of(nwb, name, path)
        texts = text_column(table, options.event_column, path)
        starts = time_column(table, options.cue_column or "start_time", path)
        stops = time_column(table, "stop_time", path)
        known = np.isfinite(starts)
        first, inside = line.samples_at(np.where(known, starts, 0.0))
        last, _ = line.samples_at(np.where(np.isfinite(stops), stops, np.where(known, starts, 0.0)))
        there = known & inside
        lost += int((~there).sum())
        found += [Annotation(int(first[row]), max(int(first[row]), int(last[row])), texts[row])
                  for row in np.flatnonzero(there).tolist()]
    for begin_s, end_s in invalid_times(nwb, path):
        (start, stop), _ = line.samples_at(np.asarray([begin_s, end_s]))
        found.append(Annotation(int(start), int(stop), "bad invalid_times"))
    found.sort(key=lambda one: one.start)
    return found, [f"{path.name}: {lost} interval(s) have no time, or one in a gap, and were left out"] if lost else []
