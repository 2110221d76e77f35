"""A run too large to be shown whole: what its page shows, and what is read of it."""

from __future__ import annotations

import dataclasses
import json
import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from madeup_run import write_madeup_run

from cosim.cli import output, table
from cosim.evaluation.feasibility import judge, standard_of
from cosim.report import charts, sections, selection, write_digest, write_report
from cosim.report.inputs import Run, read_run
from cosim.report.rows import shared_rows
from cosim.report.selection import foremost, selection_text
from cosim.tables import results
from cosim.tables.decoders import DECODERS, DecoderScore
from cosim.tables.price_files import read_prices
from cosim.tables.results import Priced, Score, read_parquet, write_parquet
from cosim.tables.summary import summarise
from energy_models.errors import CosimError
from energy_models.hardware import load_profile, load_site, profile_names, site_names
from energy_models.pricing import at_site, estimate, estimate_machine, surroundings
from energy_models.workload import read_workload


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_madeup_run(tmp_path_factory.mktemp("run"), folds=2, seeds=2)


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    return read_run(folder)


def test_details_are_those_of_the_whole_table(run: Run, folder: Path) -> None:
    scores, pooled = read_parquet(folder / "scores.parquet", Score), read_parquet(folder / DECODERS, DecoderScore)
    whole = summarise(scores, pooled, read_parquet(folder / "priced.parquet", Priced)).to_dict("records")
    assert [json.loads(row["checks"]) for row in whole] == run.checks(run.summary)
    for row, causes in zip(whole, run.causes(run.summary), strict=True):
        assert json.loads(row["power_by_cause"]) == causes
    light = summarise(scores, pooled, read_prices(folder / "priced.parquet"))
    common = [name for name in light.columns if name in whole[0]]
    pd.testing.assert_frame_equal(light[common], pd.DataFrame(whole)[common], check_dtype=False)
    assert set(whole[0]) - set(common) == set(results.DETAILS)


def test_the_foremost_are_the_front_then_what_may_be_on_it_then_the_best(run: Run) -> None:
    rows = run.at("asic65_near_memory", run.sites[0])
    assert foremost(rows, 100) == rows
    front = [row for row in rows if row["front"]]
    assert 0 < len(front) < len(rows)
    assert set(map(id, foremost(rows, len(front)))) == set(map(id, front))
    kept = foremost(rows, len(rows) - 2)
    assert list(kept) == [row for row in rows if any(row is one for one in kept)]  # in their order
    assert all(row["infeasibilities"] != "[]" for row in rows if not any(row is one for one in kept))


