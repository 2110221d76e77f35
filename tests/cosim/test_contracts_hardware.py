"""Machines and sites that ship keep their contracts, and the contracts can fail."""

from __future__ import annotations

import pytest

from cosim.testing import ContractError, check_profile, check_site
from energy_models.hardware import load_profile, load_site, profile_names, site_names

ARRAY, HEADSET = load_profile("asic65_near_memory"), load_site("headset_commodity")
NO_PRICES = ARRAY.model_copy(update={"execution": ARRAY.execution.model_copy(update={"operations": {}})})
BELOW_ZERO = ARRAY.model_copy(
    update={"static": ARRAY.static.model_copy(update={"value": -1.0, "low": -1.0, "high": -1.0})}
)
FRONT_END = HEADSET.front_end
FEEDS = HEADSET.model_copy(
    update={"front_end": FRONT_END.model_copy(update={"power": FRONT_END.power.model_copy(
        update={"value": -1.0, "low": -1.0, "high": -1.0})})}
)  # fmt: skip


@pytest.mark.parametrize("name", profile_names())
def test_profiles(name: str) -> None:
    check_profile(name)


@pytest.mark.parametrize("name", site_names())
def test_sites(name: str) -> None:
    check_site(name)


@pytest.mark.parametrize(
    ("name", "said"), [("NO_PRICES", "prices no reference network whole"), ("BELOW_ZERO", "a power is negative")]
)
def test_a_machine_that_breaks_its_contract_is_found(name: str, said: str) -> None:
    with pytest.raises(ContractError, match=said):
        check_profile(f"{__name__}:{name}")


def test_a_site_whose_front_end_gives_power_is_found() -> None:
    with pytest.raises(ContractError, match="a power is negative"):
        check_site(f"{__name__}:FEEDS")
