"""BrainDistill's two powers taken apart: rows worked by hand, the algebra's edges, the page current."""

from __future__ import annotations

from pathlib import Path

import pytest
from braindistill_page import braindistill_page
from hypothesis import given
from hypothesis import strategies as st

from energy_models.analysis.published_models.charges import (
    NETWORK,
    STREAMED,
    WAVELETS,
    charges,
    total_products,
    workloads,
)
from energy_models.analysis.published_models.reconcile import (
    Both,
    no_arithmetic,
    no_static,
    no_traffic,
    operand_bits,
    published_w,
    rate_and_static,
    shipped,
    stored_bits,
    weight_bits,
)
from energy_models.analysis.published_models.static_free import (
    arithmetic_ratio,
    nearest,
    static_free,
    static_free_traffic,
)
from energy_models.hardware import load_profile, profile_names
from energy_models.quantities import load_sources, quantities

PAGE = Path(__file__).parents[2] / "docs" / "braindistill.md"
# Products after the wavelets, 20 tokens: projection 20 x 320 x 32 = 204,800; a layer of attention q, k, v, out
# 4 x 20 x 32 x 32 = 81,920, k'v and q(k'v) 2 x 20,480, normaliser 640; feed-forward 2 x 20 x 32 x 64 = 81,920.
WEIGHTED = 204_800 + 2 * (81_920 + 81_920) + 32 * 4
UNWEIGHTED = 2 * (2 * 20_480 + 640)
PRODUCTS = WEIGHTED + UNWEIGHTED
# 5 complex wavelets of 251 taps over 64 channels and 500 samples
WAVELET_PRODUCTS = 5 * 2 * 64 * 500 * 251
# projection, two layers (four 32 x 32, two 32 x 64, two norms), head; biases of all of them but the attention's inside
WEIGHTS = 10_240 + 2 * (4 * 1024 + 2 * 2048 + 2 * 32) + 128
BIASES = 32 + 2 * (4 * 32 + 64 + 32 + 2 * 32) + 4


def test_the_page_in_docs_is_current() -> None:
    command = "python docs/make/braindistill_page.py > docs/braindistill.md"
    assert PAGE.read_text(encoding="utf-8") == braindistill_page(), command


def test_counts_by_hand() -> None:
    assert (PRODUCTS, WAVELET_PRODUCTS) == (615_808, 80_320_000)
    assert (total_products(NETWORK), total_products(WAVELETS)) == (PRODUCTS, PRODUCTS + WAVELET_PRODUCTS)
    network = workloads(NETWORK)
    assert network.map(weight_bits) == Both(WEIGHTED * 32, WEIGHTED * 8)
    assert network.map(operand_bits) == Both(PRODUCTS * 64, PRODUCTS * 16)
    assert network.map(stored_bits).float32 == (WEIGHTS + BIASES) * 32
    # W8A8: biases as wide as their sums, 16 + ceil(log2(fan-in)) bits: 25 of 320, 21 of 32, 22 of 64; norms 16
    biases = 32 * 25 + 2 * (4 * 32 * 21 + 64 * 21 + 32 * 22 + 2 * 32 * 16) + 4 * 21
    assert network.map(stored_bits).w8a8 == WEIGHTS * 8 + biases


