"""Energies per event and cycles per event, worked by hand, and the laws of silence and spikes for both.

The same laws for the event-driven core that is built up stand in ``test_laws.py``.
"""

from __future__ import annotations

import dataclasses

import pytest
from energy_workloads import count, dense_layer, neurons, toy_table_machine, with_operations, workload
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_models.hardware import EventTable, HardwareProfile, load_profile
from energy_models.mapping.styles.event_cycles import positions
from energy_models.mapping.styles.event_table import connections
from energy_models.mapping.styles.events import time_steps
from energy_models.pricing import estimate
from energy_models.quantities import Band
from energy_models.workload import LayerWork, Workload

PJ = 1e-12
MACHINES = [load_profile("loihi"), load_profile("odin_reckon"), load_profile("xylo"), toy_table_machine()]


def spiking(inputs: int, outputs: int, events: int, *, active: int, spikes: int) -> Workload:
    synapses = dense_layer(inputs, outputs, activation_bits=1, accumulator_bits=16, events=events)
    return workload(synapses, neurons(outputs, active=active, spikes=spikes))


def always_drawn_w(machine: HardwareProfile) -> Band:
    """Static power, and the idle clock's where the machine gives it apart."""
    if machine.energy_per_clock_cycle is None:
        return machine.static.band
    cycle, clock = machine.energy_per_clock_cycle.band, machine.clock.band
    drawn = Band(cycle.low * clock.low, cycle.nominal * clock.nominal, cycle.high * clock.high)
    return machine.static.band + drawn


def test_energies_per_event_by_hand() -> None:
    # 3 of 16 inputs spike onto 6 neurons, 4 of them get input, 1 fires:
    # synapses 18 x 10 = 180 pJ; messages 3 x (1 + 2 x 0.5) = 6; access 6 x 3 + update 4 x 2 = 26; spike 5; step 0.6
    # cycles 18 x 2 + 3 x 4 + 6 x 3 + 1 x 7 + 5 = 78
    report = estimate(spiking(16, 6, 3, active=4, spikes=1), toy_table_machine(), None, decode_rate_hz=10)
    synapses, cells, step = (layer.energy_j for layer in report.layers)
    assert synapses["compute"].nominal == pytest.approx(180 * PJ)
    assert synapses["control"].nominal == pytest.approx(6 * PJ)
    assert cells["state"].nominal == pytest.approx(26 * PJ)
    assert cells["control"].nominal == pytest.approx(5 * PJ)
    assert step["control"].nominal == pytest.approx(0.6 * PJ)
    assert report.decode_energy_j.nominal == pytest.approx(217.6 * PJ)
    assert report.cycles.nominal == pytest.approx(78)
    assert not report.infeasibilities


def test_connections_are_full_rows_lists_or_shared_kernels() -> None:
    toy, odin = (machine.execution for machine in (toy_table_machine(), load_profile("odin_reckon")))
    assert isinstance(toy, EventTable)
    assert isinstance(odin, EventTable)
    full = dense_layer(16, 6, activation_bits=1, events=3)
    assert connections(full, toy.synapse) == "dense_synapse"
    assert connections(dataclasses.replace(full, kind="conv"), toy.synapse) == "convolutional_synapse"
    assert full.products is not None
    few = dense_layer(16, 6, activation_bits=1, events=1).products
    assert few is not None
    # a third of the weights is left, and of the 18 products 6: lists hold these only, 6 x 8 pJ
    lists = dataclasses.replace(
        full, weights_nonzero=32, products=dataclasses.replace(full.products, effective=few.effective)
    )
    assert connections(lists, toy.synapse) == "sparse_synapse"
    assert connections(lists, odin.synapse) == "dense_synapse"
    report = estimate(workload(lists), toy_table_machine(), None, decode_rate_hz=1)
    assert report.layers[0].energy_j["compute"].nominal == pytest.approx(48 * PJ)


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_no_spike_has_no_price(machine: HardwareProfile) -> None:
    graded = estimate(workload(dense_layer(16, 6)), machine, None, decode_rate_hz=1)
    assert any("products of graded events (needed by fc)" in line for line in graded.infeasibilities)
    signed = dataclasses.replace(dense_layer(16, 6, activation_bits=1), weight_form="binary", activation_bits=8)
    assert any("graded" in line for line in estimate(workload(signed), machine, None, decode_rate_hz=1).infeasibilities)
    pooled = with_operations(dense_layer(16, 6, activation_bits=1), divide=2, add=6)
    report = estimate(workload(pooled), machine, None, decode_rate_hz=1)
    assert [line.split(" prices ")[1] for line in report.infeasibilities] == ["no integer divide (needed by fc)"]
    held = dataclasses.replace(dense_layer(16, 6, activation_bits=1), kind="matmul", weights=0, weight_bits=0)
    without = estimate(workload(held), machine, None, decode_rate_hz=1)
    assert any("without stored" in line for line in without.infeasibilities)


