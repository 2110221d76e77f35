"""Derived constants of machines and sites worked again from what they name: runs, nodes between runs, products."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from importlib.resources import files
from math import log, prod, sqrt

import pytest

from energy_models.hardware import Memory, load_profile, load_site
from energy_models.quantities import Quantity
from energy_models.technology import (
    SWEEP,
    Cell,
    awake_leakage_w,
    bank_way_m,
    clock_cycle_energy_j,
    core_area_m2,
    gates_area_m2,
    logic_leakage_w,
    machine_laws,
    memory_area_m2,
    retention_w,
    wire_energy_j,
)

FIGURES = {"read": "read_pJ", "write": "write_pJ", "retention": "leak_pW_per_bit"}


def run(node: int, size: int, width: int) -> Mapping[str, float]:
    """Return the figures of one run of the sweep at 300 K in cells of low standby power."""
    text = (files("energy_models.data") / SWEEP).read_text(encoding="utf-8")
    (found,) = [
        row for row in csv.DictReader(text.splitlines())
        if (row["node_nm"], row["cell"], row["temp_K"], row["size_bytes"], row["width_bits"])
        == (str(node), "itrs-lstp", "300", str(size), str(width))
    ]
    return {name: float(found[column]) for name, column in {**FIGURES, "uW": "leak_uW", "mm2": "area_mm2"}.items()}


def at_28_nm(size: int, width: int, figure: str) -> float:
    """Return a figure between its runs at 22 and 32 nm, straight in both logarithms."""
    fine, coarse = run(22, size, width)[figure], run(32, size, width)[figure]
    return fine * (coarse / fine) ** (log(28 / 22) / log(32 / 22))


@pytest.mark.parametrize(("memory", "size", "width"), [(0, 8192, 32), (1, 4096, 64)])
@pytest.mark.parametrize("figure", list(FIGURES))
def test_memories_of_the_event_core_lie_between_two_nodes(memory: int, size: int, width: int, figure: str) -> None:
    found = load_profile("event_core_28nm").quantity_at[f"memories[{memory}].{figure}"]
    factor = 5 if figure == "retention" else 2
    assert found.value == pytest.approx(at_28_nm(size, width, figure), rel=1e-4)
    assert (found.low, found.high) == pytest.approx((found.value / factor, found.value * factor), rel=1e-4)


def test_look_ups_are_reads_of_a_table_of_one_kibibyte() -> None:
    path = "execution.operations.integer.lookup.fixed"
    array, core = (load_profile(name).quantity_at[path] for name in ("asic65_near_memory", "event_core_28nm"))
    assert array.value == run(65, 1024, 32)["read"]
    assert core.value == pytest.approx(at_28_nm(1024, 32, "read"), rel=1e-4)


@pytest.mark.parametrize("memory", [0, 1])
def test_memories_of_the_65_nm_array_are_one_run(memory: int) -> None:
    found, swept = load_profile("asic65_near_memory").quantity_at, run(65, 4096, 32)
    for figure in ("read", "write"):
        one = found[f"memories[{memory}].{figure}"]
        assert one.value == pytest.approx(swept[figure], rel=1e-4)
        assert (one.low, one.high) == pytest.approx((swept[figure] / 2, swept[figure] * 2), rel=1e-3)


SILICON_PW = (12 * 0.5 / 2**20 * 1e6, (123.7 - 2.8) * 1e6 / ((1600 - 16) * 8e3), 12.0, 5.34)
"""Leakage of kept bits near 0.5 V: 65 nm (12 uA x 0.5 V over a mebibit), 22 nm twice (Vega: 120.9 uW over 12.672
Mbit), 14 nm."""
BUILT_UP = {"asic65_near_memory": (65, 0.8, 128), "asic45_reference": (45, 0.9, 64), "asic22_fdx": (22, 0.5, 16)}
"""Node [nm], supply of the logic [V] and multipliers of the machines that leak by one law."""
SRAM_V = {"asic65_near_memory": 0.8, "asic45_reference": 0.9, "asic22_fdx": 0.8, "asic130_open": 1.2}


def srams(name: str) -> list[tuple[str, Memory]]:
    memories = load_profile(name).memories
    return [(f"memories[{place}]", one) for place, one in enumerate(memories) if one.name.endswith("sram")]


def test_kept_bits_leak_as_silicon_does_at_every_node() -> None:
    law = machine_laws().leakage.retention
    assert law.value == pytest.approx(prod(SILICON_PW) ** (1 / 4), rel=0.01)
    assert law.low <= min(SILICON_PW)
    assert max(SILICON_PW) <= law.high
    for name in BUILT_UP:
        found = load_profile(name).quantity_at
        for path, _ in srams(name):
            kept = found[f"{path}.retention"]
            assert (kept.low, kept.value, kept.high) == (law.low, law.value, law.high)


def test_cells_leak_more_at_the_supply_they_work_at() -> None:
    for name in BUILT_UP:
        found = load_profile(name).quantity_at
        for path, _ in srams(name):
            awake = awake_leakage_w("sram", 1.0, SRAM_V[name]) - retention_w("sram", 1.0)
            assert found[f"{path}.awake_leakage"].value * 1e-12 == pytest.approx(awake, rel=1e-4)


def test_logic_leaks_by_its_gates_and_its_clock_takes_a_tenth_of_them() -> None:
    for name, (node, supply, multipliers) in {**BUILT_UP, "asic130_open": (130, 1.2, 128)}.items():
        profile = load_profile(name)
        gates = multipliers * 980 + 20_000
        cycle = profile.energy_per_clock_cycle
        assert cycle is not None
        assert cycle.band.nominal == pytest.approx(clock_cycle_energy_j(gates, node, supply), rel=1e-4)
        if name in BUILT_UP:
            assert profile.static.band.nominal == pytest.approx(logic_leakage_w(gates, supply), rel=1e-4)


@pytest.mark.parametrize("name", list(SRAM_V))
def test_wires_and_area_of_built_up_machines(name: str) -> None:
    profile = load_profile(name)
    node = profile.node.value
    multipliers = {**BUILT_UP, "asic130_open": (130, 1.2, 128)}[name][2]
    memories = 0.0
    for path, one in srams(name):
        capacity, bank = one.capacity.band.nominal, one.bank.band.nominal
        each = memory_area_m2("sram", node, banks=1.0, bank_bits=bank, word_bits=one.word_bits)
        whole = memory_area_m2("sram", node, banks=capacity / bank, bank_bits=bank, word_bits=one.word_bits)
        way = bank_way_m(core_area_m2(whole, 0.0), core_area_m2(each, 0.0))
        wires = profile.bands[f"{path}.wires"].nominal
        assert wires == pytest.approx(wire_energy_j(one.word_bits, way, SRAM_V[name]), rel=1e-4)
        memories += float(whole)
    assert profile.area is not None
    if name == "asic22_fdx":  # 256 bytes of registers, 256 KiB of MRAM
        others: tuple[tuple[Cell, float], ...] = (("register", 2048.0), ("non_volatile", 256 * 8192.0))
        for cell, bits in others:
            memories += float(memory_area_m2(cell, node, banks=1.0, bank_bits=bits, word_bits=32.0))
    area = core_area_m2(memories, gates_area_m2(multipliers * 980 + 20_000, node))
    assert profile.area.band.nominal == pytest.approx(area, rel=1e-4)


def test_retention_of_22_nm_chips_is_the_slope_of_vegas_two_figures() -> None:
    # 2.8 uW at 16 kB, 123.7 uW at 1.6 MB, recalled: 120.9 uW over 12.672 Mbit
    for name in ("vega", "gap9"):
        assert load_profile(name).quantity_at["memories[0].retention"].value == pytest.approx(SILICON_PW[1], rel=6e-3)


@pytest.mark.parametrize(
    ("site", "path", "value"),
    [
        ("implant_utah96", "link.rate", 96 * 30e3 * 16 / 1e6),
        ("implant_n1_1024", "link.rate", 1024 * 20e3 * 10 / 1e6),
        ("headset_pulp", "radio.energy", sqrt(20 * 50)),
        ("headset_commodity", "radio.energy", sqrt(20 * 50)),
        ("implant_endovascular16", "radio.energy", sqrt(20 * 50)),
        ("headset_pulp", "radio.event", 4.8e-3 * 3 * 590e-6 * 1e6),  # uJ
        ("headset_pulp", "radio.startup", 4.8e-3 * 3 * 140e-6 * 1e6),  # uJ
        ("implant_ecog64_wimagine", "radio.energy", 5e-3 * 3 / 800e3 * 1e9),  # nJ/bit
        ("implant_ecog64_wimagine", "temperature.slope", 1 / 75),
        ("implant_n1_1024", "temperature.slope", 1 / 75),
        ("implant_epilepsy", "temperature.slope", 1 / 70),
        ("implant_n1_1024", "package.area", 2 * 415.5 + 578.1),
    ],
)
def test_what_a_site_derives(site: str, path: str, value: float) -> None:
    assert load_site(site).quantity_at[path].value == pytest.approx(value, rel=1e-2)


def test_converters_are_three_times_the_best_of_the_survey() -> None:
    # 10.03 pJ a conversion at 10 bit, 30 kS/s
    best = 10.03e3 / 2**10
    sites = ("implant_utah96", "implant_n1_1024", "implant_epilepsy", "implant_endovascular16")
    found: list[Quantity] = [load_site(name).quantity_at["converter.figure_of_merit"] for name in sites]
    for one in found:
        assert (one.low, one.value, one.high) == pytest.approx((best, 3 * best, 10 * best), rel=0.025)
