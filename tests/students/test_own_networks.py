"""A family made of somebody's own network class: its options, its first forward passes, and what is refused by name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.families import load_family, parse_options
from students.layers import OutputScale
from students.models.build import build, complete, mode
from students.spec import Shape, StudentSpec, Training
from students.training import Examples, fit, predict

WINDOWS = Shape(task="classification", channels=3, steps=16, outputs=4, step_rate_hz=16.0)
STEPS = Shape(task="regression", channels=3, steps=16, outputs=2, step_rate_hz=16.0)


class Flat(nn.Module):
    """A linear read-out of the window, with options of every kind that a signature can state."""

    def __init__(
        self, channels: int, steps: int, outputs: int, *, hidden: int = 4, kind: Literal["a", "b"] = "a",
        rate: float | None = None, norm: type[nn.Module] = nn.Identity,
    ) -> None:  # fmt: skip
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(channels * steps, hidden), norm(), nn.Linear(hidden, outputs))

    def forward(self, signal: Tensor) -> Tensor:
        return self.body(signal)


class Causal(nn.Module):
    """One estimate a step from this step and the one before."""

    def __init__(self, outputs: int, steps: int, channels: int) -> None:  # the names decide, not the order
        super().__init__()
        self.conv = nn.Conv1d(channels, outputs, 2)

    def forward(self, signal: Tensor) -> Tensor:
        return self.conv(nn.functional.pad(signal, (1, 0))).transpose(1, 2)


def make_flat(n_channels: int, n_steps: int, n_outputs: int, **options: Any) -> nn.Module:
    return Flat(n_channels, n_steps, n_outputs, **options)


def changed(forward: str, start: str = "") -> type[nn.Module]:
    """Return `Flat` with another forward pass."""
    body = (
        "class Changed(Flat):\n    def __init__(self, channels, steps, outputs):\n"
        f"        super().__init__(channels, steps, outputs)\n        {start or 'pass'}\n"
        f"    def forward(self, x):\n        {forward}\n"
    )
    found: dict[str, Any] = {"Flat": Flat, "torch": torch, "nn": nn}
    exec(body, found)  # noqa: S102
    return found["Changed"]


@pytest.fixture
def theirs() -> Iterator[ModuleType]:
    """Yield a module of somebody's own that can be imported as ``theirs``."""
    module = ModuleType("theirs")
    vars(module).update(Flat=Flat, Causal=Causal, make_flat=make_flat)
    sys.modules["theirs"] = module
    yield module
    del sys.modules["theirs"]


def spec_of(name: str, shape: Shape = WINDOWS, **options: Any) -> StudentSpec:
    return StudentSpec(
        family=f"theirs:{name}", options=options, shape=shape, training=Training(epochs=2, batch_size=4), seed=1
    )


def test_options_are_those_of_the_signature(theirs: ModuleType) -> None:
    family = load_family("theirs:Flat")
    assert family.title == "Flat"
    parsed = parse_options("theirs:Flat", family, {"hidden": 7, "kind": "b"}).model_dump(exclude_unset=True)
    assert parsed == {"hidden": 7, "kind": "b"}
    for wrong in ({"hiden": 7}, {"hidden": "many"}, {"kind": "c"}):
        with pytest.raises(StudentError, match=next(iter(wrong))):
            parse_options("theirs:Flat", family, wrong)
    model = build(spec_of("Flat", hidden=7))
    assert model.get_submodule("body.1").weight.shape == (7, 48)


def test_any_keyword_goes_where_the_signature_takes_any(theirs: ModuleType) -> None:
    model = build(spec_of("make_flat", hidden=5))
    assert model.get_submodule("body.1").weight.shape == (5, 48)


def test_it_is_rebuilt_from_its_description(theirs: ModuleType) -> None:
    spec = complete(spec_of("Flat", hidden=7))
    again = StudentSpec.model_validate_json(spec.model_dump_json())
    assert again == spec
    first, second = build(spec).state_dict(), build(again).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_window_decoder_is_fitted(theirs: ModuleType) -> None:
    generator = torch.Generator().manual_seed(0)
    inputs, targets = torch.randn((12, 3, 16), generator=generator), torch.arange(12) % 4
    model = build(spec_of("Flat"))
    assert mode(spec_of("Flat")) == "window"
    before = predict(model, inputs)
    fit(model, Examples(inputs, targets), Examples(inputs, targets), spec_of("Flat"))
    assert not torch.equal(before, predict(model, inputs))


