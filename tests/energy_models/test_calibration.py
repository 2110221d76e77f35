"""Board measurements to a profile: what is recovered, what is held out, what is refused."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
from energy_workloads import products, workload

from energy_models.calibration import (
    BoardRow,
    calibrate,
    calibrated_profile,
    from_one_network,
    leave_one_out,
    power_at,
    read_board_table,
    shipped_rows,
    table_source,
    toml_text,
)
from energy_models.calibration.board import FEW, LEAST_OF_FEW
from energy_models.calibration.fit import PRIOR, fit_board, fit_weights
from energy_models.calibration.table import Regulator
from energy_models.errors import DataError, ProfileError
from energy_models.hardware import load_profile
from energy_models.pricing import estimate
from energy_models.workload import Kind, LayerWork

NETWORKS: dict[str, tuple[dict[Kind, int], int]] = {
    "a": ({"conv": 5_000_000, "linear": 4_000}, 8),
    "b": ({"conv": 400_000, "depthwise": 700_000, "pointwise": 3_000_000}, 20),
    "c": ({"linear": 300_000}, 10),
    "d": ({"conv": 300_000, "depthwise": 100_000, "pointwise": 2_500_000}, 9),
}
TRUE = {"conv": 1.0, "depthwise": 6.0, "pointwise": 0.8, "linear": 1.4}
LAYER = 900


def row(network: str, board: str, scale: float, power_w: float, clock_hz: float = 1e8) -> BoardRow:
    """A board that obeys the model exactly."""
    macs, layers = NETWORKS[network]
    cycles = scale * (sum(TRUE[kind] * count for kind, count in macs.items()) + LAYER * layers)
    latency = cycles / clock_hz
    return BoardRow(board, board, network, "stack 1", "", macs, layers, latency * power_w, latency, clock_hz)


EXACT = [row(name, board, scale, power) for name in NETWORKS for board, scale, power in
         (("one", 2.0, 0.04), ("two", 1.2, 0.02), ("three", 3.0, 0.1))]


def test_weights_that_made_the_rows_are_found_again() -> None:
    weights = fit_weights(EXACT)
    for kind in ("depthwise", "pointwise", "linear"):
        assert weights.kinds[kind] == pytest.approx(TRUE[kind], rel=0.02)
    board = fit_board([one for one in EXACT if one.board == "two"], weights)
    assert board.cycles_per_unit == pytest.approx(1.2, rel=0.02)
    assert board.power_w == pytest.approx(0.02)
    check = leave_one_out(EXACT)
    assert len(check.held_out) == 12
    assert check.percentile_90 < 0.03
    assert from_one_network(EXACT).percentile_90 < 0.03
    assert len(from_one_network(EXACT).held_out) == 3 * 4 * 3


def test_rows_that_decide_nothing_leave_the_prior() -> None:
    single = [EXACT[0]]  # one row: its scale takes all it says
    assert fit_weights(single).kinds["depthwise"] == PRIOR["depthwise"][0]
    twice = [EXACT[0], dataclasses.replace(EXACT[0], network="again")]  # the same mixture of kinds twice
    assert fit_weights(twice).kinds["linear"] == pytest.approx(PRIOR["linear"][0], rel=1e-3)


def test_scale_is_the_geometric_mean_by_hand() -> None:
    # 1000 convolution products in 2000 cycles and in 8000: 2 and 8 cycles each, geometric mean 4; powers 1 and 4 W: 2
    weights = fit_weights([], "none")
    rows = [
        BoardRow("x", "x", name, "s", "", {"conv": 1000}, 1, latency * power, latency, 1e6)
        for name, latency, power in (("p", 2e-3, 1.0), ("q", 8e-3, 4.0))
    ]
    board = fit_board(rows, weights)
    assert board.cycles_per_unit == pytest.approx(4.0)
    assert board.energy_j(rows[0], weights) == pytest.approx(1000 * 4.0 / 1e6 * 2.0)


def test_a_held_out_row_does_not_predict_itself() -> None:
    rows = list(shipped_rows("cortex_m"))
    before = leave_one_out(rows).held_out
    for place in (0, 20, 41):
        changed = list(rows)
        changed[place] = dataclasses.replace(rows[place], energy_j=rows[place].energy_j * 7, latency_s=1e-4)
        after = {(one.row.group, one.row.network): one.predicted_j for one in leave_one_out(changed).held_out}
        own = next(one for one in before if one.row is rows[place])
        assert after[own.row.group, own.row.network] == pytest.approx(own.predicted_j, rel=1e-9)


def test_variants_of_a_network_are_held_out_together() -> None:
    wolf = leave_one_out(shipped_rows("pulp")).held_out
    assert len(wolf) == 5  # Vega has one row: nothing would give its scale
    assert {one.calibrated_on for one in wolf if one.row.network == "Q-EEGNet IV-2a"} == {
        ("MI-BMInet IV-2a", "MI-BMInet IV-2a", "MI-BMInet MM/MI", "MI-BMInet MM/MI"),
    }


def test_a_chip_is_held_out_of_its_own_weights() -> None:
    rows = [one for one in shipped_rows("cortex_m") if one.software == "STMicroelectronics v1.2"]
    own = next(one for one in leave_one_out(rows).held_out if one.row.chip == "STM32L4R5" and one.row.network == "ic")
    others = fit_weights([one for one in rows if one.chip != "STM32L4R5"])
    known = [one for one in rows if one.chip == "STM32L4R5" and one.network != "ic"]
    scales = [one.cycles / others.units(one) for one in known]
    powers = [one.power_w for one in known]
    by_hand = others.units(own.row) * math.prod(scales) ** 0.5 * math.prod(powers) ** 0.5 / 120e6
    assert own.predicted_j == pytest.approx(by_hand)
    assert own.calibrated_on == ("ad", "kws")


def layers_of(macs: dict[Kind, int], layers: int) -> list[LayerWork]:
    parts = list(macs.items()) + [("conv", 0)] * (layers - len(macs))
    return [
        LayerWork(
            name=f"{place}", kind=kind, arithmetic="integer", calls=1, input_shape=(1,), output_shape=(1,), inputs=1,
            outputs=1, reduction=1, products=products(count), weight_bits=8, activation_bits=8, output_bits=8,
            accumulator_bits=32,
        )
        for place, (kind, count) in enumerate(parts)
    ]


def test_the_written_profile_prices_as_the_fit_predicts(tmp_path: Path) -> None:
    found = calibrate(EXACT, board="two")
    table = tmp_path / "mine.csv"
    table.write_text("the record is made of its bytes")
    text = toml_text(calibrated_profile(found, load_profile("cortex_m4f"), name="mine", source=table_source(table)))
    path = tmp_path / "mine.toml"
    path.write_text(text)
    profile = load_profile(path)
    for network, (macs, layers) in NETWORKS.items():
        wanted = next(one for one in found.rows if one.network == network)
        report = estimate(workload(*layers_of(macs, layers)), profile, None, decode_rate_hz=1)
        assert wanted.energy_j is not None
        predicted = found.board.energy_j(wanted, found.weights)
        assert report.decode_energy_j.nominal == pytest.approx(predicted, rel=1e-3)
        assert report.decode_energy_j.low <= wanted.energy_j <= report.decode_energy_j.high
    fitted = profile.quantity_at["execution.cycles_per_product.integer.depthwise"]
    assert (fitted.basis, fitted.source) == ("derived", "mine_table")
    assert "12 held-out figures" in fitted.note
    assert profile.sources["mine_table"].locator.startswith("sha256 ")


def test_bands_are_those_of_held_out_rows() -> None:
    rows = shipped_rows("cortex_m")
    found = calibrate(rows, board="NUCLEO_U575ZI_Q", software="STMicroelectronics v1.2")
    profile = calibrated_profile(found, load_profile("cortex_m4f"), name="mine")
    conv = profile["execution"]["cycles_per_product"]["integer"]["conv"]
    logs = sorted(abs(one.log_cycles) for one in found.check.held_out)
    assert found.library == "measured"
    assert all(one.library == "measured" for one in found.check.held_out)
    inside = sum(log <= math.log(conv["high"] / conv["value"]) * 1.001 for log in logs) / len(logs)
    assert 0.88 <= inside <= 0.92
    assert conv["value"] / conv["low"] == pytest.approx(conv["high"] / conv["value"], rel=1e-3)
    assert conv["source"] == "mlperf_tiny"


HEADER = "board,network,conv_macs,linear_macs,layers,energy_uj,latency_ms,power_mw,clock_mhz,software"
GOOD = f"{HEADER}\nb,n1,1000000,0,5,800,20,40,100,s 1\nb,n2,0,100000,5,120,3,40,100,s 1\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("energy_uj", "energy_mj"), r"'energy_uj' is missing.*'energy_mj' \(did you mean 'energy_uj'\?\)"),
        (GOOD.replace("latency_ms", "latency_s"), "exactly one of the columns 'inferences_per_s' and 'latency_ms'"),
        (GOOD.replace("5,800,20,40", "5,0.8,20,40"), r"line 2: 0.8 uJ over 20 ms are 0.04 mW, .*says 40"),
        (GOOD.replace("40,100,", "40,100000000,"), "line 2: .*cycles each. No core does that"),
        (GOOD.replace("n2,0,100000", "n2,0,1e5"), "line 3: linear_macs = '1e5'"),
        (GOOD.replace("n2,0,100000", "n2,0,0"), "line 3: no products"),
        (GOOD.replace(",800,", ",-800,"), "energy_uj = '-800'"),
        (GOOD.replace("n2", "n1"), "n1 on b with s 1 is given twice"),
        (GOOD.replace("120,3,40,100,s 1", "120,3,40"), "line 3: 8 fields, but the header has 10"),
        (GOOD.replace("n1,1000000", "n1,1,000000"), "line 2: 11 fields, but the header has 10"),
        (HEADER + "\n", "holds no row"),
        (GOOD.replace("conv_macs", "c").replace("linear_macs", "l"), "no column of products"),
    ],
)
def test_a_wrong_table_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_board_table(path)


def test_all_rows_that_are_wrong_are_named(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(GOOD.replace(",800,", ",-800,").replace("n2,0,100000", "n2,0,many"))
    with pytest.raises(DataError, match=r"(?s)2 rows cannot be used.*line 2: energy_uj.*line 3: linear_macs = 'many'"):
        read_board_table(path)


def test_too_few_rows_and_ambiguous_boards_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(GOOD)
    rows = read_board_table(path)
    with pytest.raises(DataError, match=r"2 rows, of which 2 can be predicted.*At least 3"):
        calibrate(rows)
    assert calibrate(rows, beside=shipped_rows("cortex_m")).rows == rows
    with pytest.raises(DataError, match="3 boards in the table"):
        calibrate(EXACT)
    with pytest.raises(DataError, match="no board 'four'"):
        calibrate(EXACT, board="four")
    with pytest.raises(DataError, match="no software 'five' in the table"):
        calibrate(EXACT, software="five")
    with pytest.raises(DataError, match="cannot be read"):
        read_board_table(tmp_path / "absent.csv")
    with pytest.raises(ProfileError, match="no programmable core"):
        calibrated_profile(calibrate(EXACT, board="one"), load_profile("asic65_near_memory"), name="x")
    with pytest.raises(ProfileError, match="no record"):
        calibrated_profile(calibrate(EXACT, board="one"), load_profile("cortex_m4f"), name="x")


CLASSES = ("axon", "cortex_m", "gap9", "ndp", "other_cores", "pulp", "tinymaix")


def test_shipped_rows_agree_with_themselves() -> None:
    # read through the same checks as a user's table: power is energy over latency in each of them
    assert {name: len(shipped_rows(name)) for name in CLASSES} == {
        "axon": 4, "cortex_m": 135, "gap9": 4, "ndp": 4, "other_cores": 5, "pulp": 6, "tinymaix": 26,
    }
    assert {sum(row.macs.values()) for row in shipped_rows("cortex_m") if row.network == "ic"} == {12_501_632}
    assert {sum(row.macs.values()) for row in shipped_rows("cortex_m") if row.network == "vww"} == {7_489_664}
    with pytest.raises(DataError, match=r"no class 'cortex'.*'cortex_m'"):
        shipped_rows("cortex")


def test_a_boards_own_rows_set_its_scale_and_nothing_else() -> None:
    # two networks of odd proportions: however many are given, the weights beside a class are those of the class
    own = [row("a", "mine", 2.5, 0.03), row("c", "mine", 1.5, 0.03)]
    shipped = shipped_rows("cortex_m")
    alone, both = calibrate(own[1:], beside=shipped), calibrate(own, beside=shipped)
    assert both.weights == alone.weights == fit_weights(shipped, library="stack 1")
    assert both.fitted_on == tuple(shipped)
    assert both.library == "new"


def test_a_kind_that_no_class_holds_is_fitted_to_the_boards_own_rows() -> None:
    shipped = shipped_rows("cortex_m")
    weights = fit_weights(shipped)
    known = row("a", "mine", 2.0, 0.03)
    units = weights.units(known) / known.layers
    # as many cycles as network a: its 4,000,000 attention products weigh what a's products do, 1.28 convolutions each
    second = dataclasses.replace(known, network="t", macs={"attention": 4_000_000})
    found = calibrate([known, second], beside=shipped)
    expected = (weights.units(known) - weights.layer * known.layers) / 4_000_000
    assert units > 0
    assert found.weights.kinds["attention"] == pytest.approx(expected, rel=0.02)
    assert "attention" in found.measured_kinds


def test_kinds_without_rows_keep_the_templates_value_and_say_so() -> None:
    template = load_profile("cortex_m4f")
    own = dataclasses.replace(row("c", "mine", 2.0, 0.03), supply_v=2.5)
    found = calibrate([own], beside=shipped_rows("cortex_m"))
    source = table_source(Path(__file__))
    table = calibrated_profile(found, template, name="mine", source=source)
    products = table["execution"]["cycles_per_product"]["integer"]
    kept = template.quantity_at["execution.cycles_per_product.integer.attention"]
    assert products["attention"]["value"] == kept.value
    assert products["attention"]["note"].startswith("kept from cortex_m4f: no row holds such products")
    assert "kept" not in products["linear"]["note"]
    assert (table["supply"]["value"], table["supply"]["basis"]) == (2.5, "derived")
    for one in (table["static"], table["wake"]["energy"], table["wake"]["time"]):
        assert one["basis"] == "assumed"
        assert one["note"].startswith("of cortex_m4f, another board")
    unknown = calibrated_profile(
        calibrate([dataclasses.replace(own, supply_v=None)], beside=shipped_rows("cortex_m")), template, name="mine",
        source=source,
    )
    assert (unknown["supply"]["value"], unknown["supply"]["basis"]) == (1.8, "assumed")
    assert "does not state the supply" in unknown["supply"]["note"]


def test_a_library_that_was_measured_elsewhere_has_narrower_bounds() -> None:
    own = row("c", "mine", 2.0, 0.03)
    shipped = shipped_rows("cortex_m")
    known = calibrate([dataclasses.replace(own, library="X-CUBE-AI 9")], beside=shipped)
    new = calibrate([own], beside=shipped)
    assert (known.library, new.library) == ("measured", "new")
    assert known.cycles_spread < 1.3 < new.cycles_spread
    template, source = load_profile("cortex_m4f"), table_source(Path(__file__))
    notes = [
        calibrated_profile(one, template, name="mine", source=source)["execution"]["cycles_per_product"]["integer"]
        for one in (known, new)
    ]
    assert "of other libraries" in notes[0]["linear"]["note"]
    assert "its library is in none of the" in notes[1]["linear"]["note"]


def test_a_board_of_another_class_is_refused() -> None:
    rows = [one for one in shipped_rows("gap9") if one.board == "gap9_650_240"]
    with pytest.raises(DataError, match=r"gap9_650_240: a convolution.s product takes .* It is no board of this class"):
        calibrate(rows, beside=shipped_rows("cortex_m"))
    shipped = shipped_rows("cortex_m")
    own = next(one for one in shipped if one.board == "NUCLEO_H7A3ZI_Q" and one.network == "vww")
    assert calibrate([dataclasses.replace(own, board="mine")], beside=shipped).rows[0].board == "mine"


def test_rows_without_an_energy_decide_weights_and_no_power() -> None:
    timed = [dataclasses.replace(one, energy_j=None) if one.board == "three" else one for one in EXACT]
    weights = fit_weights(timed)
    assert weights.kinds["depthwise"] == pytest.approx(TRUE["depthwise"], rel=0.02)
    board = fit_board([one for one in timed if one.board == "three"], weights)
    assert board.power_w is None
    assert board.energy_j(timed[2], weights) is None
    held = [one for one in leave_one_out(timed).held_out if one.row.board == "three"]
    assert all(set(one.logs) == {"cycles", "either"} and one.predicted_j is None for one in held)
    with pytest.raises(DataError, match="no row has an energy"):
        calibrate(timed, board="three")


def test_power_goes_with_the_supply_behind_a_linear_regulator_only() -> None:
    # 40 mW at 1.8 V are 22.2 mA: at 3 V the same current is 66.7 mW, behind a switched regulator still 40 mW
    linear = dataclasses.replace(EXACT[0], supply_v=1.8, regulator="linear")
    assert power_at(linear, 3.0) == pytest.approx(0.04 * 3 / 1.8)
    assert power_at(dataclasses.replace(linear, regulator="switched"), 3.0) == pytest.approx(0.04)
    assert power_at(dataclasses.replace(linear, supply_v=None), 3.0) == pytest.approx(0.04)


def test_krais_boards_draw_what_the_same_chip_draws_at_another_supply() -> None:
    """X-CUBE-AI 7 on the STM32L4R5: one vendor at 1.8 V, another at 3.0 V, linear regulator in both."""
    rows = {(one.software, one.board, one.network): one for one in shipped_rows("cortex_m")}
    for network in ("ad", "ic", "kws"):
        low = rows["STMicroelectronics v1.0", "NUCLEO_L4R5ZI", network]
        high = rows["Krai v1.1", "NUCLEO-L4R5ZI_X-CUBE-AI-7.3", network]
        assert high.cycles == pytest.approx(low.cycles, rel=0.005)
        assert power_at(low, high.supply_v) == pytest.approx(high.power_w, rel=0.02)


def test_an_unknown_regulator_at_two_supplies_widens_the_band_of_power_by_their_ratio() -> None:
    def rows(regulator: Regulator, other_v: float | None) -> tuple[BoardRow, ...]:
        mine = [dataclasses.replace(row, supply_v=3.0, regulator=regulator) for row in EXACT if row.board == "one"]
        mine[-1] = dataclasses.replace(mine[-1], supply_v=other_v)
        return (*mine, *(row for row in EXACT if row.board != "one"))

    def power(table: tuple[BoardRow, ...]) -> dict[str, Any]:
        found = calibrate(table, board="one")
        profile = calibrated_profile(found, load_profile("cortex_m4f"), name="x", source=table_source(Path(__file__)))
        return profile["execution"]["active_power"]

    same, apart = power(rows("", 3.0)), power(rows("", 1.8))
    ratio = 3.0 / 1.8
    assert apart["value"] == same["value"]
    assert apart["high"] / same["high"] == pytest.approx(ratio, rel=1e-3)
    assert same["low"] / apart["low"] == pytest.approx(ratio, rel=1e-3)
    assert "regulator is unknown" in apart["note"]
    assert "regulator is unknown" not in same["note"]
    switched = power(rows("switched", 1.8))
    assert (switched["low"], switched["high"]) == (same["low"], same["high"])
    assert "supply of 1 rows unknown" in power(rows("", None))["note"]


def test_a_band_that_is_assumed_since_few_rows_were_held_out_says_so() -> None:
    found = calibrate(EXACT, board="one")
    assert len(found.check.held_out) < FEW
    assert (found.widened, found.cycles_spread) == (True, LEAST_OF_FEW)
    profile = calibrated_profile(found, load_profile("cortex_m4f"), name="x", source=table_source(Path(__file__)))
    assert "few held-out rows: factor 1.25 at least, assumed" in (
        profile["execution"]["cycles_per_product"]["integer"]["conv"]["note"]
    )
