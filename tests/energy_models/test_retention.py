"""Which banks are kept, and for how long: by hand, in bounds and draws, and on shipped machines."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from energy_workloads import count, dense_layer, quantity, toy_array, workload

from energy_models.errors import ProfileError
from energy_models.hardware import HardwareProfile, load_profile, profile_names
from energy_models.pricing import band, estimate, estimate_vectorised, evaluate
from energy_models.pricing.terms import Term, merged, paths
from energy_models.quantities import Band, parse_model
from energy_models.workload import LayerWork, Workload

PW = 1e-12
BANK_W = 2048 * 5 * PW
"""One bank of the toy machines."""
WINDOW = workload(dense_layer(300, 2), mode="window", steps=10)


def retention_w(work: Workload, rate_hz: float, machine: HardwareProfile | None = None) -> Band:
    report = estimate(work, toy_array() if machine is None else machine, None, decode_rate_hz=rate_hz)
    return report.power_w["retention"]


def with_data_memory(**changes: object) -> HardwareProfile:
    """The toy array with its memory of activations, state and buffers changed."""
    table = toy_array().model_dump(mode="json", exclude_none=True)
    table["memories"][1] |= changes
    return parse_model(table, HardwareProfile, where="toy")


def test_banks_of_activations_by_hand() -> None:
    # weights     300 x 2 x 8 = 4800 bit in 3 banks of 2048, kept
    # window      10 steps x 16 channels x 8 bit = 1280 bit in the first bank beside them, kept
    # activations 300 x 8 + 2 sums x 32 = 2464: with the window 3744 bit, a second bank, only theirs
    # latency     38 row tiles x 19 cycles at 1 MHz + 2 us to wake = 724 us; 10 a second: 0.724 % of the time
    assert estimate(WINDOW, toy_array(), None, decode_rate_hz=10).latency_s.nominal == pytest.approx(724e-6)
    assert retention_w(WINDOW, 10).nominal == pytest.approx((3 + 1 + 0.00724) * BANK_W)
    assert retention_w(WINDOW, 1000).nominal == pytest.approx((3 + 1 + 0.724) * BANK_W)


@pytest.mark.parametrize("rate_hz", [1381.3, 2000, 1e5])
def test_never_more_than_all_of_the_time(rate_hz: float) -> None:
    # 724 us of work more than 1381.2 times a second is more than there is
    assert retention_w(WINDOW, rate_hz).nominal == pytest.approx(5 * BANK_W)


def test_a_machine_that_switches_no_bank_keeps_them() -> None:
    assert retention_w(WINDOW, 10, with_data_memory(idle_banks="kept")).nominal == pytest.approx(5 * BANK_W)


def test_a_stream_keeps_everything() -> None:
    # one sample of 128 bit in place of the window: 2592 bit are two banks as well
    stream = workload(dense_layer(300, 2))
    assert retention_w(stream, 10).nominal == pytest.approx(5 * BANK_W)


def test_a_bank_that_the_window_shares_is_kept() -> None:
    # 4 sums x 32 = 128 bit of activations and 1280 of the window: one bank; weights 768 bit: one
    assert retention_w(workload(dense_layer(16, 6), mode="window", steps=10), 10).nominal == pytest.approx(2 * BANK_W)


def test_state_and_weights_beside_activations_are_kept() -> None:
    # 100 values of 16 bit beside the window: 2880 bit last, in two banks; with activations 5344: a third one, 724 us
    # of each 0.1 s. The layer that keeps the values does no counted work
    state = LayerWork(
        name="memory", kind="recurrent", arithmetic="integer", calls=1, input_shape=(1,), output_shape=(1,), inputs=1,
        outputs=1, activation_bits=8, output_bits=8, state_bits=16, state_elements=100,
    )
    work = workload(dense_layer(300, 2), state, mode="window", steps=10)
    report = estimate(work, toy_array(), None, decode_rate_hz=10)
    share = 10 * report.latency_s.nominal
    assert report.power_w["retention"].nominal == pytest.approx((3 + 2 + share) * BANK_W)


def test_what_work_on_every_sample_holds_is_kept() -> None:
    filtering = LayerWork(
        name="iir", kind="filter", arithmetic="integer", calls=1, input_shape=(16,), output_shape=(16,), inputs=16,
        outputs=16, operations={"multiply": count(16)}, activation_bits=8, output_bits=8, cadence="sample",
    )
    # 16 x 8 out are 128 bit, with the window 1408: still one bank, and the other is on for a decode, and for the 16
    # multiplications of a window on 4 columns, 4 cycles five times a second: 0.00002 of the time
    small = dataclasses.replace(WINDOW, layers=(filtering, *WINDOW.layers))
    assert retention_w(small, 10).nominal == pytest.approx((3 + 1 + 0.00724 + 0.00002) * BANK_W)
    # 60 x 8 in and out are 960 bit, with the window 2240: both banks
    wide = dataclasses.replace(filtering, input_shape=(60,), output_shape=(60,))
    assert retention_w(dataclasses.replace(WINDOW, layers=(wide, *WINDOW.layers)), 10).nominal == pytest.approx(
        5 * BANK_W
    )


def test_a_memory_that_is_too_small_is_never_cheaper() -> None:
    # 800 x 8 weights are 51,200 bit, 25 banks; the memory has 4 of 2048: charged as one of 25
    work = workload(dense_layer(800, 8), mode="window", steps=10)
    table = toy_array().model_dump(mode="json", exclude_none=True)
    table["memories"][0] |= {"capacity": quantity(25 * 256, "byte")}
    fitted = parse_model(table, HardwareProfile, where="toy")
    small, large = (estimate(work, one, None, decode_rate_hz=1) for one in (toy_array(), fitted))
    assert any("weights need 51200 bits" in line for line in small.infeasibilities)
    assert not any("weights" in line for line in large.infeasibilities)
    assert small.power_w["retention"].nominal == pytest.approx(large.power_w["retention"].nominal)
    assert small.decoder_power_w.nominal >= large.decoder_power_w.nominal * (1 - 1e-12)


def test_bounds_and_draws_stop_at_all_of_the_time() -> None:
    # clock between 0.1 and 2 MHz: a decode takes 2 us + 722 cycles, 363 us to 7.222 ms; at 200 a second the share is
    # 0.0726 to 1.4444, taken as 1
    machine = toy_array(clock=quantity(1, "MHz", 0.1, 2))
    found = retention_w(WINDOW, 200, machine)
    assert found.low == pytest.approx(4.0726 * BANK_W)
    assert found.nominal == pytest.approx(4.1448 * BANK_W)
    assert found.high == pytest.approx(5 * BANK_W)
    points = estimate_vectorised(
        WINDOW, machine, None, decode_rate_hz=200, constants={"clock": np.array([1e5, 1e6, 2e6])}
    )
    assert points.power_w["retention"] == pytest.approx(np.array([5, 4.1448, 4.0726]) * BANK_W)


def test_a_term_with_a_share_of_the_time() -> None:
    # 6 x a for 2 x b of the time: a = 3 [2, 4], b = 0.25 [0.1, 0.8]
    term = Term(6, ("a",), share=(Term(2, ("b",)),))
    bands = {"a": Band(2, 3, 4), "b": Band(0.1, 0.25, 0.8)}
    assert band((term,), bands) == Band(6 * 2 * 0.2, 6 * 3 * 0.5, 6 * 4 * 1)
    assert evaluate((term,), {"a": 3.0, "b": 0.25}, 0.0) == 9.0
    assert paths((term,)) == {"a", "b"}
    assert merged((term, Term(1, ("a",)), term)) == (term.times(2), Term(1, ("a",)))
    assert term.priced("c").times(2) == Term(12, ("a", "c"), share=term.share)


@pytest.mark.parametrize("name", profile_names())
def test_only_banked_machines_that_sleep_switch_banks_off(name: str) -> None:
    profile = load_profile(name)
    for memory in profile.memories:
        if memory.idle_banks == "off":
            assert memory.retention is not None
            assert memory.retention.low > 0  # where static contains it, nothing is left to save
            assert memory.bank.band.nominal < memory.capacity.band.nominal
            assert profile.wake.energy.low > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"idle_banks": None}, "give idle_banks, 'off' or 'kept', beside retention and only there"),
        ({"idle_banks": "gated"}, "idle_banks"),
    ],
)
def test_how_long_banks_are_kept_must_be_said(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        with_data_memory(**changes)
