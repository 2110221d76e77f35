"""GRU and LSTM in integers: int64 arithmetic, both kernel forms, gradients, calibration, training and counts."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest
import torch
from integer_recurrent import run as run_integers
from integer_recurrent import table
from scipy.io import loadmat
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.counting import observe
from students.kernels import kernels_taken, using_kernels
from students.kernels.gru import gru_steps
from students.kernels.lstm import lstm_steps
from students.kernels.recurrent_grid import recurrent_levels, sigmoid_table, tanh_table
from students.models.build import build, mode
from students.models.from_float import quantised_from_float
from students.models.store import load_student, save_student
from students.quantize import quantisation_of
from students.quantize.recurrent import IntegerRecurrent
from students.spec import Shape, StudentSpec, Training, parse_form
from students.training import Examples, fit, predict

KINDS, FORMS = ("gru", "lstm"), ("w8a8", "w4a4", "w2a4")
STREAM = Shape(task="regression", channels=6, steps=40, outputs=2, step_rate_hz=20.0)
WINDOW = Shape(task="classification", channels=6, steps=40, outputs=2, step_rate_hz=20.0)


def signal(seed: int, examples: int = 16) -> Tensor:
    return torch.randn(examples, 6, 40, generator=torch.Generator().manual_seed(seed))


def student(kind: str, form: str, shape: Shape = STREAM) -> tuple[StudentSpec, nn.Module, nn.Module]:
    """Return the description, a float student with weights that reach the tables' ends, and its integer form."""
    spec = StudentSpec(family=kind, options={"hidden": 12, "dropout": 0.0}, shape=shape, seed=1)
    floating = build(spec)
    with torch.no_grad():
        for name, parameter in floating.named_parameters():
            if "cell" in name:
                parameter.mul_(3)
    quantised = spec.model_copy(update={"form": parse_form(form)})
    return quantised, floating, quantised_from_float(quantised, floating, signal(0))


def recurrent_of(model: nn.Module) -> IntegerRecurrent:
    return next(module for module in model.modules() if isinstance(module, IntegerRecurrent))


def with_powers_of_two(model: nn.Module) -> nn.Module:
    """Set every scale to a power of two: the threshold whose quotient by the highest level is one, exactly."""
    for name, module in model.named_modules():
        quantiser = getattr(module, "weight_quant", None) or getattr(module, "act_quant", None)
        if quantiser is None or not hasattr(module, "direct"):
            continue
        highest = module.direct.highest
        parameter = next(p for n, p in quantiser.named_parameters() if n.endswith("scaling_impl.value"))
        target = 2.0 ** -round(math.log2(highest))
        value = torch.tensor(math.log2(highest * target))
        for _ in range(64):
            if float(torch.pow(2.0, value) / highest) == target:
                break
            too_low = float(torch.pow(2.0, value)) < highest * target
            value = torch.nextafter(value, torch.tensor(9.0 if too_low else -9.0))
        else:
            pytest.fail(f"no threshold of {name} gives a power of two")
        with torch.no_grad():
            parameter.fill_(value)
    return model


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_integers_give_the_same_bits(kind: str, form: str) -> None:
    _, _, model = student(kind, form)
    layer = recurrent_of(with_powers_of_two(model).eval())
    seen: dict[str, Tensor] = {}
    layer.register_forward_hook(lambda _m, args, out: seen.update(inputs=args[0].value, scale=args[0].scale, out=out))
    with torch.inference_mode():
        model(signal(1) * 0.7)
    codes = seen["inputs"] / seen["scale"]
    assert torch.equal(codes, codes.round())
    found = quantisation_of(layer.input), quantisation_of(layer.hidden)
    assert found[0] is not None
    assert found[1] is not None
    assert (found[0].weight_bits, found[0].input_grid.bits) == (int(form[1]), 8)
    assert (found[1].weight_bits, found[1].input_grid.bits) == (int(form[1]), int(form[3]))
    states = run_integers(kind, codes.to(torch.int64).transpose(1, 2), (found[0], found[1]))
    assert torch.equal(states / 128, seen["out"].transpose(1, 2))
    assert int(states.abs().max()) > 100
    assert len(states.unique()) > 20


