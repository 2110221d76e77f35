"""``docs/spiking.md`` from the archived runs of ``benchmarks/spiking.py``, at today's prices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from markdown_tables import number, row
from spiking_parts.apart import apart
from spiking_parts.findings import BreakEvens, findings
from spiking_parts.rows import MACHINES, PAIRS, PartTable, Row, Work, break_evens, read_part
from spiking_parts.section import cell
from spiking_parts.text import BARS, BREAK_EVEN, HEAD, NOT_RUN

DOCS = Path(__file__).resolve().parents[1]
ARCHIVES = DOCS / "results" / "spiking"
TITLES = {
    "velocity_42_units": "Velocity, 42 units",
    "velocity_42_units_pruned": "Velocity, 42 units, pruned by magnitude",
    "velocity_95_channels": "Velocity, 95 channels",
    "seizure": "Seizure segments",
    "ssvep": "SSVEP, other sessions",
    "ssvep_lock_in": "SSVEP, other sessions, lock-in energies",
    "ssvep_few_labels": "SSVEP, two labelled trials a class",
}
LOCK_IN_AND_EEGNET = (
    (ARCHIVES / "ssvep_lock_in", "Lock-in LIF spiking"), (ARCHIVES / "ssvep", "EEGNet float32"),
)  # fmt: skip
NONE = "–"
BAR = {"velocity_42_units": 0.03, "velocity_95_channels": 0.03, "seizure": 0.01, "ssvep": 0.05}
"""Most that a spiking decoder may score below the network without spikes in float."""
VELOCITY = frozenset({"velocity_42_units", "velocity_95_channels"})
"""Parts of which the bar holds for decoders of few events."""
RATE = 0.8
"""Most events per neuron and bin of velocity."""
SEEDS = 5
"""Seeds that were meant to be run."""


def write_page(folder: Path = DOCS, further: Sequence[str] = ()) -> None:
    """Write the page, with columns of further machines: names of profiles, or files of them."""
    parts = [read_part(ARCHIVES / name, (*MACHINES, *further)) for name in TITLES if (ARCHIVES / name).is_dir()]
    evens = {part.name: {one.label: break_evens(part, one) for one in _with_dense_form(part)} for part in parts}
    text = HEAD + findings(parts, evens, apart(*LOCK_IN_AND_EEGNET)) + _bars(parts)
    text += "".join(map(_part, parts)) + BREAK_EVEN
    text += "".join(_break_even(part, evens[part.name]) for part in parts) + _not_run(parts)
    (folder / "spiking.md").write_text(text, encoding="utf-8")


def _part(part: PartTable) -> str:
    """Return the table of one set of recordings."""
    first = part.rows[0]
    head = ["decoder", f"{part.metric} [95 %]", f"less {part.against} [95 %]", "events a step", "a bin",
            "products", "on events", "updates", "state [bytes]",
            *(f"{Path(machine).stem} [µW]" for machine in first.work.power_w)]  # fmt: skip
    lines = [row(head), row(["---"] * 3 + ["---:"] * (len(head) - 3)), *(row(_cells(one)) for one in part.rows)]
    note = (
        f"\n{part.seeds} seeds, {part.folds} fold{'s' if part.folds > 1 else ''}; intervals {part.over}. Site "
        f"`{part.site}`, {part.rate_hz:.3g} decodes a second.\n"
    )
    return f"\n## {TITLES[part.name]}\n\n{''.join(lines)}{note}"


def _cells(one: Row) -> list[str]:
    work = one.work
    powers = [NONE if power is None else number(power * 1e6) for power in work.power_w.values()]
    rates = [NONE if rate is None else f"{rate:.3f}" for rate in (work.rate, work.bin_rate)]
    counts = [_count(value) for value in (work.products, work.on_events, work.updates, work.state_bytes)]
    score = "{:.3f} [{:.3f}, {:.3f}]".format(*one.score)
    return [one.label, score, _difference(one), *rates, *counts, *powers]


def _count(value: float) -> str:
    return f"{value:,.0f}" if value else NONE


def _difference(one: Row) -> str:
    if one.difference == (0.0, 0.0, 0.0):
        return NONE
    mean, low, high = one.difference
    ends = "no interval" if low is None or high is None else f"{low + 0.0:+.3f}, {high + 0.0:+.3f}"
    return f"{mean + 0.0:+.3f} [{ends}]".replace("-", "−")


def _bars(parts: Iterable[PartTable]) -> str:
    """Return, for each bar, the spiking decoder that is best on validation, and whether its loss is within the bar."""
    head = ["recordings", "bar", "spiking decoder, best on validation", "difference [95 %]", "events a bin", "verdict"]
    lines = [row(head), row(["---"] * len(head))]
    for part in parts:
        bar = BAR.get(part.name)
        able = [one for one in part.rows if one.is_spiking and fires_little(part.name, one.work)]
        if bar is None or not able:
            continue
        best = max(able, key=lambda one: one.validation)
        events = NONE if best.work.bin_rate is None else f"{best.work.bin_rate:.2f}"
        told = [TITLES[part.name], f"{bar:g}", best.label, _difference(best), events, _verdict(best, bar)]
        lines.append(row(told))
    return BARS + "".join(lines)


def fires_little(part: str, work: Work) -> bool:
    """Return whether a decoder is within the bar of events; of velocity one whose rate is not known is not."""
    return part not in VELOCITY or (work.bin_rate is not None and work.bin_rate <= RATE)


def _verdict(one: Row, bar: float) -> str:
    """Return whether the loss is within the bar: its interval's worse end, else its mean."""
    mean, low, _ = one.difference
    if low is not None and low >= -bar:
        return "met"
    if mean >= -bar:
        return "met by the mean, not by the interval"
    return "missed"


def _with_dense_form(part: PartTable) -> list[Row]:
    """Return the spiking decoders in integers that have a network without spikes in the same form beside them."""
    return [one for one in part.rows if one.is_spiking and one.form not in ("float32", "")
            and any(other.form == one.form and not other.is_spiking for other in part.rows)]  # fmt: skip


def _break_even(part: PartTable, evens: Mapping[str, BreakEvens]) -> str:
    """Return the break-even table of one set of recordings; empty where no spiking decoder has integers."""
    if not evens:
        return ""
    names = (f"`{mine}`" if mine == other else f"`{mine}` against `{other}`" for mine, other in PAIRS)
    lines = [row(["spiking decoder", "counted", *names]), row(["---"] * (2 + len(PAIRS)))]
    for label, found in evens.items():
        counted = next((f"{each.counted:.3f}" for each in found.values() if each is not None), NONE)
        cells = (NONE if each is None else f"{cell(each)}; {each.probability_less:.0%}" for each in found.values())
        lines.append(row([label, counted, *cells]))
    return f"\n**{TITLES[part.name]}**\n\n{''.join(lines)}"


def _not_run(parts: list[PartTable]) -> str:
    """Return the parts and seeds that were not run."""
    there = {part.name for part in parts}
    lines = [f"- {TITLES[name]}: not run.\n" for name in TITLES if name not in there]
    lines += [f"- {TITLES[part.name]}: {SEEDS - part.seeds} of {SEEDS} seeds.\n" for part in parts
              if part.seeds < SEEDS]  # fmt: skip
    lines += [f"- {TITLES[part.name]}: {', '.join(part.not_run)}.\n" for part in parts if part.not_run]
    return NOT_RUN + "".join(lines)


if __name__ == "__main__":
    write_page()
