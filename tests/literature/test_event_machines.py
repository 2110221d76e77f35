"""Event-driven machines against what is published about them: energies per event, cycles per event, powers."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_models.analysis.published_models import snn_22_32_4
from energy_models.hardware import load_profile
from energy_models.pricing import EnergyReport, estimate
from energy_models.workload import LayerWork, Workload, neuron_layer, synapse_layer

PJ, UW = 1e-12, 1e-6


def _on(machine: str, *layers: LayerWork, steps: int = 1, rate_hz: float = 1.0) -> EnergyReport:
    work = Workload("one event", "window", 1, steps, 1, 1000.0, 1, layers)
    return estimate(work, load_profile(machine), None, decode_rate_hz=rate_hz)


def _spent_pj(report: EnergyReport, cause: str) -> float:
    """Energy of the first layer under one cause, without the end of the time step."""
    return report.layers[0].energy_j[cause].nominal / PJ  # type: ignore[index]


@pytest.mark.parametrize(
    # SANA-FE, examples/loihi.yaml: loihi_dense_synapse 35.5, loihi_sparse_synapse 33.6, loihi_conv_synapse 24.0 pJ
    ("kind", "weights_nonzero", "published_pj"), [("linear", 1, 35.5), ("linear", 0, 33.6), ("conv", 1, 24.0)],
)
def test_loihi_synaptic_operation(kind: str, weights_nonzero: int, published_pj: float) -> None:
    one = synapse_layer("s", 1, 1, spikes=1, steps=1)
    layer = dataclasses.replace(one, kind=kind, weights_nonzero=weights_nonzero)  # type: ignore[arg-type]
    assert _spent_pj(_on("loihi", layer), "compute") == pytest.approx(published_pj)


def test_loihi_neuron_is_an_access_and_with_input_an_update() -> None:
    # energy_access_neuron 51.2, energy_update_neuron 21.6; Davies 2018, table 2: 52 inactive and 81 active
    idle, active = (_on("loihi", neuron_layer("n", 1, spikes=0, steps=1, active=n)) for n in (0, 1))
    assert _spent_pj(idle, "state") == pytest.approx(51.2)
    assert _spent_pj(active, "state") == pytest.approx(51.2 + 21.6)
    assert _spent_pj(idle, "state") == pytest.approx(52, rel=0.02)
    assert _spent_pj(active, "state") == pytest.approx(81, rel=0.11)


def test_loihi_spike_message_and_hop() -> None:
    # energy_spike_out 69.3; energy_message_out 111; a hop 3.0 east and west, 4.2 north and south: mean 3.6
    fired = _on("loihi", neuron_layer("n", 1, spikes=1, steps=1))
    assert _spent_pj(fired, "control") == pytest.approx(69.3)
    carried = _on("loihi", synapse_layer("s", 1, 1, spikes=1, steps=1))
    assert _spent_pj(carried, "control") == pytest.approx(111 + (3.0 + 4.2) / 2)
    hop = load_profile("loihi").quantity_at["execution.messages.hop"]
    assert (hop.low, hop.high) == (3.0, 4.2)


def test_loihi_on_the_network_that_sana_fe_was_run_on() -> None:
    # SANA-FE 2.2.9 on its own file: 2,114.7 nJ for 41,600 synaptic events, 3,600 neuron updates, 2,700 messages
    energy = estimate(snn_22_32_4(), load_profile("loihi"), None, decode_rate_hz=1).decode_energy_j
    assert energy.nominal / 1e-9 == pytest.approx(2114.7, rel=0.03)


def _rockpool_cycles(
    inputs: int, hidden: int, outputs: int, input_spikes: list[int], hidden_spikes: list[int]
) -> float:
    """Rockpool's ``power_cycles_model`` added up event by event, over the steps of both lists."""
    cycles = 0.0
    for arriving, firing in zip(input_spikes, hidden_spikes, strict=True):
        for _ in range(inputs):
            cycles += 1
        for _ in range(arriving):
            for _ in range(hidden):
                cycles += 3.5
        for _ in range(firing):
            cycles += hidden * 7
            cycles += 1 + outputs * 8
            cycles += 3
        cycles += hidden * (19 + 3) + outputs * 12
    return cycles


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 16), st.integers(1, 12), st.integers(1, 8), st.data())
def test_xylo_cycle_law(inputs: int, hidden: int, outputs: int, data: st.DataObject) -> None:
    steps = data.draw(st.integers(1, 6))
    arriving = data.draw(st.lists(st.integers(0, inputs), min_size=steps, max_size=steps))
    firing = data.draw(st.lists(st.integers(0, hidden), min_size=steps, max_size=steps))
    layers = (
        synapse_layer("in", inputs, hidden, spikes=sum(arriving), steps=steps),
        synapse_layer("recurrent", hidden, hidden, spikes=sum(firing), steps=steps),
        neuron_layer("hidden", hidden, spikes=sum(firing), steps=steps),
        synapse_layer("out", hidden, outputs, spikes=sum(firing), steps=steps),
        neuron_layer("readout", outputs, spikes=0, steps=steps),
    )
    expected = _rockpool_cycles(inputs, hidden, outputs, arriving, firing)
    assert _on("xylo", *layers, steps=steps).cycles.nominal == pytest.approx(expected)