DRAM, LPDDR4, SRAM_1M, SRAM_8K = 20.3125e-12, 8e-12, 1.5625e-12, 0.15625e-12
ONE, BOTH = WEIGHTED * 32, PRODUCTS * 64
ROWS = (
    # (scope, start of what is fetched, products, fetched bits in FP32 and W8A8, J/bit)
    (NETWORK, "nothing", PRODUCTS, 0, 0, 0.0),
    (NETWORK, "weights once, SRAM of 1 MB", PRODUCTS, 879_744, 227_444, SRAM_1M),
    (NETWORK, "weights once, DRAM", PRODUCTS, 879_744, 227_444, DRAM),
    (NETWORK, "a weight for each product, SRAM of 1 MB", PRODUCTS, ONE, ONE / 4, SRAM_1M),
    (NETWORK, "a weight for each product, LPDDR4", PRODUCTS, ONE, ONE / 4, LPDDR4),
    (NETWORK, "a weight for each product, DRAM", PRODUCTS, ONE, ONE / 4, DRAM),
    (NETWORK, "both operands of each product, SRAM of 1 MB", PRODUCTS, BOTH, BOTH / 4, SRAM_1M),
    (NETWORK, "both operands of each product, LPDDR4", PRODUCTS, BOTH, BOTH / 4, LPDDR4),
    (NETWORK, "both operands of each product, DRAM", PRODUCTS, BOTH, BOTH / 4, DRAM),
    (STREAMED, "a weight for each product, DRAM", PRODUCTS, ONE, ONE / 4, DRAM),
    (WAVELETS, "nothing", 80_935_808, 0, 0, 0.0),
    (WAVELETS, "both operands of each product, SRAM of 8 KB", 80_935_808, 5_179_891_712, 1_294_972_928, SRAM_8K),
    (WAVELETS, "both operands of each product, DRAM", 80_935_808, 5_179_891_712, 1_294_972_928, DRAM),
)


def test_no_row_is_unchecked() -> None:
    assert [(one.scope, one.fetched) for one in charges()] == [row[:2] for row in ROWS]


@pytest.mark.parametrize("index", range(len(ROWS)))
def test_each_row_by_hand(index: int) -> None:
    found = charges()[index]
    scope, _, products, bits32, bits8, each_j = ROWS[index]
    assert found.energy_j.float32 == pytest.approx(products * 4.6e-12 + bits32 * each_j, rel=1e-9)
    assert found.energy_j.w8a8 == pytest.approx(products * 0.23e-12 + bits8 * each_j, rel=1e-9)
    streamed = WAVELET_PRODUCTS if scope == STREAMED else 0  # of a window of one second
    assert found.steady_w.float32 == pytest.approx(streamed * 4.6e-12)
    # what the row says it needs does give both published powers
    power = found.power_w(found.rate_hz)
    assert power.float32 + found.static_w == pytest.approx(22.84e-3, rel=1e-9)
    assert power.w8a8 + found.static_w == pytest.approx(5.66e-3, rel=1e-9)
    assert found.power_w(found.rates_hz.float32).float32 == pytest.approx(22.84e-3, rel=1e-9)
    assert found.power_w(found.rates_hz.w8a8).w8a8 == pytest.approx(5.66e-3, rel=1e-9)


def test_two_rows_in_numbers() -> None:
    # a weight of each product from DRAM: 615,808 x 4.6 pJ + 17,043,456 x 20.3125 pJ = 2.833 + 346.195 = 349.028 uJ,
    # W8A8 0.142 + 86.549 = 86.690 uJ: 17.18 mW / 262.337 uJ = 65.488 /s, static 22.84 - 22.857 = -0.017 mW
    dram = charges()[5]
    assert dram.rate_hz == pytest.approx(65.488, abs=0.001)
    assert dram.static_w == pytest.approx(-0.0172e-3, abs=1e-7)
    assert (dram.verdict, dram.holds) == ("**nearly**", True)
    # wavelets anew, nothing fetched: 80,935,808 x 4.6 pJ = 372.305 uJ, W8A8 18.615: 48.574 /s, static 4.756 mW
    wavelets = charges()[10]
    assert wavelets.rate_hz == pytest.approx(48.574, abs=0.001)
    assert wavelets.static_w == pytest.approx(4.7558e-3, abs=1e-6)
    assert wavelets.verdict == "**yes**"
    assert charges()[0].verdict.startswith("no: more decisions")
    assert charges()[12].verdict.startswith("no: less than")


