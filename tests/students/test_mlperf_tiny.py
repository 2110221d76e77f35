"""The networks of MLPerf Tiny, layer by layer: products by kind, and energies against the boards that ran them."""

from __future__ import annotations

from collections import Counter

import pytest

from energy_models.calibration import shipped_rows
from energy_models.hardware import load_profile
from energy_models.pricing import estimate
from energy_models.workload import ProductKind, at_widths, product_kind
from students.architectures import architecture_workload

NETWORKS = ("ad", "ic", "kws", "vww")
PROFILE = {"NUCLEO_L4R5ZI": "cortex_m4f", "NUCLEO_U575ZI_Q": "cortex_m33_u575", "NUCLEO_H7A3ZI_Q": "cortex_m7_h7a3"}


@pytest.mark.parametrize("network", NETWORKS)
def test_products_by_kind_are_those_of_the_measured_rows(network: str) -> None:
    found: Counter[ProductKind] = Counter()
    for layer in architecture_workload(f"mlperf_tiny_{network}").layers:
        if layer.products is not None:
            found[product_kind(layer)] += layer.products.dense_full.total
    rows = [row for row in shipped_rows("cortex_m") if row.network == network]
    assert rows
    assert all(row.macs == dict(found) for row in rows)


def products_of(widths: tuple[int, ...]) -> int:
    """Return the products of the streaming wake word with so many filters in its four blocks."""
    frames, channels, total = 30, 40, 0
    for taps, filters in zip((3, 5, 10, 15), widths, strict=True):
        frames -= taps - 1
        total += frames * channels * (taps + filters)
        channels = filters
    return total + 3 * channels


def test_streaming_wake_word_has_the_products_of_both_counts() -> None:
    """826,368 as trained; the same kernels without the channels that a compiler removed have the boards' 425,102."""
    assert products_of((108, 81, 52, 32)) == 425_102
    work = architecture_workload("mlperf_tiny_sww")
    dense = [layer.products.dense_full.total for layer in work.layers if layer.products is not None]
    assert sum(dense) == products_of((128, 128, 128, 32)) == 826_368
    assert dense[::2] == [28 * 40 * 3, 24 * 128 * 5, 15 * 128 * 10, 128 * 15, 3 * 32]


@pytest.mark.parametrize("network", NETWORKS)
def test_energies_are_met_by_whole_networks(network: str) -> None:
    """Every layer with its padding, pools and requantisation, not products by kind alone: within 12 % of the board."""
    work = at_widths(architecture_workload(f"mlperf_tiny_{network}"), weight_bits=8, activation_bits=8)
    rows = [row for row in shipped_rows("cortex_m")
            if row.software == "STMicroelectronics v1.2" and row.network == network]
    assert rows
    for row in rows:
        report = estimate(work, load_profile(PROFILE[row.board]), None, decode_rate_hz=1.0)
        assert row.energy_j is not None
        assert report.decode_energy_j.nominal == pytest.approx(row.energy_j, rel=0.12)
        assert report.decode_energy_j.low <= row.energy_j <= report.decode_energy_j.high