@pytest.mark.parametrize("kind", KINDS)
def test_integers_give_the_same_bits_on_a_recording(kind: str) -> None:
    """Spike counts of 95 channels in bins of 50 ms, and a student trained on them for two epochs."""
    path = Path(os.environ.get("COSIM_DATA", "")) / "m1_contdata95" / "contdata95.mat"
    if not os.environ.get("COSIM_DATA") or not path.is_file():
        pytest.skip("the folder COSIM_DATA holds no m1_contdata95")
    recording = loadmat(path)
    counts, velocity = (torch.tensor(recording[name][:6000], dtype=torch.float32) for name in ("Y", "X"))
    inputs = ((counts - counts.mean(0)) / (counts.std(0) + 1e-3)).view(60, 100, 95).mT.contiguous()
    data = Examples(inputs, velocity[:, 2:].reshape(60, 100, 2))
    shape = Shape(task="regression", channels=95, steps=100, outputs=2, step_rate_hz=20.0)
    spec = StudentSpec(family=kind, shape=shape, training=Training(epochs=2, batch_size=8, learning_rate=5e-3), seed=0)
    floating = build(spec)
    fit(floating, data, data, spec)
    quantised = spec.model_copy(update={"form": parse_form("w4a4")})
    model = with_powers_of_two(quantised_from_float(quantised, floating, inputs).eval())
    layer, seen = recurrent_of(model), dict[str, Tensor]()
    layer.register_forward_hook(lambda _m, args, out: seen.update(codes=args[0].value / args[0].scale, out=out))
    with torch.inference_mode():
        model(inputs)
    found = quantisation_of(layer.input), quantisation_of(layer.hidden)
    assert found[0] is not None
    assert found[1] is not None
    states = run_integers(kind, seen["codes"].to(torch.int64).mT, (found[0], found[1]))
    assert torch.equal(states / 128, seen["out"].mT)
    assert len(states.unique()) > 100


def test_tables_by_hand() -> None:
    """Sigmoid at 0 is 128/256 (entry 256), at 32 steps of 1/32, that is 1, round(256 * 0.731) = 187; tanh at 64 steps
    of 1/64, that is 1, round(128 * 0.7616) = 97; both saturate at the largest level."""
    float32 = torch.float32, torch.device("cpu")
    sigmoid, tanh = sigmoid_table(*float32) * 256, tanh_table(*float32) * 128
    assert [float(sigmoid[256 + k]) for k in (0, 32, 255, -32, -256)] == [128, 187, 255, 69, 0]
    assert [float(tanh[256 + k]) for k in (0, 64, 255, -64, -256)] == [0, 97, 127, -97, -127]
    assert torch.equal(sigmoid.long(), table("sigmoid"))
    assert torch.equal(tanh.long(), table("tanh"))


def quantised_inputs(kind: str, shape: tuple[int, int, int], bits: int) -> list[Tensor]:
    """Return a driven signal, states, weight and bias on grids of scales that are no powers of two, and the scales."""
    (batch, steps, units), rows = shape, {"gru": 3, "lstm": 4}[kind] * shape[2]
    generator = torch.Generator().manual_seed(sum(shape))
    scale = torch.rand(rows, 1, generator=generator) * 0.02 + 0.003
    weight = (torch.randn(rows, units, generator=generator) / units**0.5 / scale).round().clamp(-127, 127) * scale
    step = scale[:, 0] * 2.0 ** (1 - bits)
    bias = (torch.randn(rows, generator=generator) * 0.3 / step).round() * step
    driven = torch.randn(batch, steps, rows, generator=generator) * 2
    starts = [(torch.rand(batch, units, generator=generator) * 100).round() / 128 for _ in range(1 + (kind == "lstm"))]
    return [driven, *starts, weight, bias, scale]


