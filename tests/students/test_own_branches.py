"""Networks of somebody's own whose code asks for axes and lengths, as published decoders do, in integers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from energy_models.errors import StudentError
from students.models.build import build
from students.models.from_float import quantised_from_float
from students.spec import Shape, StudentSpec, parse_form
from students.training import predict

WINDOWS = Shape(task="classification", channels=4, steps=32, outputs=3, step_rate_hz=32.0)
STEPS = Shape(task="regression", channels=4, steps=32, outputs=2, step_rate_hz=32.0)


class Planes(nn.Module):
    """EEGNet's layers over planes; what has three axes gets a fourth, sizes are asked for in every way there is."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.temporal = nn.Conv2d(1, 4, (1, 9), padding=(0, 4), bias=False)
        self.spatial, self.norm = nn.Conv2d(4, 8, (channels, 1), groups=4), nn.BatchNorm2d(8)
        self.readout = nn.Linear(8 * (steps // 4), outputs)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if x.dim() == 3:
            x = x.unsqueeze(1)
        if mask is not None or x.ndimension() != 4 or x.dtype != self.readout.weight.dtype:
            raise ValueError("unexpected")
        batch, planes, _channels, steps = x.shape
        x = self.spatial(self.temporal(x.view(batch, planes, -1, steps)))
        x = functional.elu(self.norm(x.view(batch, x.size(1), 1, x.shape[-1])))
        x = functional.avg_pool2d(x, (1, x.size(-1) // (x.numel() // x.numel() * 8)))
        return self.readout(x.float().view(x.size()[0], -1))


class Ensure4d(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        while len(x.shape) < 4:
            x = x.unsqueeze(-1)
        return x


class SqueezeFinal(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        assert x.size()[3] == 1
        x = x[:, :, :, 0]
        return x[:, :, 0] if x.size()[2] == 1 else x


class Fully(nn.Module):
    """ShallowConvNet as a fully convolutional network, its shape seen to by modules without parameters."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential()
        self.body.add_module("ensure", Ensure4d())
        self.time, self.space = nn.Conv2d(1, 6, (9, 1)), nn.Conv2d(6, 6, (1, channels), bias=False)
        self.norm, self.classify = nn.BatchNorm2d(6), nn.Conv2d(6, outputs, ((steps - 8) // 6, 1))
        self.squeeze = SqueezeFinal()

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(x).permute(0, 3, 2, 1)
        x = torch.relu(self.norm(self.space(self.time(x))))
        return self.squeeze(self.classify(functional.avg_pool2d(x, (6, 1))))


class Chomped(nn.Module):
    """Estimates of steps, however many: what is padded too much is cut off by the length of what came in."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.warmup_steps = 3
        self.first, self.readout = nn.Conv1d(channels, 6, 4, padding=3), nn.Conv1d(6, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 3 or x.shape[1] != 4:
            raise ValueError("unexpected")
        hidden = torch.tanh(self.first(x)[:, :, : x.shape[-1]])
        return self.readout(hidden).permute(0, 2, 1)


@pytest.fixture(autouse=True)
def nets() -> Iterator[ModuleType]:
    """Yield a module of somebody's own that can be imported as ``nets``."""
    module = ModuleType("nets")
    vars(module).update(Planes=Planes, Fully=Fully, Chomped=Chomped)
    sys.modules["nets"] = module
    yield module
    del sys.modules["nets"]


def spec_of(name: str, form: str = "float32", shape: Shape = WINDOWS) -> StudentSpec:
    return StudentSpec(family=f"nets:{name}", shape=shape, form=parse_form(form), seed=3)


def signals(shape: Shape, count: int = 24, times: int = 1) -> Tensor:
    return torch.randn((count, shape.channels, times * shape.steps), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("name", "shape"), [("Planes", WINDOWS), ("Fully", WINDOWS), ("Chomped", STEPS)])
@pytest.mark.parametrize(("count", "times"), [(1, 1), (24, 1), (7, 3)])
def test_sizes_decide_and_examples_and_steps_stay_free(name: str, shape: Shape, count: int, times: int) -> None:
    """Eight bits are close to float for any number of examples, and in a regression of steps."""
    floating = build(spec_of(name, shape=shape))
    model = quantised_from_float(spec_of(name, "w8a8", shape), floating, signals(shape))
    given = signals(shape, count, times if shape.task == "regression" else 1)
    expected = predict(floating, given)
    assert (predict(model, given) - expected).abs().mean() < 0.03 * expected.std()


REFUSED = {
    "x[:1] if x.size(0) > 16 else x": "control flow that depends on the number of examples",
    "x if len(x) > 1 else x": "first axis is that of the examples",
    "x if x.shape == (3, 4, 32) else x": "control flow that depends on the number of examples",
    "torch.stack([one for one in x])": "first axis is that of the examples",
    "x[:, :, range(x.size(0))[0] :]": "TypeError",
    "x if x.abs().max() > 1e9 else x": "control flow that depends on the numbers of a signal",
    "x if torch.equal(x, x + 0) else x": "control flow that depends on the number",
    "x[:, :, int(x[0, 0, 0] * 0) :]": "TypeError",
}


@pytest.mark.parametrize("expression", REFUSED)
def test_what_numbers_or_examples_decide_is_refused_with_its_line(nets: ModuleType, expression: str) -> None:
    scope: dict[str, object] = {"torch": torch, "nn": nn, "__name__": __name__}
    code = "class Other(nn.Module):\n    def __init__(self, channels, steps, outputs):\n        super().__init__()\n"
    code += "        self.readout = nn.Linear(channels * steps, outputs)\n"
    code += f"    def forward(self, x):\n        x = {expression}\n        return self.readout(x.flatten(1))"
    exec(compile(code, __file__, "exec"), scope)  # noqa: S102
    vars(nets)["Other"] = scope["Other"]
    build(spec_of("Other"))
    with pytest.raises(StudentError, match=f"following them stopped: .*{REFUSED[expression]}.*py line 6"):
        build(spec_of("Other", "w4a4"))


def test_steps_of_a_regression_decide_nothing(nets: ModuleType) -> None:
    class Long(Chomped):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x if x.size(2) < 99 else x + 0)

    vars(nets)["Long"] = Long
    build(spec_of("Long", shape=STEPS))
    with pytest.raises(StudentError, match="depends on the number of examples or steps"):
        build(spec_of("Long", "w4a4", STEPS))
