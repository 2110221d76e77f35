"""The page of predicted against measured: ``python docs/make/validation_page.py > docs/validation.md``."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping
from importlib.resources import files

from markdown_tables import number, percent
from markdown_tables import row as table_row

from energy_models.calibration import coverage
from energy_models.hardware import load_profile
from energy_models.quantities import load_sources
from energy_models.validation import (
    BARS,
    REMARKS,
    ROW_KINDS,
    Check,
    Disagreement,
    EventParts,
    Group,
    RowKind,
    ValidationRow,
    all_rows,
    disagreements,
    event_parts,
    groups_of,
    microcontroller_check,
    summarise,
    unvalidated,
)
from energy_models.validation.areas import SQUARE_MILLIMETRE_M2, AreaRow, area_rows

BITS_PER_KIB = 8 * 1024
HEADER = """# Validation: predicted against measured

Every published figure that the energy models are held against. *Fitted*: a constant of the prediction came from this
very row or was chosen after it, so that it proves the fit and no more. *Held out*: none did. The two are never mixed.
Error is `|predicted / measured - 1|`; *one a network* is its median where several rows of one network on one machine
(energy and latency of one run, variants, one network predicted from each of several others) count once; *in band* is
the share of measured figures inside the band of the prediction, its central 90 %; *log width* is the mean of ln(high /
low). Bars of median, 90th percentile and worst are on energies and powers alone, those of the first two on figures,
one a network; latencies and cycles (*time*) say nothing about power. Bars of bands are on all rows of a group. Bands
hold 90 % where the share inside lies between 85 and 96 %, in groups below 40 rows where a two-sided binomial test at 5
% does not reject it. The bars were set before the rows were computed.

Made by `python docs/make/validation_page.py > docs/validation.md`; a test keeps it current.

"""
BANDS = """## Bands of other levels

Microcontrollers, a row for each network from which one is predicted, energies and latencies: bands made from the rows
of all other chips, the level they are to hold, the share of rows that they do hold, and their mean width ln(high /
low).

"""
EVENTS = """## Event-driven chips, part by part

A figure "per synaptic operation with all power in it" is one of its rate: static power and idle clock over the
operations a second, and the event. Idle clock is 0 where the profile has it in static power.

"""
AREAS = """## Silicon areas

