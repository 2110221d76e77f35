"""``docs/designed_chips.md`` and its CSV: published chips against the laws of designed machines."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from markdown_tables import number, row

from energy_models.quantities import Band
from energy_models.validation.designed_chips import ChipRow, chip_rows

DOCS = Path(__file__).resolve().parents[1]
MICRO = 1e6
AGAIN = "as above"
MEASURED = ("measured", "recalled")
HEAD = """# Designed machines against published chips

A search over machines is worth what its laws are. Here nothing is searched: a template has the node, supply, clock,
memories, words and widths of a chip that was published, its network at its rate, and the laws give power and area.
Power is a band of the central 90 % of draws of every constant, area one of all constants at their bounds; *lands*:
both published figures lie inside. Bands are wide, power's a factor {least} to {most} from end to end: the ratio beside
them says more.

**No constant was fitted on the rows shown.** Where a law was chosen after a chip, or after another chip of its authors,
the row says so and is predicted without it: the control of an event then is what datapaths in general take beside their
operations (factor 2, 1.3 to 4), in which no chip stands, and the core factor is that of chips of other authors.

    python docs/make/designed_chips_page.py      # this page and results/designed_chips.csv
"""
MEASURED_HEAD = "\n## Measured silicon\n\n{landing}\n"
SYNTHESISED_HEAD = """
## Synthesised or laid out, never measured

Energies of a synthesis hold no leakage of silicon and no clock tree of a plan, and their gates no routing. {landing} of
{rows} land.
"""
TAKEN = """
## What was taken of those that land

Beside what their sources state:

{notes}"""
OUTSIDE = """
## Those outside, and why

{reasons}
What the ratios say together: leakage of ODIN is far above the one figure of all nodes, so that a core that idles draws
more than its machine says; over the measured rows power is {least} to {most} of the published,
and too dear where one instruction drives many lanes (SENECA) or a neuron sums in registers (TrueNorth at a high rate).

## Not held against