def test_xylo_power_of_a_busy_core_is_what_a_small_network_adds_over_its_busy_share() -> None:
    # XyloAudio 3: a 2-8-2 network at 0.4 input spikes a step drew 584.0 - 577.6 = 6.4 uW above idle over 1000 steps in
    # 2.063 s at 6.25 MHz. How often its hidden neurons fired is not stated: never, or at the 0.4 of its inputs
    shares = [
        _rockpool_cycles(2, 8, 2, [1] * 800 + [0] * 200, firing) / 2.063 / 6.25e6
        for firing in ([0] * 1000, [4] * 800 + [0] * 200)
    ]
    active = load_profile("xylo").quantity_at["execution.active_power"]
    assert 6.4 / shares[0] == pytest.approx(368, rel=0.01)
    assert active.low == pytest.approx(6.4 / shares[1], rel=0.01)
    assert active.value == pytest.approx((6.4 / shares[0] * 6.4 / shares[1]) ** 0.5, rel=0.01)
    # XyloIMU: 201.1 - 188.2 uW at a network that needs 0.18 MHz of the 6.25
    assert active.high == pytest.approx((201.1 - 188.2) / (0.18 / 6.25), rel=0.01)


def test_odin_power_law() -> None:
    # 27.3 uW + 1.78 uW/MHz x 1.3 MHz + 8.43 pJ x 655,360/s: 10 Hz from 256 neurons into 256 synapses each
    crossbar = synapse_layer("s", 256, 256, spikes=256, steps=1, weight_bits=4)
    report = _on("odin_reckon", crossbar, rate_hz=10)
    assert report.power_w["static"].nominal / UW == pytest.approx(27.3 + 1.78 * 1.3)
    assert report.total_power_w.nominal / UW == pytest.approx(27.3 + 1.78 * 1.3 + 8.43e-6 * 655_360)
    assert report.total_power_w.nominal / 655_360 / PJ == pytest.approx(54, rel=0.01)  # published: 54 pJ/SOP
    # two cycles each, 65,536 of them: all of the 1.3 MHz; 256 messages and the step's own event are 0.2 % more
    assert report.cycles.nominal == 2 * 65_536 + 256 + 1


def test_odin_charges_what_its_title_divides() -> None:
    # all power over 37.5 MSOP/s at 75 MHz: (27.3 + 1.78 x 75) / 37.5 + 8.43 = 12.7 pJ
    odin = load_profile("odin_reckon").quantity_at
    constants = ("static", "energy_per_clock_cycle", "execution.synapse.dense")
    leak, cycle, synapse = (odin[name].value for name in constants)
    assert (leak + cycle * 75) / 37.5 + synapse == pytest.approx(12.7, rel=0.002)


def test_truenorth_is_the_line_through_two_of_three_published_powers() -> None:
    # figure 17: 68, 71, 94 mW at 11.58, 20.07, 95.93 Hz from 1,048,576 neurons of 128 synapses
    each_hz = 1_048_576 * 128
    slope = (94e-3 - 68e-3) / (each_hz * (95.93 - 11.58))
    chip = load_profile("truenorth").quantity_at
    assert chip["execution.synapse.dense"].value == pytest.approx(slope / PJ, rel=1e-3)
    assert chip["static"].value == pytest.approx((68e-3 - slope * each_hz * 11.58) * 1e3, rel=1e-3)
    # the third is held out
    between = synapse_layer("s", 1_048_576, 128, spikes=round(20.07 * 1_048_576), steps=1000, weight_bits=1)
    assert _on("truenorth", between, steps=1000).total_power_w.nominal == pytest.approx(71e-3, rel=0.01)
