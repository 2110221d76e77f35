"""Searches that weigh the score against the power of a machine sized to each decoder, and the page they end in."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import tomllib
from pathlib import Path

import optuna
import pandas as pd
import pytest
from study_documents import broken, message
from test_designed_machines import NETWORKS, SMALL, plan
from tiny_study import cosim

from cosim.engine.search import DATABASE, Search
from cosim.report.downloads import downloads_text
from cosim.report.inputs import read_run
from cosim.report.own_machines import own_machines
from cosim.report.page import render
from cosim.study.machine_design import DesignPlan
from cosim.study.schema import Study
from cosim.tables.designed import MACHINE, area_by_workload, designed_power_w
from cosim.tables.prices import planned_hardware, write_prices
from energy_models.errors import StudyError

SEARCH = {"sampler": "random", "trials": 3, "objectives": ["score", "designed_power"]}
STUDY = """
[study]
name = "own"
title = "Own machines"
question = "Which decoder with which machine?"
seeds = [0]

[dataset]
name = "synthetic_eeg"
options = { channels = 4, sessions = 2, runs = 1, trials = 12, rate_hz = 64.0, trial_s = 1.0 }

[split]
method = "leave_one_group_out"
group = "session"
validation = "fraction"

[[students]]
label = "EEGNet"
family = "eegnet"
options = { temporal_filters = [1, 2] }
forms = ["float32", "w8a8", "w4a4", "w2a4"]

[training]
student = { epochs = 1, batch_size = 8 }

[hardware]
profiles = ["asic65_near_memory"]
sites = ["headset_commodity"]
decode_rate_hz = 1.0
observed_examples = 4

[hardware.design]
styles = ["output_stationary"]
supplies_v = [0.5, 0.6]
rows = [4]
columns = [1, 2]
banks_kib = [1]
word_bits = [32]
weight_cells = ["sram"]
data_cells = ["sram"]

