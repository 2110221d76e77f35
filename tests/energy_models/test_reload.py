"""Non-volatile memories, and weights kept or reloaded between decodes: by hand, at the break-even, refusals."""

from __future__ import annotations

import dataclasses
import math

import pytest
from energy_workloads import count, dense_layer, neurons, quantity, toy_array, workload

from energy_models.errors import PriceError, ProfileError
from energy_models.hardware import HardwareProfile, Memory, load_profile
from energy_models.pricing import EnergyReport, estimate
from energy_models.pricing.weight_reload import break_even_s
from energy_models.quantities import load_sources, quantities
from energy_models.technology import non_volatile_memories, non_volatile_memory
from energy_models.workload import LayerWork, Workload

PJ = 1e-12
WORK = workload(dense_layer(16, 6))


def volatile(name: str, holds: list[str], **changes: object) -> dict[str, object]:
    return {
        "name": name, "capacity": quantity(1024, "byte"), "bank": quantity(256, "byte"), "word_bits": 32,
        "read": quantity(2, "pJ"), "write": quantity(3, "pJ"), "retention": quantity(5, "pW/bit"), "idle_banks": "off",
        "holds": holds,
        **changes,
    }


def store(holds: list[str], *, capacity_bytes: int = 1024, **changes: object) -> dict[str, object]:
    """1 pJ a bit read, 4 pJ a bit written, words of 64 bit, 40 pJ and 10 us to wake."""
    costs = {
        "technology": "mram", "read": quantity(1, "pJ/bit"), "write": quantity(4, "pJ/bit"),
        "wake": quantity(40, "pJ"), "wake_time": quantity(10, "us"), **changes,
    }
    return {
        "name": "nvm", "capacity": quantity(capacity_bytes, "byte"), "bank": quantity(256, "byte"), "word_bits": 64,
        "non_volatile": costs, "holds": holds,
    }


def reloading(**changes: object) -> HardwareProfile:
    """The toy array of 1 MHz, its weight memory with a copy in a non-volatile store."""
    data = volatile("d", ["activations", "state", "buffers"])
    return toy_array(memories=[volatile("w", ["weights"], reload_from="nvm"), data, store([], **changes)])  # type: ignore[arg-type]


def at(rate_hz: float, work: Workload = WORK, machine: HardwareProfile | None = None) -> EnergyReport:
    return estimate(work, reloading() if machine is None else machine, None, decode_rate_hz=rate_hz)


def test_break_even_by_hand() -> None:
    # 16 x 6 weights of 8 bit: 768 bit, 12 words of 64 read at 1 pJ/bit = 768 pJ; 24 words of 32 written at 3 pJ = 72;
    # waking 40: 880 pJ. Kept: one bank of 2048 bit x 5 pW = 10.24 nW. 880 pJ / 10.24 nW = 85.9375 ms
    assert break_even_s(880e-12, 10.24e-9) == pytest.approx(0.0859375)
    assert break_even_s(1.0, 0.0) == math.inf
    found = at(10).reload
    assert found is not None
    assert (found.memory, found.store) == ("w", "nvm")
    assert found.energy_j.nominal == pytest.approx(880 * PJ)
    assert found.kept_w.nominal == pytest.approx(10.24e-9)
    assert found.break_even_s == pytest.approx(0.0859375)


def test_reloaded_by_hand() -> None:
    # 10 a second: awake 76 cycles + 2 us (test_array_by_hand), reload 24 words + 10 us = 112 us; off 99.888 ms > 85.9
    # wake 10 x (7 + 880 pJ); retention: data bank 10.24 nW, weights' bank for 10 x 112 us = 0.112 % of the time
    report = at(10)
    assert report.reload is not None
    assert report.reload.choice == "reloaded"
    assert report.reload.off_s == pytest.approx(0.099888)
    assert report.latency_s.nominal == pytest.approx(112e-6)
    assert report.power_w["wake"].nominal == pytest.approx(10 * 887 * PJ)
    assert report.power_w["retention"].nominal == pytest.approx(10.24e-9 * (1 + 10 * 112e-6))
    # words of the work itself are read as before
    assert report.layers[0].energy_j["memory"].nominal == pytest.approx(100 * PJ)


def test_kept_by_hand() -> None:
    # 20 a second: off 49.9 ms < 85.9: nothing is reloaded, and all is as if there were no copy
    report, plain = at(20), estimate(WORK, toy_array(), None, decode_rate_hz=20)
    assert report.reload is not None
    assert report.reload.choice == "kept"
    assert report.power_w == plain.power_w
    assert report.latency_s == plain.latency_s
    assert plain.reload is None


def test_the_choice_is_the_cheaper_way_on_both_sides_of_the_break_even() -> None:
    even = 0.0859375 + 112e-6
    for period, choice in ((even * 1.001, "reloaded"), (even * 0.999, "kept")):
        report, plain = at(1 / period), estimate(WORK, toy_array(), None, decode_rate_hz=1 / period)
        assert report.reload is not None
        assert report.reload.choice == choice
        assert report.total_power_w.nominal <= plain.total_power_w.nominal * (1 + 1e-12)


