"""Views: what noise and mixtures do to inputs, and what is trained on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

import pytest
import torch
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.models.build import build
from students.spec import MethodSpec, Shape, StudentSpec, Task, Training
from students.training import METHODS, Examples, LossInputs, Needs, Unlabelled, fit, parse_method
from students.training.views import Mixup, Noise, UnitDrop, Viewed

torch.set_num_threads(1)


def test_noise_is_a_share_of_each_channels_own_deviation():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(200, 2, 100, generator=generator) * torch.tensor([[1.0], [50.0]]) + 7
    torch.manual_seed(1)
    added = Noise(0.1)(inputs, 100).inputs - inputs
    assert added.std(dim=(0, 2)) == pytest.approx(torch.tensor([0.1, 5.0]), rel=0.03)
    assert added.mean().item() == pytest.approx(0, abs=0.1)


def test_a_mixture_pairs_labelled_with_labelled():
    inputs = torch.arange(10.0)[:, None, None].expand(10, 1, 3)
    torch.manual_seed(0)
    seen = Mixup(0.4)(inputs, 6)
    assert seen.partner is not None
    assert sorted(seen.partner[:6].tolist()) == list(range(6))
    assert sorted(seen.partner[6:].tolist()) == list(range(6, 10))
    expected = seen.share * torch.arange(10.0) + (1 - seen.share) * seen.partner
    torch.testing.assert_close(seen.inputs[:, 0, 2], expected)
    torch.testing.assert_close(seen.mixed(torch.arange(10.0)), expected)


class Taught(nn.Module):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[LossInputs] = []

    def forward(self, batch: LossInputs) -> Tensor:
        self.seen.append(batch)
        return batch.task + 0 * batch.outputs.sum()


def swapped(inputs: Tensor, labelled: int) -> Viewed:
    """A quarter of each example, and three quarters of its neighbour."""
    partner = torch.arange(len(inputs)) ^ 1
    return Viewed(inputs / 4 + 3 * inputs[partner] / 4, partner, 0.25)


ORDERS = ([0, 1, 2, 3], [1, 0, 3, 2])
LOSS = Taught()
ASKED = replace(METHODS.load("kl"), make=lambda options, setting: LOSS)
MIXED = replace(
    METHODS.load("kl"), needs=lambda options: Needs({"outputs": "outputs"}, view=swapped),
    make=lambda options, setting: LOSS,
)  # fmt: skip


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_mixture_is_trained_against_both_labels_and_both_teachers_targets(task: Task):
    """Share 1/4: the loss is task(own) / 4 + 3 task(partner) / 4; a mixed target of the teacher likewise."""
    shape = Shape(task=task, channels=2, steps=6, outputs=2, step_rate_hz=6)
    draw: Callable[..., Tensor] = lambda *size: torch.randn(*size, generator=torch.Generator().manual_seed(1))  # noqa: E731
    wide = (2,) if task == "classification" else (6, 2)
    targets = torch.tensor([0, 1, 1, 0]) if task == "classification" else draw(4, *wide)
    train = Examples(draw(4, 2, 6), targets, {"outputs": draw(4, *wide)})
    free = Unlabelled(draw(2, 2, 6), {"outputs": draw(2, *wide)})
    spec = StudentSpec(
        family="mlp", options={"hidden": 3, "dropout": 0.0, "lags": 1}, shape=shape, seed=0,
        method=MethodSpec(name=f"{__name__}:MIXED"), training=Training(epochs=1, batch_size=6),
    )  # fmt: skip
    LOSS.seen.clear()
    fit(build(spec), train, train, spec, unlabelled=free)
    (batch,) = LOSS.seen
    rows = batch.rows.tolist()
    assert sorted(rows[:4]) == [0, 1, 2, 3]
    assert sorted(rows[4:]) == [4, 5]
    teacher = torch.cat([train.teacher["outputs"], free.teacher["outputs"]])[rows]
    partner = torch.arange(6) ^ 1
    torch.testing.assert_close(batch.teacher["outputs"], teacher / 4 + 3 * teacher[partner] / 4)
    if task == "classification":
        two = [nn.functional.cross_entropy(batch.outputs[:4], targets[rows[:4]][order]) for order in ORDERS]
    else:
        scale = targets.std(dim=(0, 1), correction=0)
        two = [(((batch.outputs[:4] - targets[rows[:4]][order]) / scale) ** 2).mean() for order in ORDERS]
    torch.testing.assert_close(batch.task, two[0] / 4 + 3 * two[1] / 4)


def test_a_dropped_unit_is_silent_in_every_step_and_the_others_stay():
    inputs = torch.rand(400, 5, 3) + 1
    torch.manual_seed(0)
    seen = UnitDrop(0.3)(inputs, 400).inputs
    silent = (seen == 0).all(dim=2)
    assert torch.equal(seen[~silent], inputs[~silent])
    assert silent.float().mean().item() == pytest.approx(0.3, abs=0.04)


def square(inputs: Tensor) -> dict[str, Tensor]:
    """A teacher that is not linear: of a mixture it says other than the mixture of what it says of both."""
    return {"outputs": inputs.square().mean(dim=2)}


@pytest.mark.parametrize("options", [{"noise": 0.5}, {"mixup": 1.0}, {"unit_drop": 0.5}])
def test_a_teacher_that_can_be_asked_answers_about_what_the_student_sees(options, monkeypatch):
    seen: list[Tensor] = []

    def keep(model: nn.Module, inputs: Tensor, names: object) -> tuple[Tensor, dict[str, Tensor]]:
        seen.append(inputs)
        return model(inputs), {}

    monkeypatch.setattr(import_module("students.training.fit"), "forward_with", keep)
    inputs = torch.randn(6, 2, 6, generator=torch.Generator().manual_seed(1))
    train = Examples(inputs, torch.tensor([0, 1, 1, 0, 0, 1]), square(inputs))
    free = Unlabelled(inputs[:4] + 1, square(inputs[:4] + 1))
    shape = Shape(task="classification", channels=2, steps=6, outputs=2, step_rate_hz=6)
    spec = StudentSpec(
        family="mlp", options={"hidden": 3, "dropout": 0.0, "lags": 1}, shape=shape, seed=0,
        method=MethodSpec(name=f"{__name__}:ASKED", options=options), training=Training(epochs=1, batch_size=10),
    )  # fmt: skip
    for ask in (square, None):
        LOSS.seen.clear()
        seen.clear()
        fit(build(spec), train, train, spec, unlabelled=free, ask=ask)
        (batch,) = LOSS.seen
        assert torch.equal(batch.teacher["outputs"], square(seen[0])["outputs"]) is (ask is not None)


def test_a_teacher_that_gives_something_else_when_asked_is_told():
    inputs = torch.randn(4, 2, 6)
    train = Examples(inputs, torch.tensor([0, 1, 1, 0]), square(inputs))
    shape = Shape(task="classification", channels=2, steps=6, outputs=2, step_rate_hz=6)
    spec = StudentSpec(family="mlp", shape=shape, seed=0, method=MethodSpec(name="kl", options={"noise": 0.1}),
                       training=Training(epochs=1))  # fmt: skip
    with pytest.raises(StudentError, match="gives no 'outputs'"):
        fit(build(spec), train, train, spec, ask=lambda inputs: {})
    with pytest.raises(StudentError, match="expected"):
        fit(build(spec), train, train, spec, ask=lambda inputs: {"outputs": inputs})


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("kl", {"noise": 0.1, "mixup": 0.1}, "one of 'noise', 'mixup' and 'unit_drop'"),
        ("kl", {"mixup": 0.1, "labels": "pairs"}, "pairs with no class"),
        ("dlink", {"mixup": 0.1, "student": "1", "layers": ["a"]}, "a mixture has none"),
        ("fitnet", {"unit_drop": 1.0, "student": "1", "teacher": "a"}, "unit_drop"),
    ],
)
def test_views_that_make_no_sense_are_refused(name, options, says):
    with pytest.raises(StudentError, match=says):
        parse_method(MethodSpec(name=name, options=options))