def test_estimates_of_steps_are_scaled_to_the_targets(theirs: ModuleType) -> None:
    """Targets of deviation 500 around 1000 would take a plain network thousands of steps of its optimiser."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn((12, 3, 16), generator=generator)
    targets = 1000 + 500 * inputs[:, :2].transpose(1, 2)
    spec = spec_of("Causal", STEPS)
    model = build(spec)
    fit(model, Examples(inputs, targets), Examples(inputs, targets), spec)
    assert mode(spec) == "stream"
    assert (predict(model, inputs) - 1000).abs().mean() < 500
    plain = build(spec_of("Causal", STEPS, output_scale="none"))
    assert not any(isinstance(module, OutputScale) for module in plain.modules())


@pytest.mark.parametrize(
    ("forward", "says"),
    [
        ("return self.body(x)[:, :2]", r"from inputs .*channels 3, steps 16.* it returned \(3, 2\).*\(3, 4\)"),
        ("return x.undefined", "raised AttributeError: 'Tensor' object has no attribute 'undefined'"),
        ("return [self.body(x)]", "returned a list"),
        ("return self.body(x).double()", "outputs are float64"),
        ("return self.body(x).detach()", "no gradient"),
        ("return self.body(x) / 0", "not finite"),
        ("y = self.body(x); return y - y.mean(0)", "depends on the other examples"),
        ("return self.body(x).squeeze() if len(x) > 1 else self.body(x).squeeze()", r"a batch of one it returned \(4,"),
        ("return self.body(x) + torch.rand(())", "the same inputs give other outputs"),
        ("self.seen = getattr(self, 'seen', 0) + 1; return self.body(x) * self.seen", "keeps something from call"),
    ],
)
def test_a_network_that_training_would_stumble_over_is_refused(theirs: ModuleType, forward: str, says: str) -> None:
    vars(theirs)["Changed"] = changed(forward)
    with pytest.raises(StudentError, match=says) as caught:
        build(spec_of("Changed"))
    assert "Changed(channels=3, steps=16, outputs=4)" in str(caught.value)


@pytest.mark.parametrize(
    ("start", "says"),
    [
        ("self.double()", r"body.1.weight is float64"),
        ("self.body = None; self.kept = [nn.Linear(48, 4)]", "no parameter to train.*not in a list"),
        ("nn.Linear(1, 1).bais", r"Changed\(channels=3.*\) raised AttributeError.*bais"),
    ],
)
def test_a_network_that_cannot_be_made_is_refused(theirs: ModuleType, start: str, says: str) -> None:
    vars(theirs)["Changed"] = changed("return self.body(x)", start)
    with pytest.raises(StudentError, match=says):
        build(spec_of("Changed"))


@pytest.mark.parametrize(
    ("forward", "says"),
    [
        ("return (self.body(x) + x.mean(-1, keepdim=True)).transpose(1, 2)", "depends on later steps"),
        ("return self.body(x)", r"Swap the last two axes"),
        ("assert x.shape[-1] == 16; return self.body(x).transpose(1, 2)", "twice the steps.*AssertionError"),
    ],
)
def test_estimates_of_steps_have_to_be_causal(theirs: ModuleType, forward: str, says: str) -> None:
    vars(theirs)["Changed"] = changed(forward, "self.body = nn.Conv1d(channels, outputs, 1)")
    with pytest.raises(StudentError, match=says):
        build(spec_of("Changed", STEPS.model_copy(update={"channels": 2})))


def test_signatures_that_take_no_shape_or_a_reserved_name_are_refused(theirs: ModuleType) -> None:
    vars(theirs)["few"] = lambda channels, steps: None
    vars(theirs)["taken"] = lambda channels, steps, outputs, output_scale=1: None
    vars(theirs)["nothing"] = lambda channels, steps, outputs: None
    for name, says in (("few", r"it takes \(channels, steps\)"), ("taken", "'output_scale'"), ("nothing", "NoneType")):
        with pytest.raises(StudentError, match=says):
            build(spec_of(name))
    vars(theirs)["model"] = Flat(3, 16, 4)
    with pytest.raises(StudentError, match="the object is a Flat, neither a network's class nor a Family"):
        load_family("theirs:model")


def test_lazy_layers_get_their_sizes(theirs: ModuleType) -> None:
    vars(theirs)["lazy"] = lambda channels, steps, outputs: nn.Sequential(nn.Flatten(), nn.LazyLinear(outputs))
    assert build(spec_of("lazy")).get_submodule("1").weight.shape == (4, 48)
