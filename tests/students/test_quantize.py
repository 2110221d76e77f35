"""Quantised students: integers that reproduce the float values, calibration, saving, refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.families import load_family
from students.layers import FloatLayers, Grid, Padding
from students.layers.grid import LEARNED_THRESHOLD
from students.models.build import build
from students.models.from_float import quantised_from_float
from students.models.store import load_student, save_student
from students.quantize import (
    QuantLayers,
    grid_of,
    output_grid_of,
    quantisation_of,
    value_of,
)
from students.quantize.calibration import least_squares_threshold
from students.spec import Quantised, Shape, StudentSpec, Training
from students.training import Examples, fit, predict
from students.training.optimiser import optimiser_over

SHAPE = Shape(task="classification", channels=4, steps=96, outputs=2, step_rate_hz=64.0)
SPEC = StudentSpec(
    family="eegnet",
    options={"temporal_filters": 4, "kernel_s": 0.25, "separable_taps": 4, "dropout": 0.0},
    shape=SHAPE,
    training=Training(epochs=6, batch_size=32, learning_rate=5e-3),
    seed=3,
)


def precise(weight_bits: int, activation_bits: int, edge_bits: int = 8) -> StudentSpec:
    form = Quantised(weight=weight_bits, activation_bits=activation_bits, edge_bits=edge_bits)
    return SPEC.model_copy(update={"form": form})


def examples(count: int, seed: int) -> Examples:
    """Class 1 has a 10 Hz rhythm in channel 0 on top of noise."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(count) % 2
    inputs = torch.randn(count, 4, 96, generator=generator)
    time = torch.arange(96) / 64.0
    phase = torch.rand(count, 1, generator=generator) * 6.283
    inputs[:, 0] += targets[:, None] * 1.2 * torch.sin(62.83 * time + phase)
    return Examples(inputs, targets)


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    model = build(SPEC)
    fit(model, examples(128, 0), examples(64, 1), SPEC)
    return model


def accuracy(model: nn.Module, data: Examples) -> float:
    return float((predict(model, data.inputs).argmax(1) == data.targets).float().mean())


def test_threshold_hand_worked() -> None:
    """One outlier: with levels {-1, 0, 1} and values 1, 1, 1, 1, 4 a threshold of 4 puts the ones at 0 (error 4 x 1);
    one of 2 (ones round half to even, to 0) is worse; 1.4 gives 4 x .16 + 6.76 = 7.4; 4 is the optimum near which
    error is least: 2.0625 rounds 1/2.06 to 0. With thirty ones, a threshold near 1 wins instead."""
    few = torch.tensor([[1.0, 1.0, 1.0, 1.0, 4.0]])
    many = torch.cat([torch.ones(1, 300), torch.tensor([[4.0]])], dim=1)
    assert least_squares_threshold(few, 1).item() == pytest.approx(4.0)
    assert least_squares_threshold(many, 1).item() == pytest.approx(1.0)
    assert least_squares_threshold(torch.zeros(2, 5), 7).tolist() == [1.0, 1.0]


@settings(max_examples=20, deadline=None)
@given(levels=st.sampled_from([1, 3, 7, 127]), seed=st.integers(0, 1000))
def test_threshold_is_never_worse_than_no_clipping(levels: int, seed: int) -> None:
    values = torch.randn(3, 200, generator=torch.Generator().manual_seed(seed))

    def error(threshold: Tensor) -> Tensor:
        scale = (threshold / levels).unsqueeze(1)
        return (values - (values / scale).round().clamp(-levels, levels) * scale).square().sum(1)

    assert bool((error(least_squares_threshold(values, levels)) <= error(values.abs().amax(1)) + 1e-6).all())


@pytest.mark.parametrize(("weight_bits", "activation_bits"), [(8, 8), (4, 4), (2, 4)])
def test_every_value_is_an_integer_times_its_scale(trained: nn.Module, weight_bits: int, activation_bits: int) -> None:
    model = quantised_from_float(precise(weight_bits, activation_bits), trained, examples(32, 5).inputs).eval()
    seen: dict[str, object] = {}
    for name, module in model.named_modules():
        module.register_forward_hook(lambda _m, _i, output, name=name: seen.update({name: output}))
    with torch.inference_mode():
        model(examples(8, 6).inputs)
    products = [m for m in model.modules() if quantisation_of(m) is not None]
    assert [quantisation_of(m).weight_bits for m in products] == [8, weight_bits, weight_bits, weight_bits, 8]
    for module in products:
        layer = quantisation_of(module)
        assert layer is not None
        assert int(layer.weights.abs().max()) <= 2 ** (layer.weight_bits - 1) - 1
        torch.testing.assert_close(layer.weights * layer.weight_scale, module.quant_weight().value, rtol=1e-6, atol=0)
    for name, module in model.named_modules():
        grid = output_grid_of(module)
        if grid is None:
            continue
        assert grid == grid_of(seen[name])
        integers = value_of(seen[name]) / grid.scale
        torch.testing.assert_close(integers, integers.round(), rtol=0, atol=1e-3)
        low, high = (-(2 ** (grid.bits - 1)) + 1, 2 ** (grid.bits - 1) - 1) if grid.signed else (0, 2**grid.bits - 1)
        assert low <= int(integers.round().min())
        assert int(integers.round().max()) <= high
    first = output_grid_of(model.get_submodule("0"))
    assert first is not None
    assert (first.bits, first.signed) == (8, True)


