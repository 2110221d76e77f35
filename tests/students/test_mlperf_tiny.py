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
