"""Event-driven silicon on the validation page: predictions worked again by hand, roles, refusals."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from energy_models.errors import ProfileError
from energy_models.validation import event_parts, unvalidated
from energy_models.validation.events import Network, event_rows, kind_of_event, load_events, network_band, share_band

ROWS = {row.id: row for row in event_rows()}
FITTED = {
    "event/odin/accelerated", "event/odin/biological", "event/28nm/odin", "event/28nm/odin_events", "event/28nm/reckon",
    "event/truenorth/11hz", "event/truenorth/96hz", "event/odin/all_power", "event/odin/events",
    "event/truenorth/akopyan",
}


def test_odin_at_its_two_operating_points_by_hand() -> None:
    # leakage 27.3 uW, 1.78 pJ a cycle, 8.43 pJ an operation
    fast, slow = (ROWS[f"event/odin/{name}"].predicted.nominal for name in ("accelerated", "biological"))
    assert fast == pytest.approx(27.3 + 1.78 * 75 + 8.43 * 37.5, rel=1e-4)
    assert slow == pytest.approx(27.3 + 1.78 * 1.3 + 8.43 * 0.65536, rel=1e-4)


def test_energy_per_operation_with_all_power_in_it_is_a_figure_of_its_rate() -> None:
    # TrueNorth: 64.43 mW and 2.297 pJ an operation; 1,048,576 neurons of 128 synapses at 20 Hz
    rate = 1_048_576 * 128 * 20.0
    merolla = ROWS["event/truenorth/merolla"].predicted.nominal
    assert merolla == pytest.approx(64.43e9 / rate + 2.297, rel=1e-3)
    # ODIN at 75 MHz, an operation every two cycles: leakage and idle clock over them, and the event
    assert ROWS["event/odin/all_power"].predicted.nominal == pytest.approx((27.3 + 1.78 * 75) / 37.5 + 8.43, rel=1e-4)
    assert ROWS["event/odin/events"].predicted.nominal == pytest.approx(8.43)
    slow = next(one for one in load_events().networks if one.id == "event/truenorth/merolla")
    assert slow.rate is not None
    halved = slow.model_copy(update={"rate": slow.rate.model_copy(update={"value": 10.0, "low": 10.0, "high": 10.0})})
    assert network_band(halved).nominal * 1e12 == pytest.approx(2 * 64.43e9 / rate + 2.297, rel=1e-3)
    with pytest.raises(ValidationError, match="give a rate where all power is in the quantity"):
        Network.model_validate({**slow.model_dump(), "rate": None})


def test_the_nearest_neighbour_search_by_hand() -> None:
    # 708 spikes into 76,800 neurons, each carried once; 60 updates of every neuron; 60 ends of steps
    synapses, neurons = 708 * 76_800 * 35.5, 60 * 76_800 * (51.2 + 21.6)
    expected = (synapses + neurons + 708 * (111 + 3.6) + 60 * 115) * 1e-9
    assert ROWS["event/loihi/nearest_neighbour"].predicted.nominal == pytest.approx(expected, rel=1e-6)


def test_a_share_of_busy_cycles_by_hand() -> None:
    assert ROWS["event/xylo/seizure"].predicted.nominal == pytest.approx(188.2 + 0.5 * 254)
    assert ROWS["event/xylo/keyword"].predicted.nominal == pytest.approx(0.5 * 254)


def test_rows_whose_figures_are_in_a_profile_are_fitted() -> None:
    for network in load_events().networks:
        assert (network.role == "fitted") == (network.id in FITTED), network.id
        assert kind_of_event(ROWS[network.id]) == "event"


def test_a_power_needs_a_rate_and_the_unit_of_a_power() -> None:
    given = load_events().networks[0].model_dump()
    with pytest.raises(ValidationError, match="give a rate"):
        Network.model_validate({**given, "rate": None})
    with pytest.raises(ValidationError, match="energy measured in uW"):
        Network.model_validate({**given, "rate": None, "quantity": "energy"})


def test_a_share_needs_a_machine_of_cycles() -> None:
    odd = load_events().shares[0].model_copy(update={"profile": "loihi"})
    with pytest.raises(ProfileError, match="no power of busy cycles"):
        share_band(odd)


def test_parts_of_a_figure_make_it_at_its_rate() -> None:
    found = {(part.profile, part.what): part for part in event_parts()}
    for part in found.values():
        drawn = (part.static_w.nominal + part.clock_w.nominal) / part.rate_hz
        assert part.predicted_j == pytest.approx(drawn + part.event_j.nominal, rel=1e-3)
    odin = next(part for part in found.values() if part.profile == "odin_reckon" and "all power" in part.what)
    assert (odin.static_w.nominal, odin.clock_w.nominal) == pytest.approx((27.3e-6, 1.78e-12 * 75e6))
    assert odin.rate_hz == pytest.approx(37.5e6, rel=1e-4)


def test_machines_without_a_figure_are_named() -> None:
    assert {"apollo4_plus", "loihi2", "seneca", "spinnaker2", "asic130_open"} <= set(unvalidated())
    assert not {"odin_reckon", "gap9", "cortex_m4f", "nrf54lm20b_axon", "mr_wolf"} & set(unvalidated())