def integer_conv(signal: Tensor, weight: Tensor, pads: tuple[int, int], groups: int) -> Tensor:
    """Return a convolution in int64, written out tap by tap."""
    padded = nn.functional.pad(signal, pads)
    taps = weight.shape[-1]
    steps = padded.shape[-1] - taps + 1
    per_group, outputs = weight.shape[1], weight.shape[0]
    result = torch.zeros(signal.shape[0], outputs, steps, dtype=torch.int64)
    for out in range(outputs):
        start = (out * groups // outputs) * per_group
        for source in range(per_group):
            for tap in range(taps):
                result[:, out] += weight[out, source, tap] * padded[:, start + source, tap : tap + steps]
    return result


def calibrated(module: nn.Module) -> nn.Module:
    """Return a module with every threshold at 1, on a signal of unit range."""
    for name, parameter in module.named_parameters():
        if name.endswith("scaling_impl.value"):
            nn.init.zeros_(parameter)
    return module.eval()


@pytest.mark.parametrize("padding", ["same", "causal", 0])
@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("bits", [8, 4, 2])
def test_convolution_equals_integer_arithmetic(padding: Padding, depthwise: bool, bits: int) -> None:
    torch.manual_seed(0)
    layers = QuantLayers(Quantised(weight=bits, activation_bits=bits))
    if depthwise:
        conv = layers.depthwise_conv1d(3, 6, padding=padding, bias="learned")
    else:
        conv = layers.conv1d(3, 5, 4, padding=padding)
    grid, conv = calibrated(layers.requantise()), calibrated(conv)
    with torch.no_grad():
        conv.weight.mul_(3.0)
        signal = grid(torch.randn(2, 3, 20))
        value = conv(signal)
    layer = quantisation_of(conv)
    assert layer is not None
    assert layer.bias is not None
    integers = (value_of(signal) / layer.input_grid.scale).round().to(torch.int64)
    accumulators = integer_conv(integers, layer.weights, conv.pads, 3 if depthwise else 1) + layer.bias[:, None]
    scale = layer.weight_scale.flatten()[:, None] * layer.input_grid.scale
    torch.testing.assert_close(accumulators * scale, value, rtol=1e-5, atol=1e-6)
    assert int(accumulators.abs().max()) > 0


def test_linear_equals_integer_arithmetic() -> None:
    torch.manual_seed(0)
    layers = QuantLayers(Quantised(weight=4, activation_bits=4))
    relu, linear = calibrated(layers.relu()), calibrated(layers.linear(7, 3, edge="last"))
    with torch.no_grad():
        signal = relu(torch.randn(5, 7))
        value = linear(signal)
    layer = quantisation_of(linear)
    assert layer is not None
    assert layer.bias is not None
    assert layer.weight_scale.ndim == 0
    assert layer.input_grid == Grid(bits=4, scale=pytest.approx(1 / 15), signed=False)
    integers = (value_of(signal) / layer.input_grid.scale).round().to(torch.int64)
    accumulators = (integers[:, None, :] * layer.weights).sum(-1) + layer.bias
    scale = layer.weight_scale * layer.input_grid.scale
    torch.testing.assert_close(accumulators * scale, value, rtol=1e-5, atol=1e-6)


def test_depthwise_training_form_equals_the_deployed_one() -> None:
    torch.manual_seed(0)
    layers = QuantLayers(Quantised(weight=4, activation_bits=8))
    grid, conv = calibrated(layers.requantise()), calibrated(layers.depthwise_conv1d(4, 9, padding="same"))
    signal = torch.randn(3, 4, 150)
    deployed = conv(grid(signal))
    torch.testing.assert_close(conv.train()(grid(signal)), deployed, rtol=1e-5, atol=1e-5)


def test_eight_bits_keep_the_outputs_and_fewer_bits_lose_more(trained: nn.Module) -> None:
    data = examples(64, 2)
    reference = predict(trained, data.inputs)
    errors = []
    for bits in (8, 4, 2):
        model = quantised_from_float(precise(bits, bits), trained, data.inputs)
        errors.append(float((predict(model, data.inputs) - reference).norm() / reference.norm()))
    assert errors[0] < 0.1
    assert errors[0] < errors[1] < errors[2]


def test_training_recovers_four_bits_is_repeatable_and_survives_the_disk(trained: nn.Module, tmp_path: Path) -> None:
    spec, test = precise(4, 4), examples(200, 9)
    models = [quantised_from_float(spec, trained, examples(64, 0).inputs) for _ in range(2)]
    results = [fit(model, examples(128, 0), examples(64, 1), spec) for model in models]
    assert results[0] == results[1]
    assert accuracy(models[0], test) >= accuracy(trained, test) - 0.1
    assert accuracy(trained, test) > 0.75
    save_student(tmp_path / "s", models[0], spec, {})
    loaded, found = load_student(tmp_path / "s")
    assert found == spec
    assert torch.equal(predict(loaded, test.inputs), predict(models[1], test.inputs))
    start = quantised_from_float(spec, trained, examples(64, 0).inputs).state_dict()
    scales = {name: value for name, value in loaded.state_dict().items() if name.endswith("scaling_impl.value")}
    assert scales
    assert not any(torch.equal(value, start[name]) for name, value in scales.items())


def test_an_interrupted_run_resumes_with_its_scales(trained: nn.Module, tmp_path: Path) -> None:
    """Brevitas by default replaces its parameters on loading, which would leave the optimiser with stale ones."""
    spec, train, validation = precise(4, 4), examples(64, 0), examples(32, 1)

    def stop(epoch: int, _loss: float) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    whole, pieces = (quantised_from_float(spec, trained, train.inputs) for _ in range(2))
    expected = fit(whole, train, validation, spec)
    with pytest.raises(KeyboardInterrupt):
        fit(pieces, train, validation, spec, checkpoint=tmp_path / "c", checkpoint_every_s=0, report=stop)
    resumed = quantised_from_float(spec, trained, train.inputs)
    assert fit(resumed, train, validation, spec, checkpoint=tmp_path / "c") == expected
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in resumed.state_dict().items())


