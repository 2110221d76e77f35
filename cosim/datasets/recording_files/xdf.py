"""XDF files of LabRecorder: one of their streams, with the markers of others on one clock."""

from __future__ import annotations

import gzip
import logging
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from logging.handlers import BufferingHandler
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.array_files.extras import reader_package
from cosim.datasets.files import reading
from cosim.datasets.mne_files.annotations import Annotation
from cosim.datasets.mne_files.continuous import Continuous
from cosim.datasets.mne_files.options import Options
from cosim.datasets.recording_files.in_memory import chosen, in_memory, scale, whole_number
from cosim.datasets.recording_files.timeline import Timeline, interpolated, timeline
from cosim.datasets.recordings import Channel
from energy_models.errors import DataError, unknown_name

MAGIC = b"XDF:"
GZIP = b"\x1f\x8b"
SAID = "it cannot be read as XDF"
REMEDY = "It may be damaged or cut short: copy it again."
CLOCK_OFFSET, STREAM_FOOTER = 4, 6  # tags of chunks (XDF 1.0)
LENGTH_BYTES = frozenset({1, 4, 8})
CODES = frozenset({"stim", "trigger", "trig", "marker", "markers"})


@dataclass(frozen=True, slots=True)
class _Stream:
    """One stream as pyxdf returns it.

    Parameters
    ----------
    number : int
    name, kind, host : str
    rate_hz : float
        Stated; 0: samples come when they come [Hz].
    is_text : bool
    channels : tuple of dict
        Their descriptions, empty where the file holds none.
    times_s : ndarray of float64, shape (samples,)
        On the clock of the recorder [s].
    samples : array or list, shape (samples, channels)
    """

    number: int
    name: str
    kind: str
    host: str
    rate_hz: float
    is_text: bool
    channels: tuple[Mapping[str, str], ...]
    times_s: NDArray[np.float64]
    samples: Any

    @property
    def marks(self) -> bool:
        """Whether its samples are events."""
        return self.is_text or (self.rate_hz == 0 and self.kind.lower() in CODES)


def read_xdf(path: Path, options: Options) -> Continuous:
    """Return one stream of an XDF file, with annotations from its marker streams.

    Clocks of streams are brought to that of the recorder by the offsets that the file holds.

    Raises
    ------
    DataError
        If the package is missing, the file is damaged, or stream, unit or clock are not known.
    """
    pyxdf = reader_package("pyxdf", path)
    with reading(path, SAID, remedy=REMEDY):
        timed, closed = _scanned(path)
        with _said() as said:
            found, _ = pyxdf.load_xdf(str(path), synchronize_clocks=True, handle_clock_resets=True,
                                      dejitter_timestamps=False, verbose=False)  # fmt: skip
        warned = _warnings(said, path)
        streams = [_stream(one) for one in found]
        counts = {int(one["info"]["stream_id"]): _stated_count(one) for one in found}
    main = _chosen_stream([one for one in streams if not one.marks], options.stream, path)
    notes = (*warned, *_checked_length(main, counts[main.number], path, closed=main.number in closed))
    own = [one for one in streams if one.marks and len(one.times_s)]
    if absent := [name for name in options.markers if name not in {one.name for one in own}]:
        raise DataError(f"it holds no stream of markers {absent[0]!r}", where=str(path),
                        remedy=unknown_name("streams", absent[0], [one.name for one in own]))
    own = [one for one in own if one.name in options.markers or not options.markers]
    _check_clocks(main, own, timed, path)
    present = [one.get("label", "") or f"{main.name} {number + 1}" for number, one in enumerate(main.channels)]
    kinds = [one.get("type", "").strip().lower() for one in main.channels]
    picks = [pick for pick in chosen(present, options.channels, path)
             if options.channels or kinds[pick] in {"", *options.kinds}]  # fmt: skip
    scales = [scale(main.channels[pick].get("unit", ""), options.unit, [present[pick]], path) for pick in picks]
    samples = np.asarray(main.samples, dtype=np.float64).T
    if options.irregular == "resample" and options.rate_hz is not None:
        samples, line = interpolated(main.times_s, samples, path, rate_hz=options.rate_hz)
    else:
        line = _regular(main, options, path)
    marks, lost = _annotations(own, line, path.name)
    codes = {present[row]: samples[row] for row, kind in enumerate(kinds) if kind in CODES}
    channels = [Channel(present[pick], kinds[pick], unit) for pick, (unit, _) in zip(picks, scales, strict=True)]
    factors = np.asarray([factor for _, factor in scales])[:, None]
    return in_memory(path, samples[picks] * factors, channels, line.rate_hz, annotations=marks, codes=codes,
                     stretches=line.stretches, notes=(*notes, *line.notes, *lost))  # fmt: skip


