"""A feasibility study in one sweep: rows by cause and limit, nodes, lost electrodes, duty cycles, tables, figures."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tiny_study import cosim as command

import cosim
from cosim.api.sweeps import own_machine
from cosim.report.review.latex import latex_table
from cosim.tables.feasibility import LIMIT, NO_LIMIT, NOT_CHECKED, NOT_COMPARED
from energy_models.design import KIB, Choices, Design, Task, search
from energy_models.feasibility import CHECK_NAMES
from energy_models.pricing import CAUSES
from energy_models.workload import at_widths, read_workload

EEGNET = Path(__file__).parents[2] / "energy_models/data/workloads/eegnet_8_2.json"
SITE, MACHINE = "implant_endovascular16", "gap9"
RATES = [1, 4, 16]
FEW: dict[str, Any] = {
    "rows": (8, 64), "columns": (8,), "bank_bits": (4 * KIB,), "word_bits": (32,), "weight_cells": ("sram",),
    "data_cells": ("sram",), "gated": (True,),
}


def integer() -> cosim.Workload:
    return at_widths(read_workload(EEGNET), weight_bits=8, activation_bits=8)


def swept(**how: Any) -> cosim.SweepTable:
    given: dict[str, Any] = {"machines": MACHINE, "sites": SITE}
    if "decode_rate_hz" not in how.get("over", {}):
        given["decode_rate_hz"] = 4
    return cosim.sweep(integer(), **given | how)


def first(**how: Any) -> dict[str, Any]:
    return swept(**how).to_frame().to_dict("records")[0]


def test_a_row_has_power_by_cause_every_limit_and_raw_streaming_as_estimates_do() -> None:
    row, alone = first(), cosim.estimate(integer(), MACHINE, SITE, decode_rate_hz=4)
    for cause in CAUSES:
        band = alone.report.power_w[cause]
        found = [row[f"{cause}_power{end}_w"] for end in ("_low", "", "_high")]
        assert found == [band.low, band.nominal, band.high]
    checks = {check.name: check for check in alone.tables.limits}
    for name in CHECK_NAMES:
        assert row[f"{LIMIT}{name}"] == (checks[name].verdict if name in checks else NO_LIMIT)
    against = alone.against_raw_streaming()
    assert against.cheaper == row["streaming"].removesuffix(" cheaper")
    assert row["raw_power_high_w"] == against.raw.total_power_w.high
    assert row["break_even_j_per_bit"] == against.break_even_j_per_bit
    life = alone.battery_life_s()
    assert life is not None
    assert row["charge_lasts_s"] == life.nominal
    spare = [check.spare_w.nominal for check in checks.values() if check.spare_w is not None]
    assert row["power_allowed_w"] == pytest.approx(row["power_w"] + min(spare))


def test_what_is_not_known_is_no_number() -> None:
    alone = first(sites=None)
    assert all(math.isnan(alone[f"{cause}_power_w"]) for cause in ("front_end", "radio", "regulator"))
    assert alone["memory_power_w"] >= 0
    assert alone["streaming"] == NOT_COMPARED
    assert alone["power_allowed_by"] == NO_LIMIT
    floats = cosim.sweep(read_workload(EEGNET), machines=MACHINE, sites=SITE, decode_rate_hz=4).to_frame().iloc[0]
    assert math.isnan(floats["compute_power_w"])
    assert floats["streaming"] == NOT_COMPARED
    assert math.isnan(floats["charge_lasts_s"])
    assert floats[f"{LIMIT}battery"] == NOT_CHECKED


def test_node_and_supply_are_those_of_the_scaling_laws_in_nanometres_or_with_a_unit() -> None:
    table = swept(machines="asic65_near_memory", over={"node_nm": [65, "28 nm"], "supply_v": ["0.9 V"]})
    frame = table.to_frame()
    assert frame["node_nm"].tolist() == [65, pytest.approx(28)]
    assert set(frame["machine"]) == {"asic65_near_memory"}
    assert frame["compute_power_w"][0] != frame["compute_power_w"][1]


def test_a_designed_machine_is_sized_to_each_point_at_its_node_and_within_the_sites_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tasks = list[Task]()

    def few(asked: Sequence[Task], choices: Choices) -> Design:
        tasks.extend(asked)
        return search(asked, replace(choices, **FEW))

    own_machine._searched.cache_clear()  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(own_machine, "search", few)
    over = {"decode_rate_hz": [1, 200], "node_nm": [65, 28], "supply_v": ["0.8 V"]}
    frame = swept(machines=["designed"], sites="implant_epilepsy", over=over).to_frame()
    own_machine._searched.cache_clear()  # pyright: ignore[reportPrivateUsage]
    assert set(frame["machine"]) == {"designed"}
    assert set(frame["supply_v"]) == {0.8}
    assert frame["node_nm"].tolist() == [pytest.approx(node) for node in (65, 28, 65, 28)]
    deadline = cosim.load_site("implant_epilepsy").deadline
    assert deadline is not None
    assert {task.deadline_s for task in tasks} == {min(1.0, deadline.band.nominal), 1 / 200}
    slow, fast = (frame[frame["decode_rate_hz"] == rate]["decoder_power_w"].tolist() for rate in (1, 200))
    assert slow[0] > slow[1] > 0
    assert fast[0] > slow[0]
    assert (frame["latency_s"] <= 1 / frame["decode_rate_hz"]).all()


def test_lost_electrodes_save_their_front_end_and_a_seldom_used_device_its_battery() -> None:
    channels = integer().channels
    frame = swept(over={"electrodes_lost": [0, 2], "duty_cycle": [1, "25 %"], "charge_cycles": [500]}).to_frame()
    rows = {(row["electrodes_lost"], row["duty_cycle"]): row for row in frame.to_dict("records")}
    whole, lost, seldom = rows[0, 1.0], rows[2, 1.0], rows[0, 0.25]
    assert lost["front_end_power_w"] == pytest.approx(whole["front_end_power_w"] * (1 - 2 / channels))
    assert lost["raw_rate_bit_s"] == pytest.approx(whole["raw_rate_bit_s"] * (1 - 2 / channels))
    assert lost["memory_power_w"] == whole["memory_power_w"]
    expected = 0.25 * seldom["power_w"] + 0.75 * seldom["off_power_w"]
    assert seldom["average_power_w"] == pytest.approx(expected)
    assert seldom["charge_lasts_s"] > whole["charge_lasts_s"]
    assert seldom["cell_lasts_s"] == pytest.approx(500 * seldom["charge_lasts_s"])
    assert seldom[f"{LIMIT}power_budget_headroom"] == whole[f"{LIMIT}power_budget_headroom"]


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"electrodes_lost": [22]}, "22 of 22 electrodes"),
        ({"electrodes_lost": [-1]}, "Give 0 or more"),
        ({"electrodes_lost": [1.5]}, "no number of electrodes"),
        ({"duty_cycle": [0]}, "above 0 and at most 1"),
        ({"duty_cycle": ["3 s"]}, "unit 's' has dimension time"),
        ({"node_nm": ["28 V"]}, "unit 'V' has dimension voltage"),
        ({"node_nm": [True]}, "is no node"),
        ({"node_nm": [3]}, "7"),
        ({"supply_v": [0]}, "above zero"),
        ({"supply_v": ["9 V"]}, "V"),
        ({"charge_cycles": [0]}, "Give 1 or more"),
    ],
)
def test_an_impossible_value_is_refused_with_what_is_possible(over: dict[str, Any], said: str) -> None:
    with pytest.raises(cosim.CosimError, match=re.escape(said)):
        swept(machines="asic65_near_memory", over=over)


@pytest.mark.parametrize("name", ["electrodes_lost", "duty_cycle"])
def test_what_is_around_the_machine_needs_a_site(name: str) -> None:
    with pytest.raises(cosim.CosimError, match="Name a site"):
        swept(sites=None, over={name: [1]})


def test_how_far_it_fits_is_told_with_the_values_tried_and_about_where() -> None:
    tables = swept(over={"decode_rate_hz": RATES, "site.front_end.power": ["1 uW/channel", "5 mW/channel"]}).study(
        draws=64
    )
    found = [row for row in tables.fits if row["axis"] == "site.front_end.power [W/channel]"]
    assert len(found) == len(RATES)
    for row in found:
        assert row["answer"] == "fits up to"
        assert row["fits_to"] == pytest.approx(1e-6)
        assert row["next_tried"] == pytest.approx(5e-3)
        assert 1e-6 < row["about"] < 5e-3
    odds = [row["probability_decoding_saves"] for row in tables.streaming]
    assert all(0 <= one <= 1 for one in odds)
    (one, _) = [row for row in tables.crossovers if row["axis"] == "decode_rate_hz"]
    shares = ("always_decoding", "always_streaming", "crosses_once", "crosses_more_often")
    assert sum(one[name] for name in shares) == pytest.approx(1)
    levers = {row["lever"] for row in tables.levers}
    assert {"site.front_end.power", "site.power_budget", "decode_rate_hz"} <= levers


def test_a_folder_holds_the_rows_of_the_front_door_in_every_form_and_its_latex_is_well_formed(tmp_path: Path) -> None:
    work, folder = tmp_path / "w.json", tmp_path / "review"
    cosim.write_workload(integer(), work)
    place = ("--profile", MACHINE, "--site", SITE, "--draws", "64")
    asked = ("--sweep", "duty_cycle=50%", "--sweep", "decode_rate=4", "--out", str(folder))
    code, out, err = command("estimate", str(work), *place, *asked, "--json")
    assert code == 0, err
    assert "Written: " in err
    table = swept(over={"duty_cycle": [0.5], "decode_rate_hz": [4]}).to_frame()
    stored = pd.read_parquet(folder / "points.parquet")
    pd.testing.assert_frame_equal(stored, table)
    for listed in (json.loads(out), json.loads((folder / "points.json").read_text())):
        assert [set(row) for row in listed] == [set(table.columns)]
        assert [row["power_w"] for row in listed] == table["power_w"].tolist()
    assert pd.read_csv(folder / "points.csv")["power_w"].tolist() == pytest.approx(table["power_w"].tolist())
    names = {path.name for path in folder.iterdir()}
    assert {"power.pdf", "power.png", "streaming.pdf", "levers.png", "battery.pdf"} <= names
    document = (folder / "review.tex").read_text()
    shown = re.findall(r"\\(?:input|includegraphics)(?:\[[^]]*\])?\{([^}]*)\}", document)
    assert len(shown) > 10
    assert all((folder / name).is_file() for name in shown)
    for path in folder.glob("*.tex"):
        check_latex(path.read_text())
    code, _, err = command("estimate", str(work), *place, *asked)
    assert code == 2
    assert "not empty" in err


def test_learning_on_the_device_is_charged_to_the_battery_and_unknown_where_it_has_no_price() -> None:
    how = cosim.Recalibration(examples=4, epochs=2, batch=2, optimiser="sgd", layers="last", bits=16)
    over = {"recalibration_interval_s": ["1 h", "1 day"]}
    hour, day = swept(over=over, recalibration=how).to_frame().to_dict("records")
    assert hour["recalibration"] == "fits"
    assert hour["recalibration_energy_j"] == day["recalibration_energy_j"] > 0
    # the work 24 times as often, examples kept the whole time; the regulator is a little more efficient at larger loads
    kept = hour["recalibration_kept_power_w"]
    hourly, daily = (hour["recalibration_energy_j"] / 3600 / one for one in (1, 24))
    ratio = (hourly + kept) / (daily + kept)
    assert hour["recalibration_power_w"] == pytest.approx(ratio * day["recalibration_power_w"], rel=1e-4)
    assert hour["average_power_w"] == pytest.approx(hour["power_w"] + hour["recalibration_power_w"])
    assert hour["charge_lasts_s"] < day["charge_lasts_s"]
    floats = cosim.Recalibration(examples=4, epochs=2, batch=2, optimiser="sgd", layers="last", bits=32)
    unknown = first(over={"recalibration_interval_s": ["1 h"]}, recalibration=floats)
    assert unknown["recalibration"].startswith("at least")
    assert math.isnan(unknown["recalibration_power_w"])
    assert math.isnan(unknown["average_power_w"])
    assert math.isnan(unknown["charge_lasts_s"])


def test_learning_says_how_and_how_often(tmp_path: Path) -> None:
    how = cosim.Recalibration(examples=4, epochs=2, batch=2, optimiser="sgd", layers="last", bits=16)
    with pytest.raises(cosim.CosimError, match="how often does it learn"):
        swept(recalibration=how)
    with pytest.raises(cosim.CosimError, match="how does it learn"):
        swept(over={"recalibration_interval_s": ["1 day"]})
    with pytest.raises(cosim.CosimError, match="unit 'W' has dimension power"):
        swept(over={"recalibration_interval_s": ["1 W"]}, recalibration=how)
    work = tmp_path / "w.json"
    cosim.write_workload(integer(), work)
    place = ("estimate", str(work), "--profile", MACHINE, "--site", SITE, "--decode-rate", "4")
    often = ("--sweep", "recalibration_interval=1day", "--json")
    text = "examples=4,epochs=2,batch=2,optimiser=sgd,layers=last,bits=16"
    code, out, err = command(*place, *often, "--recalibrate", text)
    assert code == 0, err
    table = swept(over={"recalibration_interval_s": ["1 day"]}, recalibration=how).to_frame()
    assert json.loads(out)[0]["recalibration_power_w"] == table["recalibration_power_w"][0]
    for wrong, said in (("examples=4", "are not said"), (f"{text},x=1", "no 'x'"), (text.replace("4", "y"), "whole")):
        code, _, err = command(*place, *often, "--recalibrate", wrong)
        assert code == 2
        assert said in err


def check_latex(text: str) -> None:
    """Balanced braces and environments, and as many cells in each row of a table as it has columns."""
    assert text.isascii()
    bare = re.sub(r"\\[\\{}&%$#_]", "", text)
    depth = 0
    for letter in bare:
        depth += {"{": 1, "}": -1}.get(letter, 0)
        assert depth >= 0
    assert depth == 0
    opened: list[str] = []
    for which, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if which == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert not opened
    found = re.search(r"\\begin\{longtable\}\{([lr]+)\}", text)
    if found:
        rows = [line for line in text.splitlines() if line.endswith(r"\\") and not line.startswith(r"\caption")]
        assert rows
        for row in rows:
            assert len(re.findall(r"(?<!\\)&", row)) == len(found[1]) - 1
    assert text.count("$") % 2 == 0


def test_latex_puts_one_prefix_in_the_header_bounds_beside_and_a_dash_for_what_is_unknown() -> None:
    rows = [
        {"name": "50 % & more_", "power_low_w": 1e-6, "power_w": 2e-6, "power_high_w": 4e-6, "area_m2": 2e-6},
        {"name": "", "power_low_w": math.nan, "power_w": math.nan, "power_high_w": math.nan, "area_m2": 1e-6},
    ]
    text = latex_table(rows, ["name", "power_w", "area_m2"], caption="A & B", label="t")
    check_latex(text)
    assert r"power {[}$\mu$W{]} & area {[}mm2{]}" in text
    assert r"50 \% \& more\_ & 2 {[}1, 4{]} & 2 \\" in text
    assert r"-- & -- & 1 \\" in text


def test_powers_of_a_latex_table_share_a_prefix_and_columns_without_a_value_are_left_out() -> None:
    rows = [{"name": "a", "power_w": 2e-3, "decoder_power_w": 4e-4, "charge_lasts_s": math.nan, "limit": None}]
    text = latex_table(rows, list(rows[0]), caption="", label="t")
    check_latex(text)
    assert r"name & power {[}mW{]} & decoder power {[}mW{]} \\" in text
    assert r"a & 2 & 0.4 \\" in text