def test_float_model_is_left_as_it_was(trained: nn.Module) -> None:
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    trained.train()
    quantised_from_float(precise(4, 4), trained, examples(16, 0).inputs)
    assert trained.training
    trained.eval()
    assert all(torch.equal(value, before[name]) for name, value in trained.state_dict().items())


def test_a_model_without_scales_refuses_to_run() -> None:
    with pytest.raises(StudentError, match="has no scales yet"):
        build(precise(4, 4))(torch.zeros(1, 4, 96))


def test_refusals(trained: nn.Module) -> None:
    data = examples(8, 0).inputs
    other = build(SPEC.model_copy(update={"options": {**SPEC.options, "temporal_filters": 2}}))
    mlp = build(SPEC.model_copy(update={"family": "mlp", "options": {}}))
    layers = QuantLayers(Quantised(weight=4, activation_bits=4))
    with pytest.raises(StudentError, match="needs a quantised form, found float32"):
        quantised_from_float(SPEC, trained, data)
    with pytest.raises(StudentError, match="another network"):
        quantised_from_float(precise(4, 4), mlp, data)
    with pytest.raises(StudentError, match="another network"):
        quantised_from_float(precise(4, 4), other, data)
    with pytest.raises(StudentError, match="calibration set"):
        quantised_from_float(precise(4, 4), trained, data[:0])
    with pytest.raises(StudentError, match="on no grid"):
        calibrated(layers.conv1d(3, 3, 1, padding=0))(torch.randn(1, 3, 4))
    with pytest.raises(StudentError, match="a signal on a grid"):
        calibrated(layers.average_pool(2))(torch.rand(1, 3, 4))
    with pytest.raises(StudentError, match="Run the model"):
        quantisation_of(layers.linear(2, 2))


def test_float_layers_have_no_integers() -> None:
    layers = FloatLayers()
    assert quantisation_of(layers.linear(2, 2)) is None
    assert output_grid_of(layers.relu()) is None


@pytest.mark.parametrize("family", ["shallow", "mlp"])
def test_other_families_quantise(family: str) -> None:
    spec = SPEC.model_copy(update={"family": family, "options": {}})
    load_family(family)
    float_model = build(spec)
    data = examples(32, 0).inputs
    float_model.train()(data)
    model = quantised_from_float(
        spec.model_copy(update={"form": Quantised(weight=8, activation_bits=8)}), float_model, data
    )
    reference = predict(float_model, data)
    assert float((predict(model, data) - reference).norm() / reference.norm()) < 0.1


def test_decay_shrinks_weights_and_spares_learned_thresholds(trained: nn.Module) -> None:
    """With a gradient of zero AdamW moves a parameter by its decay alone: weights to 1 - rate * decay of themselves."""
    settings = Training(learning_rate=0.1, weight_decay=0.5)
    model = quantised_from_float(precise(4, 4), trained, examples(32, 5).inputs)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser_over(model.named_parameters(), settings, torch.device("cpu")).step()
    thresholds = {n: p for n, p in model.named_parameters() if n.endswith(LEARNED_THRESHOLD)}
    assert any(parameter.ndim > 1 for parameter in thresholds.values())
    assert all(torch.equal(parameter, before[name]) for name, parameter in thresholds.items())
    weights = {n: p for n, p in model.named_parameters() if n.endswith(".weight") and p.ndim > 1}
    assert weights
    for name, parameter in weights.items():
        torch.testing.assert_close(parameter.detach(), 0.95 * before[name])
