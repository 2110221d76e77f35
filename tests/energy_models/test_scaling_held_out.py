"""Scaling against figures that no anchor comes from; the page states the same errors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from markdown_tables import number, percent

from energy_models.hardware import load_profile
from energy_models.quantities import Band
from energy_models.technology import sweep
from energy_models.technology.scaling import dynamic_factor, frequency_factor, node_factor, scaled_profile, sram_factor
from energy_models.technology.scaling import temperature_factor as warmer

PAGE = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text(encoding="utf-8")
ANCHORED = {(8192, 32), (8192, 64), (32768, 32), (32768, 64), (1048576, 8), (1048576, 32)}
"""Size in bytes and width in bits of the memories that the legs of the SRAM classes come from."""


def simulated(node: int, kelvin: int = 300) -> Mapping[tuple[int, int], Mapping[str, float]]:
    """The sweep's low-standby-power memories by size and width."""
    return {
        (run.size_bytes, run.width_bits): {str(law): value for law, value in run.figures.items()}
        for run in sweep()
        if (run.node_nm, run.flavour, run.temperature_k) == (node, "itrs-lstp", kelvin)
    }


def holds(band: Band, value: float) -> bool:
    return band.low <= value <= band.high


@pytest.mark.parametrize(
    ("coarse", "fine", "median", "p90"),
    [(90, 65, 0.05, 0.3), (65, 45, 0.05, 0.3), (45, 32, 0.05, 0.3), (32, 22, 0.1, 0.3), (90, 22, 0.2, 0.35)],
)
def test_memories_of_other_sizes_and_widths(coarse: int, fine: int, median: float, p90: float) -> None:
    before, after = simulated(coarse), simulated(fine)
    errors: list[float] = []
    inside = 0
    for size, width in (before.keys() & after.keys()) - ANCHORED:
        expected = after[size, width]["read"] / before[size, width]["read"]
        band = sram_factor(8 * size, coarse, fine)
        errors.append(abs(band.nominal / expected - 1))
        inside += holds(band, expected)
    middle, most = np.quantile(errors, 0.5), np.quantile(errors, 0.9)
    assert len(errors) >= 15
    assert middle <= median
    assert most <= p90
    assert inside / len(errors) >= 0.9
    assert f"| {coarse} to {fine} nm | {len(errors)} | {percent(middle)} | {percent(most)} | " \
           f"{percent(inside / len(errors))} |" in PAGE



@pytest.mark.parametrize(
    # What, law, figure, largest error. MLPerf Tiny v1.0: energy and clock of one chip at two supplies. MINDFUL: 8-bit
    # MAC of 0.05 mW x 2 ns at 45 nm and of 0.026 mW x 1 ns at 12 nm. CACTI 7: 64 KiB at 300 and 330 K.
    ("what", "band", "published", "largest"),
    [
        ("GAP9, 0.65 to 0.8 V: clock, 240 to 370 MHz", frequency_factor(0.65, 0.8), 370 / 240, 0.05),
        ("GAP9, 0.65 to 0.8 V: energy of `ad`", dynamic_factor(0.65, 0.8), 7.294 / 5.252, 0.10),
        ("GAP9, 0.65 to 0.8 V: energy of `ic`", dynamic_factor(0.65, 0.8), 40.356 / 27.711, 0.10),
        ("NDP120, 0.9 to 1.1 V: energy of `ic`", dynamic_factor(0.9, 1.1), 139.367 / 101.833, 0.11),
        ("NDP120, 0.9 to 1.1 V: energy of `vww`", dynamic_factor(0.9, 1.1), 97.164 / 71.711, 0.11),
        ("MINDFUL, 45 to 12 nm: 8-bit MAC, synthesised", node_factor("multiplier", 45, 12), 0.026 / 0.1, 0.80),
        ("CACTI, 300 to 330 K: leakage at 22 nm", warmer(300, 330), 32.2655 / 18.8427, 0.15),
        ("CACTI, 300 to 330 K: leakage at 45 nm", warmer(300, 330), 10.1135 / 3.2747, 0.45),
        ("CACTI, 300 to 330 K: leakage at 65 nm", warmer(300, 330), 30.2443 / 20.7363, 0.30),
    ],
)
def test_published_ratios(what: str, band: Band, published: float, largest: float) -> None:
    error = band.nominal / published - 1
    assert abs(error) <= largest
    assert holds(band, published)
    sign = "+" if error > 0 else "−"
    assert f"| {what} | {number(band.nominal)} | {number(band.low)} to {number(band.high)} | {number(published)} | " \
           f"{sign}{percent(abs(error))} |" in PAGE


def test_a_scaled_machine_meets_the_one_built_at_that_node() -> None:
    ours = scaled_profile(load_profile("asic45_reference"), node_nm=22, supply_v=0.5)
    shipped = load_profile("asic22_fdx")
    for path in ("execution.operations.integer.multiply.per_square_bit", "execution.operations.integer.add.per_bit"):
        one, other = ours.bands[path], shipped.bands[path]
        assert one.low <= other.nominal <= one.high, path