@contextmanager
def _said() -> Generator[list[logging.LogRecord]]:
    """Keep what pyxdf logs, which it would print."""
    logger, handler = logging.getLogger("pyxdf"), BufferingHandler(sys.maxsize)
    logger.addHandler(handler)
    before, logger.propagate = logger.propagate, False
    try:
        yield handler.buffer
    finally:
        logger.removeHandler(handler)
        logger.propagate = before


def _warnings(said: Sequence[logging.LogRecord], path: Path) -> tuple[str, ...]:
    """Return pyxdf's warnings as notes; its errors are parts of the file that it skipped."""
    for one in said:
        if one.levelno >= logging.ERROR:
            raise DataError(f"the file is damaged: pyxdf skips parts of it ({one.getMessage()})", where=str(path),
                            remedy=REMEDY)
    return tuple(f"{path.name}: pyxdf: {one.getMessage()}" for one in said)


def _regular(main: _Stream, options: Options, path: Path) -> Timeline:
    """Return where the samples of a stream at a constant rate lie."""
    stated = options.rate_hz or main.rate_hz or None
    return timeline(main.times_s, path, rate_hz=stated)


def _scanned(path: Path) -> tuple[frozenset[int], frozenset[int]]:
    """Return the numbers of the streams with clock offsets, and of those that were closed.

    Raises
    ------
    DataError
        If the file is no XDF file, or ends inside of a chunk.
    """
    numbers: dict[int, set[int]] = {CLOCK_OFFSET: set(), STREAM_FOOTER: set()}
    with path.open("rb") as plain:
        packed = plain.read(2) == GZIP
    opened: Any = gzip.open if packed else open
    with opened(path, "rb") as file:
        if file.read(4) != MAGIC:
            raise DataError("it is no XDF file: it does not begin with 'XDF:'", where=str(path),
                            remedy="Give it the ending of its own format.")
        while (length := _length(file, path)) is not None:
            body = file.read(min(length, 6))
            if len(body) == 6 and (tag := int.from_bytes(body[:2], "little")) in numbers:
                numbers[tag].add(int.from_bytes(body[2:6], "little"))
            rest = length - len(body)
            if rest > 0:
                file.seek(rest - 1, 1)
            if len(body) < min(length, 6) or (rest > 0 and not file.read(1)):
                raise DataError("the file is truncated: it ends inside of a chunk", where=str(path), remedy=REMEDY)
    return frozenset(numbers[CLOCK_OFFSET]), frozenset(numbers[STREAM_FOOTER])


def _length(file: IO[bytes], path: Path) -> int | None:
    """Return the bytes of the next chunk; None at the end of the file."""
    first = file.read(1)
    if not first:
        return None
    if first[0] not in LENGTH_BYTES:
        raise DataError("the file is damaged: a chunk has no length", where=str(path), remedy=REMEDY)
    text = file.read(first[0])
    if len(text) < first[0]:
        raise DataError("the file is truncated: it ends inside of a chunk", where=str(path), remedy=REMEDY)
    return int.from_bytes(text, "little")


def _entry(table: Any, name: str) -> Any:
    """Return an entry of the XML of a stream, which is a list of one; None where it is not there."""
    own: Any = None if table is None else table.get(name)
    listed = isinstance(cast(object, own), list)
    return next(iter(own), None) if listed else own


