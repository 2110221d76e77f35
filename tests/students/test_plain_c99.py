"""Instructions predicted from workloads against those that exported C executes: networks that were not fitted."""

from __future__ import annotations

import statistics
from importlib import import_module

import pytest

from energy_models.calibration import plain_c99
from students.deploy.emulator import absent_tools

ABSENT = absent_tools()
bench = import_module("benchmarks.plain_c99")


@pytest.mark.slow
@pytest.mark.skipif(bool(ABSENT), reason=f"not installed: {', '.join(ABSENT)}")
def test_networks_that_were_not_fitted_are_predicted_within_a_quarter() -> None:
    table = plain_c99()
    shipped = {name: one.value for name, one in table.numbers.items()}
    found: list[float] = []
    for network in bench.OTHERS:
        counted = bench.counted(*network)
        errors = {kind: abs(one / two - 1) for kind, (one, two) in bench.errors(counted, shipped).items()}
        assert errors.get(bench.WHOLE, 0.0) < 0.35, network[0]
        assert (bench.WHOLE in errors) != network[0].startswith("spiking")  # neurons are in no fitted network
        found += [error for kind, error in errors.items() if kind != bench.WHOLE]
    assert statistics.median(found) < bench.BAR


@pytest.mark.slow
@pytest.mark.skipif(bool(ABSENT), reason=f"not installed: {', '.join(ABSENT)}")
def test_the_shipped_table_is_the_fit_of_one_network() -> None:
    network = bench.counted(*bench.FITTED)
    if network.emulated.compiler != plain_c99().compiler:
        pytest.skip(f"another compiler: {network.emulated.compiler}")
    shipped = plain_c99().numbers
    fit = bench.fitted(network)
    told_apart = {name: value for name, value in fit.items() if value}
    assert set(told_apart) == set(shipped)
    assert set(fit) - set(told_apart) == {"multiply"}
    for name, value in told_apart.items():
        assert shipped[name].where == plain_c99().network
        assert shipped[name].value == pytest.approx(value, rel=0.02), name
