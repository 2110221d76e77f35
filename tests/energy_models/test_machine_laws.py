"""Laws that size a machine: constants fitted again, worked by hand, what may only grow, floats as arrays."""

from __future__ import annotations

import csv
import math
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_models.technology import (
    CELLS,
    SWEEP,
    Cell,
    End,
    awake_leakage_w,
    bank_way_m,
    controller_area_m2,
    core_area_m2,
    gates_area_m2,
    logic_delay_s,
    logic_leakage_w,
    lowest_supply_v,
    machine_laws,
    may_be_standard_cells,
    memory_area_m2,
    memory_fit,
    memory_supply_v,
    multiplier_gates,
    rail_efficiency,
    reachable_clock_hz,
    retention_w,
    sram_bank_area_m2,
    supply_leakage_factor,
    supply_speed,
    widest_word_bits,
    wire_energy_j,
)

ENDS: tuple[End, ...] = ("low", "nominal", "high")
NODES = (22.0, 28.0, 45.0, 65.0, 130.0)
KIB = 8192.0
cells, nodes, ends = st.sampled_from(CELLS), st.sampled_from(NODES), st.sampled_from(ENDS)


def rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((files("energy_models.data") / name).read_text(encoding="utf-8").splitlines()))


def test_the_cell_is_the_mean_of_the_sweep() -> None:
    swept = [row for row in rows(SWEEP) if row["temp_K"] == "300"]
    squares = [
        float(row["area_mm2"]) * 1e12 / (8 * int(row["size_bytes"])) / float(row["node_nm"]) ** 2 for row in swept
    ]
    cell = machine_laws().area.sram_cell
    assert len(swept) == 349
    assert math.exp(float(np.mean(np.log(squares)))) == pytest.approx(cell.value, rel=0.02)
    sizes = [(row["size_bytes"], row["width_bits"]) for row in swept]
    wide = [one for one, size in zip(squares, sizes, strict=True) if size != ("1024", "128")]
    assert (min(wide), max(wide)) == pytest.approx((cell.low, cell.high), rel=0.01)


def test_banks_lie_within_a_tenth_of_the_open_macros() -> None:
    # ten macros of 130 nm from 0.05 to 0.49 mm2, words of 8 to 64 bit
    for row in rows("measurements/open_sram.csv"):
        words, bits = float(row["words"]), float(row["width_bits"])
        found = sram_bank_area_m2(words * bits, bits, 130.0)
        assert found * 1e12 == pytest.approx(float(row["area_um2"]), rel=0.1)


def test_a_bank_by_hand() -> None:
    # 4 KiB of 32 bit at 65 nm: 4225 nm2 x (205 x 32768 + 14,700 x 32 + 1,110,000) = 0.03506 mm2
    assert sram_bank_area_m2(32768.0, 32.0, 65.0) == pytest.approx(0.03506e-6, rel=1e-3)
    # 32 of them and a core factor of 1.9: 2.132 mm2
    memory = memory_area_m2("sram", 65.0, banks=32.0, bank_bits=32768.0, word_bits=32.0)
    assert core_area_m2(memory, 0.0) == pytest.approx(2.132e-6, rel=1e-3)


def test_multipliers_by_hand_and_against_the_synthesised_one() -> None:
    # 8 x 8 into 24: 980 gates x 400 F2 / 0.7 at 45 nm = 0.001134 mm2; MINDFUL's, with its overhead of 1.5: 0.0011745
    gates = multiplier_gates(8.0, 8.0, 24.0)
    assert gates == pytest.approx(980)
    assert gates_area_m2(gates, 45.0) == pytest.approx(0.0011745e-6, rel=0.05)
    # 4 x 4 into 16: 980 (0.5 x 16/64 + 0.5 x 24/40) = 416.5
    assert multiplier_gates(4.0, 4.0, 16.0) == pytest.approx(416.5)


