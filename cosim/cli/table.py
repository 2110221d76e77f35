"""Tables on standard output: as wide as they are where they are piped, fitted to the width of a terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any, cast

GAP = "  "
LEAST_TEXT = 24
"""Width to which a column of words may be folded [characters]."""
MOST_FOLDED_ROWS = 1000
"""Beyond that, folding words takes longer than a reader waits."""
Rows = Sequence[Mapping[str, object]]


def terminal_width() -> int | None:
    """Return the width of the terminal [characters]; None where standard output is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def print_table(rows: Rows, *, least: Sequence[str] = ()) -> list[str]:
    """Print rows as one table and return the columns that were left out.

    A pipe or a file gets every column at its full width. A terminal gets what fits: columns of words are folded first,
    then whole columns are left out.

    Parameters
    ----------
    rows : sequence of mapping
        All with the same keys.
    least : sequence of str
        Columns that may be left out, the least important first; when they are gone, columns go from the right. The
        first column always stays.
    """
    if not rows:
        return []
    cells = {name: [cell(row[name]) for row in rows] for name in rows[0]}
    width = terminal_width()
    if width is None:
        _print_whole(cells)
        return []
    needed = {name: _narrowest(name, column, len(rows)) for name, column in cells.items()}
    shown, left_out = list(cells), list[str]()
    width = max(width, needed[shown[0]])
    going = [*(name for name in least if name in cells), *reversed([name for name in cells if name not in least])]
    for name in going:
        if sum(needed[one] for one in shown) + len(GAP) * (len(shown) - 1) <= width or len(shown) == 1:
            break
        if name != shown[0]:
            shown.remove(name)
            left_out.append(name)
    kept = {name: cells[name] for name in shown}
    if _whole_width(kept) <= width or len(rows) > MOST_FOLDED_ROWS:
        _print_whole(kept)
    else:
        _print_folded(kept, width)
    return [name for name in cells if name in left_out]


def cell(value: object) -> str:
    """Return a value as a table shows it."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in cast(list[Any], value))
    return "–" if value is None else str(value)


def _natural(name: str, column: Sequence[str]) -> int:
    return max(len(name), *map(len, column))


def _narrowest(name: str, column: Sequence[str], rows: int) -> int:
    """Return the width below which a column is not shown: that of its words, not less than a column of words needs."""
    natural = _natural(name, column)
    if natural <= LEAST_TEXT or rows > MOST_FOLDED_ROWS:
        return natural
    longest = max((len(word) for text in (name, *column) for word in text.split()), default=0)
    return min(natural, max(longest, LEAST_TEXT))


def _whole_width(cells: Mapping[str, Sequence[str]]) -> int:
    return sum(_natural(name, column) for name, column in cells.items()) + len(GAP) * (len(cells) - 1)


def _print_whole(cells: Mapping[str, Sequence[str]]) -> None:
    widths = [_natural(name, column) for name, column in cells.items()]
    for line in (tuple(cells), *zip(*cells.values(), strict=True)):
        print(GAP.join(map(str.ljust, line, widths)).rstrip())  # noqa: T201


def _print_folded(cells: Mapping[str, Sequence[str]], width: int) -> None:
    # Deferred: what is piped needs no folding.
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, len(GAP), 0, 0), header_style="bold")
    for name, column in cells.items():
        narrowest = _narrowest(name, column, len(column))
        table.add_column(name, overflow="fold", min_width=narrowest, no_wrap=narrowest == _natural(name, column))
    for row in zip(*cells.values(), strict=True):
        table.add_row(*row)
    Console(width=width, highlight=False, markup=False, soft_wrap=False).print(table)
