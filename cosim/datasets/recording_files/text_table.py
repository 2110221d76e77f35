"""Recordings as text: files of the OpenBCI GUI, of Muse headbands, and tables with a header."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
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
        Text of every field, without blanks around it.
    """

    path: Path
    comments: tuple[str, ...]
    columns: dict[str, NDArray[np.str_]] = field(repr=False)

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(next(iter(self.columns.values())))

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column as numbers, an empty field as nan.

        Raises
        ------
        DataError
            If a field is no number; the message names its row.
        """
        texts = self.columns[name]
        found = np.asarray(_pandas.to_numeric(_pandas.Series(texts), errors="coerce"), dtype=np.float64)
        wrong = np.flatnonzero(np.isnan(found) & ~np.isin(np.char.lower(texts), ("", "nan", "na", "n/a")))
        if len(wrong):
            raise DataError(f"column {name!r} holds {str(texts[wrong[0]])!r} in row {wrong[0] + 1}, no number",
                            where=str(self.path), remedy=REMEDY)
        return found

    def is_numeric(self, name: str) -> bool:
        """Return whether the first and the last fields of a column that are not empty are numbers."""
        own = self.columns[name]
        own = own[own != ""]
        return len(own) > 0 and all(_number(str(text)) for text in (*own[:50], *own[-50:]))

    def without(self, dropped: NDArray[np.bool_]) -> TextTable:
        """Return the table without some rows."""
        return TextTable(self.path, self.comments, {name: own[~dropped] for name, own in self.columns.items()})


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
    names, body = first, lines[count + 1 :]
    if _number(first[0]):
        names, body = _unnamed_openbci(comments, first, path), lines[count:]
    return TextTable(path, comments, _columns(names, body, delimiter, path, whole=text[-1:] in "\r\n"))


def _columns(
    names: Sequence[str], body: Sequence[str], delimiter: str, path: Path, *, whole: bool
) -> dict[str, NDArray[np.str_]]:
    """Return the columns by name; of names that are there twice, the first is kept."""
    if body and not whole and body[-1].count(delimiter) != len(names) - 1:
        raise DataError(f"the file is truncated: its last row has {body[-1].count(delimiter) + 1} of {len(names)} "
                        "fields", where=str(path), remedy="Copy it again, or delete the last row.")
    with reading(path, SAID, remedy=REMEDY):
        frame = _pandas.read_csv(io.StringIO("".join(body)), sep=delimiter, header=None, dtype=str, na_filter=False,
                                 skipinitialspace=True, skip_blank_lines=True)  # fmt: skip
    if frame.shape[1] != len(names):
        raise DataError(f"its rows have {frame.shape[1]} fields, its header {len(names)}", where=str(path),
                        remedy=REMEDY)
    found: dict[str, NDArray[np.str_]] = {}
    for number, name in enumerate(names):
        own = frame[number].fillna("") if frame.shape[0] else frame[number]
        found.setdefault(name, np.char.strip(np.asarray(own, dtype=np.str_)))
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
