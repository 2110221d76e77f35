"""Regulators: one efficiency, and a curve of efficiencies by load."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from energy_workloads import dense_layer, quantity, toy_array, toy_site, workload
from hypothesis import given
from hypothesis import strategies as st

from energy_models.analysis import Design, tornado
from energy_models.errors import ProfileError
from energy_models.hardware import Regulator, load_site
from energy_models.pricing import estimate, estimate_vectorised, regulator_loss, regulator_loss_w, site_bands
from energy_models.pricing import given as given_constants
from energy_models.quantities import Band, total

EPILEPSY = load_site("implant_epilepsy")
WORK = workload(dense_layer(16, 6))
QUIESCENT = quantity(0.5, "uW", 0.2, 1)


def curve(*points: tuple[float, float], quiescent: Mapping[str, object] = QUIESCENT) -> dict[str, object]:
    """Efficiencies at loads [uW], without bounds."""
    rows = [{"load": quantity(load, "uW"), "efficiency": quantity(found, "1")} for load, found in points]
    return {"model": "curve", "points": rows, "quiescent": quiescent}


def test_a_stimulator_is_fed_from_the_supply() -> None:
    # 3 mA x 12 V x 320 us x 20 pulses x 1000 a day / 0.7 at the epilepsy implant: no second converter before it
    found, quiet = (
        estimate(WORK, toy_array(), site, decode_rate_hz=2)
        for site in (EPILEPSY, EPILEPSY.model_copy(update={"stimulation": None}))
    )
    assert found.power_w["stimulation"].nominal == pytest.approx(8 / 3 / 0.7 * 1e-6)
    assert found.power_w["regulator"] == quiet.power_w["regulator"]
    nominal = {"execution.control_factor": np.ones(2)}
    many = estimate_vectorised(WORK, toy_array(), EPILEPSY, decode_rate_hz=2, constants=nominal)
    bare = estimate_vectorised(
        WORK, toy_array(), EPILEPSY.model_copy(update={"stimulation": None}), decode_rate_hz=2, constants=nominal
    )
    assert list(many.power_w["regulator"]) == list(bare.power_w["regulator"])


def loss_uw(regulator: dict[str, object], load_uw: float) -> float:
    site = toy_site(regulator=regulator)
    values = {path: band.nominal for path, band in site_bands(site).items()}
    return float(regulator_loss_w(site.regulator, load_uw * 1e-6, values)) * 1e6


THREE = curve((1, 0.5), (100, 0.8), (10_000, 0.9))


@pytest.mark.parametrize(
    ("load", "lost"),
    [
        (1, 1.0),  # 1 (1/0.5 - 1)
        (100, 25.0),  # 100 (1/0.8 - 1)
        (10, 10 * (1 / 0.65 - 1)),  # one of the two decades from 0.5 to 0.8: 0.65
        (1000, 1000 * (1 / 0.85 - 1)),
        (100_000, 100_000 / 9),  # past the last load as at the last: 1/0.9 - 1 = 1/9
        (0.8, 0.8),  # below the first as at the first
        (0.1, 0.5),  # 0.1 at efficiency 0.5 would lose 0.1: less than it draws without load
        (0, 0.5),
    ],
)
def test_a_curve_by_hand(load: float, lost: float) -> None:
    assert loss_uw(THREE, load) == pytest.approx(lost)


def test_a_flat_curve_is_one_efficiency() -> None:
    flat = curve((1, 0.8), (1000, 0.8), quiescent=quantity(0, "uW"))
    one = {"model": "efficiency", "efficiency": quantity(0.8, "1")}
    for load in (0.01, 3, 50_000):
        assert loss_uw(flat, load) == pytest.approx(loss_uw(one, load))


@given(st.floats(1e-9, 1), st.floats(1, 100))
def test_the_loss_grows_with_the_load(load: float, factor: float) -> None:
    for site in (EPILEPSY, load_site("headset_pulp"), toy_site(regulator=THREE)):
        values = site_bands(site)
        less, more = (regulator_loss(site.regulator, Band(w, w, w), values) for w in (load, load * factor))
        for end in ("low", "nominal", "high"):
            assert getattr(less, end) <= getattr(more, end) * (1 + 1e-12)
        assert less.low <= less.nominal <= less.high


@pytest.mark.parametrize(
    ("regulator", "said"),
    [
        (curve((10, 0.1), (11, 0.9)), "a larger load would lose less"),
        (curve((10, 0.5), (20, 1.0)), "a larger load would lose less"),
        (curve((10, 0.5), (10, 0.6)), "loads must ascend"),
        (curve((0, 0.5), (10, 0.6)), "loads must ascend"),
        (curve((10, 0.5)), "at least 2"),
        (curve((10, 0.5), (20, 1.1)), "efficiency must lie above 0"),
        (
            {**THREE, "points": [{"load": quantity(10, "uW", 9, 11), "efficiency": quantity(0.5, "1")}] * 2},
            "low, value and high must agree",
        ),
    ],
)
def test_a_curve_that_cannot_be_is_refused(regulator: dict[str, object], said: str) -> None:
    with pytest.raises(ProfileError, match=said):
        toy_site(regulator=regulator)


def test_the_device_pays_the_loss_at_its_own_load() -> None:
    report = estimate(workload(dense_layer(16, 6)), toy_array(), toy_site(regulator=THREE), decode_rate_hz=10)
    load = total(band for cause, band in report.power_w.items() if cause != "regulator")
    assert load.nominal < 0.5e-6  # nanowatts: the quiescent power is all it loses
    assert report.power_w["regulator"] == Band(pytest.approx(0.2e-6), pytest.approx(0.5e-6), pytest.approx(1e-6))


def test_many_points_on_a_curve_stay_within_the_bounds_and_meet_the_nominal() -> None:
    chance, work, machine = np.random.default_rng(3), workload(dense_layer(16, 6)), toy_array()
    report = estimate(work, machine, EPILEPSY, decode_rate_hz=2)
    constants = given_constants(machine, EPILEPSY)
    inside = {p: q.band.low + (q.band.high - q.band.low) * chance.random(400) for p, q in constants.items()}
    points = estimate_vectorised(work, machine, EPILEPSY, decode_rate_hz=2, constants=inside)
    assert points.total_power_w.min() >= report.total_power_w.low * (1 - 1e-9)
    assert points.total_power_w.max() <= report.total_power_w.high * (1 + 1e-9)
    nominal = {p: np.full(2, q.band.nominal) for p, q in constants.items()}
    same = estimate_vectorised(work, machine, EPILEPSY, decode_rate_hz=2, constants=nominal)
    np.testing.assert_allclose(same.power_w["regulator"], report.power_w["regulator"].nominal, rtol=1e-12)


def test_a_curves_efficiencies_are_named_and_move_the_device() -> None:
    design = Design(workload(dense_layer(16, 6)), toy_array(), EPILEPSY, 2.0)
    assert {"site.regulator.points[0].efficiency", "site.regulator.points[1].efficiency"} <= {
        swing.path for swing in tornado(design)
    }
    assumed = estimate(design.workload, design.profile, EPILEPSY, decode_rate_hz=2).assumed
    assert any(line.startswith("implant_epilepsy.regulator.points[0].efficiency: 0.8 1") for line in assumed)


def test_no_regulator_loses_nothing() -> None:
    absent: Regulator = toy_site().regulator
    assert regulator_loss(absent, Band(1, 2, 3), {}) == Band(0, 0, 0)
    assert not math.isnan(float(regulator_loss_w(absent, 1.0, {})))