def test_a_page_of_very_many_shows_the_foremost_and_says_so(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = write_report(folder, tmp_path / "whole.html").read_text()
    assert "are shown" not in whole
    monkeypatch.setattr(selection, "MOST_ROWS", 4 * 6)
    monkeypatch.setattr(charts, "MOST_POINTS", 7)
    monkeypatch.setattr(charts, "MOST_PICTURES", 10)
    monkeypatch.setattr(selection, "MOST_NAMES", 1)
    monkeypatch.setattr(sections, "MOST_LINES", 1)
    page = write_report(folder, tmp_path / "part.html").read_text()
    assert "24 of 52 are shown: each machine" in page
    assert page.count("<tr data-machine=") == 24
    fronts = [set(re.findall(r'<tr data-machine="(\w+)" class="front', text)) for text in (whole, page)]
    assert fronts[0] == fronts[1] != set()
    views = set(re.findall(r'<figcaption class="note" data-view-machine="([^"]+)" data-view-power="([^"]+)"', page))
    machines = {"asic65_near_memory", "event_core_28nm", "cortex_m4f", "gap9"}
    sites = {"implant_utah96", "implant_epilepsy", "headset_commodity"}
    assert views == {(name, "decoder") for name in (*machines, "all machines")} | {("all machines", s) for s in sites}
    assert "7 of 13 are shown" in page
    assert "EEGNet-4 float32 and 1 more" in page
    assert "and 1 more reasons" in page
    assert len(page) < len(whole)


def test_tables_of_very_many_are_cut_and_say_where_the_rest_is(
    folder: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "MOST_ROWS", 3)
    page = write_report(folder, tmp_path / "cut.html").read_text()
    assert f"{len(run.decoders) - 3} more: {DECODERS} in the run&#39;s folder." in page
    names = re.findall(r'<li value="(\d+)"', page)
    drawn = {str(row["number"]) for site in run.sites for name in run.machines for row in run.at(name, site)}
    assert set(names) == drawn  # a number on a chart has a name, also of what is not among the best
    monkeypatch.setattr(selection, "MOST_POINTS", 1)
    few = dataclasses.replace(run, differences=run.differences[:1], gates=run.gates[:1])
    assert 3 <= len(selection.named_decoders(few)) < len(names)
    notes = selection.more_notes(few)
    assert (notes["differences"], notes["gates"]) == ("", "")


def test_rows_share_their_columns_and_are_those_of_the_table() -> None:
    table = pd.DataFrame({
        "name": ["a", "b", "a"], "text": pd.Series(["x" * 3, "xxx", None], dtype=object), "power_w": [0.5, 1.0, np.nan],
        "count": [1, 2, 3], "front": [True, False, True],
    })  # fmt: skip
    rows = shared_rows([table, table.iloc[:1]])
    assert [repr(dict(row)) for row in rows] == [repr(row) for row in (*table.to_dict("records"), dict(rows[0]))]
    assert rows[0]["name"] is rows[2]["name"]
    assert [type(rows[0][name]) for name in table] == [str, str, float, int, bool]
    assert not hasattr(rows[0], "__dict__")


def test_a_digest_of_very_many_shows_the_foremost(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "MOST_ROWS", 4 * 6)
    text = write_digest(folder, tmp_path).read_text()
    assert text.count("| gap9 | ") == 6
    assert "24 of 52 are shown" in text
    assert "`cosim pareto` prints all of them" in text


def test_nothing_is_said_where_all_is_shown() -> None:
    assert selection_text(5, 5) == ""
    assert selection_text(1200, 1201).startswith("1,200 of 1,201 are shown")


def test_a_long_table_holds_the_same_cells(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"name": f"d{n}", "power_uw": n / 7, "limit": None, "count": n} for n in range(12)]
    output.print_rows(rows, "table")
    short = capsys.readouterr().out
    monkeypatch.setattr(table, "MOST_FOLDED_ROWS", 11)
    output.print_rows(rows, "table")
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        line.split() for line in short.splitlines()
    ]


def test_a_table_written_in_parts_is_one_table(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = read_parquet(folder / "scores.parquet", Score)
    rows = [Score(**row) for row in frame.to_dict("records")]
    for at_once in (1, 7, len(rows), len(rows) + 1):
        monkeypatch.setattr(results, "ROWS_AT_ONCE", at_once)
        write_parquet(iter(rows), tmp_path / "parts.parquet")
        pd.testing.assert_frame_equal(read_parquet(tmp_path / "parts.parquet", Score), frame)


def test_a_flipped_bit_of_a_table_is_told(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "scores.parquet").read_bytes()
    frame, path = read_parquet(folder / "scores.parquet", Score), tmp_path / "scores.parquet"
    told = 0
    for place in np.linspace(4, len(whole) * 0.5, 40).astype(int):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            pd.testing.assert_frame_equal(read_parquet(path, Score), frame)  # a bit that says nothing
        except CosimError:
            told += 1
    assert told > 30


def test_one_price_of_a_machine_serves_every_site() -> None:
    workload = read_workload(Path(str(files("energy_models.data"))) / "workloads" / "eegnet_8_2.json")
    for name in profile_names()[:4]:
        machine = estimate_machine(workload, load_profile(name), decode_rate_hz=2.0)
        assert at_site(machine, None) == estimate(workload, load_profile(name), None, decode_rate_hz=2.0)
        for place in site_names():
            site = load_site(place)
            report = at_site(machine, surroundings(site, workload.channels, decode_rate_hz=2.0))
            assert report == estimate(workload, load_profile(name), site, decode_rate_hz=2.0)
            assert judge(standard_of(site), report) == judge(site, report)
            alone = dataclasses.asdict(at_site(machine, None))
            assert dataclasses.asdict(report)["layers"] == alone["layers"]
