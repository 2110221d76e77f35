"""Views: what noise and mixtures do to inputs, and what is trained on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from students.models.build import build
from students.spec import MethodSpec, Shape, StudentSpec, Task, Training
from students.training import METHODS, Examples, LossInputs, Needs, Unlabelled, fit
from students.training.views import Mixup, Noise, Viewed

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