@pytest.mark.parametrize("bits", [8, 4, 2])
@pytest.mark.parametrize("shape", [(4, 30, 8), (3, 20, 33), (2, 1, 1), (0, 3, 2)])
@pytest.mark.parametrize("kind", KINDS)
def test_both_forms_give_the_same_bits(kind: str, shape: tuple[int, int, int], bits: int) -> None:
    *given, scale = quantised_inputs(kind, shape, bits)
    found = []
    for path in ("numba", "torch"):
        leaves = [one.clone().requires_grad_() for one in given]
        levels = recurrent_levels(leaves[-2], scale, leaves[-1], bits)
        with using_kernels(path), kernels_taken() as taken:
            if kind == "gru":
                outputs = (gru_steps(*leaves, levels),)
            else:
                outputs = lstm_steps(leaves[0], (leaves[1], leaves[2]), *leaves[3:], levels)
            weights = torch.Generator().manual_seed(2)
            sum((one * torch.randn(one.shape, generator=weights)).sum() for one in outputs).backward()
        assert taken.paths == {f"integer {kind}": {path}}
        found.append(([one.detach() for one in outputs], [leaf.grad for leaf in leaves]))
    (outputs, grads), (expected, wanted) = found
    assert all(map(torch.equal, outputs, expected))
    for mine, theirs in zip(grads, wanted, strict=True):
        if theirs.numel():
            assert float((mine - theirs).abs().max()) <= 2e-6 * max(float(theirs.abs().max()), 1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_that_are_none_stay_none(kind: str) -> None:
    *given, scale = quantised_inputs(kind, (2, 5, 3), 8)
    given[0][0, 2, :] = torch.nan
    for path in ("numba", "torch"):
        levels = recurrent_levels(given[-2], scale, given[-1], 8)
        with using_kernels(path):
            if kind == "gru":
                states = gru_steps(*given, levels)
            else:
                states = lstm_steps(given[0], (given[1], given[2]), *given[3:], levels)[0]
        assert bool(states[0, 2:].isnan().all())
        assert bool(states[0, :2].isfinite().all())
        assert bool(states[1].isfinite().all())


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_the_float_layer_at_the_rounded_numbers(kind: str) -> None:
    """Where nothing is clipped, straight-through gradients differ from the float layer's by the rounding alone."""
    *given, scale = quantised_inputs(kind, (4, 10, 8), 8)
    given[0] /= 4
    found = []
    for levels in (recurrent_levels(given[-2], scale, given[-1], 8), None):
        leaves = [one.clone().requires_grad_() for one in given]
        if kind == "gru":
            states = gru_steps(*leaves, levels)
        else:
            states = lstm_steps(leaves[0], (leaves[1], leaves[2]), *leaves[3:], levels)[0]
        states.square().sum().backward()
        found.append([states.detach(), *(leaf.grad for leaf in leaves)])
    for mine, theirs in zip(*found, strict=True):
        assert float((mine - theirs).norm() / theirs.norm()) < 0.05


@pytest.mark.parametrize("shape", [STREAM, WINDOW])
@pytest.mark.parametrize("kind", KINDS)
def test_an_integer_student_follows_its_float_student(kind: str, shape: Shape) -> None:
    errors = []
    for form in FORMS:
        _, floating, model = student(kind, form, shape)
        reference = predict(floating, signal(3))
        errors.append(float((predict(model, signal(3)) - reference).norm() / reference.norm()))
        with torch.no_grad():
            trained, deployed = model.train()(signal(3)), model.eval()(signal(3))
        torch.testing.assert_close(trained, deployed, rtol=0, atol=1e-5)
    assert errors[0] < 0.12
    assert errors[0] < errors[1] < errors[2] < 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_training_lowers_the_error_and_a_stored_student_is_the_same(kind: str, tmp_path) -> None:
    """Of the recent past of two channels, from a float student that was trained on it."""

    def examples(seed: int, count: int) -> Examples:
        inputs = signal(seed, count)
        recent = sum(0.5**lag * nn.functional.pad(inputs, (lag, 0))[..., :40] for lag in range(4))
        return Examples(inputs, recent[:, :2].transpose(1, 2).contiguous())

    training = Training(epochs=8, batch_size=8, learning_rate=1e-2)
    data, held = examples(4, 64), examples(5, 16)
    float_spec = StudentSpec(
        family=kind, options={"hidden": 12, "dropout": 0.0}, shape=STREAM, training=training, seed=1
    )
    floating = build(float_spec)
    fit(floating, data, held, float_spec)
    spec = float_spec.model_copy(update={"form": parse_form("w2a2")})
    model = quantised_from_float(spec, floating, data.inputs)

    def error() -> float:
        return float((predict(model, held.inputs) - held.targets).square().mean())

    before = error()
    fit(model, data, held, spec)
    assert error() < 0.8 * before
    save_student(tmp_path / "student", model, spec, {})
    loaded, _ = load_student(tmp_path / "student")
    assert torch.equal(predict(loaded, held.inputs), predict(model, held.inputs))


def test_an_uncalibrated_layer_refuses_to_run() -> None:
    spec = StudentSpec(family="gru", form=parse_form("w4a4"), shape=STREAM, seed=0)
    with pytest.raises(StudentError, match="has no scales yet"):
        build(spec)(signal(0))


@pytest.mark.parametrize("kind", KINDS)
def test_counts_by_hand(kind: str) -> None:
    """12 units, 6 inputs, one step a decode: GRU 36 x 6 and 36 x 12 products, 24 + 12 look-ups; LSTM 48 rows, 60."""
    spec, _, model = student(kind, "w4a4")
    work = observe(model, signal(6, 3), name=kind, mode=mode(spec), step_rate_hz=20.0, input_bits=8, batch_size=2)
    assert work.uncounted == ()
    layers = {layer.name.removeprefix("body.1."): layer for layer in work.layers}
    rows = {"gru": 36, "lstm": 48}[kind]
    products = {name: layers[name] for name in ("input", "hidden")}
    for name, columns, bits in (("input", 6, (4, 8)), ("hidden", 12, (4, 4))):
        layer = products[name]
        assert layer.products is not None
        full = layer.products.dense_full
        assert full.multiply_accumulate.mean + full.accumulate.mean == rows * columns
        assert (layer.arithmetic, layer.weight_bits, layer.activation_bits) == ("integer", *bits)
        assert (layer.weights, layer.biases, layer.output_bits) == (rows * columns, rows, 16)
        assert layers[f"{name}.quantise"].operations["requantise"].mean == rows
        assert layers[f"{name}.quantise"].constants == rows
    tables, gates = {"gru": (24, 12), "lstm": (36, 24)}[kind], {"gru": (36, 12), "lstm": (60, 24)}[kind]
    for name, reads in zip(("sigmoid", "tanh"), tables, strict=True):
        layer = layers[name]
        assert (layer.operations["lookup"].mean, layer.constants, layer.constant_bits) == (reads, 512, 8)
        assert (layer.activation_bits, layer.output_bits) == (9, 8)
    assert layers["address"].operations["requantise"].mean == sum(tables)
    assert tuple(layers["gates"].operations[what].mean for what in ("add", "multiply")) == gates
    assert layers["update"].operations["multiply"].mean == 12
    assert layers["operand"].operations["requantise"].mean == 12
    states = {"gru": {"hidden_state": 8}, "lstm": {"hidden_state": 8, "cell_state": 16}}[kind]
    for name, bits in states.items():
        layer = layers[name]
        assert (layer.state_elements, layer.state_reads, layer.state_writes, layer.state_bits) == (12, 12, 12, bits)
    alone = observe(model, signal(6, 3), name=kind, mode=mode(spec), step_rate_hz=20.0, input_bits=8, batch_size=1)
    assert alone == work


@pytest.mark.parametrize("kind", KINDS)
def test_input_events_of_the_recurrent_product(kind: str) -> None:
    """The first step reads a state of zeros, the next ones the states before them, on the product's grid."""
    spec, _, model = student(kind, "w2a2", WINDOW)
    layer = recurrent_of(model.eval())
    seen: list[Tensor] = []
    layer.register_forward_hook(lambda _m, _a, out: seen.append(out))
    with torch.no_grad():
        model(signal(7, 2))
    states = seen[0]
    work = observe(model, signal(7, 2), name=kind, mode=mode(spec), step_rate_hz=20.0, input_bits=8)
    hidden = next(one for one in work.layers if one.name.endswith(".hidden"))
    assert hidden.input_events is not None
    operand = (states[..., :-1] * 2).round().clamp(-1, 1)
    assert hidden.input_events.total == int(operand.count_nonzero())
    assert 0 < hidden.input_events.total < operand.numel()
