"""Hand-worked: power to temperature in closed form."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_models.hardware import box_surface_m2, equal_area_radius_m, pennes_sphere_rise_k_per_w, perfusion_length_m

K, PERFUSION, BLOOD = 0.5, 0.0087, 4.07e6  # W/(m K), 1/s, J/(m3 K)
DELTA = perfusion_length_m(K, PERFUSION, BLOOD)


def test_perfusion_length_of_brain_tissue() -> None:
    # sqrt(0.5 / (0.0087 * 4.07e6)) = sqrt(0.5 / 35409) = sqrt(1.41207e-5) = 3.7578e-3 m
    assert pytest.approx(3.7578e-3, rel=1e-4) == DELTA


def test_box_of_6_by_6_by_1_5_mm() -> None:
    # six faces: 2 (36 + 9 + 9) = 108 mm2; a = sqrt(108 / 4 pi) = 2.9316 mm
    # dT/P = 1 / (4 pi 0.5 0.0029316 (1 + 2.9316 / 3.7578)) = 1 / (0.018420 * 1.78014) = 30.50 K/W = 0.0305 degC/mW
    surface = box_surface_m2(6e-3, 6e-3, 1.5e-3)
    assert surface == pytest.approx(108e-6)
    radius = equal_area_radius_m(surface)
    assert radius == pytest.approx(2.9316e-3, rel=1e-4)
    assert pennes_sphere_rise_k_per_w(radius, K, DELTA) == pytest.approx(30.50, abs=0.01)


@pytest.mark.parametrize(
    ("sides_mm", "rise_k"),
    [((2, 2, 2), 0.81), ((5, 5, 1), 1.16), ((6, 6, 1.5), 1.32), ((12, 12, 0.05), 1.69)],
)
def test_flux_of_40_mw_per_cm2_in_boxes(sides_mm: tuple[float, float, float], rise_k: float) -> None:
    # 40 mW/cm2 = 400 W/m2 over the whole surface; worked independently for these boxes to two decimals.
    surface = box_surface_m2(*(side * 1e-3 for side in sides_mm))
    slope = pennes_sphere_rise_k_per_w(equal_area_radius_m(surface), K, DELTA)
    assert 400.0 * surface * slope == pytest.approx(rise_k, abs=0.006)


def test_without_perfusion_it_is_conduction_from_a_sphere() -> None:
    # 1 / (4 pi k a) with k = 0.5, a = 1 mm: 1 / (6.2832e-3) = 159.15 K/W
    assert pennes_sphere_rise_k_per_w(1e-3, 0.5, 1e9) == pytest.approx(159.155, rel=1e-5)


@given(st.floats(1e-4, 5e-2), st.floats(1.01, 10))
def test_larger_spheres_stay_cooler(radius: float, factor: float) -> None:
    small, large = (pennes_sphere_rise_k_per_w(r, K, DELTA) for r in (radius, radius * factor))
    assert large < small / factor * (1 + 1e-12)  # at least as 1/a: perfusion only helps


@given(st.floats(1e-4, 1e-1))
def test_equal_area_radius_gives_the_area_back(side: float) -> None:
    surface = box_surface_m2(side, side, side)
    assert 4 * math.pi * equal_area_radius_m(surface) ** 2 == pytest.approx(surface)