def test_weights_of_work_on_every_sample_are_kept() -> None:
    filtering = LayerWork(
        name="iir", kind="filter", arithmetic="integer", calls=1, input_shape=(16,), output_shape=(16,), inputs=16,
        outputs=16, operations={"multiply": count(16)}, weights=5, weights_nonzero=5, weights_key="iir", weight_bits=8,
        activation_bits=8, output_bits=8, cadence="sample",
    )
    found = at(0.01, workload(filtering, dense_layer(16, 6), mode="window", steps=5, channels=4)).reload
    assert found is not None
    assert found.off_s > 1000 * found.break_even_s
    assert found.choice == "kept"


def test_a_copy_that_does_not_fit_says_by_how_much() -> None:
    # 768 bit against 64 byte = 512 bit
    report = at(10, machine=reloading(capacity_bytes=64))
    assert report.infeasibilities == (
        "the copy of the weights need 768 bits; memory nvm of toy has 512 free and misses 256 bits",
    )
    (use,) = (use for use in at(10).memories if use.memory == "nvm")
    assert (use.used_bits, use.holds) == (768, ("copy of the weights",))


def test_weights_used_in_place_by_hand() -> None:
    # weights 768 bit in 12 words of 64 at 1 pJ/bit = 768 pJ (SRAM: 48); the rest 52 as in test_array_by_hand
    # no retention of their own: the data bank's 10.24 nW; waking 40 pJ and 10 us more a decode
    data = volatile("d", ["activations", "state", "buffers"])
    machine = toy_array(memories=[store(["weights"]), data])
    report = at(10, machine=machine)
    assert report.layers[0].energy_j["memory"].nominal == pytest.approx((768 + 52) * PJ)
    assert report.power_w["retention"].nominal == pytest.approx(10.24e-9)
    assert report.power_w["wake"].nominal == pytest.approx(470 * PJ)
    assert report.latency_s.nominal == pytest.approx(88e-6)
    assert report.reload is None


def test_state_in_a_universal_memory_by_hand() -> None:
    # FRAM as the only memory: 6 states of 16 bit = 96 bit in 2 words of 64: read 128 pJ, written 512 pJ
    machine = toy_array(memories=[store(["weights", "activations", "state", "buffers"])])
    layer = dataclasses.replace(neurons(6, active=0, spikes=0), operations={})
    energy = at(10, workload(layer), machine).layers[0].energy_j
    assert energy["state"].nominal == pytest.approx(640 * PJ)


@pytest.mark.parametrize(
    ("memories", "said"),
    [
        ([volatile("w", ["weights"], retention=None)], "give retention, or else non_volatile"),
        ([store(["weights"]) | {"idle_banks": "off"}], "beside retention and only there"),
        ([volatile("w", ["weights"], reload_from="nvm", idle_banks="kept")], "reloaded can be switched off"),
        ([{**store(["weights"]), "read": quantity(1, "pJ")}], "priced per bit: no read, write or reload_from"),
        ([store(["weights", "state"], write=None)], "without a write energy holds weights only"),
        ([volatile("w", ["weights", "state"], reload_from="nvm")], "is reloaded holds weights only"),
        ([volatile("w", ["weights"], reload_from="nvm")], "'nvm', which is no non-volatile memory here"),
        ([volatile("w", ["weights"]), store([])], "memory nvm holds nothing"),
    ],
)
def test_contradictions_are_refused(memories: list[dict[str, object]], said: str) -> None:
    clean = [{key: value for key, value in one.items() if value is not None} for one in memories]
    for one in clean:
        costs = one.get("non_volatile")
        if isinstance(costs, dict):
            one["non_volatile"] = {key: value for key, value in costs.items() if value is not None}
    rest = volatile("d", ["activations", "state", "buffers"])
    with pytest.raises(ProfileError, match=said):
        toy_array(memories=[*clean, rest])


def test_technologies_ship_with_their_sources() -> None:
    assert set(non_volatile_memories()) == {"flash", "fram", "mram"}
    sources = load_sources()
    for technology, costs in non_volatile_memories().items():
        assert costs.technology == technology
        for path, quantity_ in quantities(costs):
            assert quantity_.source in sources, path
            assert quantity_.low < quantity_.value < quantity_.high
    assert non_volatile_memory("flash").write is None
    # Vega's MRAM: 20 pJ/byte; writing: geometric mean of 0.1 and 70 pJ/bit, 2.646
    assert non_volatile_memory("mram").read.value == 20 / 8
    write = non_volatile_memory("mram").write
    assert write is not None
    assert write.value == pytest.approx(math.sqrt(0.1 * 70), rel=0.02)
    with pytest.raises(PriceError, match="no costs of 'rram' memories"):
        non_volatile_memory("rram")


def test_the_22_nm_machine_reloads_from_mram() -> None:
    profile = load_profile("asic22_fdx")
    (copy,) = (one for one in profile.memories if one.non_volatile is not None)
    assert copy.non_volatile == non_volatile_memory("mram")
    assert isinstance(copy, Memory)
    # 4096 weights of 8 bit: 32768 bit x 2.5 pJ + 256 words x (2.2599 + 4.0638) pJ / 0.85 + 10 nJ = 93.825 nJ; kept
    # 32768 x 7.7 pW / 0.85 = 296.8 nW: 0.316 s
    work = workload(dense_layer(64, 64))
    slow, fast = (estimate(work, profile, None, decode_rate_hz=rate) for rate in (1, 10))
    assert slow.reload is not None
    assert fast.reload is not None
    assert slow.reload.break_even_s == pytest.approx(0.3161, abs=5e-4)
    assert (slow.reload.choice, fast.reload.choice) == ("reloaded", "kept")
