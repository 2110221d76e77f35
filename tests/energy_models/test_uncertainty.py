"""Many hardware points at once, sampled constants, comparisons and what decides: held against the one-call path."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from energy_workloads import dense_layer, neurons, quantity, toy_array, toy_core, toy_event, toy_site, workload

from energy_models.analysis import Z95, Design, compare, quantity_draws, sample_designs, spread, tornado, total_order
from energy_models.errors import PriceError
from energy_models.hardware import HardwareProfile, load_profile, load_site, profile_names
from energy_models.pricing import estimate, estimate_vectorised, given
from energy_models.quantities import load_sources, parse_model
from energy_models.workload import Workload

MACHINES = [toy_array(), toy_event(), toy_core(), *(load_profile(name) for name in profile_names())]


def network(weight_bits: int = 8) -> Workload:
    first = dense_layer(16, 6, weight_bits=weight_bits)
    return workload(first, dataclasses.replace(neurons(6, active=4, spikes=2), name="cells"))


@pytest.mark.parametrize("profile", MACHINES, ids=lambda profile: profile.name)
def test_points_at_the_nominal_constants_are_the_estimate(profile: HardwareProfile) -> None:
    site = load_site("headset_commodity")
    report = estimate(network(), profile, site, decode_rate_hz=20)
    nominal = {path: np.full(3, quantity.band.nominal) for path, quantity in given(profile, site).items()}
    points = estimate_vectorised(network(), profile, site, decode_rate_hz=20, constants=nominal)
    np.testing.assert_allclose(points.total_power_w, report.total_power_w.nominal, rtol=1e-12)
    np.testing.assert_allclose(points.decoder_power_w, report.decoder_power_w.nominal, rtol=1e-12)
    np.testing.assert_allclose(points.decode_energy_j, report.decode_energy_j.nominal, rtol=1e-12)
    np.testing.assert_allclose(points.latency_s, report.latency_s.nominal, rtol=1e-12)
    for cause, band in report.power_w.items():
        if cause in points.power_w:
            np.testing.assert_allclose(points.power_w[cause], band.nominal, rtol=1e-12, atol=1e-30)


@pytest.mark.parametrize("profile", MACHINES, ids=lambda profile: profile.name)
def test_no_point_within_the_constants_bounds_leaves_the_guaranteed_bounds(profile: HardwareProfile) -> None:
    site, chance = load_site("implant_utah96"), np.random.default_rng(7)
    report = estimate(network(), profile, site, decode_rate_hz=20)
    inside = {
        path: quantity.band.low + (quantity.band.high - quantity.band.low) * chance.random(500)
        for path, quantity in given(profile, site).items()
    }
    points = estimate_vectorised(network(), profile, site, decode_rate_hz=20, constants=inside)
    slack = 1e-9
    assert points.total_power_w.min() >= report.total_power_w.low * (1 - slack)
    assert points.total_power_w.max() <= report.total_power_w.high * (1 + slack)
    assert points.latency_s.min() >= report.latency_s.low * (1 - slack)
    assert points.latency_s.max() <= report.latency_s.high * (1 + slack)


def test_bounds_of_a_constant_are_its_5_and_95_percent_points() -> None:
    static = toy_array().static.model_copy(update={"low": 2.0, "value": 10.0, "high": 20.0, "unit": "nW"})
    z = np.array([-Z95, 0.0, Z95, 2 * Z95])
    # 10 nW; 10 x (2/10) = 2 below; 10 x (20/10) = 20 above; 10 x 2^2 = 40 at twice the distance
    np.testing.assert_allclose(quantity_draws(static, z) * 1e9, [2, 10, 20, 40])
    down_to_nothing = static.model_copy(update={"low": 0.0})
    # no logarithm: 10 - 10 = 0 below, and never less; 10 + 2 x 10 = 30 at twice the distance
    np.testing.assert_allclose(quantity_draws(down_to_nothing, np.array([-Z95, -2 * Z95, 2 * Z95])) * 1e9, [0, 0, 30])


def test_two_networks_on_one_machine_compare_far_more_surely_than_either_is_known() -> None:
    profile = load_profile("asic65_near_memory")
    wide, narrow = (Design(network(bits), profile, None, 1000.0) for bits in (8, 4))
    first, second = sample_designs((narrow, wide), draws=1024, seed=3)
    low, _, high = spread(second.total_power_w)
    found = compare(first.total_power_w, second.total_power_w)
    assert found.probability_less == 1.0  # fewer words and narrower multipliers, whatever the constants are
    assert found.ratio[2] / found.ratio[0] < 0.2 * high / low


def test_shared_sources_widen_the_spread_of_a_sum() -> None:
    design = Design(network(), load_profile("asic65_near_memory"), None, 1000.0)
    spreads = []
    for correlation in (0.0, 1.0):
        (points,) = sample_designs((design,), draws=2048, seed=1, source_correlation=correlation)
        low, _, high = spread(points.decode_energy_j)
        spreads.append(high / low)
    assert spreads[1] > spreads[0]


def _two_idle_machines(source: str, basis: str) -> list[Design]:
    """Two machines that differ in name and in what they draw asleep: 10 nW within 1 and 100, from one source."""
    constant = quantity(10, "nW", 1, 100) | {"source": source, "basis": basis, "note": "of the test"}
    machines = [toy_array(name=name, static=constant) for name in ("one", "other")]
    return [Design(workload(dense_layer(16, 6)), machine, None, 1e-3) for machine in machines]


@pytest.mark.parametrize(
    # rho = 0.5 between constants of one publication; judgements have no more in common than their key
    ("source", "basis", "correlation"),
    [("cacti7", "derived", 0.5), ("design_choice", "assumed", 0.0), ("machine_class_knowledge", "assumed", 0.0)],
)
def test_constants_of_a_publication_err_together_and_judgements_alone(
    source: str, basis: str, correlation: float
) -> None:
    points = sample_designs(_two_idle_machines(source, basis), draws=4096, seed=2)
    first, second = (np.log(one.power_w["static"]) for one in points)
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(correlation, abs=0.03)
    # each is spread as before: 1 to 100 nW between its 5 % and 95 % points
    for one in (first, second):
        assert np.exp(np.quantile(one, (0.05, 0.95))) == pytest.approx([1e-9, 100e-9], rel=0.05)


def test_judgements_of_a_files_own_records_err_alone() -> None:
    own = {"title": "guess", "authors": "a", "year": 2026, "venue": "v", "read": "own"}
    machines = []
    for name in ("one", "other"):
        constant = quantity(10, "nW", 1, 100) | {"source": "guesses", "basis": "assumed", "note": "of the test"}
        table = toy_array(name=name).model_dump(mode="json", exclude_none=True)
        table |= {"static": constant, "sources": {"guesses": own}}
        machines.append(parse_model(table, HardwareProfile, where=name))
    designs = [Design(workload(dense_layer(16, 6)), machine, None, 1e-3) for machine in machines]
    first, second = (np.log(one.power_w["static"]) for one in sample_designs(designs, draws=4096, seed=2))
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0.0, abs=0.03)


def test_one_machine_shares_its_judgements() -> None:
    one, _ = _two_idle_machines("design_choice", "assumed")
    first, second = sample_designs([one, dataclasses.replace(one, decode_rate_hz=10)], draws=64, seed=2)
    assert np.array_equal(first.power_w["static"], second.power_w["static"])


def test_records_that_are_no_publication_say_so() -> None:
    own = {key for key, record in load_sources().items() if not record.errs_as_one}
    assert own == {
        "design_choice", "machine_class_knowledge", "device_class_knowledge", "pennes_constants", "machine_area",
    }
    assert not any(load_sources()[key].was_read for key in own)


def test_same_seed_same_draws() -> None:
    design = Design(network(), toy_array(), None, 10.0)
    first, again = (sample_designs((design,), draws=64, seed=5)[0].total_power_w for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_tornado_by_hand() -> None:
    # toy array, all other constants without bounds: 10 nW static within 5..30, 70 pW to wake within 0.7 of 7 pJ x 10/s
    profile = toy_array(
        static=quantity(10, "nW", 5, 30), wake={"energy": quantity(7, "pJ", 6, 9), "time": quantity(2, "us")}
    )
    design = Design(workload(dense_layer(16, 6)), profile, None, 10.0)
    base = estimate(design.workload, profile, None, decode_rate_hz=10).total_power_w.nominal
    static, wake = tornado(design)
    assert (static.path, wake.path) == ("static", "wake.energy")
    assert (static.low_w, static.high_w) == (pytest.approx(base - 5e-9), pytest.approx(base + 20e-9))
    assert (wake.low_w, wake.high_w) == (pytest.approx(base - 10e-12), pytest.approx(base + 20e-12))


def test_the_front_end_decides_at_the_headset() -> None:
    design = Design(network(), load_profile("asic65_near_memory"), load_site("headset_commodity"), 4.0)
    assert tornado(design)[0].path == "site.front_end.power"
    shares = total_order(design, draws=512, seed=0)
    assert next(iter(shares)) == "site.front_end.power"
    assert shares["site.front_end.power"] > 0.9


@pytest.mark.parametrize(
    ("constants", "message"),
    [
        ({"sttic": np.ones(2)}, "no constant here"),
        ({"static": -np.ones(2)}, "from 0 up"),
        ({"static": np.ones((2, 2))}, "from 0 up"),
        ({"static": np.ones(2), "clock": np.ones(3)}, r"arrays of \[2, 3\] points"),
        ({}, "at least one array"),
    ],
)
def test_wrong_points_are_refused(constants: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(PriceError, match=message):
        estimate_vectorised(network(), toy_array(), None, decode_rate_hz=1, constants=constants)


@pytest.mark.parametrize(("draws", "correlation"), [(3, 0.5), (0, 0.5), (8, 1.5)])
def test_wrong_draws_are_refused(draws: int, correlation: float) -> None:
    design = Design(network(), toy_array(), toy_site(), 1.0)
    with pytest.raises(PriceError, match="power of two"):
        sample_designs((design,), draws=draws, seed=0, source_correlation=correlation)
