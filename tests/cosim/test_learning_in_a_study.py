"""Learning on the device in a feasibility study: verdicts, raw streaming, levers; constants of dead electrodes."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cosim
from cosim.api.sweeps.study_tables import _crossover  # pyright: ignore[reportPrivateUsage]
from cosim.tables.feasibility import LIMIT, NOT_COMPARED
from energy_models.analysis import StreamingDraws
from energy_models.hardware import load_profile
from energy_models.pricing import estimate
from energy_models.workload import Conventions, Count, Products, Workload, at_widths, read_workload

EEGNET = Path(__file__).parents[2] / "energy_models/data/workloads/eegnet_8_2.json"
SITE, MACHINE = "implant_endovascular16", "gap9"
LAST = cosim.Recalibration(examples=4, epochs=2, batch=2, optimiser="sgd", layers="last", bits=16)
WORK = at_widths(read_workload(EEGNET), weight_bits=8, activation_bits=8)
FRONT_END = "site.front_end.power"


def study(how: cosim.Recalibration | None, interval: str = "1 h", **over: Any) -> cosim.SweepTable:
    given = {} if how is None else {"recalibration_interval_s": [interval]}
    return cosim.sweep(
        WORK, machines=MACHINE, sites=SITE, decode_rate_hz=4, over={**given, **over}, recalibration=how
    )  # fmt: skip


def row(how: cosim.Recalibration | None, interval: str = "1 h", **over: Any) -> dict[str, Any]:
    return study(how, interval, **over).to_frame().to_dict("records")[0]


def test_learning_without_room_does_not_fit_and_has_no_levers() -> None:
    table = study(dataclasses.replace(LAST, examples=10**6))
    (found,) = table.to_frame().to_dict("records")
    assert row(None)["verdict"] in ("fits", "fits nominally")
    assert found["recalibration"] == found["verdict"] == "does not fit the machine"
    assert found["streaming"] == NOT_COMPARED
    assert math.isnan(found["charge_lasts_s"])
    tables = table.study(draws=64)
    assert tables.levers == []
    assert all(one["answer"] == "fits at no value" for one in tables.fits)
    nowhere = cosim.sweep(
        WORK, machines=MACHINE, decode_rate_hz=4, over={"recalibration_interval_s": ["1 h"]},
        recalibration=dataclasses.replace(LAST, examples=10**6),
    )  # fmt: skip
    assert nowhere.to_frame()["verdict"].tolist() == ["does not fit the machine"]


def test_learning_without_a_price_never_fits() -> None:
    found = row(dataclasses.replace(LAST, bits=32))
    assert found["recalibration"].startswith("at least")
    assert found["verdict"] == found[f"{LIMIT}battery"] == "fits only at best"
    assert not found["complete"]
    assert found[f"{LIMIT}power_budget"] == row(None)[f"{LIMIT}power_budget"]


def test_learning_that_takes_longer_than_there_is_does_not_fit() -> None:
    seldom = row(LAST)
    often = row(LAST, f"{seldom['recalibration_time_s'] / 2} s")
    assert seldom["recalibration"] == "fits"
    assert often["recalibration"] == often["verdict"] == "does not fit the machine"
    assert "decisions leave" in often["recalibration_reasons"]
    assert often["recalibration_time_share"] == pytest.approx(2.0)
    assert math.isnan(often["recalibration_power_w"])


def test_work_on_every_sample_leaves_less_time_for_learning() -> None:
    # decisions take .04 of the time; a filter of 1.4e9 products a window takes .82 more, so that .14 of it are left
    product = next(layer for layer in WORK.layers if layer.products is not None)
    sites, none = (Count.constant(number, WORK.decodes) for number in (1_400_000_000, 0))
    filter_ = dataclasses.replace(
        product, name="band", kind="filter", cadence="sample", weights=0, weights_nonzero=0, weights_key="", biases=0,
        products=Conventions(*[Products(sites, none)] * 4),
    )  # fmt: skip

    def found(work: Workload, interval_s: float) -> dict[str, Any]:
        return cosim.sweep(
            work, machines=MACHINE, sites=SITE, decode_rate_hz=4, over={"recalibration_interval_s": [interval_s]},
            recalibration=LAST,
        ).to_frame().to_dict("records")[0]  # fmt: skip

    filtered = WORK.replace(layers=(filter_, *WORK.layers))
    busy = estimate(filtered, load_profile(MACHINE), None, decode_rate_hz=4).busy.nominal
    assert 0.8 < busy < 0.9
    for work, share, fits in ((WORK, 0.5, True), (filtered, 0.5, False), (filtered, 0.9 * (1 - busy), True)):
        seconds = found(work, 1e6)["recalibration_time_s"]
        assert (found(work, seconds / share)["recalibration"] == "fits") == fits


def test_only_learning_that_cannot_run_says_why() -> None:
    table = study(dataclasses.replace(LAST, examples=10**6))
    said = [line for line in table.answer if line.startswith("Cannot run")]
    assert said
    assert all(line.startswith("Cannot run: recalibration: ") for line in said)
    assert said[0].removeprefix("Cannot run: recalibration: ") in table.to_frame()["recalibration_reasons"][0]


def test_a_network_that_cannot_run_says_each_reason_once() -> None:
    found = cosim.sweep(
        read_workload(EEGNET), machines="asic65_near_memory", sites=SITE, decode_rate_hz=4,
        over={"recalibration_interval_s": ["1 h"]}, recalibration=LAST,
    ).answer  # fmt: skip
    reasons = [line.removeprefix("Cannot run: ").removeprefix("recalibration: ") for line in found]
    assert len(set(reasons)) == len(reasons)


def test_of_equal_points_none_is_said_to_draw_least() -> None:
    alone = study(None, charge_cycles=[500, 1000]).answer[0]
    assert alone.endswith(", alike at 2 points.")
    assert "charge_cycles" not in alone
    both = cosim.sweep(
        WORK, machines=MACHINE, sites=SITE, over={"decode_rate_hz": [4, 8], "charge_cycles": [500, 1000]}
    ).answer[0]  # fmt: skip
    assert both.endswith(", at decode_rate_hz 4, alike at 2 points.")


@pytest.mark.parametrize("again", ["machines", "sites"])
def test_a_machine_or_site_that_is_given_twice_is_refused(again: str) -> None:
    given: dict[str, Any] = {"machines": [MACHINE], "sites": [SITE]}
    given[again] = given[again] * 2
    with pytest.raises(cosim.CosimError, match="is given twice"):
        cosim.sweep(WORK, decode_rate_hz=4, **given)
    with pytest.raises(cosim.CosimError, match="designed is given twice"):
        cosim.sweep(WORK, decode_rate_hz=4, machines=["designed", "designed"])


def test_a_sweep_of_learning_is_ranked_by_average_power_and_shows_what_differs() -> None:
    given = {"recalibration_interval_s": ["10 s", "1 day"]}
    table = cosim.sweep(
        WORK, machines=MACHINE, sites=SITE, decode_rate_hz=4, over=given, recalibration=LAST
    )  # fmt: skip
    assert table.answer[0].endswith("recalibration_interval_s 86400.")
    assert "on average" in table.answer[0]
    often, seldom = table.lines()
    for name in ("average power", "recalibration power", "one charge lasts"):
        assert often[name] != seldom[name]
    rates = study(None, duty_cycle=[1.0, 0.5])
    assert "recalibration power" not in rates.lines()[0]
    assert rates.lines()[0]["average power"] != rates.lines()[1]["average power"]
    assert "average power" not in study(None, electrodes_lost=[0, 1]).lines()[0]


def test_raw_streaming_saves_what_learning_draws() -> None:
    still, learns = row(None), row(LAST, "10 s")
    mean_w = learns["recalibration_energy_j"] / 10 + learns["recalibration_kept_power_w"]
    assert mean_w > learns["recalibration_kept_power_w"] > 0
    assert still["decoding_saves_w"] - learns["decoding_saves_w"] == pytest.approx(mean_w, rel=1e-6)
    assert learns["break_even_j_per_bit"] > still["break_even_j_per_bit"]
    half = row(LAST, "10 s", duty_cycle=[0.5])  # all of it in the half of the time in which the device is on
    assert still["decoding_saves_w"] - half["decoding_saves_w"] == pytest.approx(2 * mean_w, rel=1e-6)


def test_the_odds_of_raw_streaming_carry_learning_on_the_same_draws() -> None:
    (still,), (learns,) = (study(how, "10 s").study(draws=64).streaming for how in (None, LAST))
    assert learns["answer"] == still["answer"] == "decoding cheaper"
    for quantile in ("5_percent", "median", "95_percent"):
        assert learns[f"saved_{quantile}_w"] < still[f"saved_{quantile}_w"]
        assert learns[f"break_even_{quantile}_j_per_bit"] > still[f"break_even_{quantile}_j_per_bit"]


def test_levers_of_a_battery_carry_learning_too() -> None:
    over = {"duty_cycle": [0.5], "site.battery.capacity": ["6 mAh"]}
    still, learns = (study(how, "10 s", **over).study(draws=64).levers for how in (None, LAST))
    bounds = [{one["lever"]: one["bound"] for one in some} for some in (still, learns)]
    frame = study(LAST, "10 s", **over).to_frame().iloc[0]
    span = frame["power_w"] - frame["off_power_w"]
    change = frame["recalibration_power_w"] / span
    assert bounds[0]["duty_cycle"] - bounds[1]["duty_cycle"] == pytest.approx(change, rel=1e-6)
    assert bounds[1][FRONT_END] < bounds[0][FRONT_END]
    assert bounds[1]["site.battery.capacity"] > bounds[0]["site.battery.capacity"]


def test_dead_electrodes_leave_the_constants_of_live_ones_as_they_were_given() -> None:
    channels = WORK.channels
    table = study(None, electrodes_lost=[0, channels // 2], **{FRONT_END: ["2 uW/channel", "4 uW/channel"]})
    frame, column = table.to_frame(), f"{FRONT_END} [W/channel]"
    assert sorted(frame[column].tolist()) == pytest.approx([2e-6, 2e-6, 4e-6, 4e-6])
    tables = table.study(draws=64)
    assert len([one for one in tables.fits if one["axis"] == column]) == 2  # one series a number of dead ones
    found = {(one["electrodes_lost"], one["now"]): one for one in tables.levers if one["lever"] == FRONT_END}
    assert {round(now * 1e6) for _, now in found} == {2, 4}
    bounds = [one["bound"] for (lost, _), one in found.items() if lost]
    assert bounds == pytest.approx([bounds[0]] * len(bounds))
    # half of the front ends: at the bound the others may draw almost twice as much, the converter being off too
    whole = next(one["bound"] for (lost, _), one in found.items() if not lost)
    assert bounds[0] > 1.9 * whole


def test_a_crossover_says_which_values_it_compared() -> None:
    draws = StreamingDraws(np.zeros(4), np.ones(4), np.ones(4))
    found = _crossover([1, 4, 16], [None, draws, draws])
    assert found["answer"] == "decoding cheaper throughout those compared (4 to 16)"
    assert found["values_not_compared"] == "1"
    assert _crossover([1, 4], [None, draws])["values_not_compared"] == "1"