Published areas beside what the area laws ([what a machine is made of](machine_laws.md#area)) give for the memories,
multipliers and controller that a source states. A *core* is what the laws describe; a *chip* has front ends, logic or
pads that its source does not part, so that the laws predict a part of it. Fitted: the core factor was chosen after it.

"""
UNVALIDATED = """## Machines that no row holds

No figure of a chip stands against these: designs of published parts, or machines of assumed constants.

"""
DISAGREE = """## Where rows disagree with each other

The same network on the same board, entered more than once: supply, compiler and library differ, and where they are not
part of the model no prediction can meet both. What they differ by is a floor under every error above.

"""
UNPREDICTED = """## Held but not predicted

Figures we hold for which no prediction can be made, and what is missing. NDP120's entries of rounds v1.1 to v1.3 repeat
those of v1.0 and stand once above.

"""


def validation_page(rows: Mapping[RowKind, Iterable[ValidationRow]]) -> str:
    """Return the page for rows by kind, as markdown."""
    groups = groups_of(rows)
    if not groups:
        return HEADER + "No rows yet.\n"
    parts = [HEADER, _summary(groups), *(_group(group) for group in groups)]
    parts.append(BANDS + _coverage())
    parts.append(EVENTS + _event_parts(event_parts()))
    parts.append(AREAS + _areas(area_rows()))
    parts.append(UNVALIDATED + _unvalidated())
    found = disagreements(row for group in groups for row in group.rows)
    parts.append(DISAGREE + (_disagreements(found) if found else "None.\n") + "\n")
    parts.append(UNPREDICTED + _unpredicted() + "\n")
    sources = {row.source for group in groups for row in group.rows}
    parts.append(_sources(sources | {row.source for row in area_rows()}))
    return "".join(parts)


def _summary(groups: Iterable[Group]) -> str:
    head = (
        "kind", "rows", "of", "n", "networks", "median error", "one a network", "90th percentile", "one a network",
        "in band", "log width", "bars", "met",
    )
    lines = [table_row(head), "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---|---|\n"]
    for group in groups:
        checks = group.checks
        ends = "; ".join((*map(_bar_text, checks), *[_limits_text(group.kind)] * group.untested)), _verdict(group)
        for of, rows in _parts(group).items():
            lines.append(table_row(_summary_cells(group, of, rows) + ends))
            ends = ("", "")
    return "".join(lines) + "\n"


def _parts(group: Group) -> dict[str, tuple[ValidationRow, ...]]:
    """Return the rows by what is measured; where a group has both, all of them first."""
    parts = {name: rows for name, rows in (("energy", group.energies), ("time", group.times)) if rows}
    return {"all": group.rows, **parts} if len(parts) > 1 else parts


def _summary_cells(group: Group, of: str, rows: tuple[ValidationRow, ...]) -> tuple[str, ...]:
    found = summarise(rows)
    return (
        f"[{ROW_KINDS[group.kind]}](#{_anchor(group)})", group.role, of, str(found.rows), str(found.networks),
        percent(found.median), percent(found.median_each), percent(found.percentile_90),
        percent(found.percentile_each), percent(found.inside), f"{found.log_width:.2f}",
    )


def _verdict(group: Group) -> str:
    if not group.checks:
        return ""
    met = "**no**" if group.failed else "yes"
    return f"{met}; **not tested on energy**" if group.untested else met


def _limits_text(kind: RowKind) -> str:
    bar = BARS[kind]
    limits = (("median", bar.median), ("90th percentile", bar.percentile_90), ("worst", bar.every))
    return "of energy, not tested: " + ", ".join(f"{name} {percent(most)}" for name, most in limits if most is not None)


def _bar_text(check: Check) -> str:
    sign = "at least" if check.name == "coverage" else "at most"
    return f"{check.name.removeprefix('most ')} {sign} {_figure(check.name, check.bar)}"


def _figure(name: str, value: float) -> str:
    return f"{value:.2f}" if name == "log width" else percent(value)


def _heading(group: Group) -> str:
    return f"{ROW_KINDS[group.kind]}, {group.role}"


def _anchor(group: Group) -> str:
    kept = "".join(letter for letter in _heading(group).lower() if letter.isalnum() or letter in " -")
    return kept.replace(" ", "-")


def _group(group: Group) -> str:
    lines = [f"## {_heading(group)}\n\n"]
    if group.failed:
        missed = "; ".join(_missed_text(check) for check in group.failed)
        lines.append(f"**Missed**: {missed}.\n\n{group.missed}\n\n")
    if group.untested:
        lines.append("No held-out row of this group is an energy: cycles are tested here, power is not.\n\n")
    if group.role == "held out" and group.kind in REMARKS:
        lines.append(f"{REMARKS[group.kind]}\n\n")
    head = ("what", "machine", "quantity", "predicted", "band", "measured", "ratio", "in band", "source")
    lines.append(table_row(head))
    lines.append("|---|---|---|---:|---:|---:|---:|---|---|\n")
    notes: dict[str, int] = {}
    for row in group.rows:
        lines.append(table_row(_cells(row, notes)))
    noted = [f"{number}. {note}\n" for note, number in notes.items()]
    return "".join((*lines, "\n", *noted, "\n" if noted else ""))


def _missed_text(check: Check) -> str:
    side = "under" if check.name == "coverage" else "over"
    figures = [_figure(check.name, one) for one in (check.value, check.bar)]
    if check.name == "log width":
        return f"log width {figures[0]}, the bar is {figures[1]}"
    points = f"{abs(check.value - check.bar) * 100:.1f} points {side}"
    return f"{check.name.removeprefix('most ')} {figures[0]}, the bar is {figures[1]} ({points})"


def _cells(row: ValidationRow, notes: dict[str, int]) -> tuple[str, ...]:
    mark = f" ({notes.setdefault(row.note, len(notes) + 1)})" if row.note else ""
    return (
        row.what + mark, row.machine, row.quantity, f"{number(row.predicted.nominal)} {row.unit}",
        f"{number(row.predicted.low)} to {number(row.predicted.high)}", f"{number(row.measured)} {row.unit}",
        f"{row.ratio:.2f}", "yes" if row.inside else "**no**", row.source,
    )


def _coverage() -> str:
    lines = [table_row(("level", "rows", "inside", "log width")), "|---:|---:|---:|---:|\n"]
    for one in coverage(microcontroller_check()):
        lines.append(table_row((percent(one.level), str(one.rows), percent(one.inside), f"{one.log_width:.2f}")))
    return "".join((*lines, "\n"))


def _event_parts(found: Iterable[EventParts]) -> str:
    head = (
        "figure", "machine", "profile", "static", "idle clock", "event", "operations a second", "all power: predicted",
        "measured", "ratio",
    )
    lines = [table_row(head), "|---|---|---|---:|---:|---:|---:|---:|---:|---:|\n"]
    for one in found:
        lines.append(table_row((
            one.what, one.machine, f"`{one.profile}`", f"{number(one.static_w.nominal * 1e6)} uW",
            f"{number(one.clock_w.nominal * 1e6)} uW", f"{number(one.event_j.nominal * 1e12)} pJ", number(one.rate_hz),
            f"{number(one.predicted_j * 1e12)} pJ", f"{number(one.measured_j * 1e12)} pJ",
            f"{one.predicted_j / one.measured_j:.2f}",
        )))
    return "".join((*lines, "\n"))


def _areas(rows: Iterable[AreaRow]) -> str:
    head = (
        "of", "role", "what", "design", "node", "memories", "predicted", "band", "published", "predicted / published",
        "source", "note",
    )
    lines = [table_row(head), "|---|---|---|---|---:|---:|---:|---:|---:|---:|---|---|\n"]
    for one in rows:
        low, nominal, high = (
            number(area / SQUARE_MILLIMETRE_M2)
            for area in (one.predicted.low, one.predicted.nominal, one.predicted.high)
        )
        lines.append(table_row((
            one.scope, one.role, one.what, one.id, f"{one.node_nm:g} nm",
            f"{number(one.memory_bits / BITS_PER_KIB)} KiB", f"{nominal} mm²", f"{low} to {high}",
            f"{number(one.published_m2 / SQUARE_MILLIMETRE_M2)} mm²", f"{one.ratio:.2f}", one.source, one.note,
        )))
    return "".join((*lines, "\n"))


def _unvalidated() -> str:
    lines = [f"- `{name}`: {load_profile(name).title}\n" for name in unvalidated()]
    return "".join((*lines, "\n"))


def _disagreements(found: Iterable[Disagreement]) -> str:
    lines = [table_row(("what", "quantity", "figures", "least measured", "most measured", "ratio"))]
    lines.append("|---|---|---:|---:|---:|---:|\n")
    for one in found:
        least, most = (f"{number(row.measured)} {one.unit}: {row.machine}" for row in (one.low, one.high))
        lines.append(table_row((one.what, one.quantity, str(one.rows), least, most, f"{one.ratio:.2f}")))
    return "".join(lines)


def _unpredicted() -> str:
    path = files("energy_models.data") / "validation" / "unpredicted.csv"
    lines = [table_row(("what", "machine", "measured", "source", "why not")), "|---|---|---|---|---|\n"]
    lines += [table_row(tuple(record)) for record in list(csv.reader(path.read_text("utf-8").splitlines()))[1:]]
    return "".join(lines)


def _sources(keys: Iterable[str]) -> str:
    records = load_sources()
    lines = [
        f"- `{key}`: {records[key].authors} ({records[key].year}). {records[key].title}. {records[key].venue}.\n"
        for key in sorted(keys)
    ]
    return "## Sources\n\n" + "".join(lines)


if __name__ == "__main__":
    sys.stdout.write(validation_page(all_rows()))
