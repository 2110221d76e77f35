"""The header of EDF, BDF and GDF files: how many bytes it promises, and when each record of EDF+D began."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from energy_models.errors import DataError

FIXED_BYTES = 256
BEFORE_WIDTHS_BYTES = 216  # of each signal: label 16, transducer 80, dimension 8, four limits 32, filters 80
BEFORE_DIMENSIONS_BYTES, DIMENSION_BYTES = 96, 8  # of each signal: label 16, transducer 80
BEGIN_OF_RECORD = re.compile(rb"([+-]\d+(?:\.\d*)?)\x14")
GDF_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 8, 8: 8, 16: 4, 17: 8, 279: 3, 535: 3}
CUT_OFF = "The copy was probably cut off: fetch the file again."


@dataclass(frozen=True, slots=True)
class Header:
    """What a header says of the records that follow it.

    Parameters
    ----------
    header_bytes : int
    records : int
    record_s : float
        Duration of a record [s].
    kind : str
        Reserved field: ``EDF+C``, ``EDF+D``, ``24BIT`` and the like.
    labels : tuple of str
        Names of the signals.
    widths : tuple of int
        Bytes of each signal in a record.
    """

    header_bytes: int
    records: int
    record_s: float
    kind: str
    labels: tuple[str, ...]
    widths: tuple[int, ...]

    @property
    def total_bytes(self) -> int:
        """Bytes of a whole file."""
        return self.header_bytes + self.records * sum(self.widths)


def read_header(path: Path) -> Header:
    """Return the header of an EDF, BDF or GDF file.

    The fields lie where Kemp et al. 1992 (doi 10.1016/0013-4694(92)90009-7) put them; BDF samples have 3 bytes; GDF
    (Schlögl 2006, arXiv cs/0608052) writes numbers in binary and a type for each signal.

    Raises
    ------
    DataError
        If it is damaged or cut off.
    """
    with path.open("rb") as file:
        fixed = file.read(FIXED_BYTES)
        try:
            gdf = fixed[:3] == b"GDF"
            signals = int.from_bytes(fixed[252:254], "little") if gdf else int(fixed[252:256])
            rest = file.read(signals * FIXED_BYTES)
            if len(fixed) < FIXED_BYTES or len(rest) < signals * FIXED_BYTES or signals < 1:
                raise ValueError("it ends early")
            return _gdf(fixed, rest, signals) if gdf else _edf(fixed, rest, signals)
        except (ValueError, KeyError) as error:
            raise DataError(f"the {path.suffix[1:].upper()} header is damaged or cut off", where=str(path),
                            remedy=CUT_OFF) from error


def dimensions(path: Path) -> tuple[tuple[str, str], ...]:
    """Return name and physical dimension of every signal of an EDF or BDF file; an empty one is not stated."""
    labels = read_header(path).labels
    with path.open("rb") as file:
        file.seek(FIXED_BYTES + BEFORE_DIMENSIONS_BYTES * len(labels))
        texts = [file.read(DIMENSION_BYTES).decode("latin-1").strip() for _ in labels]
    return tuple(zip(labels, texts, strict=True))


def _edf(fixed: bytes, rest: bytes, signals: int) -> Header:
    """Return the header of EDF or BDF from its two parts."""
    sample_bytes = 3 if fixed[0] == 0xFF else 2
    begin = BEFORE_WIDTHS_BYTES * signals
    widths = tuple(int(rest[begin + 8 * n : begin + 8 * n + 8]) * sample_bytes for n in range(signals))
    labels = tuple(rest[16 * n : 16 * n + 16].decode("latin-1").strip() for n in range(signals))
    if min(widths) < 0 or sum(widths) < 1 or int(fixed[184:192]) < FIXED_BYTES:
        raise ValueError("a record holds nothing")
    kind = fixed[192:236].decode("latin-1").strip()
    return Header(int(fixed[184:192]), int(fixed[236:244]), float(fixed[244:252]), kind, labels, widths)


def _gdf(fixed: bytes, rest: bytes, signals: int) -> Header:
    """Return the header of GDF from its two parts; before version 1.90 its length is a number of bytes."""
    old = float(fixed[4:8]) < 1.9
    header_bytes = int.from_bytes(fixed[184:192], "little") if old else int.from_bytes(fixed[184:186], "little") * 256
    begin = BEFORE_WIDTHS_BYTES * signals
    counts = np.frombuffer(rest[begin : begin + 4 * signals], dtype="<u4").tolist()
    types = np.frombuffer(rest[begin + 4 * signals : begin + 8 * signals], dtype="<u4").tolist()
    widths = tuple(int(count) * GDF_TYPE_BYTES[int(kind)] for count, kind in zip(counts, types, strict=True))
    return Header(header_bytes, int.from_bytes(fixed[236:244], "little", signed=True), 0.0, "GDF", (), widths)


def check_length(path: Path) -> None:
    """Raise a `DataError` where an EDF, BDF or GDF file is shorter than its own header says."""
    header, size = read_header(path), path.stat().st_size
    if header.records < 0:
        raise DataError(f"the {path.suffix[1:].upper()} header does not say how many records follow; the recording was "
                        "never closed", where=str(path), remedy="Repair it with the program that recorded it.")
    if size < header.total_bytes:
        raise DataError(f"the file is truncated: its header promises {header.total_bytes} bytes, {size} are there",
                        where=str(path), remedy=CUT_OFF)


def record_times(path: Path) -> NDArray[np.float64] | None:
    """Return when each record of a discontinuous file (EDF+D, BDF+D) began [s], from the begin of the first one.

    None for every other file, whose records follow on.

    Raises
    ------
    DataError
        If a record does not say when it began, or they are not in the order of time.
    """
    header = read_header(path)
    if header.kind[3:5] != "+D":
        return None
    places = [n for n, label in enumerate(header.labels) if label in {"EDF Annotations", "BDF Annotations"}]
    stride = sum(header.widths)
    times: list[float] = []
    with path.open("rb") as file:
        begin = sum(header.widths[: places[0]]) if places else 0
        for number in range(header.records if places else 0):
            file.seek(header.header_bytes + number * stride + begin)
            if (found := BEGIN_OF_RECORD.match(file.read(header.widths[places[0]]))) is not None:
                times.append(float(found[1]))
    if len(times) != header.records or not header.records or not (np.diff(times) > 0).all():
        raise DataError(f"the file is discontinuous ({header.kind[:5]}), and its records do not say in order when they "
                        "began", where=str(path), remedy="Convert it to continuous files.")
    return np.asarray(times) - times[0]
