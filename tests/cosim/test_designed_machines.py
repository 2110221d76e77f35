"""Machines designed for the decoders of a study: searched once, found again, refused in words."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cosim.study.machine_design import DesignPlan
from cosim.study.schema import HardwarePlan
from cosim.tables import designed
from cosim.tables.designed import DESIGNED, MACHINE, area_by_workload, designed_machines, designed_power_w
from energy_models.errors import CosimError, WorkloadError
from energy_models.pricing import estimate
from energy_models.workload import at_widths, read_workload

FLOATING = read_workload(Path(__file__).parents[2] / "energy_models/data/workloads/eegnet_8_2.json")
NETWORKS = {
    "a" * 32: at_widths(FLOATING, weight_bits=8, activation_bits=8),
    "b" * 32: at_widths(FLOATING, weight_bits=2, activation_bits=4),
    "c" * 32: FLOATING,
}
SMALL: dict[str, Any] = {
    "supplies_v": [0.5, 0.6], "rows": [16, 64], "columns": [8], "banks_kib": [1, 4], "word_bits": [32],
    "weight_cells": ["sram"], "data_cells": ["sram"], "styles": ["weight_stationary_array"],
}


def plan(**design: Any) -> HardwarePlan:
    document = {"profiles": ["gap9"], "sites": ["implant_epilepsy"], "decode_rate_hz": 0.5, "design": SMALL | design}
    return HardwarePlan.model_validate(document)


def test_each_decoder_has_its_own_machine_and_none_in_floating_point(tmp_path: Path) -> None:
    found = designed_machines(tmp_path, plan(), NETWORKS)
    assert set(found) == {"a" * 32, "b" * 32}
    assert {one.name for one in found.values()} == {MACHINE}
    powers = {
        (mine, other): estimate(NETWORKS[mine], found[other], None, decode_rate_hz=0.5).decoder_power_w.nominal
        for mine in found for other in found
    }
    assert powers["b" * 32, "b" * 32] < powers["b" * 32, "a" * 32]  # its own is the better one


def test_what_was_found_is_loaded_again_until_something_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = designed_machines(tmp_path, plan(), NETWORKS)

    def never(*_: object) -> None:
        raise AssertionError("searched again")

    with monkeypatch.context() as patch:
        patch.setattr(designed, "_searched", never)
        again = designed_machines(tmp_path, plan(), NETWORKS)
        assert {digest: one.digest for digest, one in again.items()} == {k: one.digest for k, one in first.items()}
        with pytest.raises(AssertionError, match="searched again"):
            designed_machines(tmp_path, plan(word_bits=[64]), NETWORKS)
    (tmp_path / DESIGNED).write_text('{"asked": ')
    assert set(designed_machines(tmp_path, plan(), NETWORKS)) == set(first)


def test_areas_are_none_of_an_absent_file_alone(tmp_path: Path) -> None:
    assert area_by_workload(tmp_path) == {}
    found = designed_machines(tmp_path, plan(), NETWORKS)
    assert area_by_workload(tmp_path).keys() == found.keys()
    for damaged in ('{"asked": ', "[]", '{"asked": ""}', '{"machines": []}', '{"machines": {"a": 3}}'):
        (tmp_path / DESIGNED).write_text(damaged)
        with pytest.raises(CosimError, match=DESIGNED):
            area_by_workload(tmp_path)
        assert set(designed_machines(tmp_path, plan(), NETWORKS)) == set(found)


def test_a_machine_that_one_of_the_folds_does_not_fit_has_no_power(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine is sized to the busiest fold, of 2-bit weights here, and the 8-bit one has no room on it."""
    eight, two = NETWORKS["a" * 32], NETWORKS["b" * 32]
    assert math.isfinite(designed_power_w([two], plan()))
    monkeypatch.setattr(designed, "_activity", lambda workload: workload is two)
    assert designed_power_w([two, eight], plan()) == math.inf


def test_what_is_no_search_for_a_machine_is_raised() -> None:
    bare = NETWORKS["a" * 32].replace(layers=())
    with pytest.raises(WorkloadError, match="no layer has products"):
        designed_power_w([bare], plan())


def test_one_machine_takes_all_decoders_of_a_study(tmp_path: Path) -> None:
    shared = designed_machines(tmp_path, plan(one_machine="per_study"), NETWORKS)
    assert len({one.digest for one in shared.values()}) == 1
    for digest, machine in shared.items():
        report = estimate(NETWORKS[digest], machine, None, decode_rate_hz=0.5)
        assert (report.infeasibilities, report.unaccounted) == ((), ())


def test_a_study_whose_limits_no_machine_holds_says_which_decoder(tmp_path: Path) -> None:
    with pytest.raises(CosimError, match=r"hardware.design, eegnet_8_2.*none of"):
        designed_machines(tmp_path, plan(area_mm2=0.01), NETWORKS)


def test_the_table_is_read_as_written() -> None:
    read = DesignPlan.model_validate({"supplies_v": {"low": 0.5, "high": 0.7, "step": 0.1}, "rows": "fit"})
    assert read.choices().supplies_v == (0.5, 0.6, 0.7)
    assert read.choices().rows == ()
    assert DesignPlan(area_mm2=2.0).choices().most_area_m2 == pytest.approx(2e-6)


@pytest.mark.parametrize(
    "wrong",
    [
        {"supplies_v": {"low": 0.5}}, {"supplies_v": {"low": 0.9, "high": 0.5, "step": 0.1}}, {"one_machine": "none"},
        {"area_mm2": -1}, {"styles": ["magic"]}, {"nonsense": 1}, {"weight_cells": ["paper"]},
        {"supplies_v": [0.3]}, {"nodes_nm": [130]},
    ],
)
def test_mistakes_of_the_table_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DesignPlan.model_validate(wrong)
