"""Work of learning on the device, by hand, and what it costs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from energy_workloads import count, dense_layer, products, quantity, toy_array, toy_site, workload

from energy_models.errors import CosimError
from energy_models.feasibility import added_power_w, recalibration_cost
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
    assert found.energy_j.nominal == pytest.approx(expected)
    assert found.energy_j.nominal > 100 * 2 * estimate(NET, toy_array(), None, decode_rate_hz=1).decode_energy_j.nominal


def test_work_without_a_price_and_memory_without_room_are_said() -> None:
    floating = recalibration_cost(NET, toy_array(), dataclasses.replace(HOW, bits=32))
    assert any("no float" in line for line in floating.unaccounted)
    many = recalibration_cost(at_widths(EEGNET, weight_bits=8, activation_bits=8), toy_array(), HOW)
    assert any("state need" in line for line in many.infeasibilities)


def test_the_added_power_passes_the_regulator() -> None:
    # 3.6 J an hour are 1 mW; at an efficiency of 0.5 the battery gives 2 mW
    site = toy_site(regulator={"model": "efficiency", "efficiency": quantity(0.5, "1")})
    report = estimate(NET, toy_array(), site, decode_rate_hz=10)
    added = added_power_w(report, site, Band(3.6, 3.6, 3.6), 3600.0)
    assert added.nominal == pytest.approx(2e-3)
    with pytest.raises(CosimError, match="above zero"):
        added_power_w(report, site, Band(1, 1, 1), 0.0)


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
