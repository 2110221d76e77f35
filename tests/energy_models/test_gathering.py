"""A machine that gathers samples itself, where a site says so: its price, its absence, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from energy_workloads import dense_layer, toy_array, toy_site, workload

from energy_models.errors import ProfileError
from energy_models.hardware import load_profile, load_site
from energy_models.pricing import estimate, estimate_vectorised
from energy_models.workload import Uncounted

WORK = workload(dense_layer(64, 64))


def test_the_machine_is_charged_what_it_draws_between_decisions() -> None:
    profile = load_profile("cortex_m33_u575")
    plain, gathering = (
        estimate(WORK, profile, toy_site(**parts), decode_rate_hz=1) for parts in ({}, {"gathered_by": "machine"})
    )
    assert gathering.power_w["controller"].nominal == pytest.approx(4.7e-3)
    assert plain.power_w["controller"].high == 0.0
    assert gathering.decoder_power_w == plain.decoder_power_w
    assert "mlperf_tiny" in gathering.sources
    own = {"gathering": np.array([4.7e-3])}
    points = estimate_vectorised(WORK, profile, toy_site(gathered_by="machine"), decode_rate_hz=1, constants=own)
    assert float(points.total_power_w[0]) == pytest.approx(gathering.total_power_w.nominal)


def test_an_unknown_draw_is_said_and_not_zero() -> None:
    report = estimate(WORK, toy_array(), toy_site(gathered_by="machine"), decode_rate_hz=1)
    assert any("gathers samples itself" in line for line in report.incomplete)
    assert not estimate(WORK, toy_array(), toy_site(), decode_rate_hz=1).unaccounted


def test_many_points_carry_the_same_gaps_as_one() -> None:
    clock = {"clock": np.array([1e6, 2e6])}
    uncounted = WORK.replace(uncounted=(Uncounted("head", "softmax", "no counter for it"),))
    for work, site in ((WORK, toy_site(gathered_by="machine")), (WORK, toy_site()), (uncounted, None)):
        points = estimate_vectorised(work, toy_array(), site, decode_rate_hz=1, constants=clock)
        assert points.unaccounted == estimate(work, toy_array(), site, decode_rate_hz=1).unaccounted
    assert points.unaccounted


def test_two_that_gather_are_refused() -> None:
    controller = load_site("headset_pulp").model_dump(mode="json", exclude_none=True)["controller"]
    with pytest.raises(ProfileError, match="by a controller, or else by the machine"):
        toy_site(controller=controller, gathered_by="machine")


def test_streaming_wake_word_boards_between_frames_by_hand() -> None:
    # (average - busy x active) / (1 - busy), mW: MLPerf Tiny v1.3
    for name, average, busy, active in (
        ("cortex_m7_h7a3", 30.4526, 0.13259, 123.3), ("cortex_m33_u575", 11.4741, 0.36346, 23.3),
    ):
        gathering = load_profile(name).gathering
        assert gathering is not None
        assert gathering.value == pytest.approx((average - busy * active) / (1 - busy), rel=0.02)