def test_the_three_corners() -> None:
    power, factor = published_w(), arithmetic_ratio()
    assert power == Both(pytest.approx(22.84e-3), pytest.approx(5.66e-3))
    assert factor == pytest.approx(4.6 / 0.23)
    # a + b = 22.84, a + b/4 = 5.66: b = 17.18 x 4/3 = 22.907, a = -0.067
    none = no_arithmetic(power, width_ratio=4)
    assert (none.traffic_w, none.static_w) == (pytest.approx(22.9067e-3, rel=1e-5), pytest.approx(-0.0667e-3, rel=1e-3))
    # a + t = 22.84, a/20 + t/4 = 5.66: a = (5.71 - 5.66)/(0.25 - 0.05) = 0.25
    least, middle, most = static_free()
    assert (middle.arithmetic_w, middle.traffic_w) == (pytest.approx(0.25e-3), pytest.approx(22.59e-3))
    # last digits: (22.835/4 - 5.665)/0.2 = 0.21875, (22.845/4 - 5.655)/0.2 = 0.28125
    assert (least.arithmetic_w, most.arithmetic_w) == (pytest.approx(0.21875e-3), pytest.approx(0.28125e-3))
    # s + a = 22.84, s + a/20 = 5.66: a = 17.18/0.95 = 18.084, s = 4.756
    busy = no_traffic(power, arithmetic_ratio=factor)
    assert (busy.arithmetic_w, busy.static_w) == (pytest.approx(18.0842e-3), pytest.approx(4.7558e-3, rel=1e-4))


def test_what_a_bit_must_cost() -> None:
    # 0.25 mW / (615,808 x 4.6 pJ) = 88.254 /s; 22.59 mW over 879,744, 17,043,456, 39,411,712 bits at that rate,
    # and over 64 x 500 x 32 = 1.024 Mbit/s
    found = [one.energy_per_bit_j * 1e12 for one in static_free_traffic()]
    assert found == [pytest.approx(290.96, rel=1e-4), pytest.approx(15.0186, rel=1e-4),
                     pytest.approx(6.4947, rel=1e-4), pytest.approx(22_060.5, rel=1e-4)]
    near = [(nearest(one.energy_per_bit_j)[0].title, nearest(one.energy_per_bit_j)[1]) for one in static_free_traffic()]
    assert near == [("DRAM", pytest.approx(7.162, rel=1e-3)), ("DRAM", pytest.approx(0.7394, rel=1e-3)),
                    ("LPDDR4", pytest.approx(0.8118, rel=1e-3)), ("Bluetooth LE", 1)]


positive = st.floats(1e-6, 1.0)


@given(static=positive, rate=st.floats(0.1, 1e3), energy8=positive, times=st.floats(1.5, 30))
def test_a_rate_and_a_static_power_are_found_again(static: float, rate: float, energy8: float, times: float) -> None:
    energy = Both(energy8 * times, energy8)
    power = energy.map(lambda each: static + rate * each)
    found = rate_and_static(power, energy)
    assert found[0] == pytest.approx(rate, rel=1e-6)
    assert found[1] == pytest.approx(static, abs=1e-6 * power.float32)


@given(arithmetic=positive, traffic=positive)
def test_parts_without_static_power_are_found_again(arithmetic: float, traffic: float) -> None:
    power = Both(arithmetic + traffic, arithmetic / 20 + traffic / 4)
    found = no_static(power, width_ratio=4, arithmetic_ratio=20)
    assert found.arithmetic_w == pytest.approx(arithmetic, abs=1e-9 * power.float32 * 100)
    assert found.traffic_w == pytest.approx(traffic, abs=1e-9 * power.float32 * 100)


def test_published_figures_are_sourced_and_enter_no_profile() -> None:
    published = shipped().published
    assert {published.float32.source, published.w8a8.source} == {"braindistill2026"}
    assert published.float32.basis == published.w8a8.basis == "simulated"
    assert load_sources()["braindistill2026"].read == "transcription"
    assert published.rate.basis == "assumed"
    for name in profile_names():
        assert all(one.source != "braindistill2026" for _, one in quantities(load_profile(name)))
