"""Held-out errors on the evidence page and in the README are the validation page's, rounded."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE_OF = {
    "energies of microcontrollers, from one network of the board": ("Microcontrollers with a profile", "energy"),
    "their latencies where no energy was measured": ("Microcontrollers with a profile", "time"),
    "latencies of other microcontrollers, likewise": ("Microcontrollers without a profile", "time"),
    "energies of Mr. Wolf, Vega, GAP9": ("Parallel clusters: Mr. Wolf, Vega, GAP9", "energy"),
    "their latencies and cycles": ("Parallel clusters: Mr. Wolf, Vega, GAP9", "time"),
    "neural accelerator NDP120": ("Neural accelerators", "energy"),
    "event-driven chips": ("Event-driven chips", "energy"),
    "whole devices": ("Whole systems", "energy"),
}
"""Rows of the evidence page: the group on the validation page, and whether energies and powers or times are meant."""


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def percent(text: str) -> float:
    return float(text.removesuffix("%").strip())


@pytest.mark.parametrize("name", PAGE_OF)
def test_a_held_out_row_of_the_evidence_is_the_pages(name: str) -> None:
    evidence = (ROOT / "docs" / "evidence" / "index.md").read_text(encoding="utf-8").splitlines()
    page = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8").splitlines()
    short = cells(next(line for line in evidence if line.startswith(f"| {name} |")))
    kind, of = PAGE_OF[name]
    lines = [cells(line) for line in page if line.startswith(f"| [{kind}]") and "| held out |" in line]
    full = next(line for line in lines if line[2] == of)
    # page: kind, rows, of, n, networks, median, that of networks, 90th percentile, that of networks, in band, log
    # width, bars and met, which stand in the first line of a group
    assert int(short[1]) == int(full[3])
    for ours, theirs in ((short[2], full[5]), (short[3], full[7]), (short[4], full[9])):
        assert percent(ours) == pytest.approx(percent(theirs), abs=0.51)
    assert short[5].startswith("met") == (lines[0][12] == "yes")
    assert ("not tested on energy" in short[5]) == ("not tested on energy" in lines[0][12])


IN_README = {
    "Microcontrollers with a profile": "microcontrollers",
    "Parallel clusters: Mr. Wolf, Vega, GAP9": "parallel clusters",
    "Event-driven chips": "event-driven chips",
}


@pytest.mark.parametrize("kind", IN_README)
def test_the_readme_says_the_same_medians(kind: str) -> None:
    said = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    page = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8").splitlines()
    lines = [cells(line) for line in page if line.startswith(f"| [{kind}]") and "| held out |" in line]
    row = next(line for line in lines if line[2] == "energy")
    assert f"{percent(row[5]):.0f} % on {IN_README[kind]}" in said
    assert kind != "Microcontrollers with a profile" or f"median of {row[3]} rows" in said
