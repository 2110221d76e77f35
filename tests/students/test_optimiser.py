"""Our AdamW is torch's, bit for bit, and goes on from its moments."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from students.spec import Training
from students.training.optimiser import MOMENTS, AdamW, optimiser_over

SETTINGS = Training(learning_rate=3e-3, weight_decay=0.1)
STEPS = 4

WITHOUT_COMPILER = """
import sys
import torch
from students.counting import observe
from students.models.build import build
from students.models.from_float import quantised_from_float
from students.spec import Shape, StudentSpec, Training, parse_form
from students.training import Examples, fit
shape = Shape(task="classification", channels=2, steps=64, outputs=2, step_rate_hz=64)
spec = StudentSpec(family="mlp", shape=shape, form=parse_form("w4a4"), seed=0, training=Training(epochs=1))
examples = Examples(torch.randn(8, 2, 64), torch.arange(8) % 2)
float_student = build(spec.model_copy(update={"form": parse_form("float32")}))
student = quantised_from_float(spec, float_student, examples.inputs)
fit(student, examples, examples, spec)
observe(student, examples.inputs, name="one", mode="window", step_rate_hz=64, input_bits=8)
assert "brevitas" in sys.modules
assert "torch._dynamo" not in sys.modules, "the compiler was imported"
import brevitas, torch._dynamo
assert torch._dynamo.disable and not brevitas.is_dynamo_compiling()
"""


def parameters(seed: int = 0) -> dict[str, nn.Parameter]:
    random = torch.Generator().manual_seed(seed)
    shapes = {"a.weight": (4, 3), "a.bias": (4,), "b.weight": (2, 4), "unused.weight": (3, 3), "norm.weight": (5,)}
    return {name: nn.Parameter(torch.randn(shape, generator=random)) for name, shape in shapes.items()}


def give_gradients(named: dict[str, nn.Parameter], step: int) -> None:
    random = torch.Generator().manual_seed(100 + step)
    for name, parameter in named.items():
        drawn = torch.randn(parameter.shape, generator=random)
        is_missing = name.startswith("unused") or (name == "b.weight" and step == 0)  # learns later
        parameter.grad = None if is_missing else drawn


def values(named: dict[str, nn.Parameter]) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in named.items()}


@pytest.mark.parametrize("is_fused", [True, False])
def test_updates_are_those_of_torch(is_fused: bool) -> None:
    ours, theirs = parameters(), parameters()
    own = optimiser_over(ours.items(), SETTINGS, torch.device("cpu"))
    own.is_fused = is_fused
    groups = [
        {"params": [one for one in theirs.values() if one.ndim > 1], "weight_decay": SETTINGS.weight_decay},
        {"params": [one for one in theirs.values() if one.ndim < 2], "weight_decay": 0.0},
    ]
    torchs = torch.optim.AdamW(groups, lr=SETTINGS.learning_rate, fused=is_fused)
    for step in range(STEPS):
        for named in (ours, theirs):
            give_gradients(named, step)
        own.rate = torchs.param_groups[0]["lr"] = torchs.param_groups[1]["lr"] = SETTINGS.learning_rate / (1 + step)
        own.step()
        torchs.step()
    assert all(torch.equal(value, values(theirs)[name]) for name, value in values(ours).items())
    assert not torch.equal(ours["a.weight"], parameters()["a.weight"])


def test_an_optimiser_goes_on_from_its_moments() -> None:
    first, second = parameters(), parameters()
    one = optimiser_over(first.items(), SETTINGS, torch.device("cpu"))
    give_gradients(first, 1)
    one.step()
    kept = {name: value.clone() for name, value in one.moments().items()}
    assert len(kept) == 4 * len(MOMENTS)  # one of the five has no gradient, and no moments
    other: AdamW = optimiser_over(second.items(), SETTINGS, torch.device("cpu"))
    other.load_moments(kept)
    with torch.no_grad():
        for name, value in values(first).items():
            second[name].copy_(value)
    for named, optimiser in ((first, one), (second, other)):
        give_gradients(named, 2)
        optimiser.step()
    assert all(torch.equal(value, first[name]) for name, value in second.items())


def test_cleared_gradients_are_none() -> None:
    named = parameters()
    optimiser = optimiser_over(named.items(), SETTINGS, torch.device("cpu"))
    give_gradients(named, 1)
    optimiser.clear_gradients()
    assert all(parameter.grad is None for parameter in named.values())


def test_quantised_students_are_trained_and_counted_without_importing_torchs_compiler() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_COMPILER], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
