"""A calibrated profile with another library or at another supply: what moves, what widens, what is refused."""

from __future__ import annotations

import pytest

from energy_models.calibration import library_spread, power_spread, shipped_rows, used_beyond
from energy_models.calibration.table import Regulator
from energy_models.errors import ProfileError
from energy_models.hardware import load_profile

CONV = "execution.cycles_per_product.integer.conv"
POWER = "execution.active_power"


def test_the_profile_itself_stays_as_it_is() -> None:
    profile = load_profile("cortex_m4f")
    assert used_beyond(profile) == profile
    assert used_beyond(profile, supplies_v=(1.8,), regulator="linear") == profile


def test_another_library_widens_cycles_and_power_and_says_why() -> None:
    profile = load_profile("cortex_m4f")
    other = used_beyond(profile, library="other")
    for path, factor in ((CONV, library_spread()), (POWER, power_spread())):
        before, after = profile.bands[path], other.bands[path]
        assert (after.low, after.nominal) == pytest.approx((before.low / factor, before.nominal))
        assert after.high == pytest.approx(before.high * factor)
        assert "another" in other.quantity_at[path].note
    assert other.bands["static"] == profile.bands["static"]


@pytest.mark.parametrize(
    # 1.8 V to 3.0 V: a linear regulator passes the current on, a switched one the power
    ("regulator", "factors"),
    [("linear", (5 / 3, 5 / 3, 5 / 3)), ("switched", (1, 1, 1)), ("", (1, (5 / 3) ** 0.5, 5 / 3))],
)
def test_supply_by_regulator(regulator: Regulator, factors: tuple[float, float, float]) -> None:
    profile = load_profile("cortex_m4f")
    moved = used_beyond(profile, supplies_v=(3.0,), regulator=regulator)
    before, after = (one.bands[POWER] for one in (profile, moved))
    found = after.low / before.low, after.nominal / before.nominal, after.high / before.high
    assert found == pytest.approx(factors)


def test_of_two_supplies_the_band_holds_both() -> None:
    profile = load_profile("cortex_m4f")
    after = used_beyond(profile, supplies_v=(1.8, 3.0), regulator="linear").bands[POWER]
    assert after.low == pytest.approx(profile.bands[POWER].low)
    assert after.high == pytest.approx(profile.bands[POWER].high * 5 / 3)


def test_spreads_are_of_the_rows_of_other_chips() -> None:
    assert library_spread("STM32L4R5") != library_spread()
    # X-CUBE-AI 7 and 9 on the STM32U575, ic: 1.77 and 1.14 cycles a product of a convolution
    rows = {row.software: row.cycles for row in shipped_rows("cortex_m")
            if row.chip == "STM32U575" and row.network == "ic"}  # fmt: skip
    assert rows["STMicroelectronics v1.0"] / rows["STMicroelectronics v1.2"] < library_spread()


@pytest.mark.parametrize(
    ("name", "supplies", "problem"), [("asic65_near_memory", (), "programmable"), ("cortex_m4f", (-1.0,), "supplies")]
)
def test_what_no_law_covers_is_refused(name: str, supplies: tuple[float, ...], problem: str) -> None:
    with pytest.raises(ProfileError, match=problem):
        used_beyond(load_profile(name), supplies_v=supplies)
