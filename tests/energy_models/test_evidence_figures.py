"""Held-out errors on the evidence page and in the README are the validation page's, rounded."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE_OF = {
    "microcontrollers, from one network of the board": "Microcontrollers with a profile",
    "other microcontrollers, likewise": "Microcontrollers without a profile",
    "Mr. Wolf, Vega, GAP9": "Parallel clusters: Mr. Wolf, Vega, GAP9",
    "neural accelerator NDP120": "Neural accelerators",
    "event-driven chips": "Event-driven chips",
    "whole devices": "Whole systems",
}


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def percent(text: str) -> float:
    return float(text.removesuffix("%").strip())


@pytest.mark.parametrize("name", PAGE_OF)
def test_a_held_out_row_of_the_evidence_is_the_pages(name: str) -> None:
    evidence = (ROOT / "docs" / "evidence" / "index.md").read_text(encoding="utf-8").splitlines()
    page = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8").splitlines()
    short = cells(next(line for line in evidence if line.startswith(f"| {name} |")))
    start = f"| [{PAGE_OF[name]}]"
    full = cells(next(line for line in page if line.startswith(start) and "| held out |" in line))
    # page: kind, rows, n, networks, median, that of networks, 90th percentile, that of networks, in band, log width,
    # bars, met
    assert int(short[1]) == int(full[2])
    for ours, theirs in ((short[2], full[4]), (short[3], full[6]), (short[4], full[8])):
        assert percent(ours) == pytest.approx(percent(theirs), abs=0.51)
    assert short[5].startswith("met") == (full[11] == "yes")


IN_README = {
    "Microcontrollers with a profile": "microcontrollers",
    "Parallel clusters: Mr. Wolf, Vega, GAP9": "parallel clusters",
    "Event-driven chips": "event-driven chips",
}


@pytest.mark.parametrize("kind", IN_README)
def test_the_readme_says_the_same_medians(kind: str) -> None:
    said = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    page = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8").splitlines()
    row = cells(next(line for line in page if line.startswith(f"| [{kind}]") and "| held out |" in line))
    assert f"{percent(row[4]):.0f} % on {IN_README[kind]}" in said
    assert kind != "Microcontrollers with a profile" or f"median of {row[2]} rows" in said