def test_leakage_by_hand() -> None:
    # 7.7 pW a bit asleep at 0.5 V; at 0.8 V: x 1.6 x exp(0.08 x 0.3 / (1.4 x 25.85 mV)) = x 3.105
    assert retention_w("sram", KIB) == pytest.approx(7.7e-12 * KIB)
    assert supply_leakage_factor(0.5, 0.8) == pytest.approx(3.105, rel=1e-3)
    assert awake_leakage_w("sram", KIB, 0.8) == pytest.approx(7.7e-12 * KIB * 3.105, rel=1e-3)
    assert logic_leakage_w(1000.0, 0.5) == pytest.approx(7.7e-9)
    assert retention_w("register", 1.0) == pytest.approx(4 * 7.7e-12)
    assert awake_leakage_w("non_volatile", 1e6, 0.8) == 0


def test_wires_by_hand() -> None:
    # one square millimetre in banks of 0.04: 0.75 x (1 - 0.2) mm; 32 bit x 0.6 mm x 0.1 pJ x 0.64 V2 = 1.2288 pJ
    way = bank_way_m(1e-6, 0.04e-6)
    assert way == pytest.approx(0.6e-3)
    assert wire_energy_j(32.0, way, 0.8) == pytest.approx(1.2288e-12)
    assert bank_way_m(0.04e-6, 0.04e-6) == 0


def test_supplies_and_rails() -> None:
    assert lowest_supply_v() == lowest_supply_v("standard_cell") == 0.5
    assert memory_supply_v("sram", 0.5) == 0.6
    assert memory_supply_v("sram", 0.9) == 0.9
    assert memory_supply_v("standard_cell", 0.5) == 0.5
    assert rail_efficiency("sram", 0.5) == 0.85
    assert rail_efficiency("sram", 0.6) == rail_efficiency("standard_cell", 0.5) == 1.0


def test_clocks_are_the_slower_of_logic_and_memory() -> None:
    # 2 ns at 45 nm and its nominal 0.9 V, margin 2: 250 MHz; at 90 nm twice the delay; finer nodes are not credited
    assert reachable_clock_hz((logic_delay_s(45.0, 0.9, 0.9),)) == pytest.approx(250e6)
    assert reachable_clock_hz((logic_delay_s(90.0, 1.2, 1.2),)) == pytest.approx(125e6)
    assert logic_delay_s(22.0, 0.8, 0.8) == pytest.approx(2e-9)
    assert reachable_clock_hz((logic_delay_s(45.0, 0.9, 0.9), 10e-9)) == pytest.approx(50e6)
    assert supply_speed(0.5) < supply_speed(0.6) < supply_speed(0.9)


def test_sizes_that_are_not_built() -> None:
    assert widest_word_bits(1.0, 8.0) == widest_word_bits(8.0, 8.0) == 64
    assert widest_word_bits(32.0, 8.0) == 256
    assert may_be_standard_cells(np.array([4 * KIB, 4 * KIB + 1])).tolist() == [1.0, 0.0]


@settings(max_examples=60, deadline=None)
@given(cells, ends, st.floats(1, 8), st.data())
def test_a_larger_memory_is_never_smaller_nor_leaks_less(
    cell: Cell, end: End, more: float, data: st.DataObject
) -> None:
    node, bits = data.draw(nodes), data.draw(st.floats(64, 1e6))
    sizes = {"banks": data.draw(st.floats(1, 64)), "bank_bits": bits, "word_bits": data.draw(st.floats(8, 128))}
    area = memory_area_m2(cell, node, end, **sizes)
    assert area > 0
    for name, value in sizes.items():
        assert memory_area_m2(cell, node, end, **{**sizes, name: value * more}) >= area
    assert memory_area_m2(cell, node * more, end, **sizes) >= area
    assert retention_w(cell, bits * more, end) >= retention_w(cell, bits, end)
    bank = memory_area_m2(cell, node, end, **{**sizes, "banks": 1.0})
    assert bank_way_m(area * more, bank, end) >= bank_way_m(area, bank, end) >= 0
    assert core_area_m2(area * more, 0.0, end) >= core_area_m2(area, 0.0, end) > area


