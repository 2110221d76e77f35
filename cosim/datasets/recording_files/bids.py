"""Files beside a recording in a BIDS data set: its events, what is known of its channels, and its sampling rate."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.files import reading
from cosim.datasets.mne_files import Annotation, Continuous
from cosim.datasets.mne_files.options import Options
from cosim.datasets.mne_files.record_times import in_stretches
from cosim.datasets.plausible import MICROVOLTS
from cosim.datasets.recording_files.in_memory import unit_of, whole_number
from cosim.datasets.recording_files.text_table import TextTable, read_table
from energy_models.errors import DataError, unknown_name

NAMED = re.compile(r"sub-[^_]+(_[a-z]+-[^_]+)*_(eeg|ieeg|meg)")
NOTHING = frozenset({"", "n/a", "nan"})
FOLDERS_UP = 4  # modality, session, subject, data set
MOST_RATE_ERROR = 1e-3
MOST_S = 1e9  # 30 years: no recording is as long
TEXT_COLUMNS = ("trial_type", "value")
KINDS = {"EEG": "eeg", "ECOG": "ecog", "SEEG": "seeg", "DBS": "dbs", "EOG": "eog", "VEOG": "eog", "HEOG": "eog",
         "ECG": "ecg", "EMG": "emg", "TRIG": "stim", "MISC": "misc", "REF": "misc", "OTHER": "misc", "GSR": "gsr",
         "RESP": "resp", "TEMP": "temperature"}  # fmt: skip


def with_bids(path: Path, read: Continuous, options: Options) -> Continuous:
    """Return a recording with what files beside it say; as it is where its name is none of BIDS.

    Bad channels and kinds are those of ``channels.tsv``, and so is a unit that an EDF or BDF file leaves out. With
    ``events = 'bids'``, annotations are those of ``events.tsv``, and of its own those of bad stretches and joins.
    Such a file lies beside the recording or in a folder above, and its name holds no entity that the recording's lacks.

    Raises
    ------
    DataError
        If a file cannot be read, the events are asked for and not there, or rates differ.
    """
    stem = path.name.removesuffix(path.suffix)
    if NAMED.fullmatch(stem) is None:
        if options.events == "bids":
            raise DataError("its name is none of BIDS, so it has no events.tsv", where=str(path),
                            remedy="Name it as sub-01_task-x_eeg, or set events = 'annotations'.")
        return read
    if (described := _sidecar(path, f"{stem.rpartition('_')[2]}.json")) is not None:
        _check_rate(described, read)
    if (listed := _sidecar(path, "channels.tsv")) is not None:
        read = _with_channels(path, read, read_table(listed), options)
    if options.events != "bids":
        return read
    if (found := _sidecar(path, "events.tsv")) is None:
        raise DataError("there is no events.tsv for it", where=str(path),
                        remedy="Copy it beside the recording, or set events = 'annotations'.")
    events, notes = _events(read_table(found), read.rate_hz, options)
    own = [one for one in read.annotations if one.is_bad or one.is_join or one.is_lost]
    placed = in_stretches(events, read.stretches) if len(read.stretches) > 1 else tuple(events)
    if lost := len(events) - sum(not one.continued for one in placed):
        notes.append(f"{found.name}: {lost} event(s) stand in gaps and were left out")
    marks = tuple(sorted((*own, *placed), key=lambda one: one.start))
    return dataclasses.replace(read, annotations=marks, notes=(*read.notes, *notes))


def _sidecar(path: Path, ending: str) -> Path | None:
    """Return the file of an ending that goes with a recording: the nearest folder's, with the most entities."""
    entities = set(path.name.removesuffix(path.suffix).split("_")[:-1])
    folder = path.parent
    for _ in range(FOLDERS_UP):
        found = [one for one in folder.glob(f"*{ending}")
                 if one.name == ending or (one.name.endswith(f"_{ending}")
                                           and set(one.name.removesuffix(f"_{ending}").split("_")) <= entities)]
        if found:
            return max(found, key=lambda one: one.name.count("_"))
        if (folder / "dataset_description.json").is_file() or folder == folder.parent:
            break
        folder = folder.parent
    return None


def _check_rate(path: Path, read: Continuous) -> None:
    """Raise a `DataError` where a sidecar states another sampling rate than the recording."""
    with reading(path, "it cannot be read as JSON"):
        found: Any = json.loads(path.read_text(encoding="utf-8-sig"))
        stated = found.get("SamplingFrequency")
        rate_hz = read.rate_hz if stated in {None, "n/a"} else float(stated)
    if abs(rate_hz / read.rate_hz - 1) > MOST_RATE_ERROR:
        raise DataError(f"it states {rate_hz:g} Hz, the recording {read.rate_hz:g} Hz", where=str(path),
                        remedy="One of the two is wrong: repair it.")