def test_xylo_cycles_by_hand() -> None:
    # 4 inputs (2 spike) -> 5 hidden (3 fire) -> 5 hidden recurrent, 2 read-out neurons, one step:
    # input 4 x 1 + 2 x 5 x 3.5 = 39; recurrent 3 x 5 x 7 = 105; read-out 3 x 1 + 3 x 2 x 8 = 51
    # hidden neurons 5 x 22 + 3 x 3 = 119; read-out neurons 2 x 12 = 24; in all 338 cycles at 6.25 MHz
    layers = (
        dense_layer(4, 5, name="in", activation_bits=1, events=2),
        dense_layer(5, 5, name="hidden", kind="recurrent", activation_bits=1, events=3),
        neurons(5, active=5, spikes=3),
        dense_layer(5, 2, name="out", activation_bits=1, events=3),
        dataclasses.replace(neurons(2, active=2, spikes=1), name="readout"),
    )
    assert positions(layers) == ("input", "hidden", "hidden", "readout", "readout")
    report = estimate(workload(*layers), load_profile("xylo"), None, decode_rate_hz=100)
    assert report.cycles.nominal == pytest.approx(338)
    assert report.latency_s.nominal == pytest.approx(338 / 6.25e6)
    assert report.decode_energy_j.nominal == pytest.approx(338 / 6.25e6 * 254e-6)
    assert report.total_power_w.nominal == pytest.approx(188.2e-6 + 100 * 338 / 6.25e6 * 254e-6)
    # one layer of synapses has no read-out
    assert positions(layers[:1] + layers[2:3]) == ("input", "hidden")


def test_steps_are_those_of_the_busiest_layer_in_a_decode() -> None:
    loop = dataclasses.replace(dense_layer(4, 5, activation_bits=1), calls=25)
    slow = dataclasses.replace(dense_layer(5, 2, name="slow", activation_bits=1), calls=60, decodes_per_call=3)
    sampled = dataclasses.replace(loop, name="filter", calls=99, cadence="sample")
    assert time_steps(workload(loop, slow, sampled)) == 25
    assert time_steps(workload(slow)) == 20
    assert time_steps(workload()) == 0


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(MACHINES), st.integers(1, 60), st.integers(1, 40))
def test_silence_leaves_idle_updates_steps_and_what_is_always_drawn(
    machine: HardwareProfile, inputs: int, outputs: int
) -> None:
    report = estimate(spiking(inputs, outputs, 0, active=0, spikes=0), machine, None, decode_rate_hz=20)
    idle = estimate(workload(neurons(outputs, active=0, spikes=0)), machine, None, decode_rate_hz=20)
    channels = inputs * machine.quantity_at["execution.cycles_per_input"].value if machine.name == "xylo" else 0
    per_cycle = 254e-6 / 6.25e6 if machine.name == "xylo" else 0
    assert report.decode_energy_j.nominal == pytest.approx(idle.decode_energy_j.nominal + channels * per_cycle)
    assert report.power_w["static"] == always_drawn_w(machine)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(MACHINES), st.integers(1, 20), st.integers(1, 20), st.integers(1, 10))
def test_twice_the_spikes_double_event_terms_only(
    machine: HardwareProfile, events: int, outputs: int, spikes: int
) -> None:
    # the neurons' updates stay as they are, so that only what an event causes can grow
    silent, once, twice = (
        estimate(
            workload(
                dense_layer(50, outputs, activation_bits=1, accumulator_bits=16, events=n * events),
                dataclasses.replace(neurons(20, active=20, spikes=n * spikes), operations={}),
            ),
            machine, None, decode_rate_hz=20,
        )
        for n in (0, 1, 2)
    )
    rest = silent.decode_energy_j.nominal
    assert twice.decode_energy_j.nominal - rest == pytest.approx(2 * (once.decode_energy_j.nominal - rest))
    assert once.decode_energy_j.nominal > rest
    assert twice.power_w["static"] == once.power_w["static"] == silent.power_w["static"]


@given(st.sampled_from(MACHINES), st.integers(1, 100))
def test_a_spike_rate_is_applied_once(machine: HardwareProfile, percent: int) -> None:
    # at rate r an event's terms are r times those of full activity; applied twice they would be r^2 times
    def event_terms(layer: LayerWork) -> float:
        silent = estimate(workload(dense_layer(100, 8, activation_bits=1, events=0)), machine, None, decode_rate_hz=1)
        report = estimate(workload(layer), machine, None, decode_rate_hz=1)
        return report.decode_energy_j.nominal - silent.decode_energy_j.nominal

    full = event_terms(dense_layer(100, 8, activation_bits=1, accumulator_bits=16, events=100))
    some = event_terms(dense_layer(100, 8, activation_bits=1, accumulator_bits=16, events=percent))
    assert some == pytest.approx(percent / 100 * full)


def test_events_that_contradict_the_products_are_refused_by_every_style() -> None:
    from energy_models.errors import WorkloadError

    odd = dataclasses.replace(dense_layer(16, 6, activation_bits=1, events=3), input_events=count(0))
    readout = dataclasses.replace(odd, name="readout")
    for machine in MACHINES:
        with pytest.raises(WorkloadError, match="no input event"):
            estimate(workload(dense_layer(4, 16, activation_bits=1), odd, readout), machine, None, decode_rate_hz=1)
