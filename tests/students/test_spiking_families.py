"""Spiking families: causal, stream-able, learnable, and quantisable where they say so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.models.build import build
from students.models.from_float import quantised_from_float
from students.models.store import load_student, save_student
from students.neurons.lif import LIF, ZeroInitialState
from students.quantize import quantisation_of
from students.spec import Quantised, Scalar, Shape, StudentSpec, Training
from students.training import Examples, fit, predict

STREAM = Shape(task="regression", channels=12, steps=50, outputs=2, step_rate_hz=20.0)
WINDOW = Shape(task="classification", channels=4, steps=96, outputs=2, step_rate_hz=64.0)
TRAINING = Training(epochs=12, batch_size=8, learning_rate=1e-2, patience=12)


def spec(family: str, shape: Shape, **options: Scalar) -> StudentSpec:
    return StudentSpec(family=family, options=options, shape=shape, training=TRAINING, seed=1)


def bins(count: int, seed: int) -> Examples:
    """Counts of neurons tuned to a smooth 2-D velocity."""
    generator = torch.Generator().manual_seed(seed)
    tuning = torch.randn(12, 2, generator=torch.Generator().manual_seed(99))
    walk = torch.zeros(count, 2, 50)
    state = torch.randn(count, 2, generator=generator)
    for step in range(50):
        state = 0.9 * state + 0.44 * torch.randn(count, 2, generator=generator)
        walk[..., step] = state
    rates = torch.exp(0.3 + 0.6 * torch.einsum("no,bot->bnt", tuning, walk)).clamp(max=8)
    return Examples(torch.poisson(rates, generator=generator), walk.transpose(1, 2).contiguous())


def r2(outputs: Tensor, targets: Tensor) -> float:
    return 1.0 - float(((outputs - targets) ** 2).sum() / ((targets - targets.mean((0, 1))) ** 2).sum())


@pytest.fixture(scope="module")
def decoder() -> nn.Module:
    student = spec("spiking_mlp", STREAM)
    model = build(student)
    fit(model, bins(64, 0), bins(16, 1), student)
    return model


def test_spiking_mlp_learns_a_trajectory(decoder: nn.Module) -> None:
    test = bins(16, 2)
    assert r2(predict(decoder, test.inputs), test.targets) > 0.6


@pytest.mark.parametrize("code", ["counts", "binary"])
def test_spiking_mlp_is_causal(code: str) -> None:
    model = build(spec("spiking_mlp", STREAM, code=code)).eval()
    early = bins(2, 3).inputs
    late = early.clone()
    late[..., 30:] = 5.0
    with torch.inference_mode():
        assert torch.equal(model(early)[:, :30], model(late)[:, :30])
        assert not torch.equal(model(early)[:, 30:], model(late)[:, 30:])


def streamed(model: nn.Module, inputs: Tensor) -> Tensor:
    """Return the outputs of a decoder fed one step at a time, every neuron's state handed on by hand."""
    states: dict[int, Tensor | None] = {}
    outputs = []
    for step in inputs.split(1, dim=-1):
        signal = step
        for place, module in enumerate(model.get_submodule("body").children()):
            if isinstance(module, ZeroInitialState):
                signal, states[place] = module.neurons(signal, states.get(place))
            else:
                signal = module(signal)
        outputs.append(signal.transpose(1, 2))
    return torch.cat(outputs, dim=1)


def test_step_by_step_equals_the_whole_stretch(decoder: nn.Module) -> None:
    inputs = bins(3, 4).inputs
    with torch.inference_mode():
        torch.testing.assert_close(streamed(decoder, inputs), decoder(inputs), atol=1e-5, rtol=1e-5)


def spikes_of(model: nn.Module, inputs: Tensor) -> list[Tensor]:
    found: list[Tensor] = []
    for module in model.modules():
        if isinstance(module, LIF):
            module.register_forward_hook(lambda _m, _i, output: found.append(output[0]))
    predict(model, inputs)
    return found


@pytest.mark.parametrize(("family", "shape"), [("spiking_mlp", STREAM), ("spiking_conv", WINDOW)])
def test_hooks_on_lif_see_spikes(family: str, shape: Shape) -> None:
    layers = spikes_of(build(spec(family, shape)), torch.rand(4, shape.channels, shape.steps) * 3)
    assert len(layers) == (2 if family == "spiking_mlp" else 1)
    for spikes in layers:
        assert set(spikes.unique().tolist()) == {0.0, 1.0}


def rhythms(count: int, seed: int) -> Examples:
    """Class 1 has a 10 Hz rhythm in channel 0 on top of noise."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(count) % 2
    inputs = torch.randn(count, 4, 96, generator=generator)
    phase = torch.rand(count, 1, generator=generator) * 6.283
    inputs[:, 0] += targets[:, None] * 1.5 * torch.sin(62.83 * torch.arange(96) / 64.0 + phase)
    return Examples(inputs, targets)


@pytest.mark.parametrize("hidden", [0, 8])
def test_spiking_conv_learns_a_rhythm(hidden: int) -> None:
    student = spec("spiking_conv", WINDOW, mixtures=8, hidden=hidden)
    model, test = build(student), rhythms(128, 2)
    fit(model, rhythms(128, 0), rhythms(64, 1), student)
    assert float((predict(model, test.inputs).argmax(1) == test.targets).float().mean()) > 0.75


@pytest.mark.parametrize("code", ["counts", "binary"])
def test_quantised_spiking_decoder_keeps_its_score(decoder: nn.Module, code: str, tmp_path: Path) -> None:
    floating, model = spec("spiking_mlp", STREAM, code=code), decoder
    if code == "binary":
        model = build(floating)
        fit(model, bins(64, 0), bins(16, 1), floating)
    test = bins(16, 2)
    student = floating.model_copy(update={"form": Quantised(weight=8, activation_bits=8)})
    quantised = quantised_from_float(student, model, bins(16, 0).inputs)
    assert r2(predict(quantised, test.inputs), test.targets) > r2(predict(model, test.inputs), test.targets) - 0.05
    grids = [layer.input_grid.bits for m in quantised.modules() if (layer := quantisation_of(m)) is not None]
    assert grids == [1 if code == "binary" else 8, 1, 1]
    save_student(tmp_path / "s", quantised, student, {})
    loaded, _ = load_student(tmp_path / "s")
    assert torch.equal(predict(loaded, test.inputs), predict(quantised, test.inputs))


def test_spiking_conv_decodes_windows_only() -> None:
    with pytest.raises(StudentError, match="decodes classification only, asked for regression"):
        build(spec("spiking_conv", STREAM))


def test_spiking_mlp_classifies_by_its_mean_membrane() -> None:
    model = build(spec("spiking_mlp", WINDOW))
    assert predict(model, rhythms(6, 0).inputs).shape == (6, 2)
