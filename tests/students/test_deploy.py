"""Deployed graphs: every integer and decision against Brevitas, counts against `observe`, errors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from deployed_networks import CODES, norms_of_powers_of_two, quantised, round_scales, signals
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from energy_models.errors import DataError, StudentError
from students.deploy import InputCodes, agreement, decide, execute, lower
from students.deploy.graph import Linear, Product, Requantise
from students.spec import Shape, StudentSpec

WINDOWS = Shape(task="classification", channels=4, steps=96, outputs=3, step_rate_hz=64.0)
STEPS = Shape(task="regression", channels=5, steps=60, outputs=2, step_rate_hz=20.0)
OPTIONS: dict[str, dict[str, Any]] = {
    "eegnet": {"temporal_filters": 3, "kernel_s": 0.25, "separable_taps": 4},
    "shallow": {"filters": 6},
    "mlp": {"hidden": 8},
    "steps": {"hidden": 8, "lags": 4, "depth": 1},
}
FORMS = ("w8a8", "w4a4", "w2a4 edge=4 in=6")
ROUNDINGS = 1e-5
"""Share of integers that may differ by one where scales are floats: floats round too."""


def made(name: str, form: str, shape: Shape | None = None, seed: int = 3) -> tuple[nn.Module, StudentSpec]:
    family = "mlp" if name == "steps" else name
    return quantised(family, form, shape or (STEPS if name == "steps" else WINDOWS), OPTIONS[name], seed)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", OPTIONS)
def test_float_scales_round_as_brevitas_does_and_change_no_decision(name: str, form: str) -> None:
    model, spec = made(name, form)
    graph = lower(model, spec.shape, codes=CODES)
    found = agreement(model, graph, CODES.codes_of(signals(spec.shape, 200, 9).numpy()))
    assert found.elements > 50_000
    assert found.largest <= 1
    assert found.differing <= ROUNDINGS * found.elements + 1, found
    assert found.changed == found.tied, found
    grids = sum("Requantise" in type(node).__name__ for node in graph.nodes)
    assert sum(one.kind == "grid" for one in found.nodes) == grids - (spec.shape.task == "regression")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", OPTIONS)
def test_scales_of_powers_of_two_agree_on_every_integer(name: str, form: str) -> None:
    model, spec = made(name, form)
    round_scales(model)
    norms_of_powers_of_two(model)
    codes = InputCodes(12, signed=True, scale=np.array(2.0**-9), offset=np.array(0.25))
    graph = lower(model, spec.shape, codes=codes)
    found = agreement(model, graph, codes.codes_of(signals(spec.shape, 100, 9).numpy()))
    assert (found.differing, found.changed) == (0, 0), found
    assert found.output_error < 1e-6


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(list(OPTIONS)), widths=st.tuples(*[st.integers(2, 8)] * 4),
    sizes=st.tuples(st.integers(1, 7), st.integers(64, 100), st.integers(1, 5)), bits=st.integers(4, 16),
    seed=st.integers(0, 10_000),
)  # fmt: skip
def test_any_shape_width_and_seed(
    name: str, widths: tuple[int, ...], sizes: tuple[int, int, int], bits: int, seed: int
) -> None:
    (weight, activation, edge, raw), (channels, steps, outputs) = widths, sizes
    base = STEPS if name == "steps" else WINDOWS
    shape = base.model_copy(update={"channels": channels, "steps": steps, "outputs": outputs})
    model, _ = made(name, f"w{weight}a{activation} edge={edge} in={raw}", shape, seed)
    chance = np.random.default_rng(seed)
    scale = chance.uniform(0.5, 2.0, channels) * 6 / 2**bits
    codes = InputCodes(bits, signed=bool(seed % 2), scale=scale, offset=chance.normal(size=channels))
    given = codes.codes_of(signals(shape, 12, seed).numpy())
    graph = lower(model, shape, codes=codes)
    found = agreement(model, graph, given)
    assert found.largest <= 1
    assert found.differing <= ROUNDINGS * found.elements + 2, found
    round_scales(model)
    norms_of_powers_of_two(model)
    codes = replace(codes, scale=np.array(2.0**-5), offset=np.array(0.5))
    found = agreement(model, lower(model, shape, codes=codes), given)
    assert found.differing == 0, found


def test_hand_worked() -> None:
    """Two channels times (1, -1) times a half, on grids of step 1: codes 6 and 1 give an accumulator of 5 halves, which
    half to even makes 2; 8 and 1 give 7 halves, 4; ten less is below zero, 0."""
    node = Product("product", "input", _range((1, 1), -255, 255), np.array([[[1], [-1]]]), 2, None, (1,), (1,),
                   ((0, 0),), 1)  # fmt: skip
    from students.deploy.fixed_point import fixed_point
    from students.deploy.graph import DeployedGraph

    half = fixed_point(np.array(0.5), np.array(0.0), largest=255, limit=15, bits=32, where="relu")
    relu = Requantise("relu", "product", _range((1, 1), 0, 15), half)
    codes = InputCodes(8, signed=False, scale=np.array(1.0), offset=np.array(0.0))
    graph = DeployedGraph("regression", codes, _range((2, 1), 0, 255), (node, relu), 1.0, 0.0, "", 32)
    given = np.array([[[6], [1]], [[8], [1]], [[1], [11]]])
    assert execute(graph, given)["product"].ravel().tolist() == [5, 7, -10]
    assert decide(graph, given).ravel().tolist() == [2, 4, 0]


def _range(shape: tuple[int, ...], lowest: int, highest: int) -> Any:
    from students.deploy.graph import Range

    return Range(shape, lowest, highest)


def test_an_estimate_does_not_depend_on_how_many_steps_come_before_its_lags() -> None:
    model, spec = made("steps", "w4a4")
    graph = lower(model, spec.shape, codes=CODES)
    codes = CODES.codes_of(signals(spec.shape, 3, 1).numpy())
    whole = decide(graph, codes)
    assert whole.shape == (3, 60, 2)
    np.testing.assert_array_equal(decide(graph, codes[:, :, 20:])[:, 3:], whole[:, 23:])
    estimates = whole * graph.output_scale + graph.output_offset
    with torch.inference_mode():
        wanted = model(torch.from_numpy(CODES.values_of(codes)).float()).numpy()
    assert np.abs(estimates - wanted).max() < 1e-2


def test_narrow_multipliers_round_a_little_more_often() -> None:
    model, spec = made("eegnet", "w4a4")
    codes = CODES.codes_of(signals(spec.shape, 100, 9).numpy())
    narrow = agreement(model, lower(model, spec.shape, codes=CODES, multiplier_bits=16), codes)
    assert narrow.largest <= 1
    assert narrow.differing <= 1e-3 * narrow.elements


@pytest.mark.parametrize("bad", ["wide", "shape", "float"])
def test_what_is_no_code_is_an_error(bad: str) -> None:
    model, spec = made("mlp", "w4a4")
    graph = lower(model, spec.shape, codes=CODES)
    codes = CODES.codes_of(signals(spec.shape, 2).numpy())
    given = {"wide": codes * 0 + 2048, "shape": codes[:, :, :-1], "float": codes.astype(np.float64)}[bad]
    with pytest.raises(DataError, match="codes"):
        execute(graph, given)
    with pytest.raises(DataError, match="not finite"):
        CODES.codes_of(np.full((1, 4, 96), np.nan))


def test_weights_and_statistics_that_are_no_numbers_are_an_error() -> None:
    for name, where in (("weight", "not finite"), ("running_var", "not finite")):
        model, spec = made("eegnet", "w4a4")
        found = next(one for path, one in model.state_dict().items() if path.endswith(name) and one.ndim)
        found.view(-1)[0] = torch.nan
        with pytest.raises(StudentError, match=where):
            lower(model, spec.shape, codes=CODES)


def test_a_number_wider_than_its_signal_is_an_error() -> None:
    model, spec = made("mlp", "w4a4")
    graph = lower(model, spec.shape, codes=CODES)
    place = next(number for number, node in enumerate(graph.nodes) if isinstance(node, Linear))
    node = graph.nodes[place]
    assert isinstance(node, Linear)
    wrong = replace(node, weights=node.weights * 1000)
    damaged = replace(graph, nodes=(*graph.nodes[:place], wrong, *graph.nodes[place + 1 :]))
    with pytest.raises(StudentError, match=node.name):
        execute(damaged, CODES.codes_of(signals(spec.shape, 8).numpy()))


def test_the_student_is_not_changed() -> None:
    model, spec = made("eegnet", "w4a4")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    lower(model, spec.shape, codes=CODES)
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