| chip | why |
| --- | --- |
| UltraTrail (22 nm, post-layout, 8.2 µW keyword, 0.495 µW seizure) | its area is not in what was read |
| SOUL (28 nm, 0.1 mm², 1.5 nJ a decision) | number of its features and of its updates are not in the abstract |
| detectors NURIP, D2A-LSVM, GTCA-SVM | support vectors and features not published where read; front ends inside |
| NeuralTree, BrainForest, boosted trees (65 nm) | decision trees: no template branches |
| TCN-CUTIE (22 nm, 0.5 V) | its area is not in what was read; 12.2 mW over 3,200 a second are not its 2.72 µJ |
| Loihi, SpiNNaker2, Mr. Wolf, GAP9 | programmable or beyond the nodes of the swept memories |
"""


def page(rows: Sequence[ChipRow]) -> str:
    """Return the page of some rows."""
    measured = [one for one in rows if one.chip.evidence in MEASURED]
    made = [one for one in rows if one.chip.evidence not in MEASURED]
    widths = [one.power_w.high / one.power_w.low for one in rows]
    shown = {chip_name(one) for one in measured if one.chip.evidence == "measured"}
    whole = sorted(landing_chips(measured))
    partly = sorted({chip_name(one) for one in measured if one.lands} & (shown - {*whole}))
    landing = (
        f"Of {len(shown)} measured chips {len(whole)} {'lands' if len(whole) == 1 else 'land'} on power and area at "
        f"every rate ({', '.join(whole) or 'none'}), {len(partly)} at some of its rates "
        f"({', '.join(partly) or 'none'}). "
        "Four were hoped for.\nA row of which the power, or what it works out, was recalled is shown and not counted."
    )
    near = [one.power_ratio for one in measured if one.chip.evidence == "measured"]
    outside = "".join(
        f"- **{one.chip.id}**: {_missed(one)}. {_sentence(one.chip.note)}\n" for one in rows if not one.lands
    )
    notes = "".join(
        f"- **{one.chip.id}**: {_sentence(one.chip.note)}\n" for one in rows if one.lands and one.chip.note != AGAIN
    )
    return (
        HEAD.format(least=f"{min(widths):.0f}", most=f"{max(widths):.0f}")
        + MEASURED_HEAD.format(landing=landing) + _table(measured)
        + SYNTHESISED_HEAD.format(landing=sum(one.lands for one in made) or "None", rows=len(made)) + _table(made)
        + TAKEN.format(notes=notes) + OUTSIDE.format(reasons=outside, least=f"{min(near):.2f}", most=f"{max(near):.2f}")
    )  # fmt: skip


def landing_chips(rows: Iterable[ChipRow]) -> set[str]:
    """Return the measured chips of which every row lands."""
    measured = [one for one in rows if one.chip.evidence == "measured"]
    return {chip_name(one) for one in measured} - {chip_name(one) for one in measured if not one.lands}


def chip_name(one: ChipRow) -> str:
    """Return the chip of a row that has several operating points."""
    return one.chip.id.partition(",")[0]


def _sentence(note: str) -> str:
    return f"{note[:1].upper()}{note[1:]}."


def _missed(one: ChipRow) -> str:
    parts = (("power", one.power_inside, one.power_ratio), ("area", one.area_inside, one.area_ratio))
    return ", ".join(f"{name} {ratio:.2f} of the published" for name, inside, ratio in parts if not inside)


def _table(rows: Iterable[ChipRow]) -> str:
    head = (
        "chip", "node, supply", "published [µW]", "laws [µW]", "band", "ratio", "published [mm²]", "laws [mm²]", "band",
        "ratio", "lands", "held out from",
    )
    lines = [row(head), row(["---", "---", *["---:"] * 8, "---", "---"])]
    for one in rows:
        chip = one.chip
        set_by = "; ".join(part for part in (chip.power_set_by, chip.area_set_by) if part) or "nothing was set by it"
        known = " (recalled)" if chip.evidence == "recalled" else ""
        lines.append(row([
            f"{chip.id}{known}: {chip.what}", f"{chip.node_nm:g} nm, {chip.supply_v:g} V",
            *_cells(chip.power.band.nominal, one.power_w, one.power_ratio),
            *_cells(chip.area.band.nominal, one.area_m2, one.area_ratio), _verdict(one), set_by,
        ]))  # fmt: skip
    return "\n" + "".join(lines)


def _cells(published: float, laws: Band, ratio: float) -> tuple[str, str, str, str]:
    return (
        number(published * MICRO), number(laws.nominal * MICRO),
        f"{number(laws.low * MICRO)} to {number(laws.high * MICRO)}", f"{ratio:.2f}",
    )


def _verdict(one: ChipRow) -> str:
    if one.lands:
        return "yes"
    return "no: " + " and ".join(
        name for name, inside in (("power", one.power_inside), ("area", one.area_inside)) if not inside
    )


def table(rows: Iterable[ChipRow]) -> str:
    """Return the rows as CSV, in SI units."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((
        "chip", "what", "evidence", "style", "node_nm", "supply_v", "power_w", "laws_power_w", "laws_power_low_w",
        "laws_power_high_w", "power_inside", "area_m2", "laws_area_m2", "laws_area_low_m2", "laws_area_high_m2",
        "area_inside", "power_set_by", "area_set_by", "power_source", "area_source", "note",
    ))  # fmt: skip
    for one in rows:
        chip = one.chip
        writer.writerow((
            chip.id, chip.what, chip.evidence, chip.style, f"{chip.node_nm:g}", f"{chip.supply_v:g}",
            *_numbers(chip.power.band.nominal, one.power_w), one.power_inside,
            *_numbers(chip.area.band.nominal, one.area_m2), one.area_inside, chip.power_set_by, chip.area_set_by,
            chip.power.source, chip.area.source, chip.note,
        ))  # fmt: skip
    return text.getvalue()


def _numbers(published: float, laws: Band) -> tuple[str, ...]:
    return tuple(f"{value:.4g}" for value in (published, laws.nominal, laws.low, laws.high))


def write(folder: Path = DOCS) -> None:
    """Write the page and its table into a folder."""
    rows = chip_rows()
    (folder / "designed_chips.md").write_text(page(rows), encoding="utf-8")
    (folder / "results").mkdir(exist_ok=True)
    (folder / "results" / "designed_chips.csv").write_text(table(rows), encoding="utf-8")


if __name__ == "__main__":
    write()
