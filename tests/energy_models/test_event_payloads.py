"""Events of several bits: one message with a payload, as many single spikes, or refused with the reason."""

from __future__ import annotations

import dataclasses

import pytest

from energy_models.hardware import HardwareProfile, load_profile, load_site
from energy_models.mapping.placing import place
from energy_models.mapping.styles.event_driven import count_layer
from energy_models.mapping.styles.events import delay_steps, times_repeated
from energy_models.pricing import estimate
from energy_models.workload import Conventions, Count, LayerWork, Products, Workload, neuron_layer, synapse_layer


def graded(units: int | None = 30) -> LayerWork:
    """Return 4 inputs onto 8 outputs: 10 events, 6 of them above one, 30 spikes in all."""
    sites = Products(Count.constant(6 * 8, 1), Count.constant(4 * 8, 1))
    dense = Products(Count.constant(0, 1), Count.constant(4 * 8 * 5, 1))
    return dataclasses.replace(
        synapse_layer("synapses", 4, 8, spikes=10, steps=5), activation_bits=3,
        products=Conventions(dense, dense, sites, sites),
        input_units=None if units is None else Count.constant(units, 1),
    )


def neurons() -> LayerWork:
    return dataclasses.replace(
        neuron_layer("neurons", 8, spikes=5, steps=5), output_bits=3, output_units=Count.constant(9, 1)
    )


def workload(*layers: LayerWork) -> Workload:
    return Workload("n", "window", 1, 5, 4, 10.0, 8, layers)


def core(events: str) -> HardwareProfile:
    profile = load_profile("event_core_28nm")
    return profile.model_copy(
        update={"execution": profile.execution.model_copy(update={"graded_events": events})}
    )


def counts(layer: LayerWork, events: str):
    profile = core(events)
    placement = place(workload(layer), profile)
    return count_layer(layer, profile.execution, placement), unpriced(profile, layer)  # type: ignore[arg-type]


def unpriced(profile: HardwareProfile, *layers: LayerWork) -> str:
    """Return what the estimate of these layers leaves out."""
    return " ".join(estimate(workload(*layers), profile, load_site("implant_utah96"), decode_rate_hz=1.0).unaccounted)


def test_a_payload_takes_one_message_and_a_multiplier() -> None:
    found, _ = counts(graded(), "payload")
    assert dict(found.control) == {"event": 80, "message": 10}
    assert {one.name: one.count for one in found.operations} == {"accumulate": 80, "multiply": 48}


def test_repeated_events_take_as_many_messages_as_spikes_and_no_multiplier() -> None:
    """30 spikes for 10 events: 30 messages, 80 x 3 = 240 additions."""
    found, _ = counts(graded(), "repeated")
    assert dict(found.control) == {"event": 240, "message": 30}
    assert {one.name: one.count for one in found.operations} == {"accumulate": 240}


def test_numbers_that_are_no_counts_cannot_be_repeated() -> None:
    found, left_out = counts(graded(units=None), "repeated")
    assert found.unpriced == ("integer products of graded events that are no counts of spikes",)
    assert "no counts of spikes" in left_out
    assert times_repeated(graded(units=None)) is None
    assert "products" not in counts(graded(units=None), "payload")[1]


@pytest.mark.parametrize("machine", ["loihi", "xylo", "truenorth", "odin_reckon"])
def test_machines_of_single_spikes_say_what_they_cannot_take(machine: str) -> None:
    profile = load_profile(machine)
    for layers, words in (
        ((graded(), neurons()), ("products of graded events", "several events a step: 3 bits an event")),
        ((delayed(), neuron_layer("neurons", 8, spikes=5, steps=5)), ("delays of up to 3 steps",)),
    ):
        said = unpriced(profile, *layers)
        assert all(one in said for one in words), said
    plain = (synapse_layer("synapses", 4, 8, spikes=10, steps=5), neuron_layer("neurons", 8, spikes=5, steps=5))
    assert "products" not in unpriced(profile, *plain)


def delayed() -> LayerWork:
    """Return synapses with three delays each: a ring buffer of 4 x 3 words."""
    plain = synapse_layer("synapses", 4, 8, spikes=10, steps=5)
    return dataclasses.replace(plain, state_elements=12, state_reads=12, state_writes=4, state_bits=1)


def test_recurrent_feedback_is_no_delay_line() -> None:
    assert delay_steps(delayed()) == 3
    assert delay_steps(dataclasses.replace(delayed(), kind="recurrent")) == 0
