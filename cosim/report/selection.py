"""What a page shows of a run that is too large to be shown whole: the fronts and what is next to them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cosim.report.inputs import Row, Run
from cosim.tables.decoders import DECODERS
from cosim.tables.differences import DIFFERENCES, Difference, Kind
from cosim.tables.scores import GATES

MOST_ROWS = 500      # decoder and machine, of a table
MOST_POINTS = 60     # of a picture
MOST_PICTURES = 60   # of a page: machine and kind of power
MOST_NAMES = 12      # of a sentence
LEAST_EACH = 5       # of each machine in any case
PAIRS_FIRST: tuple[Kind, ...] = ("classical", "control", "distillation", "form")  # which are drawn where not all can be
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


def drawn_differences(every: Sequence[Difference], most: int) -> list[Difference]:
    """Return up to so many differences in their order: by kind as in `PAIRS_FIRST`, of a kind the largest first.

    One that is not a number is the smallest of its kind.
    """

    def rank(one: Difference) -> tuple[int, float]:
        return PAIRS_FIRST.index(one.kind), math.inf if math.isnan(one.mean) else -abs(one.mean)

    places = sorted(range(len(every)), key=lambda place: rank(every[place]))[:most]
    return [every[place] for place in sorted(places)]


def foremost_decoders(run: Run) -> tuple[Row, ...]:
    """Return the decoders of the table of scores: of very many the best."""
    return tuple(run.decoders[:MOST_ROWS])


def foremost_differences(run: Run) -> list[Difference]:
    """Return the paired differences of their table: of very many those of `drawn_differences`."""
    return drawn_differences(run.differences, MOST_ROWS)


def foremost_gates(run: Run) -> tuple[Row, ...]:
    """Return the gates of their table: of very many the first."""
    return tuple(run.gates[:MOST_ROWS])


def named_decoders(run: Run) -> tuple[Row, ...]:
    """Return the decoders whose numbers are told beside the charts: of very many the best, and those drawn."""
    priced = [row for row in run.decoders if row["role"] != "teacher"]
    if len(priced) <= MOST_ROWS:
        return tuple(priced)
    places = ((machine, site) for machine in run.machines for site in run.sites)
    drawn = {row["number"] for place in places for row in foremost(run.at(*place), MOST_POINTS)}
    return tuple(row for place, row in enumerate(priced) if place < MOST_ROWS or row["number"] in drawn)


def more_notes(run: Run) -> dict[str, str]:
    """Return by table what it leaves out and where that stands; empty texts of tables that hold everything."""
    counts = {"scores": (len(run.decoders), DECODERS), "differences": (len(run.differences), DIFFERENCES),
              "gates": (len(run.gates), GATES)}  # fmt: skip
    return {
        name: f"{count - MOST_ROWS:,} more: {file} in the run's folder." if count > MOST_ROWS else ""
        for name, (count, file) in counts.items()
    }


def names_text(names: Sequence[str]) -> str:
    """Return names, the first `MOST_NAMES` of very many."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
