"""New samples are written into the window they slide through, once each: by hand, and where nothing is added."""

from __future__ import annotations

import dataclasses

import pytest
from energy_workloads import dense_layer, neurons, quantity, toy_array, toy_core, toy_event, toy_table_machine, workload

from energy_models.hardware import HardwareProfile, load_profile
from energy_models.pricing import EnergyReport, estimate
from energy_models.quantities import parse_model
from energy_models.workload import Workload

PJ, NW = 1e-12, 1e-9
WINDOW = workload(dense_layer(16, 6), mode="window", steps=10)


def at(rate_hz: float, work: Workload = WINDOW, machine: HardwareProfile | None = None) -> EnergyReport:
    return estimate(work, toy_array() if machine is None else machine, None, decode_rate_hz=rate_hz)


def new_samples_w(report: EnergyReport) -> float:
    """Power of memories beyond what the layers of the decoder read and write."""
    decodes = sum(one.energy_j["memory"].nominal for one in report.layers if one.layer == "fc")
    return report.power_w["memory"].nominal - report.decode_rate_hz * decodes


@pytest.mark.parametrize("rate_hz", [0.1, 10, 500])
@pytest.mark.parametrize("steps", [1, 10, 20])
def test_each_sample_is_written_once_by_hand(rate_hz: float, steps: int) -> None:
    # 16 channels x 8 bit = 4 words of 32 bit, 50 samples a second, 3 pJ a write: 0.6 nW, whatever is decided when
    report = at(rate_hz, dataclasses.replace(WINDOW, steps_per_decode=steps))
    assert new_samples_w(report) == pytest.approx(0.6 * NW)
    (written,) = (one for one in report.layers if one.layer == "(new samples)")
    assert written.energy_j["memory"].nominal == pytest.approx(steps * 4 * 3 * PJ)
    # nothing waits for it: 76 cycles of the layer and 2 us to wake
    assert report.latency_s.nominal == pytest.approx(78e-6)


def test_channels_fill_words_sample_by_sample() -> None:
    # 5 x 8 = 40 bit are 2 words; 10 bit instead of 8: 50 bit, 2 words as well; 13 bit: 65 bit, 3 words
    for bits, words in ((8, 2), (10, 2), (13, 3)):
        work = dataclasses.replace(WINDOW, channels=5, input_bits=bits)
        assert new_samples_w(at(10, work)) == pytest.approx(words * 50 * 3 * PJ)


def test_layers_that_store_their_past_write_it_themselves() -> None:
    stream = at(10, workload(dense_layer(16, 6)))
    # a filter on every sample with 160 values of state, the whole window
    kept = dataclasses.replace(neurons(160, active=0, spikes=0), name="ring", cadence="sample")
    ring = at(10, dataclasses.replace(WINDOW, layers=(*WINDOW.layers, kept)))
    for report in (stream, ring):
        assert "(new samples)" not in {one.layer for one in report.layers}
        assert new_samples_w(report) == pytest.approx(0, abs=1e-9 * NW)


@pytest.mark.parametrize("machine", [toy_core(), toy_table_machine(), load_profile("xylo")], ids=lambda one: one.name)
def test_nothing_is_added_where_memories_are_inside_other_costs(machine: HardwareProfile) -> None:
    assert "(new samples)" not in {one.layer for one in at(10, machine=machine).layers}


def test_every_datapath_with_memories_writes_them() -> None:
    synapses = dense_layer(16, 6, activation_bits=1, events=3)
    work = dataclasses.replace(WINDOW, layers=(synapses,), input_bits=1)
    # 16 channels of one bit: a word a sample
    assert new_samples_w(at(10, work, toy_event())) == pytest.approx(50 * 3 * PJ)


def test_samples_in_a_non_volatile_memory_are_written_bit_by_bit() -> None:
    table = toy_array().model_dump(mode="json", exclude_none=True)
    data = {one: table["memories"][1][one] for one in ("name", "capacity", "bank", "word_bits", "holds")}
    costs = {
        "technology": "fram", "read": quantity(1, "pJ/bit"), "write": quantity(4, "pJ/bit"),
        "wake": quantity(40, "pJ"), "wake_time": quantity(10, "us"),
    }
    table["memories"][1] = {**data, "non_volatile": costs}
    machine = parse_model(table, HardwareProfile, where="toy")
    # 4 words x 32 bit x 4 pJ x 50 a second
    assert new_samples_w(at(10, machine=machine)) == pytest.approx(25.6 * NW)


def test_a_window_that_does_not_fit_says_by_how_much() -> None:
    # 100 steps x 16 channels x 8 bit = 12,800 bit; the memory has 8192, of which activations take 4 sums x 32 = 128:
    # the inputs are read where the window lies, the outputs are the result. 8064 free, 4736 miss
    report = at(10, dataclasses.replace(WINDOW, steps_per_decode=100))
    assert report.infeasibilities == ("buffers need 12800 bits; memory d of toy has 8064 free and misses 4736 bits",)
