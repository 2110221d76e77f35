"""Derived constants of machines and sites worked again from what they name: runs, nodes between runs, products."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from importlib.resources import files
from math import log, sqrt

import pytest

from energy_models.hardware import load_profile, load_site
from energy_models.quantities import Quantity
from energy_models.technology import SWEEP

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
def test_memories_of_the_65_nm_array_are_one_run_and_keep_what_silicon_kept(memory: int) -> None:
    found, swept = load_profile("asic65_near_memory").quantity_at, run(65, 4096, 32)
    for figure in ("read", "write"):
        one = found[f"memories[{memory}].{figure}"]
        assert one.value == pytest.approx(swept[figure], rel=1e-4)
        assert (one.low, one.high) == pytest.approx((swept[figure] / 2, swept[figure] * 2), rel=1e-3)
    kept = found[f"memories[{memory}].retention"]
    assert kept.value == pytest.approx(12 * 0.5 / 2**20 * 1e6, rel=1e-3)  # 12 uA x 0.5 V over a mebibit, in pW
    assert kept.high == pytest.approx(swept["retention"], rel=1e-4)


def test_static_power_of_the_65_nm_array() -> None:
    # 128 multipliers of 0.0011745 mm2 at 45 nm, leaking per area as 64 KiB of cells that leak 5.72, not 20.74, pW/bit
    swept, static = run(65, 65536, 32), load_profile("asic65_near_memory").static
    area_mm2 = 128 * 0.0011745 * (65 / 45) ** 2
    whole = area_mm2 * swept["uW"] / swept["mm2"]
    by_hand = [whole * share for share in (0.5 / swept["retention"], 5.72 / swept["retention"], 1)]
    assert [static.low, static.value, static.high] == pytest.approx(by_hand, rel=5e-3)


def test_retention_of_22_nm_cells_is_the_slope_of_vegas_two_figures() -> None:
    # 2.8 uW at 16 kB, 123.7 uW at 1.6 MB, recalled: 120.9 uW over 12.672 Mbit
    slope = (123.7 - 2.8) * 1e6 / ((1600 - 16) * 8e3)
    for name, memory in (("asic22_fdx", 0), ("vega", 0), ("gap9", 0)):
        assert load_profile(name).quantity_at[f"memories[{memory}].retention"].value == pytest.approx(slope, rel=6e-3)


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
