"""What a deployed graph stores and computes is what `observe` counts, for every family and form."""

from __future__ import annotations

from typing import Any

import pytest
from deployed_networks import CODES, quantised, signals

from energy_models.errors import StudentError
from students.counting import observe
from students.deploy import lower, state_counts, static_counts
from students.families import family_names, load_family
from students.models.build import mode
from students.spec import Quantised, Shape

WINDOWS = Shape(task="classification", channels=4, steps=96, outputs=3, step_rate_hz=64.0)
STEPS = Shape(task="regression", channels=5, steps=60, outputs=2, step_rate_hz=20.0)
SHAPES = {"classification": WINDOWS, "regression": STEPS}
OPTIONS: dict[str, dict[str, Any]] = {
    "eegnet": {"temporal_filters": 3, "kernel_s": 0.25, "separable_taps": 4}, "shallow": {"filters": 6},
    "gru": {"hidden": 8}, "lstm": {"hidden": 8}, "spiking_mlp": {"hidden_1": 8, "hidden_2": 6},
    "conformer": {"width": 6, "blocks": 2}, "spiking_conv": {"mixtures": 6, "hidden": 5}, "ssvep_dnn": {"filters": 8},
}  # fmt: skip
FORMS = ("w8a8", "w4a4", "w2a4 edge=4 in=6", "ternary-a5")
STATES = {
    "w8a8": "w8a8s8", "w4a4": "w4a4s4", "w2a4 edge=4 in=6": "w2a4s6 edge=4 in=6", "ternary-a5": "ternary-a5s16",
}  # fmt: skip
FAMILIES = [
    (family, task) for family in family_names()
    if Quantised in load_family(family).forms for task in load_family(family).tasks
]  # fmt: skip


def options_of(family: str, task: str) -> dict[str, Any]:
    if family == "mlp":
        return {"hidden": 8} if task == "classification" else {"hidden": 8, "lags": 4, "depth": 1}
    return OPTIONS.get(family, {})


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("family", "task"), FAMILIES)
def test_static_counts_are_the_dense_conventions_of_observe(family: str, task: str, form: str) -> None:
    written = STATES[form] if load_family(family).spiking else form
    model, spec = quantised(family, written, SHAPES[task], options_of(family, task))
    work = observe(
        model, signals(spec.shape, 2), name=family, mode=mode(spec), step_rate_hz=64.0, input_bits=CODES.bits
    )
    layers = {layer.name: layer for layer in work.layers}
    graph = lower(model, spec.shape, codes=CODES)
    counted = static_counts(graph)
    assert [one.name for one in counted] == [one.name for one in work.layers if one.products is not None]
    for one in counted:
        layer = layers[one.name]
        assert layer.products is not None
        assert (one.dense_full, one.dense_valid) == (layer.products.dense_full.mean, layer.products.dense_valid.mean)
        assert (one.weights, one.weight_bits) == (layer.weights, layer.weight_bits)
        assert (one.activation_bits, one.accumulator_bits) == (layer.activation_bits, layer.accumulator_bits)
        assert one.state_elements == layer.state_elements
    states = {one.name: (one.elements, one.bits) for one in state_counts(graph)}
    kept = {one.name: (one.state_elements, one.state_bits) for one in work.layers if one.state_elements}
    assert states == {name: what for name, what in kept.items() if layers[name].products is None}


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("code", ["delta", "level_crossing", "rate", "random_rate", "envelopes", "lock_in 3,5.5/0.2"])
def test_the_state_of_an_input_code_is_that_of_observe(code: str, task: str) -> None:
    model, spec = quantised("spiking_mlp", "w8a8s8", SHAPES[task], {"hidden_1": 8, "hidden_2": 6, "code": code})
    work = observe(model, signals(spec.shape, 2), name="n", mode=mode(spec), step_rate_hz=64.0, input_bits=12)
    kept = {one.name: (one.state_elements, one.state_bits) for one in work.layers if one.state_elements}
    states = {one.name: (one.elements, one.bits) for one in state_counts(lower(model, spec.shape, codes=CODES))}
    assert states == kept
    assert any(name.removeprefix("body.").startswith("0.0") for name in kept)


@pytest.mark.parametrize("family", ["plif_conv", "spiking_delay"])
def test_neurons_whose_membranes_stay_in_float_say_so(family: str) -> None:
    task = next(iter(load_family(family).tasks))
    model, spec = quantised(family, "w8a8", SHAPES[task])
    with pytest.raises(StudentError, match="its state is kept in float"):
        lower(model, spec.shape, codes=CODES)
