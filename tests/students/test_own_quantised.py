"""Networks of somebody's own in integers: every product of the form's widths, or refused by name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cosim.engine.student_check import check_widths
from energy_models.errors import StudentError
from students.counting import observe
from students.models.build import build, mode
from students.models.from_float import quantised_from_float
from students.models.store import load_student, save_student
from students.spec import Quantised, Shape, StudentSpec, Training, parse_form
from students.training import Examples, fit, predict

WINDOWS = Shape(task="classification", channels=4, steps=32, outputs=3, step_rate_hz=32.0)
STEPS = Shape(task="regression", channels=4, steps=32, outputs=2, step_rate_hz=32.0)


class Residual(nn.Module):
    """An input norm, one activation used twice, grouped convolutions, a residual sum, functions called by hand."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels)
        self.first = nn.Conv1d(channels, 8, 5, padding="same")
        self.first_norm, self.act = nn.BatchNorm1d(8), nn.ReLU(inplace=True)
        self.second = nn.Conv1d(8, 8, 3, padding=1, groups=2)
        self.pool, self.dropout = nn.AvgPool1d(4), nn.Dropout(0.2)
        self.dense, self.readout = nn.Linear(8 * (steps // 4), 16), nn.Linear(16, outputs)
        self.unused = nn.Linear(2, 2)

    def forward(self, signal: Tensor) -> Tensor:
        signal = self.act(self.first_norm(self.first(self.norm(signal))))
        signal = self.act(self.second(signal) + signal)
        signal = self.dropout(self.pool(signal))
        signal = functional.elu(self.dense(signal.view(signal.size(0), -1)))
        return self.readout(functional.dropout(signal, 0.1, self.training))


class Planes(nn.Module):
    """EEGNet's layers as most write them: convolutions over (channels, steps) planes, log probabilities put out."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.temporal, self.norm = nn.Conv2d(1, 4, (1, 9), padding=(0, 4), bias=False), nn.BatchNorm2d(4)
        self.spatial = nn.Conv2d(4, 8, (channels, 1), groups=4)
        self.pool, self.readout = nn.AvgPool2d((1, 4)), nn.Linear(8 * (steps // 4), outputs)

    def forward(self, signal: Tensor) -> Tensor:
        _, _, _steps = signal.shape
        signal = functional.relu6(self.spatial(self.norm(self.temporal(signal.unsqueeze(1)))))
        signal = functional.pad(functional.max_pool2d(self.pool(signal), (1, 1)), (0, 0))
        return functional.log_softmax(self.readout(signal.squeeze(2).flatten(1)), dim=1)


class Perceptron(nn.Module):
    """The shipped multilayer perceptron, in torch's own layers."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * steps, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(),
            nn.Linear(8, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(),
            nn.Linear(8, outputs),
        )  # fmt: skip

    def forward(self, signal: Tensor) -> Tensor:
        return self.body(signal)


class Causal(nn.Module):
    """Estimates of steps: two convolutions that look back."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.warmup_steps = 3
        self.first, self.readout = nn.Conv1d(channels, 6, 4), nn.Conv1d(6, outputs, 1)

    def forward(self, signal: Tensor) -> Tensor:
        hidden = torch.tanh(self.first(functional.pad(signal, (3, 0))))
        return self.readout(hidden).permute(0, 2, 1)


@pytest.fixture(autouse=True)
def nets() -> Iterator[ModuleType]:
    """Yield a module of somebody's own that can be imported as ``nets``."""
    module = ModuleType("nets")
    vars(module).update(Residual=Residual, Planes=Planes, Perceptron=Perceptron, Causal=Causal)
    sys.modules["nets"] = module
    yield module
    del sys.modules["nets"]


def spec_of(name: str, form: str = "float32", shape: Shape = WINDOWS) -> StudentSpec:
    training = Training(epochs=2, batch_size=8)
    return StudentSpec(family=f"nets:{name}", shape=shape, form=parse_form(form), training=training, seed=3)


def signals(shape: Shape = WINDOWS, count: int = 24) -> Tensor:
    return torch.randn((count, shape.channels, shape.steps), generator=torch.Generator().manual_seed(0))


def quantised(name: str, form: str, shape: Shape = WINDOWS) -> tuple[nn.Module, nn.Module, StudentSpec]:
    """Return a float network, its quantised form, and the form's description."""
    floating, spec = build(spec_of(name, shape=shape)), spec_of(name, form, shape)
    return floating, quantised_from_float(spec, floating, signals(shape)), spec


@pytest.mark.parametrize("name", ["Residual", "Planes", "Causal"])
@pytest.mark.parametrize("form", ["w8a8", "w4a4", "w2a4 edge=4 in=6", "binary-a4 edge=8", "w8a4 per=tensor"])
def test_every_product_has_the_widths_of_the_form(name: str, form: str) -> None:
    shape = STEPS if name == "Causal" else WINDOWS
    _, model, spec = quantised(name, form, shape)
    wanted = spec.form
    assert isinstance(wanted, Quantised)
    work = observe(model, signals(shape)[:4], name=name, mode=mode(spec), step_rate_hz=32.0, input_bits=8)
    assert work.complete
    check_widths(work, wanted)
    products = [layer for layer in work.layers if layer.products is not None]
    inner = [wanted.weight_bits] * (len(products) - 2)
    edge = wanted.edge_bits or wanted.weight_bits
    assert [layer.weight_bits for layer in products] == [edge, *inner, edge]
    floats = [layer.name for layer in work.layers if layer.arithmetic == "float"]
    assert floats == (["log_softmax"] if name == "Planes" else [])


@pytest.mark.parametrize("name", ["Residual", "Planes", "Causal"])
def test_eight_bits_are_close_to_float(name: str) -> None:
    shape = STEPS if name == "Causal" else WINDOWS
    floating, model, _ = quantised(name, "w8a8", shape)
    expected = predict(floating, signals(shape))
    assert (predict(model, signals(shape)) - expected).abs().mean() < 0.03 * expected.std()


def test_it_is_calibrated_like_a_shipped_family() -> None:
    """The same network, as a family and as a class, is quantised to the same integers."""
    options = {"hidden": 8, "depth": 2}
    shipped = StudentSpec(family="mlp", options=options, shape=WINDOWS, seed=3)
    theirs, own = build(shipped), build(spec_of("Perceptron"))
    own.load_state_dict(dict(zip(own.state_dict(), theirs.state_dict().values(), strict=True)))
    form = parse_form("w3a4")
    first = quantised_from_float(shipped.model_copy(update={"form": form}), theirs, signals())
    second = quantised_from_float(spec_of("Perceptron", "w3a4"), own, signals())
    assert torch.equal(predict(first, signals()), predict(second, signals()))


def test_it_is_trained_in_integers_stored_and_loaded(tmp_path: Path) -> None:
    _, model, spec = quantised("Residual", "w4a4")
    before = {name: value.clone() for name, value in model.state_dict().items() if "scaling_impl" in name}
    examples = Examples(signals(), torch.arange(24) % 3)
    fit(model, examples, examples, spec)
    after = model.state_dict()
    assert len(before) > 8
    assert all(not torch.equal(value, after[name]) for name, value in before.items())
    save_student(tmp_path, model, spec, {})
    again, _ = load_student(tmp_path)
    assert torch.equal(predict(again, signals()), predict(model, signals()))


def test_a_residual_sum_adds_integers_on_one_grid() -> None:
    _, model, _ = quantised("Residual", "w4a4 edge=8")
    work = observe(model, signals()[:4], name="sum", mode="window", step_rate_hz=32.0, input_bits=8)
    sums = [layer for layer in work.layers if layer.kind == "elementwise"]
    assert [(layer.arithmetic, layer.activation_bits, layer.output_bits) for layer in sums] == [("integer", 4, 5)]


def test_warm_up_and_output_scale_of_a_regression_are_kept() -> None:
    floating, model, spec = quantised("Causal", "w4a4", STEPS)
    assert floating.warmup_steps == model.warmup_steps == 3
    inputs = signals(STEPS)
    targets = 40 + 9 * inputs[:, :2].transpose(1, 2).contiguous()
    fit(model, Examples(inputs, targets), Examples(inputs, targets), spec)
    assert torch.allclose(model.get_submodule("output_scale").offset, targets.mean(dim=(0, 1)))


REFUSED = {
    "self.gru(x.transpose(1, 2), x.new_zeros(1, x.size(0), 8))[0][:, -1]": "would stay in float: it is given a state",
    "self.attention(x, x, x)[0].mean(1)": r"'attention' \(MultiheadAttention\)",
    "(self.dense(x).transpose(1, 2) @ self.taps[:, :, 0].T).flatten(1)": r"matmul\(\).*a product that is no layer",
    "torch.nn.functional.conv1d(x, self.taps).mean(-1)": r"conv1d\(\).*a product that is no layer",
    "torch.nn.functional.linear(x, self.dense.weight).mean(1)": r"linear\(\).*a product that is no layer",
    "torch.maximum(self.dense(x), self.dense(x)).mean(1)": r"maximum\(\).*no integer form is known",
    "self.derived(x).mean(-1)": r"conv1d\(\) in 'derived'",
    "self.weighted(x).mean(-1)": r"'weighted' \(ParametrizedConv1d\)",
    "self.circular(x).mean(-1)": r"'circular' would stay in float: its padding is not zeros",
    "self.dense(x).log_softmax(1).mean(1)": "a softmax in front of a product",
    "self.dense(x).mean(1) if x.sum() > 1e9 else self.dense(x).mean(1)": r"as a graph.*control flow",
    "self.dense(x).pow(3).mean(1)": r"pow\(\)",
    "self.dense(x.to(torch.int32).float()).mean(1)": "a signal is made whole numbers",
    "self.counted(self.dense(x)).mean(1)": r"'counted' \(InstanceNorm1d\) would stay in float: it keeps statistics",
}


class Derived(nn.Conv1d):
    """Changes its weights in the forward pass, as max-norm constraints are often written."""

    def forward(self, input: Tensor) -> Tensor:
        self.weight.data = torch.renorm(self.weight.data, 2, 0, 1.0)
        return super().forward(input)


class Anything(nn.Module):
    """One operation of `REFUSED`, then a read-out."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.gru, self.attention = nn.GRU(channels, 8, batch_first=True), nn.MultiheadAttention(steps, 1)
        self.dense, self.taps = nn.Linear(steps, 8), nn.Parameter(torch.randn(8, 4, 3))
        self.counted = nn.InstanceNorm1d(4, track_running_stats=True)
        self.derived, self.circular = Derived(4, 8, 3), nn.Conv1d(4, 8, 3, padding=1, padding_mode="circular")
        self.weighted = nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 8, 3))
        self.readout = nn.LazyLinear(outputs)


@pytest.mark.parametrize("expression", REFUSED)
def test_what_would_stay_in_float_is_refused_by_name(nets: ModuleType, expression: str) -> None:
    scope: dict[str, object] = {"torch": torch, "Anything": Anything}
    exec(f"class Other(Anything):\n    def forward(self, x):\n        return self.readout({expression})", scope)  # noqa: S102
    vars(nets)["Other"] = scope["Other"]
    if "attention" not in expression:  # it mixes examples along its first axis, which is refused earlier
        build(spec_of("Other"))
        with pytest.raises(StudentError, match=REFUSED[expression]):
            build(spec_of("Other", "w4a4"))


def test_products_of_other_widths_are_named() -> None:
    _, model, _ = quantised("Residual", "w4a4 edge=8")
    work = observe(model, signals()[:2], name="x", mode="window", step_rate_hz=32.0, input_bits=8)
    with pytest.raises(StudentError, match=r"not w2a4 edge=8: second \(integer, 4-bit weights, 4-bit inputs\), dense"):
        check_widths(work, parse_form("w2a4 edge=8"))
    floating = observe(build(spec_of("Perceptron")), signals()[:2], name="x", mode="window", step_rate_hz=32.0,
                       input_bits=8)  # fmt: skip
    with pytest.raises(StudentError, match=r"body.1 \(float, 32-bit weights"):
        check_widths(floating, parse_form("w4a4"))
