"""Recordings as text: files of the OpenBCI GUI, of Muse headbands, and tables with a header."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from cosim.datasets.files import reading
from energy_models.errors import DataError

_pandas: Any = pandas  # its stubs are too partial for strict checking
DELIMITERS = ",;\t"
FIRST_CLOCK = 1e9  # seconds since 1970: before that, no such file was written
SAID = "it cannot be read as a table of text"
REMEDY = ("Every row needs as many fields as the header, and numbers need a decimal point, or a comma where other "
          "signs part the fields.")  # fmt: skip
COMMENT = ("%", "#")
DECIMAL_COMMA = re.compile(r"[+-]?\d*,?\d+(?:[eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
OPENBCI_RATE = re.compile(r"%\s*Sample Rate\s*=\s*([\d.]+)\s*(?:Hz)?", re.IGNORECASE)
OPENBCI_CHANNELS = re.compile(r"%\s*Number of channels\s*=\s*(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TextTable:
    """The columns of a text file.

    Parameters
    ----------
    path : Path
    comments : tuple of str
        Lines before the header that begin with ``%`` or ``#``.
    columns : dict of str to ndarray of str, shape (rows,)
        Text of every field, without blanks around it; of a name that is there twice, the first column.
    lines : ndarray of int, shape (rows,)
        Line of the file on which each row ends, counted from 1.
    repeated : frozenset of str
        Names that the header holds more than once.
    """

    path: Path
    comments: tuple[str, ...]
    columns: dict[str, NDArray[np.str_]] = field(repr=False)
    lines: NDArray[np.int64] = field(repr=False)
    repeated: frozenset[str] = frozenset()

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(next(iter(self.columns.values())))

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column as numbers, an empty field as nan.

        Raises
        ------
        DataError
            If a field is no number; the message names its line.
        """
        texts = self.columns[name]
        found = np.asarray(_pandas.to_numeric(_pandas.Series(texts), errors="coerce"), dtype=np.float64)
        wrong = np.flatnonzero(np.isnan(found) & ~np.isin(np.char.lower(texts), ("", "nan", "na", "n/a")))
        if len(wrong):
            raise DataError(f"column {name!r} holds {str(texts[wrong[0]])!r} in line {self.lines[wrong[0]]}, no "
                            "number", where=str(self.path), remedy=REMEDY)
        return found

    def is_numeric(self, name: str) -> bool:
        """Return whether the first and the last fields of a column that are not empty are numbers."""
        own = self.columns[name]
        own = own[own != ""]
        return len(own) > 0 and all(_number(str(text)) for text in (*own[:50], *own[-50:]))

    def without(self, dropped: NDArray[np.bool_]) -> TextTable:
        """Return the table without some rows."""
        kept = {name: own[~dropped] for name, own in self.columns.items()}
        return replace(self, columns=kept, lines=self.lines[~dropped])


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_table(path: Path) -> TextTable:
    """Return the columns of a text file with one header line, after lines of comments.

    Files of the OpenBCI GUI before version 5 have no header line: their columns are named here as newer ones name them.

    Raises
    ------
    DataError
        If the file is not text, has no header or no rows, or its rows differ in length.
    """
    with reading(path, SAID, remedy=REMEDY):
        data = path.read_bytes()
        if b"\0" in data[:4096]:
            raise DataError("it is no text file: it holds zero bytes", where=str(path),
                            remedy="Give it the ending of its own format.")
        text = data.decode("utf-8-sig", errors="strict" if data[:1] != b"\xff" else "replace")
    lines = text.splitlines(keepends=True)
    count = next((number for number, line in enumerate(lines) if line.strip() and not line.startswith(COMMENT)), None)
    if count is None:
        raise DataError("it holds no row", where=str(path), remedy="It may be cut short: copy it again.")
    comments = tuple(line.strip() for line in lines[:count] if line.strip())
    delimiter = max(DELIMITERS, key=lines[count].count)
    first = [part.strip() for part in next(csv.reader([lines[count]], delimiter=delimiter))]
    names, begin = first, count + 1
    if _number(first[0]):
        names, begin = _unnamed_openbci(comments, first, path), count
    body = lines[begin:]
    with reading(path, SAID, remedy=REMEDY):
        rows = _rows(body, delimiter, begin + 1)
    _check_rows(rows, len(names), path, whole=text[-1:] in "\r\n")
    again = frozenset(name for name in names if name and names.count(name) > 1)
    numbers = np.asarray([line for line, _ in rows], dtype=np.int64)
    return TextTable(path, comments, _columns(names, body, delimiter, path, len(rows)), numbers, again)