def _column(table: TextTable, name: str) -> list[str]:
    """Return a column of a table as text, empty where nothing is known; no text where there is no such column."""
    own = table.columns.get(name)
    return [""] * table.rows if own is None else ["" if text.lower() in NOTHING else str(text) for text in own]


def _with_channels(path: Path, read: Continuous, table: TextTable, options: Options) -> Continuous:
    """Return a recording whose channels are bad, and of the kinds and units, that ``channels.tsv`` says."""
    if "name" not in table.columns:
        raise DataError("it has no column 'name'", where=str(table.path), remedy="See the BIDS specification.")
    rows = {name: number for number, name in enumerate(_column(table, "name"))}
    kinds, units, status = (_column(table, name) for name in ("type", "units", "status"))
    bad = [name for name, row in rows.items() if status[row].lower() == "bad"]
    stated, unstated = dict[str, str](), set[str]()
    if options.unit == "file":
        stated = read.units
        if path.suffix.lower() in {".edf", ".bdf"}:
            unstated = {one.name for one in read.channels if one.name not in stated}
    others = [name for name, row in rows.items()
              if _factor(stated.get(name, "")) and _factor(units[row])
              and _factor(stated[name]) != _factor(units[row])]
    kept: list[int] = []
    factors: list[float] = []
    channels = list(read.channels)
    for number, one in enumerate(read.channels):
        row = rows.get(one.name)
        kind = one.kind if row is None else KINDS.get(kinds[row].upper(), one.kind)
        unit = "" if row is None or one.name not in unstated else unit_of(units[row])
        channels[number] = dataclasses.replace(one, kind=kind)
        factors.append(MICROVOLTS[unit] / MICROVOLTS["V"] if unit in MICROVOLTS else 1.0)
        if options.channels or kind in options.kinds:
            kept.append(number)
    if not kept:
        raise DataError(f"it names no channel of kind {', '.join(options.kinds)}", where=str(table.path),
                        remedy="Choose channels by name or other kinds (options channels, kinds).")
    scale = np.asarray(factors)[kept][:, None]

    def chosen(start: int, stop: int) -> NDArray[np.float64]:
        return read.read(start, stop)[kept] * scale

    told = f"{table.path.name}: another unit than in {path.name}, whose own is taken: {', '.join(others)}"
    return dataclasses.replace(read, read=chosen, channels=tuple(channels[number] for number in kept),
                               bad_channels=tuple(dict.fromkeys((*read.bad_channels, *bad))),
                               notes=(*read.notes, *([told] if others else [])))


def _factor(unit: str) -> float | None:
    """Return the microvolts of a unit of volts; None for any other."""
    return MICROVOLTS.get(unit_of(unit))


def _events(table: TextTable, rate_hz: float, options: Options) -> tuple[list[Annotation], list[str]]:
    """Return the events of a table, counted in samples from the begin of the recording, and notes.

    Raises
    ------
    DataError
        If a column is missing or an onset is no number.
    """
    named = options.event_column or next((one for one in TEXT_COLUMNS if any(_column(table, one))), TEXT_COLUMNS[0])
    for column in ("onset", named):
        if column not in table.columns:
            raise DataError(f"it has no column {column!r}", where=str(table.path),
                            remedy=unknown_name("columns", column, list(table.columns)))
    onsets, durations = table.numbers("onset"), np.zeros(table.rows)
    if "duration" in table.columns:
        durations = table.numbers("duration")
        durations = np.where(np.abs(durations) < MOST_S, durations, 0.0)
    texts = _column(table, named)
    found: list[Annotation] = []
    for onset_s, duration_s, text in zip(onsets.tolist(), durations.tolist(), texts, strict=True):
        if text and abs(onset_s) < MOST_S:
            start = round(onset_s * rate_hz)
            found.append(Annotation(start, max(start, round((onset_s + duration_s) * rate_hz)), whole_number(text)))
    notes: list[str] = []
    if lost := int((~(np.abs(onsets) < MOST_S)).sum()):
        notes.append(f"{table.path.name}: {lost} event(s) have no onset and were left out")
    if "sample" in table.columns:
        off = np.abs(table.numbers("sample") - onsets * rate_hz)
        if differing := _more_than_one(off):
            notes.append(f"{table.path.name}: onset and sample of {differing} event(s) differ by up to "
                         f"{np.nanmax(off):.0f} samples; the onset was taken")
    return found, notes


def _more_than_one(off: Sequence[float] | NDArray[np.float64]) -> int:
    """Return how many distances are longer than a sample, rounding left to both columns."""
    return int((np.asarray(off) > 1.0 + 1e-6).sum())
