"""Attention and norms of rows in integers: the student against the graph, both against float64, C and training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from deployed_networks import CODES, quantised, round_scales, signals
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from energy_models.errors import StudentError
from students.deploy import agreement, execute, lower
from students.deploy.ranges import Range
from students.deploy.rows import MatMul, Norm, Softmax, run_norm, run_softmax
from students.kernels.row_grid import exponential_table, norm_levels, smallest_spread, softmax_levels
from students.layers.grid import Grid
from students.models.build import build
from students.models.from_float import quantised_from_float
from students.quantize.rows import IntegerNorm, IntegerSoftmax
from students.quantize.signals import with_grid
from students.spec import Shape, StudentSpec, Training, parse_form
from students.training import Examples, fit

WINDOW = Shape(task="classification", channels=4, steps=96, outputs=3, step_rate_hz=64.0)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000), rows=st.integers(1, 5), length=st.integers(1, 300), bits=st.integers(2, 8),
    spread=st.sampled_from([0, 1, 40, 700, 32767]),
)  # fmt: skip
def test_a_softmax_is_that_of_the_reference_and_near_the_real_one(
    seed: int, rows: int, length: int, bits: int, spread: int
) -> None:
    scores = np.random.default_rng(seed).integers(-spread, spread + 1, (1, rows, length))
    node = Softmax("s", "x", Range((rows, length), 0, 2**bits - 1), exponential_table().numpy(), bits)
    found = run_softmax(node, scores)
    assert np.array_equal(found, softmax_levels(torch.from_numpy(scores), bits).numpy())
    exact = torch.softmax(torch.from_numpy(scores).double() / 64, -1).numpy()
    assert float(np.abs(found / 2**bits - np.minimum(exact, 1 - 2.0**-bits)).max()) <= 2.0 ** -(bits + 1) + 0.01


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000), sizes=st.tuples(st.integers(1, 5), st.integers(2, 300)), bits=st.integers(2, 12),
    centred=st.booleans(), offset=st.integers(-100, 100),
)  # fmt: skip
def test_a_norm_is_that_of_the_reference_and_near_the_real_one(
    seed: int, sizes: tuple[int, int], bits: int, centred: bool, offset: int
) -> None:
    rows, length = sizes
    highest = 2 ** (bits - 1) - 1
    levels = np.random.default_rng(seed).integers(-highest, highest + 1, (1, rows * length)) + offset
    smallest = smallest_spread(1e-5, length, 0.05)
    node = Norm("n", "x", Range((rows * length,), -32767, 32767), length, smallest, centred)
    found = run_norm(node, levels)
    apart = torch.from_numpy(levels).reshape(-1, length)
    assert np.array_equal(found.reshape(-1, length), norm_levels(apart, smallest, centred=centred).numpy())
    real, square = apart.double() * 0.05, (apart.double() * 0.05).square().mean(-1, keepdim=True)
    mean = real.mean(-1, keepdim=True) if centred else torch.zeros_like(square)
    wanted = (real - mean) / torch.sqrt(square - mean.square() + 1e-5)
    assert float((torch.from_numpy(found.reshape(-1, length)) / 4096 - wanted.clamp(-8, 8)).abs().max()) <= 1.5 / 4096


def test_a_softmax_by_hand() -> None:
    """Scores 0 and -64 steps of 1/64: e = 32768 and round(32768 exp(-1)) = 12055, S = 44823 of 16 bits, r =
    round(2^31 / 44823) = 47910; weights of 8 bits: 32768 * 47910 / 2^23 = 187.1, 12055 * 47910 / 2^23 = 68.8."""
    assert softmax_levels(torch.tensor([[0, -64, -600]]), 8).tolist() == [[187, 69, 0]]
    assert softmax_levels(torch.tensor([[5]]), 8).tolist() == [[255]]


def test_a_norm_by_hand() -> None:
    """1, 2, 3, 6: n = 4, T = 12, n x - T = -8, -4, 0, 12, W = 4 * 50 - 144 = 56; x less mean over deviation is
    -8 / sqrt(56) = -1.069, -0.5345, 0, 1.6036, times 4096. A row without a spread gives zeros."""
    assert norm_levels(torch.tensor([[1, 2, 3, 6]]), 0, centred=True).tolist() == [[-4379, -2189, 0, 6568]]
    assert norm_levels(torch.tensor([[7, 7]]), 0, centred=True).tolist() == [[0, 0]]


@pytest.mark.parametrize("form", ["w8a8", "w4a4", "w2a4 edge=4 in=6", "ternary-a5"])
def test_scales_of_powers_of_two_agree_on_every_integer_behind_no_batch_norm(form: str) -> None:
    model, _ = quantised("conformer", form, WINDOW, {"width": 6, "blocks": 2})
    round_scales(model)
    graph = lower(model, WINDOW, codes=CODES)
    found = agreement(model, graph, CODES.codes_of(signals(WINDOW, 20, 9).numpy() * 2))
    for one in found.nodes:  # batch norms are no powers of two
        inside = one.name.rpartition(".")[2] in {"scores", "softmax", "mixture", "query_grid", "key_grid", "value_grid"}
        assert one.differing == 0 or not inside, one
    assert found.differing <= 1e-5 * found.elements + 1
    assert found.changed == found.tied
    kinds = [type(node) for node in graph.nodes]
    assert kinds.count(MatMul) == 2 * kinds.count(Softmax) == 4


@settings(max_examples=10, deadline=None)
@given(
    widths=st.tuples(st.integers(2, 8), st.integers(2, 8)), heads=st.tuples(st.integers(1, 3), st.integers(1, 4)),
    sizes=st.tuples(st.integers(1, 6), st.integers(2, 4), st.integers(8, 70)), blocks=st.integers(1, 2),
    seed=st.integers(0, 10_000),
)  # fmt: skip
def test_any_shape_width_and_seed(
    widths: tuple[int, int], heads: tuple[int, int], sizes: tuple[int, int, int], blocks: int, seed: int
) -> None:
    channels, outputs, steps = sizes
    shape = WINDOW.model_copy(update={"channels": channels, "outputs": outputs, "steps": steps})
    options = {"width": heads[0] * heads[1], "heads": heads[0], "blocks": blocks, "token_s": 0.0625}
    model, _ = quantised("conformer", f"w{widths[0]}a{widths[1]}", shape, options, seed)
    found = agreement(model, lower(model, shape, codes=CODES), CODES.codes_of(signals(shape, 8, seed).numpy() * 2))
    assert found.differing <= 1e-5 * found.elements + 1, found
    assert found.largest <= 1
    for one in found.nodes:
        assert one.differing == 0 or not one.name.endswith(("softmax", "mixture", ".scores")), one


def test_a_quantised_conformer_learns() -> None:
    """One of two classes has a larger signal: training moves the loss's weights in front of the softmax too."""
    shape = Shape(task="classification", channels=3, steps=32, outputs=2, step_rate_hz=64.0)
    inputs, labels = signals(shape, 64), torch.arange(64) % 2
    inputs = inputs * (1 + 2 * labels[:, None, None])
    data = Examples(inputs, labels)
    spec = StudentSpec(
        family="conformer", options={"width": 4}, shape=shape, seed=0,
        training=Training(epochs=8, batch_size=16, learning_rate=2e-2),
    )  # fmt: skip
    floating = build(spec)
    fit(floating, data, data, spec)
    wanted = spec.model_copy(update={"form": parse_form("w4a4")})
    model = quantised_from_float(wanted, floating, inputs)
    before = model.get_submodule("6.attention.0.query").weight.detach().clone()
    fit(model, data, data, wanted)
    assert not torch.equal(model.get_submodule("6.attention.0.query").weight, before)
    with torch.inference_mode():
        right = (model.eval()(inputs).argmax(1) == labels).float().mean()
    assert right > 0.9
    graph = lower(model, shape, codes=CODES)
    classes = execute(graph, CODES.codes_of(inputs.numpy()))[graph.nodes[-1].name].argmax(1)
    assert (classes == labels.numpy()).mean() > 0.9