def _rows(body: Sequence[str], delimiter: str, first: int) -> list[tuple[int, int]]:
    """Return the line on which each row ends, and how many fields it has; `first` is the number of the first line."""
    if not any('"' in line for line in body):
        return [(number, line.count(delimiter) + 1) for number, line in enumerate(body, first) if line.strip()]
    reader = csv.reader(body, delimiter=delimiter, skipinitialspace=True)
    return [(first + reader.line_num - 1, len(row)) for row in reader if row and row != [""]]


def _check_rows(rows: Sequence[tuple[int, int]], fields: int, path: Path, *, whole: bool) -> None:
    """Raise a `DataError` where there is no row, or one has more or fewer fields than the header; it names its line."""
    if not rows:
        raise DataError("it holds a header and no row below it", where=str(path),
                        remedy="It may be cut short: copy it again.")
    if not whole and rows[-1][1] < fields:
        raise DataError(f"the file is truncated: its last row has {rows[-1][1]} of {fields} fields", where=str(path),
                        remedy="Copy it again, or delete the last row.")
    odd = [(line, own) for line, own in rows if own != fields]
    if len(odd) == len(rows) and len({own for _, own in odd}) == 1:
        raise DataError(f"its rows have {odd[0][1]} fields, its header {fields}", where=str(path), remedy=REMEDY)
    if odd:
        more = f", and {len(odd) - 1} more lines differ too" if len(odd) > 1 else ""
        raise DataError(f"line {odd[0][0]} has {odd[0][1]} fields, the header {fields}{more}", where=str(path),
                        remedy=REMEDY)


def _columns(
    names: Sequence[str], body: Sequence[str], delimiter: str, path: Path, rows: int
) -> dict[str, NDArray[np.str_]]:
    """Return the columns by name; of names that are there twice, the first is kept."""
    with reading(path, SAID, remedy=REMEDY):
        frame = _pandas.read_csv(io.StringIO("".join(body)), sep=delimiter, header=None, dtype=str, na_filter=False,
                                 skipinitialspace=True, skip_blank_lines=True)  # fmt: skip
    if frame.shape != (rows, len(names)):
        raise DataError(SAID, where=str(path), remedy=REMEDY)
    found: dict[str, NDArray[np.str_]] = {}
    for number, name in enumerate(names):
        found.setdefault(name, np.char.strip(np.asarray(frame[number], dtype=np.str_)))
    return found if delimiter == "," else _with_points(found)


def _with_points(columns: dict[str, NDArray[np.str_]]) -> dict[str, NDArray[np.str_]]:
    """Return columns whose numbers have a decimal point where the file has a comma; not where it may part thousands.

    A column counts where each of its fields is a number with a comma or a whole one.
    """
    commas = {
        name: own for name, own in columns.items()
        if any("," in text for text in own) and all(DECIMAL_COMMA.fullmatch(text) or not text for text in own)
    }  # fmt: skip
    fields = [text for own in commas.values() for text in own if "," in text]
    if all(THOUSANDS.fullmatch(text) for text in fields):
        return columns
    return {name: np.char.replace(own, ",", ".") if name in commas else own for name, own in columns.items()}


def openbci_rate(table: TextTable) -> float | None:
    """Return the rate that a file of the OpenBCI GUI states [Hz]."""
    found = OPENBCI_RATE.search("\n".join(table.comments))
    return None if found is None else float(found[1])


def _unnamed_openbci(comments: Sequence[str], first: Sequence[str], path: Path) -> list[str]:
    """Return the names of the columns of a file of the OpenBCI GUI before version 5.

    Raises
    ------
    DataError
        If it is none: a table without names says nothing.
    """
    found = OPENBCI_CHANNELS.search("\n".join(comments))
    if found is None or int(found[1]) >= len(first):
        raise DataError("its first row holds numbers: the columns have no names", where=str(path),
                        remedy="Put a row with the name of each column before them.")
    channels = int(found[1])
    names = ["Sample Index", *(f"EXG Channel {number}" for number in range(channels))]
    for number, text in enumerate(first[len(names) :]):
        clock = not _number(text) or float(text) > FIRST_CLOCK
        names.append(("Timestamp" if _number(text) else "Timestamp (Formatted)") if clock else f"Other {number}")
    return names
