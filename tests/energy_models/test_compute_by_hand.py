"""Every kind of operation on the 45 nm reference, by hand from Horowitz's figures; the arithmetic stands beside each.

8-bit multiply 0.2 pJ, 32-bit 3.1 pJ: 2.994792 fJ a square bit, 1.041667 a bit; 32-bit add 0.1 pJ: 3.125 fJ a bit.
"""

from __future__ import annotations

import dataclasses

import pytest
from energy_workloads import dense_layer, neurons, products, toy_event, with_operations, workload

from energy_models.hardware import HardwareProfile, load_profile
from energy_models.mapping import count_actions, place
from energy_models.pricing import Cause, estimate
from energy_models.workload import LayerWork

FJ = 1e-15
REFERENCE = load_profile("asic45_reference")


def femtojoules(layer: LayerWork, cause: Cause = "compute", profile: HardwareProfile = REFERENCE) -> float:
    return estimate(workload(layer), profile, None, decode_rate_hz=1).layers[0].energy_j[cause].nominal / FJ


def pool(**operations: int) -> LayerWork:
    layer = LayerWork(
        name="pool", kind="pool", arithmetic="integer", calls=1, input_shape=(16,), output_shape=(4,), inputs=16,
        outputs=4, activation_bits=8, output_bits=8, accumulator_bits=10,
    )
    return with_operations(layer, **operations)


def test_multiplier_by_both_widths_and_adder_at_the_width_of_the_sum() -> None:
    # 96 products of 4 x 8 bit: 32 x 2.994792 + 6 x 1.041667 = 102.083; sums of 20 bit: 62.5
    layer = dense_layer(16, 6, weight_bits=4, activation_bits=8, accumulator_bits=20)
    assert femtojoules(layer) == pytest.approx(96 * (102.083 + 62.5), rel=1e-4)
    # the accumulator alone: 12 bits more are 12 x 3.125 fJ a product
    wide = dataclasses.replace(layer, accumulator_bits=32)
    assert femtojoules(wide) - femtojoules(layer) == pytest.approx(96 * 37.5, rel=1e-4)


def test_events_and_signs_only_add() -> None:
    # 96 additions of 20 bit
    binary = dense_layer(16, 6, activation_bits=1, accumulator_bits=20)
    assert femtojoules(binary) == pytest.approx(96 * 62.5, rel=1e-4)
    for form in ("binary", "ternary"):
        signs = dataclasses.replace(dense_layer(16, 6, weight_bits=2, accumulator_bits=20), weight_form=form)  # type: ignore[arg-type]
        assert femtojoules(signs) == pytest.approx(96 * 62.5, rel=1e-4)


def test_an_event_core_multiplies_graded_events_only() -> None:
    # of 96 products 36 met a graded event and 60 a spike: 36 multiplications, 96 additions; signs: none
    layer = dataclasses.replace(dense_layer(16, 6), products=products(36, 60))
    work = workload(layer)
    machine = toy_event()
    (found,) = count_actions(work, machine.execution, place(work, machine))
    assert {one.name: one.count for one in found.operations} == {"multiply": 36, "accumulate": 96}
    signs = workload(dataclasses.replace(layer, weight_form="ternary", products=products(0, 96)))
    (found,) = count_actions(signs, machine.execution, place(signs, machine))
    assert {one.name: one.count for one in found.operations} == {"accumulate": 96}


def test_pooling_is_not_free() -> None:
    # maximum: 12 compares; mean: 12 additions and 4 divisions, all at the 10 bit of the sum (a division: 100 x 3.125)
    assert femtojoules(pool(compare=12)) == pytest.approx(12 * 31.25, rel=1e-4)
    assert femtojoules(pool(add=12, divide=4)) == pytest.approx(12 * 31.25 + 4 * 312.5, rel=1e-4)


def test_lookups_and_requantisation() -> None:
    # a look-up is one read of a 1 KiB table of 32 bit: 1.2495 pJ by the memory law of 45 nm
    assert femtojoules(pool(lookup=6)) == pytest.approx(6 * 1249.5, rel=1e-4)
    # 10 bit: shift 13.01625, two additions 6.25, 3/4 of the linear term 0.78125: 20.0475 a bit; 1.497396 a square bit
    assert femtojoules(pool(requantise=6)) == pytest.approx(6 * (200.475 + 149.74), rel=1e-3)


def test_neuron_updates_are_state() -> None:
    # 6 neurons of 16 bit, 4 with input, 1 fires: leak 6 x 256 x 2.994792, compare 6, add 4, reset 1 at 50 fJ each
    layer = neurons(6, active=4, spikes=1)
    # 96 bit of state are 2 words of 64, read and written at 10 pJ each (Horowitz: 8 KB), and 4.4195 pJ of wires
    arithmetic = 6 * 256 * 2.994792 + 11 * 50
    assert femtojoules(layer, "state") == pytest.approx(arithmetic + 2 * 2 * (10_000 + 4_419.5), rel=1e-4)


def test_clock_and_control_are_charged_on_all_of_it() -> None:
    # control factor 1.5: half of the datapath's energy again
    layer = dense_layer(16, 6, accumulator_bits=20)
    assert femtojoules(layer, "control") == pytest.approx(0.5 * femtojoules(layer), rel=1e-9)
