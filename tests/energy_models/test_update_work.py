"""Work of learning on the device, by hand, and what it costs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from energy_workloads import count, dense_layer, products, quantity, toy_array, toy_ring, toy_site, toy_table, workload

from energy_models.errors import CosimError
from energy_models.feasibility import added_power_w, recalibration_cost, recalibration_draws_w
from energy_models.hardware import load_profile
from energy_models.mapping import place
from energy_models.pricing import estimate
from energy_models.quantities import Band
from energy_models.workload import Recalibration, Workload, at_widths, read_workload, update_work

EEGNET = read_workload(Path(__file__).parents[2] / "energy_models/data/workloads/eegnet_8_2.json")
NET = workload(dense_layer(16, 6, name="a"), dense_layer(6, 3, name="b"))
HOW = Recalibration(examples=20, epochs=5, batch=8, optimiser="adam", layers="all", bits=16)


def dense(work: Workload, ending: str) -> dict[str, float]:
    return {
        layer.name: layer.products.dense_valid.mean
        for layer in work.layers if layer.products is not None and layer.name.endswith(ending)
    }  # fmt: skip


def test_two_dense_layers_by_hand() -> None:
    # a: 16 x 6 = 96 products, b: 6 x 3 = 18. Weights' gradients as many; the signal's of b alone: nothing is before a
    found = update_work(NET, HOW)
    assert dense(found.example, ".weight_gradient") == {"a.weight_gradient": 96, "b.weight_gradient": 18}
    assert dense(found.example, ".signal_gradient") == {"b.signal_gradient": 18}
    assert found.learned == 114
    assert (HOW.passes, HOW.steps) == (100, 15)  # 20 examples in batches of 8 are 3 steps an epoch
    (step,) = found.step.layers
    # Adam: 6 products, 4 sums, a root and a quotient a weight; 8-bit weights are made of 16-bit ones again
    operations = {name: one.mean for name, one in step.operations.items()}
    assert operations == {"multiply": 684, "add": 456, "square_root": 114, "divide": 114, "requantise": 114}
    # gradient, learned weight and two means of 16 bit a weight; inputs of both layers, 8 bit; 20 windows
    window = NET.channels * NET.steps_per_decode * NET.input_bits
    assert found.memory_bits == 114 * 4 * 16 + (16 + 6) * 8 + 20 * window


def test_the_last_layer_alone_needs_no_gradient_of_a_signal() -> None:
    found = update_work(NET, dataclasses.replace(HOW, layers="last", optimiser="sgd"))
    assert dense(found.example, ".weight_gradient") == {"b.weight_gradient": 18}
    assert dense(found.example, ".signal_gradient") == {}
    assert dense(found.example, "a") == {"a": 96}  # the forward pass is whole
    assert found.learned == 18


def test_spikes_make_the_gradient_of_a_weight_accumulates_and_zeros_stay_zeros() -> None:
    layer = dense_layer(16, 6, activation_bits=1, events=4)
    gradient = next(one for one in update_work(workload(layer), HOW).example.layers if one.name.endswith("gradient"))
    assert gradient.products is not None
    assert gradient.products.dense_valid.multiply_accumulate.total == 0
    assert gradient.products.effective_input.accumulate.mean == 24  # 4 spikes x 6


def test_a_product_of_two_signals_has_the_gradients_of_both() -> None:
    signals = dataclasses.replace(dense_layer(16, 6, name="qk", kind="attention"), weights=0, weights_key="")
    found = update_work(workload(dense_layer(16, 16, name="a"), signals, dense_layer(6, 3, name="b")), HOW)
    assert dense(found.example, "signal_gradients") == {"qk.signal_gradients": 192}


def test_operations_follow_their_derivatives() -> None:
    relu = dataclasses.replace(
        dense_layer(6, 6, name="relu"), kind="activation", products=None, weights=0, weights_key="",
        operations={"compare": count(6), "lookup": count(5), "multiply": count(2), "divide": count(1)},
    )  # fmt: skip
    found = update_work(workload(dense_layer(16, 6, name="a"), relu, dense_layer(6, 3, name="b")), HOW)
    back = next(layer for layer in found.example.layers if layer.name == "relu.backward")
    # compare 6; look-up 5 with 5 products; 2 products have 4; a quotient is one product and two quotients
    assert {name: one.mean for name, one in back.operations.items()} == {
        "compare": 6, "lookup": 5, "multiply": 5 + 4 + 1, "divide": 2,
    }  # fmt: skip


def test_one_recalibration_is_its_passes_and_steps() -> None:
    how = dataclasses.replace(HOW, optimiser="sgd")
    found, work = recalibration_cost(NET, toy_array(), how), update_work(NET, how)
    example, step = (estimate(one, toy_array(), None, decode_rate_hz=1) for one in (work.example, work.step))
    expected = 100 * example.decode_energy_j.nominal + 15 * step.decode_energy_j.nominal
    # A tile of 8 x 4 takes 18 cycles and one a position: a has 4 tiles (76 cycles), b 1 (19); of gradients b's weights
    # 1 tile of 6 positions (24), its signal 2 tiles (38), a's weights 2 tiles of 16 positions (68); the loss 1 + 1.
    # A step is 114 products, sums and requantisations, 4 at once (3 x 29). Each then writes 114 weights of 8 bit, 29
    # words of 3 pJ in 29 cycles. All cycles are 1 us; the machine wakes once, in 2 us with 7 pJ
    seconds = 2e-6 + 100 * (76 + 19 + 24 + 38 + 68 + 2) * 1e-6 + 15 * (3 * 29 + 29) * 1e-6
    # banks of 2048 bit at 5 pW a bit. The deployed network has 2. Kept: examples, 20 x 128 bit, 114 learned weights of
    # 16 bit and the window take 3, not 1; the table of the loss is 4 more. Awake gradients and saved inputs need 2 more
    awake = seconds * 2 * 2048 * 5e-12
    assert found.time_s.nominal == pytest.approx(seconds)
    assert found.energy_j.nominal == pytest.approx(expected + 15 * 29 * 3e-12 + 7e-12 + awake)
    assert found.kept_w.nominal == pytest.approx(6 * 2048 * 5e-12)
    assert found.power_w(100.0).nominal == pytest.approx(found.energy_j.nominal / 100 + 6 * 2048 * 5e-12)
    assert found.energy_j.nominal > 100 * 2 * estimate(NET, toy_array(), None, decode_rate_hz=1).decode_energy_j.nominal


def test_saved_inputs_and_gradients_end_with_learning_and_the_rest_is_kept() -> None:
    # Kept are 20 windows of 16 x 8 bit, and of 96 weights one learned of 16 bit and Adam's two means, however many
    # positions there are. Learning itself keeps a gradient a weight more, and 16 inputs of 8 bit a position
    for positions in (1, 100):
        found = update_work(workload(dense_layer(16, 6, positions=positions), mode="window"), HOW)
        assert found.resting.state_bits_total == 20 * 16 * 8 + 96 * 3 * 16
        assert found.memory_bits == found.resting.state_bits_total + 96 * 16 + positions * 16 * 8


def test_the_time_of_waking_counts_once_however_much_is_learned() -> None:
    def seconds(examples: int, wake_us: float) -> float:
        wake = {"energy": quantity(7, "pJ"), "time": quantity(wake_us, "us")}
        how = dataclasses.replace(HOW, examples=examples)
        return recalibration_cost(NET, toy_array(wake=wake), how).time_s.nominal

    for examples in (1, 20):
        assert seconds(examples, 1200) - seconds(examples, 0) == pytest.approx(1200e-6)


@pytest.mark.parametrize("machine", ["cortex_m4f", "apollo4_plus", "nrf54lm20b_axon"])
def test_writes_to_flash_and_mram_without_a_price_are_said(machine: str) -> None:
    # they hold weights alone: nothing is written to them while a machine decides, its figures contain no write
    found = recalibration_cost(NET, load_profile(machine), HOW)
    assert any("no price of writes" in line for line in found.unaccounted)


def test_writes_to_a_memory_that_is_written_while_it_decides_are_in_the_figures_of_the_machine() -> None:
    found = recalibration_cost(NET, load_profile("gap9"), HOW)  # one SRAM holds weights, activations and state
    assert not any("no price of writes" in line for line in found.unaccounted)


def test_work_without_a_price_and_memory_without_room_are_said() -> None:
    floating = recalibration_cost(NET, toy_array(), dataclasses.replace(HOW, bits=32))
    assert any("no float" in line for line in floating.unaccounted)
    many = recalibration_cost(at_widths(EEGNET, weight_bits=8, activation_bits=8), toy_array(), HOW)
    assert any("state need" in line for line in many.infeasibilities)


def test_words_of_gradients_have_their_own_width_whatever_the_signal_has() -> None:
    for bits in (1, 4, 8):
        layers = update_work(workload(dense_layer(16, 6, activation_bits=bits)), HOW).example.layers
        (found,) = [one for one in layers if one.state_reads and one.name.endswith("gradient_words")]
        assert (found.state_bits, found.state_reads, found.state_writes, found.state_elements) == (16, 96, 96, 0)
        assert all(not one.state_writes for one in layers if one.name.endswith("weight_gradient"))


def test_the_first_step_of_a_recurrent_layer_hands_no_gradient_back() -> None:
    # 10 units, 32 steps: 32 x 100 products of the weight's gradient, 31 x 100 of the state's; a stream has none
    def found(steps: int) -> dict[str, float]:
        hidden = dataclasses.replace(
            dense_layer(10, 10, name="g.hidden", kind="recurrent"), calls=steps, inputs=10 * steps, outputs=10 * steps,
            products=products(100 * steps),
        )  # fmt: skip
        return dense(update_work(workload(hidden, dense_layer(10, 2, name="o")), HOW).example, "gradient")

    assert found(32) == {
        "g.hidden.weight_gradient": 3200, "g.hidden.signal_gradient": 3100, "o.weight_gradient": 20,
        "o.signal_gradient": 20,
    }  # fmt: skip
    assert "g.hidden.signal_gradient" not in found(1)


def test_a_layer_is_recurrent_by_its_kind_and_not_by_its_name() -> None:
    # 16 x 16 products; the signal's gradient is of all calls, as any dense layer's
    for name in ("net.hidden", "net.recurrent", "net.dense"):
        net = workload(dense_layer(16, 16, name="a"), dense_layer(16, 16, name=name), dense_layer(16, 2, name="o"))
        assert dense(update_work(net, HOW).example, f"{name}.signal_gradient") == {f"{name}.signal_gradient": 256}


def test_filters_and_features_are_done_again_on_stored_examples() -> None:
    band = dataclasses.replace(
        dense_layer(16, 16, name="band"), kind="filter", cadence="sample", products=products(80), weights=0,
        weights_key="",
    )  # fmt: skip
    net = workload(band, dense_layer(16, 6, name="a"), dense_layer(6, 3, name="b"))
    found = update_work(net, HOW).example
    assert [one.cadence for one in found.layers] == ["decode"] * len(found.layers)
    assert dense(found, "band") == {"band": 80}
    assert not [one.name for one in found.layers if one.name.startswith("band.")]  # nothing before them learns


def test_new_weights_are_written_into_a_non_volatile_memory_or_have_no_price() -> None:
    # 912 bits in 29 words of 32 bit at 2 pJ a bit, after each of 15 steps
    how = dataclasses.replace(HOW, optimiser="sgd")
    costs = {}
    for write in (None, 2, 4):
        given = {"technology": "flash", "read": quantity(1, "pJ/bit"), "wake": quantity(0, "pJ"),
                 "wake_time": quantity(0, "us")}  # fmt: skip
        given |= {} if write is None else {"write": quantity(write, "pJ/bit")}
        weights = {"name": "w", "capacity": quantity(1024, "byte"), "bank": quantity(256, "byte"), "word_bits": 32,
                   "non_volatile": given, "holds": ["weights"]}  # fmt: skip
        costs[write] = recalibration_cost(NET, toy_array(memories=[weights, toy_table({})["memories"][1]]), how)
    assert any("no price of writes" in line for line in costs[None].unaccounted)
    assert not any("no price of writes" in line for line in costs[2].unaccounted)
    assert costs[2].energy_j.nominal - costs[None].energy_j.nominal == pytest.approx(15 * 29 * 32 * 2e-12)
    assert costs[4].energy_j.nominal - costs[2].energy_j.nominal == pytest.approx(15 * 29 * 32 * 2e-12)


def test_draws_at_the_nominal_constants_are_the_nominal_cost() -> None:
    profile = toy_array()
    constants = {path: np.full(2, one.nominal) for path, one in profile.bands.items()}
    cost = recalibration_cost(NET, profile, HOW).power_w(50.0).nominal
    assert recalibration_draws_w(NET, profile, HOW, 50.0, constants) == pytest.approx([cost, cost])


def test_a_style_that_refuses_the_work_is_why_it_cannot() -> None:
    stream = NET.replace(mode="stream")  # it runs there, and learns as a window, which does not
    refused = recalibration_cost(stream, toy_ring(), HOW)
    assert not place(stream, toy_ring()).infeasibilities
    assert any("misses" not in line for line in refused.infeasibilities)


def test_the_added_power_passes_the_regulator() -> None:
    # 3.6 J an hour are 1 mW; at an efficiency of 0.5 the battery gives 2 mW
    site = toy_site(regulator={"model": "efficiency", "efficiency": quantity(0.5, "1")})
    report = estimate(NET, toy_array(), site, decode_rate_hz=10)
    found = dataclasses.replace(
        recalibration_cost(NET, toy_array(), HOW), energy_j=Band(3.6, 3.6, 3.6), kept_w=Band(0, 0, 0)
    )
    added = added_power_w(report, site, found.power_w(3600.0))
    assert added.nominal == pytest.approx(2e-3)
    with pytest.raises(CosimError, match="above zero"):
        found.power_w(0.0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"examples": 0}, "Give 1 or more"), ({"bits": 1}, "Give 2 to 31"), ({"bits": 64}, "Give 2 to 31"),
        ({"optimiser": "lion"}, "sgd, momentum, adam"), ({"layers": "first"}, "all, last"),
    ],
)  # fmt: skip
def test_no_way_to_learn_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(CosimError, match=said):
        dataclasses.replace(HOW, **change)


def test_a_network_without_weights_has_nothing_to_learn() -> None:
    bare = dataclasses.replace(dense_layer(4, 4), weights=0, weights_key="", products=products(4))
    with pytest.raises(CosimError, match="no layer has weights"):
        update_work(workload(bare), HOW)