def test_numbers_that_are_none_stay_none() -> None:
    scores = torch.randn(2, 3, 5)
    scores[0, 1, 2] = torch.nan
    weights = IntegerSoftmax(8)(scores).value
    assert bool(weights[0, 1].isnan().any())
    assert bool(weights[1].isfinite().all())
    signal = with_grid(torch.tensor([[1.0, 2.0, torch.nan], [1.0, 2.0, 3.0]]), Grid(8, 0.5, signed=True))
    normed = IntegerNorm(nn.LayerNorm(3)).eval()(signal)
    assert bool(normed[0].isnan().any())
    assert bool(normed[1].isfinite().all())


def test_gradients_are_those_of_the_float_layers_at_the_rounded_numbers() -> None:
    scores = torch.randn(4, 6, requires_grad=True)
    weights = torch.randn(4, 6)
    (IntegerSoftmax(8)(scores).value * weights).sum().backward()
    mine = scores.grad
    again = scores.detach().clone().requires_grad_()
    (torch.softmax(again, -1) * weights).sum().backward()
    assert float((mine - again.grad).abs().max()) < 0.02
    layer = nn.LayerNorm(6)
    signal = with_grid((scores.detach() / 0.01).round() * 0.01, Grid(12, 0.01, signed=True))
    values = signal.value.clone().requires_grad_()
    (IntegerNorm(layer)(with_grid(values, Grid(12, 0.01, signed=True))) * weights).sum().backward()
    twin = signal.value.clone().requires_grad_()
    (layer(twin) * weights).sum().backward()
    assert torch.allclose(values.grad, twin.grad, atol=1e-5)


def test_a_number_wider_than_stated_is_an_error() -> None:
    model, _ = quantised("conformer", "w4a4", WINDOW, {"width": 4})
    graph = lower(model, WINDOW, codes=CODES)
    place, node = next((place, one) for place, one in enumerate(graph.nodes) if isinstance(one, MatMul))
    wrong = replace(node, result=replace(node.result, lowest=0, highest=1))
    damaged = replace(graph, nodes=(*graph.nodes[:place], wrong, *graph.nodes[place + 1 :]))
    with pytest.raises(StudentError, match=node.name):
        execute(damaged, CODES.codes_of(signals(WINDOW, 8).numpy() * 3))


def test_a_conformer_in_float_is_refused_by_its_layer() -> None:
    with pytest.raises(StudentError, match=r"'0' \(Conv1d\) has no deployed form"):
        lower(build(StudentSpec(family="conformer", shape=WINDOW, seed=0)), WINDOW, codes=CODES)
