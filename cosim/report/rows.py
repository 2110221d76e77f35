"""Rows of a table as mappings that share its columns: a million of them take the memory of the columns."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd


class TableRow(Mapping[str, Any]):
    """One row of columns that all rows share; its numbers are Python's.

    Parameters
    ----------
    columns : mapping of str to ndarray
    index : int
        Of the row.
    """

    __slots__ = ("_columns", "_index")

    def __init__(self, columns: Mapping[str, Any], index: int) -> None:
        self._columns, self._index = columns, index

    def __getitem__(self, name: str) -> Any:
        """Return a cell."""
        return self._columns[name].item(self._index)

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the columns."""
        return iter(self._columns)

    def __len__(self) -> int:
        """Return how many columns there are."""
        return len(self._columns)


def shared_rows(tables: Iterable[pd.DataFrame]) -> tuple[TableRow, ...]:
    """Return the rows of tables of equal columns, one after the other; of equal texts of a table one is kept."""
    found: list[TableRow] = []
    for table in tables:
        columns = {str(name): _column(table[name]) for name in table}
        found += [TableRow(columns, index) for index in range(len(table))]
    return tuple(found)


def _column(values: Any) -> Any:
    """Return a column as an array of numbers, or of texts of which equal ones are one object."""
    if values.dtype.kind in "biuf":
        return values.to_numpy()
    known: dict[str, str] = {}
    cells = np.empty(len(values), object)
    cells[:] = [known.setdefault(cell, cell) if isinstance(cell, str) else cell for cell in values.tolist()]
    return cells