[search]
sampler = "random"
trials = 3
objectives = ["score", "designed_power"]
"""


def test_narrower_decoders_have_the_cheaper_machine_and_floating_point_none() -> None:
    wide, narrow, floating = NETWORKS.values()
    powers = [designed_power_w([work, work], plan()) for work in (wide, narrow)]
    assert powers[1] < powers[0]
    assert designed_power_w([floating], plan()) == math.inf
    assert designed_power_w([narrow], plan(area_mm2=0.01)) == math.inf
    with pytest.raises(StudyError, match=r"no machines are sized"):
        designed_power_w([narrow], plan().model_copy(update={"design": None}))


def test_the_objective_needs_machines_that_are_sized_to_each_decoder() -> None:
    text = "objective 'designed_power' needs [hardware.design] with a machine 'per_decoder'"
    assert text in message(broken(search=SEARCH))
    shared = broken(search=SEARCH)
    shared["hardware"]["design"] = SMALL | {"one_machine": "per_study"}
    assert text in message(shared)


def test_other_choices_of_machines_are_another_search(tmp_path: Path) -> None:
    first = tomllib.loads(STUDY)
    Search(Study.model_validate(first), "data", tmp_path)
    first["hardware"]["design"] = first["hardware"]["design"] | {"columns": [4]}
    Search(Study.model_validate(first), "data", tmp_path)
    first["hardware"]["profiles"] = ["gap9"]  # fixed machines do not enter it
    Search(Study.model_validate(first), "data", tmp_path)
    assert len(optuna.get_all_study_names(f"sqlite:///{tmp_path / DATABASE}")) == 2


@pytest.mark.slow
def test_a_tiny_search_ends_in_a_joint_front_with_fixed_machines_beside_it(tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    study.write_text(STUDY, encoding="utf-8")
    run = tmp_path / "run"
    code, _, err = cosim("run", str(study), "--out", str(run))
    assert code == 0, err
    (name,) = optuna.get_all_study_names(f"sqlite:///{run / DATABASE}")
    trials = optuna.load_study(study_name=name, storage=f"sqlite:///{run / DATABASE}").trials
    assert len(trials) == 3
    told = {tuple(trial.values) for trial in trials}
    assert len({power for _, power in told}) > 1

    found = read_run(run)
    section = own_machines(found)
    assert section is not None
    rows = {str(row["decoder"]): row for row in found.at(MACHINE, "headset_commodity")}
    assert {row["decoder"] for row in section.rows} == rows.keys()
    assert not any("float32" in name for name in rows)
    # what the search was told of a decoder is what its row says, and its area is known
    least = min(float(row["decoder_power_nominal_w"]) for row in rows.values())
    assert min(power for _, power in told) == pytest.approx(least, rel=1e-6)
    areas = area_by_workload(run)
    assert {str(row["workload_digest"]) for row in rows.values()} <= areas.keys()
    fronts = [row["front"] for row in section.rows]
    assert any(text.startswith("power") for text in fronts)
    page = (run / "report.html").read_text("utf-8")
    assert "The decoder with its machine" in page
    assert '"own":' in page


def test_a_run_priced_again_with_designed_machines_has_a_joint_front(own_run: Path) -> None:
    hardware = planned_hardware(own_run)
    design = DesignPlan.model_validate(tomllib.loads(STUDY)["hardware"]["design"])
    write_prices(own_run, hardware.model_copy(update={"design": design}))
    found = read_run(own_run)
    section = own_machines(found)
    assert section is not None
    own = {str(row["decoder"]): row for row in found.at(MACHINE, found.sites[0])}
    assert {row["decoder"] for row in section.rows} == own.keys()
    for row in section.rows:
        fixed = [
            float(one["decoder_power_nominal_w"]) for machine in found.machines if machine != MACHINE
            for one in found.at(machine, found.sites[0])
            if one["decoder"] == row["decoder"] and one["infeasibilities"] == "[]"
        ]  # fmt: skip
        assert float(row["fixed"]) == pytest.approx(1e6 * min(fixed), rel=0.01)
        assert float(row["area"]) > 0
    best = max(own.values(), key=lambda row: float(row["score_mean"]))
    named = {row["decoder"]: row["front"] for row in section.rows}
    assert named[str(best["decoder"])] == "power, power and area"
    marks = [one for one in section.chart["data"] if one.get("name") == "best fixed machine"]
    assert len(marks) == 1
    saved = json.loads(downloads_text(found, [], [], own=section))["own"]
    table = pd.read_csv(io.StringIO(saved["csv"]))
    for row, numbers in zip(section.rows, table.to_dict("records"), strict=True):
        assert numbers["decoder"] == row["decoder"]
        assert numbers["own_power_nominal_uw"] == pytest.approx(1e6 * own[row["decoder"]]["decoder_power_nominal_w"])
        assert numbers["own_power_low_uw"] < numbers["own_power_nominal_uw"] < numbers["own_power_high_uw"]
    assert "longtable" in saved["latex"]
    assert "The decoder with its machine" in render(found)
    floats = f"{sum(one['role'] != 'teacher' for one in found.decoders) - len(own)} more have no machine of their own: "
    assert floats in section.note
    assert "cannot run" not in section.note
    # one that its machine cannot run has one all the same: it is left out, and not said to compute in floating point
    unfit = tuple(
        {**row, "infeasibilities": '["too slow"]'} if row["profile"] == MACHINE and row["decoder"] == best["decoder"]
        else row for row in found.summary
    )
    changed = own_machines(dataclasses.replace(found, summary=unfit))
    assert changed is not None
    assert len(changed.rows) == len(section.rows) - 1
    assert floats in changed.note
    assert "1 more cannot run on the machine that was sized to it or to ones alike" in changed.note


def test_a_run_without_designed_machines_has_no_such_section(finished: Path) -> None:
    assert own_machines(read_run(finished)) is None
    assert "The decoder with its machine" not in (finished / "report.html").read_text("utf-8")