@settings(max_examples=60, deadline=None)
@given(st.floats(0.5, 1.2), st.floats(1, 2), st.floats(1, 1e7), nodes)
def test_a_higher_supply_leaks_more_and_is_faster(supply: float, more: float, bits: float, node: float) -> None:
    assert awake_leakage_w("sram", bits, supply * more) >= awake_leakage_w("sram", bits, supply)
    assert awake_leakage_w("sram", bits, supply) >= retention_w("sram", bits) * (1 - 1e-12)
    assert logic_leakage_w(bits, supply * more) >= logic_leakage_w(bits, supply)
    assert wire_energy_j(bits, 1e-3, supply * more) >= wire_energy_j(bits, 1e-3, supply)
    assert logic_delay_s(node, supply * more, 1.0) <= logic_delay_s(node, supply, 1.0) * (1 + 1e-12)


@pytest.mark.parametrize("node", [22, 32, 45, 65, 90])
def test_a_larger_bank_never_reads_cheaper_nor_faster(node: int) -> None:
    fit = memory_fit(node, "itrs-lstp")
    sizes = np.geomspace(*(float(one) for one in fit.sizes_bytes), 200)
    for law in ("read", "write", "access"):
        for width in (8.0, 32.0, 64.0):
            assert np.all(np.diff(fit.laws[law].at_points(sizes, width, 300.0)) > 0)
    leaks = sizes * fit.laws["leakage"].at_points(sizes, 32.0, 300.0)
    assert np.all(np.diff(leaks) > 0)


@settings(max_examples=40, deadline=None)
@given(cells, st.floats(64, 1e6), st.floats(4, 64), st.floats(0.5, 1.1), nodes)
def test_bounds_are_ordered(cell: Cell, bits: float, word: float, supply: float, node: float) -> None:
    found = [
        (
            memory_area_m2(cell, node, end, banks=2.0, bank_bits=bits, word_bits=word),
            multiplier_gates(8.0, 4.0, 20.0, end), controller_area_m2(node, end), core_area_m2(1e-6, 1e-7, end),
            bank_way_m(1e-6, 1e-7, end), wire_energy_j(word, 1e-3, supply, end), retention_w(cell, bits, end),
            awake_leakage_w(cell, bits, supply, end), logic_leakage_w(bits, supply, end),
            reachable_clock_hz((1e-9,), end), memory_supply_v(cell, supply, end), rail_efficiency(cell, supply, end),
        )
        for end in ENDS
    ]
    for low, nominal, high in zip(*found, strict=True):
        assert low <= nominal <= high


def test_arrays_are_floats_point_by_point() -> None:
    bits, word, node = np.array([256.0, 8192.0, 1e6]), np.array([8.0, 32.0, 64.0]), np.array([22.0, 65.0, 130.0])
    supply = np.array([0.5, 0.6, 1.1])

    def figures(bits: float, word: float, node: float, supply: float) -> list[float]:
        found = [memory_area_m2(cell, node, banks=3.0, bank_bits=bits, word_bits=word) for cell in CELLS]
        found += [awake_leakage_w(cell, bits, supply) for cell in CELLS]
        found += [memory_supply_v(cell, supply) for cell in CELLS] + [rail_efficiency(cell, supply) for cell in CELLS]
        found += [
            multiplier_gates(word, word, 2 * word), controller_area_m2(node), bank_way_m(bits * 1e-12, word * 1e-12),
            wire_energy_j(word, 1e-3, supply), logic_leakage_w(bits, supply), supply_speed(supply),
            reachable_clock_hz((logic_delay_s(node, supply, 1.0), word * 1e-10)), widest_word_bits(word, 4.0),
            may_be_standard_cells(bits), memory_fit(65, "itrs-lstp").laws["read"].at_points(bits, word, 300.0),
        ]
        return found  # type: ignore[return-value]

    together = figures(bits, word, node, supply)  # type: ignore[arg-type]
    for place in range(3):
        alone = figures(float(bits[place]), float(word[place]), float(node[place]), float(supply[place]))
        for one, many in zip(alone, together, strict=True):
            assert float(np.broadcast_to(many, (3,))[place]) == pytest.approx(one, rel=1e-12)
