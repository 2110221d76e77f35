"""Rows sorted by what they are and by role, each group compared with the bar that was set before it was computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from scipy import stats as _stats  # pyright: ignore[reportMissingTypeStubs]

from energy_models.validation.reasons import MISSED
from energy_models.validation.rows import Role, ValidationRow, summarise

stats: Any = _stats  # scipy ships no types
RowKind = Literal[
    "microcontroller", "other_microcontroller", "cluster", "accelerator", "beyond", "event", "system",
]
ROW_KINDS: Mapping[RowKind, str] = {
    "microcontroller": "Microcontrollers with a profile",
    "other_microcontroller": "Microcontrollers without a profile",
    "cluster": "Parallel clusters: Mr. Wolf, Vega, GAP9",
    "accelerator": "Neural accelerators",
    "beyond": "Profiles used beyond their chip, library or supply",
    "event": "Event-driven chips",
    "system": "Whole systems",
}
TIMES = frozenset(("latency", "cycles"))
"""Quantities that say nothing about power: bars of errors are on the others."""
LEVEL, COVERAGE, MANY = 0.9, (0.85, 0.96), 40
"""Bands of so much hold a share between the two of the rows of a group of so many or more."""
SIGNIFICANCE = 0.05
"""In a smaller group, a two-sided binomial test at this level does not reject that bands hold `LEVEL`."""


def coverage_bounds(rows: int) -> tuple[float, float]:
    """Return the least and the most share inside that speaks for 90 % bands, for a group of so many rows."""
    if rows >= MANY:
        return COVERAGE
    kept = [held for held in range(rows + 1) if stats.binomtest(held, rows, LEVEL).pvalue >= SIGNIFICANCE]
    return min(kept) / rows, max(kept) / rows


@dataclass(frozen=True, slots=True)
class Bar:
    """What a group of held-out rows is to reach, beside bands that hold what they say; None where nothing was asked.

    Errors are those of energies and powers: rows of latencies and cycles count for bands alone.

    Parameters
    ----------
    median, percentile_90, every : float or None
        Most absolute relative error: of the middle figure, of nine figures in ten, of the worst row.
    log_width : float or None
        Most mean logarithm of high over low.
    """

    median: float | None = None
    percentile_90: float | None = None
    every: float | None = None
    log_width: float | None = None


BARS: Mapping[RowKind, Bar] = {
    "microcontroller": Bar(median=0.08, percentile_90=0.22, log_width=0.6),
    "other_microcontroller": Bar(median=0.11, percentile_90=0.30, log_width=0.6),
    "cluster": Bar(median=0.30, log_width=0.8),
    "accelerator": Bar(),
    "beyond": Bar(),
    "event": Bar(),
    "system": Bar(every=0.25),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One figure of a group against its bar: errors and widths may not be above it, the least coverage not below."""

    name: str
    value: float
    bar: float

    @property
    def met(self) -> bool:
        """Whether the bar is met."""
        return self.value >= self.bar if self.name == "coverage" else self.value <= self.bar


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one kind and one role.

    Parameters
    ----------
    kind : RowKind
    role : {'fitted', 'held out'}
    rows : tuple of ValidationRow
        At least one.
    missed : str
        Why a bar is missed and what data would mend it; shown where one is.
    """

    kind: RowKind
    role: Role
    rows: tuple[ValidationRow, ...]
    missed: str = ""

    @property
    def checks(self) -> tuple[Check, ...]:
        """The bars of the kind, each with what was reached; none for fitted rows, which prove nothing but the fit."""
        if self.role == "fitted":
            return ()
        bar, found = BARS[self.kind], summarise(self.rows)
        least, most = coverage_bounds(found.rows)
        asked = (
            *(self._errors() if self.energies else ()), ("log width", found.log_width, bar.log_width),
            ("coverage", found.inside, least), ("most coverage", found.inside, most),
        )
        return tuple(Check(name, value, limit) for name, value, limit in asked if limit is not None)

    def _errors(self) -> tuple[tuple[str, float, float | None], ...]:
        bar, found = BARS[self.kind], summarise(self.energies)
        worst = max(abs(row.error) for row in self.energies)
        return (
            ("median", found.median_each, bar.median), ("90th percentile", found.percentile_each, bar.percentile_90),
            ("worst", worst, bar.every),
        )

    @property
    def energies(self) -> tuple[ValidationRow, ...]:
        """The rows of energies and powers."""
        return tuple(row for row in self.rows if row.quantity not in TIMES)

    @property
    def times(self) -> tuple[ValidationRow, ...]:
        """The rows of latencies and cycles."""
        return tuple(row for row in self.rows if row.quantity in TIMES)

    @property
    def untested(self) -> bool:
        """Whether a bar of errors was set and no held-out row is an energy or a power."""
        bar = BARS[self.kind]
        asked = any(limit is not None for limit in (bar.median, bar.percentile_90, bar.every))
        return self.role == "held out" and asked and not self.energies

    @property
    def failed(self) -> tuple[Check, ...]:
        """The bars that are missed."""
        return tuple(check for check in self.checks if not check.met)


def groups_of(rows: Mapping[RowKind, Iterable[ValidationRow]]) -> tuple[Group, ...]:
    """Return the rows of each kind by role, held-out ones first; a group without rows is left out."""
    roles: tuple[Role, ...] = ("held out", "fitted")
    found: list[Group] = []
    for kind in ROW_KINDS:
        given = tuple(rows.get(kind, ()))
        for role in roles:
            chosen = tuple(row for row in given if row.role == role)
            if chosen:
                found.append(Group(kind, role, chosen, MISSED.get(kind, "") if role == "held out" else ""))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Measured figures of the same thing that differ: no model can meet them all.

    Parameters
    ----------
    what, quantity, unit : str
    low, high : ValidationRow
        The rows with the least and the most measured.
    rows : int
        How many different figures there are.
    """

    what: str
    quantity: str
    unit: str
    low: ValidationRow
    high: ValidationRow
    rows: int

    @property
    def ratio(self) -> float:
        """Most measured over least."""
        return self.high.measured / self.low.measured


def disagreements(rows: Iterable[ValidationRow], *, least: float = 1.05) -> tuple[Disagreement, ...]:
    """Return what was measured more than once with results further apart than `least`, widest first.

    The same thing is the same network on the same board (the last part but one of an id; the machine for ids with less
    than three parts), the same quantity and unit.
    """
    same: dict[tuple[str, str, str, str], list[ValidationRow]] = {}
    for row in rows:
        same.setdefault((_board(row), row.what, row.quantity, row.unit), []).append(row)
    found: list[Disagreement] = []
    for (board, what, quantity, unit), members in same.items():
        different = {row.measured: row for row in sorted(members, key=lambda row: row.id, reverse=True)}
        ordered = sorted(different.values(), key=lambda row: row.measured)
        found.append(Disagreement(f"{what} on {board}", quantity, unit, ordered[0], ordered[-1], len(ordered)))
    apart = (one for one in found if one.rows > 1 and one.ratio >= least)
    return tuple(sorted(apart, key=lambda one: (-one.ratio, one.what, one.quantity)))


def _board(row: ValidationRow) -> str:
    parts = row.id.split("/")
    return parts[-2] if len(parts) > 2 else row.machine
