"""``docs/leaderboard.md``, its picture and its CSV: ``python docs/make/leaderboard_page.py``.

With ``--page`` the page is written of the CSV, and nothing is counted or priced.
"""

from __future__ import annotations

import sys
from pathlib import Path

from leaderboard_parts.entries import leaderboard
from leaderboard_parts.figure import draw
from leaderboard_parts.page import page
from leaderboard_parts.rows import decoder_rows, read_rows, write_rows

DOCS = Path(__file__).resolve().parents[1]
CSV, PAGE, PICTURE = "leaderboard.csv", "leaderboard.md", "leaderboard.svg"


def write_page(folder: Path, rows: Path = DOCS / CSV) -> None:
    """Write the page and its picture of the rows of a CSV into a folder."""
    board, found = leaderboard(), read_rows(rows)
    (folder / PAGE).write_text(page(board, found), encoding="utf-8")
    draw(board, found, folder / PICTURE)


def main(arguments: list[str]) -> None:
    """Count and price every decoder anew, unless only the page is wanted, and write the page."""
    if "--page" not in arguments:
        board = leaderboard()
        write_rows((row for decoder in board.decoders for row in decoder_rows(board, decoder)), DOCS / CSV)
    write_page(DOCS)


if __name__ == "__main__":
    main(sys.argv[1:])
