"""Shipped programmable cores are what the measured rows say, and predict held-out rows as well as the page claims."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from energy_models.calibration import (
    BoardRow,
    calibrate,
    calibrated_profile,
    coverage,
    from_one_network,
    leave_one_out,
    of_an_unknown_library,
    shipped_rows,
)
from energy_models.calibration.fit import fit_board, fit_weights
from energy_models.hardware import ProgrammableCore, load_profile
from energy_models.validation import ValidationRow, all_rows, groups_of, summarise
from energy_models.validation.boards import board_rows

NEWEST = "STMicroelectronics v1.2"
FITTED = {
    "cortex_m4f": ("cortex_m", "NUCLEO_L4R5ZI", NEWEST),
    "cortex_m33_u575": ("cortex_m", "NUCLEO_U575ZI_Q", NEWEST),
    "cortex_m7_h7a3": ("cortex_m", "NUCLEO_H7A3ZI_Q", NEWEST),
    "mr_wolf": ("pulp", "Mr. Wolf", "PULP 8 cores 0.8 V"),
    "vega": ("pulp", "Vega", "PULP 8 cores 0.65 V"),
    "ndp120": ("ndp", "syntiant_9120_0v9_30mhz", "syntiant v1.0"),
    "nrf54lm20b_axon": ("axon", "nRF54LM20B", "Nordic data sheet"),
}


@pytest.mark.parametrize("name", FITTED)
def test_fitted_constants_are_the_calibration_of_the_shipped_rows(name: str) -> None:
    device_class, board, software = FITTED[name]
    found = calibrate(shipped_rows(device_class), board=board, software=software)
    again = calibrated_profile(found, load_profile("cortex_m4f"), name=name)["execution"]
    shipped = load_profile(name).execution
    assert isinstance(shipped, ProgrammableCore)
    assert shipped.active_power.value == pytest.approx(again["active_power"]["value"], rel=1e-4)
    assert shipped.cycles_per_layer.value == pytest.approx(again["cycles_per_layer"]["value"], rel=1e-4)
    products = shipped.cycles_per_product["integer"]
    for kind in found.measured_kinds:
        fitted = again["cycles_per_product"]["integer"][kind]
        for end in ("low", "value", "high"):
            assert getattr(products[kind], end) == pytest.approx(fitted[end], rel=1e-4)
        assert products[kind].note == fitted["note"]


def test_a_core_with_a_coprocessor_has_cycles_of_its_latencies_and_bounds_of_libraries_on_one_chip() -> None:
    everything = shipped_rows("cortex_m")
    rows = [row for row in everything if row.chip == "STM32U3C5"]
    weights = fit_weights(everything, library=rows[0].kernels)
    scale = fit_board(rows, weights).cycles_per_unit
    shipped = load_profile("cortex_m33_u3c5").execution
    assert isinstance(shipped, ProgrammableCore)
    spread = leave_one_out(everything).of_library("new").spread("cycles")
    products = shipped.cycles_per_product["integer"]
    for kind in {kind for row in rows for kind in row.macs}:
        assert products[kind].value == pytest.approx(scale * weights.kinds[kind], rel=1e-4)
        assert products[kind].high / products[kind].value >= spread * (1 - 1e-4)
    assert shipped.cycles_per_layer.value == pytest.approx(scale * weights.layer, rel=1e-4)
    for row in rows:
        assert scale * weights.units(row) == pytest.approx(row.cycles, rel=0.03)


def test_power_of_the_preview_is_what_one_streaming_average_bears() -> None:
    """4.3188 mW with 18.901 % of the time busy: busy and between frames cannot be told apart from it alone."""
    average, busy = 4.3188, 0.18901
    profile = load_profile("cortex_m33_u3c5")
    assert isinstance(profile.execution, ProgrammableCore)
    assert profile.gathering is not None
    active, between = profile.execution.active_power, profile.gathering
    assert busy * active.value + (1 - busy) * between.value == pytest.approx(average, rel=1e-3)
    assert between.value / active.value == pytest.approx(4.7 / 23.3, rel=1e-3)
    assert active.low == between.high == average
    assert active.high == pytest.approx(average / busy, rel=1e-3)


def test_nrf52840_has_the_cycles_of_the_other_cortex_m4f_and_a_wider_band() -> None:
    ours, other = (load_profile(name).execution for name in ("nrf52840", "cortex_m4f"))
    assert isinstance(ours, ProgrammableCore)
    assert isinstance(other, ProgrammableCore)
    for kind, quantity in ours.cycles_per_product["integer"].items():
        theirs = other.cycles_per_product["integer"][kind]
        assert quantity.value == theirs.value
        assert quantity.low <= theirs.low
        assert quantity.high >= theirs.high
    # 52 uA/MHz x 64 MHz x 3 V = 9.984 mW by the data sheet, 2.55 mJ / 137 ms = 18.6 mW implied by an EEGNet
    assert ours.active_power.value == pytest.approx((9.984 * 2550 / 137) ** 0.5, rel=5e-3)


def test_gap9_constants_by_hand() -> None:
    gap9 = load_profile("gap9").quantity_at
    products = "execution.cycles_per_product.integer"
    # token MLP: 26,015,006 cycles, of which 34.13 for each of 307,200 GELU, for 117,964,800 products
    linear = (26_015_006 - 307_200 * 34.13) / 117_964_800
    assert gap9[f"{products}.linear"].value == pytest.approx(linear, rel=1e-3)
    # ad at 240 MHz: 3682.97 inferences/s, 264,192 products, ten layers share the rest
    layer = (240e6 / 3682.97 - 264_192 * linear) / 10
    assert gap9["execution.cycles_per_layer"].value == pytest.approx(layer, rel=1e-3)
    # ic on the engine: 1043.769 inferences/s, its stem's three channels padded to 16, the same ten layers
    engine = (240e6 / 1043.769 - 10 * layer) / (11_796_480 + 442_368 * 16 / 3 + 262_144)
    assert gap9["execution.engine.cycles_per_product.conv"].value == pytest.approx(engine, rel=2e-3)
    # one channel at a time: a sixteenth of the engine
    assert gap9["execution.engine.cycles_per_product.depthwise"].value == pytest.approx(16 * engine, rel=1e-2)
    # attention of 32 tokens, width 256: 4 x 32 x 256^2 + 2 x 32^2 x 256 products in 1,369,113 cycles
    assert gap9[f"{products}.attention"].value == pytest.approx(1_369_113 / 8_912_896, rel=1e-3)
    # CNN class of 1.0 to 3.3 "MAC" a cycle counts two for each: 0.5 to 1.65, geometric mean
    assert gap9[f"{products}.filter"].value == pytest.approx((0.5 * 1.65) ** -0.5, rel=1e-2)
    vega = load_profile("vega").quantity_at
    for kind in ("conv", "depthwise", "pointwise"):
        assert gap9[f"{products}.{kind}"].value == pytest.approx(vega[f"{products}.{kind}"].value, rel=1e-4)


@pytest.mark.parametrize(
    # row, predicted, measured: uJ, cycles or ms
    ("ending", "predicted", "measured"),
    [
        ("cortex_m4f: STMicroelectronics v1.2, NUCLEO_L4R5ZI/STM32L4R5/ic", 6918, 6919.375),
        ("cortex_m33_u575: STMicroelectronics v1.2, NUCLEO_U575ZI_Q/STM32U575/kws", 656, 656.163),
        ("calibrated on kws: STMicroelectronics v1.0, NUCLEO_L4R5ZI/STM32L4R5/ic", 10069, 10681.623),
        ("calibrated on ic: reference v0.5, Nucleo-L4R5ZI/STM32L4R5/ad", 889, 416.312),
        ("calibrated on ad: STMicroelectronics v1.2, NUCLEO_H7A3ZI_Q/STM32H7A3/vww", 3029, 2965.461),
        ("beyond GAP9 at another supply: greenwaves-technologies v1.0, gap9_800_370/GAP9/ad", 7.956, 7.294),
        ("beyond NDP120 at another supply: syntiant v1.0, syntiant_9120_1v1_98mhz/NDP120/vww", 107.1, 97.164),
        ("S31/GAP9/latency", 713, 785),
        ("beyond S17/Mr. Wolf/cycles", 1.4096e6, 2_394_889),
        ("S13/Mr. Wolf/energy", 292.4, 337),
        ("beyond cycles of Mr. Wolf: S07/Vega/energy", 36.09, 60.5),
    ],
)
def test_predicted_beside_measured(ending: str, predicted: float, measured: float) -> None:
    (row,) = [one for one in board_rows() if one.id == ending]
    assert row.predicted.nominal == pytest.approx(predicted, rel=5e-3)
    assert row.measured == pytest.approx(measured, rel=1e-6)


def test_one_prediction_by_brute_force() -> None:
    # weights of the other chips' rows; the scale is that of the one other network: energies go as the units of work
    rows = {(row.group, row.network): row for row in shipped_rows("cortex_m")}
    group = ("NUCLEO_U575ZI_Q", NEWEST)
    others = [row for row in rows.values() if row.chip != "STM32U575"]
    kinds = fit_weights(others, library="X-CUBE-AI 9")
    units = {
        name: sum(kinds.kinds[kind] * macs for kind, macs in rows[group, name].macs.items())
        + kinds.layer * rows[group, name].layers
        for name in ("ic", "vww")
    }
    measured_j = rows[group, "ic"].energy_j
    assert measured_j is not None
    by_hand = measured_j * units["vww"] / units["ic"]
    held = [one for one in from_one_network(list(rows.values())).held_out if one.row is rows[group, "vww"]]
    (found,) = [one for one in held if one.calibrated_on == ("ic",)]
    assert found.predicted_j == pytest.approx(by_hand, rel=1e-9)


def test_no_held_out_prediction_knows_its_own_row() -> None:
    rows = shipped_rows("cortex_m")
    own = next(row for row in rows if row.group == ("NUCLEO_H7A3ZI_Q", NEWEST) and row.network == "vww")

    def predicted(given: tuple[BoardRow, ...]) -> dict[tuple[str, ...], float | None]:
        held = from_one_network(given).held_out
        return {one.calibrated_on: one.predicted_j for one in held if one.row.group == own.group
                and one.row.network == own.network}

    assert own.energy_j is not None
    changed = dataclasses.replace(own, energy_j=3 * own.energy_j, latency_s=2 * own.latency_s)
    assert predicted(tuple(changed if row is own else row for row in rows)) == pytest.approx(predicted(rows))


def test_the_bars_of_programmable_cores_are_met_by_held_out_rows() -> None:
    groups = {(group.kind, group.role): group for group in groups_of(all_rows())}
    mcu, cluster = groups["microcontroller", "held out"], groups["cluster", "held out"]
    assert mcu.failed == cluster.failed == groups["beyond", "held out"].failed == ()
    found = summarise(mcu.rows)
    errors = np.abs([row.predicted.nominal / row.measured - 1 for row in mcu.rows])
    assert (found.median, found.percentile_90) == pytest.approx((np.median(errors), np.quantile(errors, 0.9)))
    assert len(mcu.rows) == 200
    # a board with n networks gives n (n - 1) pairs, no row predicts itself
    assert all("calibrated on" in row.id and f"calibrated on {row.what}:" not in row.id for row in mcu.rows)


def test_errors_of_held_out_chips_are_those_of_the_page() -> None:
    groups = {(group.kind, group.role): summarise(group.rows) for group in groups_of(all_rows())}
    profiled, other = (groups[kind, "held out"] for kind in ("microcontroller", "other_microcontroller"))
    assert (profiled.median_each, profiled.percentile_each) == pytest.approx((0.070, 0.192), abs=0.002)
    assert (other.median_each, other.percentile_each) == pytest.approx((0.098, 0.295), abs=0.003)


def test_bounds_of_a_profile_used_beyond_its_library_and_supply_hold_what_they_say() -> None:
    rows = [row for row in board_rows() if row.id.startswith("beyond cortex")]
    assert len(rows) >= 40
    assert 0.85 <= np.mean([row.inside for row in rows]) <= 0.96
    spread = {name: load_profile(name).bands["execution.active_power"] for name in FITTED}
    wide = {name: np.log(band.high / band.low) for name, band in spread.items()}
    own = [abs(np.log(row.ratio)) <= wide[row.id.split(":")[0].removeprefix("beyond ")] for row in rows]
    assert np.mean(own) < 0.5  # even twice the profile's own spread of power holds less than half


def test_chips_as_if_they_had_no_profile() -> None:
    """Energies from one network of the board: weights of other chips, and without the chip's library as well."""
    rows = shipped_rows("cortex_m")
    chip, both = (found.of_measure("energy") for found in (from_one_network(rows), of_an_unknown_library(rows)))
    assert len(chip.errors) == len(both.errors) == 68
    assert (chip.median, chip.percentile_90) == pytest.approx((0.074, 0.199), abs=0.002)
    assert (both.median, both.percentile_90) == pytest.approx((0.114, 0.340), abs=0.003)


def test_bands_of_every_level_hold_what_they_say() -> None:
    """Each row against the spread of the rows of all other chips."""
    found = coverage(from_one_network(shipped_rows("cortex_m")))
    wanted = {0.5: (0.45, 0.60), 0.8: (0.75, 0.88), 0.9: (0.85, 0.96), 0.95: (0.92, 0.98)}
    assert {one.level for one in found} == set(wanted)
    for one in found:
        assert wanted[one.level][0] <= one.inside <= wanted[one.level][1], one
    assert next(one.log_width for one in found if one.level == 0.9) <= 0.6


def test_every_shipped_measurement_of_a_board_is_on_the_page() -> None:
    held = {(_network(row), round(row.measured, 6)) for row in board_rows()}
    for device_class in ("cortex_m", "gap9", "ndp", "axon", "pulp"):
        for row in shipped_rows(device_class):
            figure = row.latency_s * 1e3 if row.energy_j is None else row.energy_j * 1e6
            alone = sum(other.group == row.group for other in shipped_rows(device_class)) == 1
            assert alone or (row.network, round(figure, 6)) in held, row


def _network(row: ValidationRow) -> str:
    return row.what.split(" (")[0]
