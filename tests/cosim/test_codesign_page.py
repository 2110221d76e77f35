"""The page on machines and networks: made from its rows, and the rows what today's constants give, without a search."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from codesign_page import page, read_parts

from cosim.tables.prices import planned_hardware
from cosim.tables.workloads import read_workloads
from energy_models.design import Machine, price_machines
from energy_models.design.room import needed_banks
from energy_models.design.widths import datapath_widths
from energy_models.hardware import load_profile
from energy_models.pricing import estimate
from energy_models.workload import Workload, at_widths, read_workload

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PARTS = read_parts()
FLOATING = read_workload(ROOT / "energy_models/data/workloads/eegnet_8_2.json")
EEGNET = at_widths(FLOATING, weight_bits=4, activation_bits=4)
UNGATED = "logic that leaks on in sleep"
TODAY = 1e-9
"""Relative difference within which a figure is today's."""


def test_the_page_is_made_from_its_rows() -> None:
    text = page(PARTS)
    assert (DOCS / "codesign.md").read_text("utf-8") == text, "run docs/make/codesign_page.py"
    assert "Not run" not in text


def test_a_part_that_was_not_run_is_said_to_be_missing() -> None:
    text = page({name: rows for name, rows in PARTS.items() if name not in ("deadlines", "array")})
    assert "Not run: deadlines, array." in text
    assert "What the network asks" not in text


@pytest.mark.parametrize("part", ["bits", "rates", "deadlines", "nodes", "bounds"])
def test_machines_of_the_page_draw_today_what_it_says(part: str) -> None:
    for row in PARTS[part]:
        work = EEGNET
        if part == "bits":
            weight, activation = (int(one) for one in row["form"][1:].split("a"))
            work = at_widths(FLOATING, weight_bits=weight, activation_bits=activation)
            fixed = estimate(work, load_profile("asic65_near_memory"), None, decode_rate_hz=0.5)
            assert row["fixed_w"] == pytest.approx(fixed.decoder_power_w.nominal, rel=TODAY)
        _drawn_today(row, work, row.get("rate_hz", 0.5), gated=row.get("bound") != UNGATED)


def test_decoders_of_the_studies_draw_today_what_the_page_says() -> None:
    seen = 0
    for row, work, rate_hz in _studies():
        _drawn_today(row, work, rate_hz, gated=True)
        for name, power in row["fixed_w"].items():
            if power is not None:
                report = estimate(work, load_profile(name), None, decode_rate_hz=rate_hz)
                assert power == pytest.approx(report.decoder_power_w.nominal, rel=TODAY)
        seen += 1
    assert seen == len(PARTS["studies"]) > 30


def _drawn_today(row: dict[str, Any], work: Workload, rate_hz: float, *, gated: bool) -> None:
    machine = Machine(
        row["style"], row["node_nm"], row["supply_v"], row["rows"], row["columns"], row["weight_cell"],
        row["data_cell"], row["weight_bank_bits"], row["data_bank_bits"], row["weight_word_bits"],
        row["data_word_bits"], gated,
    )
    prices = price_machines(
        work, machine, needed_banks(work, machine), datapath_widths([work]), decode_rate_hz=rate_hz,
        deadline_s=1 / rate_hz,
    )
    assert float(prices.decoder_power_w) == pytest.approx(row["power_w"], rel=TODAY), row
    assert float(prices.area_m2) == pytest.approx(row["area_m2"], rel=TODAY)
    assert float(prices.latency_s) == pytest.approx(row["latency_s"], rel=TODAY)


def _studies() -> Iterator[tuple[dict[str, Any], Workload, float]]:
    for folder in sorted((DOCS / "results" / "data").iterdir()):
        scores = pd.read_parquet(folder / "scores.parquet")
        first = scores[scores["workload_digest"] != ""].drop_duplicates("decoder_id")
        digests = dict(zip(first["decoder"], first["workload_digest"], strict=True))
        rows = [row for row in PARTS["studies"] if row["study"] == folder.name]
        works = read_workloads(folder, [digests[row["decoder"]] for row in rows])
        rate_hz = planned_hardware(folder).decode_rate_hz
        for row in rows:
            yield row, works[digests[row["decoder"]]], rate_hz
