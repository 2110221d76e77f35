"""A recording in a text file: which columns are signals, times, sample numbers and markers, and in which unit."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from cosim.datasets.mne_files.annotations import Annotation
from cosim.datasets.mne_files.continuous import Continuous
from cosim.datasets.mne_files.options import Options
from cosim.datasets.recording_files.in_memory import chosen, held_texts, in_memory, scale, whole_number
from cosim.datasets.recording_files.sample_counter import counted, stretches_of
from cosim.datasets.recording_files.text_table import TextTable, openbci_rate, read_table
from cosim.datasets.recording_files.timeline import Timeline, interpolated, steady, timeline
from cosim.datasets.recordings import Channel
from energy_models.errors import DataError

_pandas: Any = pandas
MUSE = frozenset({"TP9", "AF7", "AF8", "TP10"})
COUNTER = "Sample Index"  # of the OpenBCI GUI
TIME = re.compile(r"(time|times|time_?stamps?|t|lsl_?time|datetime)[\W_]*(s|sec|seconds|ms|us|µs|ns)?\W*",
                  re.IGNORECASE)  # fmt: skip
MARKERS = re.compile(r"(marker|trigger|event|stim|stimulus|status|label|annotation|element)s?"
                     r"([ _]?(channel|code))?[ _]?\d*", re.IGNORECASE)  # fmt: skip
WITH_UNIT = re.compile(r"(.+?)\s*[\[(]\s*([^\])]+?)\s*[\])]\s*")
TIME_UNITS_S = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
SINCE_1970 = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3), (1e9, 1.0))  # a number above is in this unit since 1970 [s]
MICROSECONDS_PER_S = 1e6
NO_RATE = "State it with the option rate_hz, or name a column time_s or time_ms."


@dataclass(frozen=True, slots=True)
class _Dialect:
    """What the columns of a file are: signals as (column, name, unit), and the others by what they hold."""

    signals: tuple[tuple[str, str, str], ...]
    counter: str | None
    time: str | None
    markers: tuple[str, ...]


def read_text(path: Path, options: Options) -> Continuous:
    """Return the recording in a text file.

    The formats of the OpenBCI GUI and of Muse (Mind Monitor, muselsl) are in microvolts. Every other table states the
    unit in its header, ``C3 (uV)``, or the option `unit` does.

    Raises
    ------
    DataError
        If the file is no table, or its rate, unit, or an asked column is not known.
    """
    table = read_table(path)
    found = _dialect(table)
    filled = np.zeros(table.rows, dtype=bool)
    for column, _, _ in found.signals:
        filled |= table.columns[column] != ""
    marks = _marks(table, found, filled)
    table = table.without(~filled)
    notes = _repeated(table, found)
    picks = chosen([name for _, name, _ in found.signals], options.channels, path)
    signals = [found.signals[pick] for pick in picks]
    scales = [scale(unit, options.unit, [name], path) for _, name, unit in signals]
    channels = [Channel(name, "", unit) for (_, name, _), (unit, _) in zip(signals, scales, strict=True)]
    samples = np.stack([table.numbers(column) * factor
                        for (column, _, _), (_, factor) in zip(signals, scales, strict=True)])  # fmt: skip
    codes = {name: np.nan_to_num(table.numbers(name)) for name in found.markers if table.is_numeric(name)}
    if options.irregular == "resample":
        times_s = _seconds(table, found, options)
        samples, line = interpolated(times_s, samples, path, rate_hz=_stated(table, options))
        rows = np.clip(np.searchsorted(times_s, line.times_s(), side="right") - 1, 0, len(times_s) - 1)
        codes = {name: own[rows] for name, own in codes.items()}
        marks = [_moved(one, times_s, line) for one in marks]
    else:
        line = _timeline(table, found, options)
    return in_memory(path, samples, channels, line.rate_hz, annotations=marks, codes=codes, stretches=line.stretches,
                     notes=(*notes, *line.notes))  # fmt: skip


def _dialect(table: TextTable) -> _Dialect:
    """Return what the columns of a table are.

    Raises
    ------
    DataError
        If none of them holds a signal.
    """
    names = list(table.columns)
    times = [name for name in names if TIME.fullmatch(name)]
    time = next((name for name in times if name.lower() != "timestamp (formatted)"), None)
    markers = tuple(name for name in names if MARKERS.fullmatch(name))
    if any(name.startswith("EXG Channel") for name in names):
        signals = [(name, name, "uV") for name in names if name.startswith("EXG Channel")]
    elif raw := [name for name in names if name.startswith("RAW_")]:  # Mind Monitor
        signals = [(name, name.removeprefix("RAW_"), "uV") for name in raw]
    elif set(names) >= MUSE and "timestamps" in names:  # muselsl
        signals = [(name, name, "uV") for name in names if name not in {"timestamps", *markers}]
    else:
        other = {COUNTER, *times, *markers}
        signals = [(name, *_name_and_unit(name)) for name in names
                   if name and name not in other and table.is_numeric(name)]
    if not signals:
        raise DataError(f"none of its columns holds a signal: {', '.join(names[:12])}", where=str(table.path),
                        remedy="Name the columns in a header, and separate them by commas, semicolons or tabs.")
    if again := [column for column, _, _ in signals if column in table.repeated]:
        raise DataError(f"two columns are called {', '.join(again)}", where=str(table.path),
                        remedy="Rename or remove one of them.")
    return _Dialect(tuple(signals), COUNTER if COUNTER in names else None, time, markers)


def _name_and_unit(column: str) -> tuple[str, str]:
    """Return name and unit of a column such as ``C3 (uV)``; an empty unit where no letter stands in brackets."""
    found = WITH_UNIT.fullmatch(column)
    return (found[1], found[2]) if found is not None and any(map(str.isalpha, found[2])) else (column, "")


def _marks(table: TextTable, found: _Dialect, filled: NDArray[np.bool_]) -> list[Annotation]:
    """Return the texts of all marker columns, at the next row that holds samples."""
    rows = np.concatenate(([0], np.cumsum(filled)))
    marks: list[Annotation] = []
    for name in found.markers:
        texts = [whole_number(str(text)) for text in table.columns[name]]
        nothing = {"", "0", "nan", "NaN"} if table.is_numeric(name) else {"", "nan", "NaN"}
        for one in held_texts(["" if text in nothing else text for text in texts]):
            start, stop = int(rows[one.start]), int(rows[one.stop])
            marks.append(Annotation(start, max(start, stop), one.text))
    return marks


def _repeated(table: TextTable, found: _Dialect) -> list[str]:
    """Return a note on rows that repeat the sample number and the signals of the row before."""
    if found.counter is None or table.rows < 2:
        return []
    same = np.ones(table.rows - 1, dtype=bool)
    for column in (found.counter, *(column for column, _, _ in found.signals)):
        same &= table.columns[column][1:] == table.columns[column][:-1]
    count = int(same.sum())
    return [f"{table.path.name}: {count} rows repeat the row before; they are left in"] if count else []


def _stated(table: TextTable, options: Options) -> float:
    """Return the rate that options or comments state [Hz]."""
    stated = options.rate_hz or openbci_rate(table)
    if stated is None or stated <= 0:
        raise DataError("its sampling rate is not known", where=str(table.path), remedy=NO_RATE)
    return stated


def _timeline(table: TextTable, found: _Dialect, options: Options) -> Timeline:
    """Return where the samples lie in time: by their numbers where they have some, else by their times."""
    by_number = None if found.counter is None else counted(table.numbers(found.counter))
    if found.time is None:
        rate_hz = _stated(table, options)
        by_time = steady(table.rows, rate_hz)
    else:
        stated = options.rate_hz or openbci_rate(table)
        by_time = timeline(_seconds(table, found, options), table.path, rate_hz=stated)
    if by_number is None:
        return by_time
    lost = by_number.lost.copy()
    if by_number.turn:  # times tell how often the numbers came round in a gap
        for former, later in itertools.pairwise(by_time.stretches):
            passed = later.first_step - former.first_step - (former.stop - former.start)
            near = slice(max(0, later.start - 2), later.start + 1)
            turns = round((passed - int(lost[near].sum())) / by_number.turn)
            lost[near.start + int(np.argmax(lost[near]))] += max(turns, 0) * by_number.turn
    stretches = stretches_of(lost)
    said = ()
    if total := int(lost.sum()):
        said = (f"{table.path.name}: {total} samples are lost in {len(stretches) - 1} gap(s), by its sample numbers",)
    return Timeline(by_time.rate_hz, stretches, tuple(one.first_step / by_time.rate_hz for one in stretches),
                    (1 / by_time.rate_hz,) * len(stretches), said)  # fmt: skip


def _seconds(table: TextTable, found: _Dialect, options: Options) -> NDArray[np.float64]:
    """Return the column of times, from its first one on [s].

    Raises
    ------
    DataError
        If there is none, or its unit is not known.
    """
    name = found.time
    if name is None:
        raise DataError("it has no column of times", where=str(table.path), remedy=NO_RATE)
    if not table.is_numeric(name):
        with_dates = _pandas.to_datetime(_pandas.Series(table.columns[name]), errors="coerce", format="mixed", utc=True)
        missing = np.asarray(with_dates.isna())
        since = np.asarray(with_dates.astype("datetime64[us, UTC]").astype("int64"))  # of every year, unlike ns
        return np.where(missing, np.nan, (since - since[0]) / MICROSECONDS_PER_S)
    times = table.numbers(name)
    named = TIME.fullmatch(name)
    if named is not None and named[2]:
        return (times - times[0]) * TIME_UNITS_S[named[2].lower()]
    for least, unit_s in SINCE_1970:
        if times[0] > least:
            return (times - times[0]) * unit_s
    if options.rate_hz is not None:
        step = float(np.median(np.diff(times))) * options.rate_hz
        for unit_s in (1.0, 1e-3, 1e-6):
            if 0.9 < step * unit_s < 1.1:
                return (times - times[0]) * unit_s
    raise DataError(f"the unit of the column {name!r} is not known", where=str(table.path),
                    remedy="Name it time_s or time_ms, or state the rate (option rate_hz).")


def _moved(one: Annotation, times_s: NDArray[np.float64], line: Timeline) -> Annotation:
    """Return an annotation of rows at the samples of a new grid."""
    rows: Sequence[int] = (min(one.start, len(times_s) - 1), min(one.stop, len(times_s) - 1))
    samples, _ = line.samples_at(times_s[list(rows)])
    return Annotation(int(samples[0]), int(samples[1]), one.text)
