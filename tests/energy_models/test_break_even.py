"""Where spiking and dense forms cost the same: worked by hand, held against brute force, and its edges."""

from __future__ import annotations

import pytest
from energy_workloads import toy_array, toy_core, toy_table_machine
from hypothesis import given, settings
from hypothesis import strategies as st
from spiking_parts.section import dense_form, spiking_layer

from energy_models.analysis import Design, break_even
from energy_models.analysis.spiking_break_even import silent, spike_rate
from energy_models.errors import WorkloadError
from energy_models.hardware import HardwareProfile, load_profile
from energy_models.pricing import estimate
from energy_models.workload import Workload, dense_layer, neuron_layer, synapse_layer


def spiking(inputs: int, outputs: int, spikes: int, *, steps: int, fired: int) -> Workload:
    layers = (
        synapse_layer("s", inputs, outputs, spikes=spikes, steps=steps),
        neuron_layer("n", outputs, spikes=fired, steps=steps),
    )
    return Workload("spiking", "window", 1, steps, inputs, 100.0, 1, layers)


def dense(inputs: int, outputs: int) -> Workload:
    layers = (dense_layer("d", inputs, outputs, activation_bits=4),)
    return Workload("dense", "window", 1, 1, inputs, 100.0, 4, layers)


def on(work: Workload, machine: HardwareProfile, rate_hz: float = 1.0) -> Design:
    return Design(work, machine, None, rate_hz)


def test_by_hand() -> None:
    # spiking, 4 -> 5 over 10 steps: neurons 50 x (3 + 2) pJ = 250, steps 10 x 0.6 = 6: 256 pJ in silence.
    # each of 8 spikes: 5 synapses x 10 pJ and a message of 2 pJ: 52; each of 3 neuron spikes 5: 8 x 52 + 15 = 431 pJ
    # dense on the core: 20 products x 2 cycles, 100 for the layer, 50 per decode at 3 nJ: 570 nJ, its requantisation
    # not priced. k = (570,000 - 256) / 431, counted rate 8 / 40
    found = break_even(on(spiking(4, 5, 8, steps=10, fired=3), toy_table_machine()), on(dense(4, 5), toy_core()))
    assert found.counted == pytest.approx(0.2)
    assert found.rate is not None
    assert found.rate.nominal == pytest.approx(0.2 * (570_000 - 256) / 431)
    assert found.probability_less == 1.0


def test_static_power_counts_where_power_is_compared() -> None:
    # both machines draw 10 nW and keep their memories; at 1 kHz the spiking form's 687 pJ are 0.687 uW
    work, other = spiking(4, 5, 8, steps=10, fired=3), dense(4, 5)
    found = break_even(on(work, toy_table_machine(), 1e3), on(other, toy_core(), 1e3), basis="decoder power")
    power = [
        estimate(w, m, None, decode_rate_hz=1e3).decoder_power_w.nominal
        for w, m in ((silent(work), toy_table_machine()), (work, toy_table_machine()), (other, toy_core()))
    ]
    assert found.rate is not None
    assert found.rate.nominal == pytest.approx(0.2 * (power[2] - power[0]) / (power[1] - power[0]))


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(["event_core_28nm", "odin_reckon", "loihi", "xylo"]), st.integers(1, 8), st.integers(2, 6))
def test_so_many_times_the_spikes_cost_what_the_line_says(name: str, spikes: int, times: int) -> None:
    machine = load_profile(name)
    works = [spiking(64, 32, n * spikes, steps=10, fired=n) for n in (0, 1, times)]
    costs = [estimate(work, machine, None, decode_rate_hz=1).decode_energy_j.nominal for work in works]
    assert costs[2] - costs[0] == pytest.approx(times * (costs[1] - costs[0]))
    quiet = silent(spiking(64, 32, spikes, steps=10, fired=1))
    assert estimate(quiet, machine, None, decode_rate_hz=1).decode_energy_j.nominal == pytest.approx(costs[0])


def test_never_where_a_silent_network_costs_more() -> None:
    # 1000 steps of 5 neurons: 25,000 pJ; the dense form on the array is some hundreds
    found = break_even(on(spiking(4, 5, 8, steps=1000, fired=3), toy_table_machine()), on(dense(4, 5), toy_array()))
    assert found.rate is not None
    assert found.rate.nominal == found.rate.high == 0.0
    assert found.probability_less == 0.0


def test_no_rate_on_a_machine_that_works_the_same_in_silence() -> None:
    work = Workload("s", "window", 1, 1, 4, 100.0, 1, (synapse_layer("s", 4, 5, spikes=2, steps=1),))
    assert break_even(on(work, toy_array()), on(dense(4, 5), toy_array())).rate is None


def test_a_network_without_spikes_has_no_rate() -> None:
    with pytest.raises(WorkloadError, match="no spike was counted"):
        spike_rate(dense(4, 5))
    with pytest.raises(WorkloadError, match="no spike was counted"):
        spike_rate(spiking(4, 5, 0, steps=2, fired=0))


def test_graded_layers_stay_as_they_are_in_silence() -> None:
    work = dense(4, 5)
    assert silent(work) == work


def test_the_published_rates_lie_between_a_core_without_reuse_and_an_array_with_it() -> None:
    # Yan et al.: below 5.7 % (5 steps), 6.4 % (5 to 10). One step of one bit on the same core: every input's spike
    # costs what its product costs, so the rate is 1 but for the neurons
    core, array = load_profile("event_core_28nm"), load_profile("asic65_near_memory")
    same, other = (break_even(on(spiking_layer(5), core), on(dense_form(5), machine)).rate for machine in (core, array))
    assert same is not None
    assert other is not None
    assert other.nominal < 0.057
    assert same.nominal > 0.064
    assert other.low < 0.057 < other.high
    one = break_even(on(spiking_layer(1), core), on(dense_form(1), core)).rate
    assert one is not None
    assert one.nominal == pytest.approx(1.0, rel=0.01)