def _text(table: Any, name: str) -> str:
    """Return an entry of the XML of a stream as text; empty where it is not there."""
    own = _entry(table, name)
    return "" if own is None else str(own)


def _stream(found: Any) -> _Stream:
    """Return a stream of those that pyxdf returns."""
    info: Any = found["info"]
    count = int(_text(info, "channel_count"))
    listed = _entry(_entry(info, "desc"), "channels")
    described: Any = None if listed is None else listed.get("channel")
    own: list[Any] = [None] * count if described is None or len(described) != count else list(described)
    channels = tuple({name: _text(one, name) for name in ("label", "type", "unit")} for one in own)
    times = np.asarray(found["time_stamps"], dtype=np.float64)
    return _Stream(int(info["stream_id"]), _text(info, "name"), _text(info, "type"), _text(info, "hostname"),
                   float(_text(info, "nominal_srate") or 0), _text(info, "channel_format") == "string", channels,
                   times, found["time_series"])  # fmt: skip


def _stated_count(found: Any) -> int | None:
    """Return how many samples the closing record of a stream states; None: there is none."""
    text = _text(_entry(found.get("footer"), "info") if found.get("footer") else None, "sample_count")
    return int(text) if text.isdigit() else None


def _checked_length(main: _Stream, stated: int | None, path: Path, *, closed: bool) -> list[str]:
    """Return a note where a stream was never closed; one shorter than its closing record says is a `DataError`."""
    if stated is not None and stated > len(main.times_s):
        raise DataError(f"stream {main.name!r} holds {len(main.times_s)} samples of {stated}", where=str(path),
                        remedy=REMEDY)
    return [] if closed else [f"{path.name}: stream {main.name!r} was never closed: its end may be missing"]


def _chosen_stream(streams: Sequence[_Stream], named: str, path: Path) -> _Stream:
    """Return the stream of a name or number, or the only one with samples, or the only one of type EEG.

    Raises
    ------
    DataError
        If there is none, or several are; the message lists them.
    """
    full = [one for one in streams if len(one.times_s)]
    said = ", ".join(f"{one.name!r} (number {one.number}, {one.kind or 'no type'}, {len(one.channels)} channels, "
                     f"{one.rate_hz:g} Hz)" for one in full) or "none"  # fmt: skip
    if named:
        own = [one for one in full if named in {one.name, str(one.number)}]
    else:
        own = full if len(full) == 1 else [one for one in full if one.kind.lower() == "eeg"]
    if len(own) != 1:
        what = f"{len(own)} streams are called {named!r}" if named else f"{len(full)} streams may be meant"
        raise DataError(what, where=str(path), remedy=f"Name one by name or number (option stream): {said}.")
    return own[0]


def _check_clocks(main: _Stream, markers: Sequence[_Stream], timed: frozenset[int], path: Path) -> None:
    """Raise a `DataError` where markers come from another computer, and no offset of its clock is known."""
    for one in markers:
        if one.host != main.host and not {one.number, main.number} <= timed:
            raise DataError(f"streams {main.name!r} and {one.name!r} come from the computers {main.host!r} and "
                            f"{one.host!r}, and the file holds no offsets of their clocks", where=str(path),
                            remedy="Record with LabRecorder, which measures them, or name other markers (option "
                                   "markers).")


def _annotations(markers: Sequence[_Stream], line: Timeline, name: str) -> tuple[list[Annotation], list[str]]:
    """Return the markers at their samples, and a note on those at times when nothing was recorded."""
    found: list[Annotation] = []
    lost = 0
    for one in markers:
        samples, inside = line.samples_at(one.times_s)
        for sample, there, row in zip(samples.tolist(), inside.tolist(), one.samples, strict=True):
            lost += not there
            if there:
                found.append(Annotation(sample, sample, whole_number(str(row[0]))))
    return found, [f"{name}: {lost} marker(s) stand in gaps and were left out"] if lost else []
