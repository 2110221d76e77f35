"""What a page shows of a run that is too large to be shown whole: the fronts and what is next to them."""

from __future__ import annotations

from collections.abc import Sequence

from cosim.report.inputs import Row, Run

MOST_ROWS = 500      # decoder and machine, of a table
MOST_POINTS = 60     # of a picture
MOST_PICTURES = 60   # of a page: machine and kind of power
MOST_NAMES = 12      # of a sentence
LEAST_EACH = 5       # of each machine in any case
MEMBERSHIPS = ("surely", "possibly", "dominated", "not compared")


def rows_each(run: Run, most: int) -> int:
    """Return how many rows of each machine are shown where `most` are shown of all."""
    return max(most // max(len(run.machines), 1), LEAST_EACH)


def table_rows_each(run: Run) -> int:
    """Return how many decoders of each machine stand in a table of prices; a small run's stand there all."""
    decoders = max((len(run.at(machine, run.sites[0])) for machine in run.machines), default=0)
    return decoders if decoders * len(run.machines) <= MOST_ROWS else rows_each(run, MOST_ROWS)


def foremost(rows: Sequence[Row], most: int) -> tuple[Row, ...]:
    """Return so many of one place's rows, in their order.

    The front at nominal values is taken first, then what may be on it within the bounds, then the best scores; last
    what cannot run there.
    """
    if len(rows) <= most:
        return tuple(rows)
    kept = sorted(range(len(rows)), key=lambda index: _rank(rows[index]))[:most]
    return tuple(rows[index] for index in sorted(kept))


def _rank(row: Row) -> tuple[bool, bool, int, float]:
    return (
        row["infeasibilities"] != "[]", not row["front"], MEMBERSHIPS.index(str(row["membership"])),
        -float(row["score_mean"]),
    )  # fmt: skip


def selection_text(shown: int, whole: int) -> str:
    """Return what is shown of how many; empty where that is all."""
    if shown >= whole:
        return ""
    return (
        f"{shown:,} of {whole:,} are shown: each machine's front, what may be on it within its bounds, and the best "
        "scores. "
    )


def names_text(names: Sequence[str]) -> str:
    """Return names, the first `MOST_NAMES` of very many."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
