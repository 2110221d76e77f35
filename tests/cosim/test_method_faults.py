"""What is wrong with a distillation method is found by its contract."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from cosim.testing import (
    ContractError,
    check_method,
)
from energy_models.errors import StudentError
from students.training.distillation.method import Needs
from students.training.distillation.registry import METHODS as REGISTERED


class PerExample(nn.Module):
    """A loss that is not averaged over the batch."""

    def forward(self, batch):
        return batch.task + ((batch.outputs - batch.teacher["outputs"]) ** 2).flatten(1).mean(dim=1)


class Forgetful(nn.Module):
    """A loss with state that no checkpoint holds."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, batch):
        self.calls += 1
        return batch.task + self.calls * ((batch.outputs - batch.teacher["outputs"]) ** 2).mean()


PER_EXAMPLE = dataclasses.replace(REGISTERED.load("kl"), make=lambda options, setting: PerExample())
FORGETFUL = dataclasses.replace(REGISTERED.load("kl"), make=lambda options, setting: Forgetful())


def test_a_method_without_a_scalar_loss_or_with_state_that_is_lost_is_found() -> None:
    with pytest.raises(StudentError, match="loss of a batch has shape"):
        check_method(f"{__name__}:PER_EXAMPLE")
    with pytest.raises(ContractError, match="does not go on where it was"):
        check_method(f"{__name__}:FORGETFUL")


def own_loss(formula):
    class Own(nn.Module):
        def forward(self, batch):
            return batch.task + formula(batch.outputs, batch.teacher["outputs"])

    return dataclasses.replace(REGISTERED.load("kl"), make=lambda options, setting: Own())


UNSTABLE = own_loss(lambda outputs, teacher: (outputs - teacher).abs().mean() / outputs.std())
ORDERED = own_loss(lambda outputs, teacher: (outputs - teacher)[0].abs().mean())
NEAR = own_loss(lambda outputs, teacher: ((outputs - teacher) * torch.ones(())).abs().mean().cpu())
ROOTED = own_loss(lambda outputs, teacher: (outputs - teacher).flatten(1).var(dim=1).sqrt().mean())
READING = own_loss(lambda outputs, teacher: (outputs - teacher).abs().mean() * (2 if outputs.mean() > 0 else 1))
DETACHED = own_loss(lambda outputs, teacher: (outputs.detach() - teacher).abs().mean())


def test_a_loss_that_fails_on_some_batches_is_found() -> None:
    with pytest.raises(ContractError, match="zero batch, epoch 0: its loss is"):
        check_method(f"{__name__}:UNSTABLE")
    with pytest.raises(ContractError, match="constant batch, epoch 0: a gradient is not finite"):
        check_method(f"{__name__}:ROOTED")
    with pytest.raises(ContractError, match="depends on the order of the batch"):
        check_method(f"{__name__}:ORDERED")
    for name in ("NEAR", "READING"):
        with pytest.raises(ContractError, match="does not compute where its batch is"):
            check_method(f"{__name__}:{name}")
    with pytest.raises(ContractError, match="other targets of the teacher give the same student"):
        check_method(f"{__name__}:DETACHED")


IDLE = dataclasses.replace(REGISTERED.load("mixup"), needs=lambda options: Needs({}))


def test_a_method_without_a_teacher_that_changes_nothing_is_found() -> None:
    with pytest.raises(ContractError, match="it learns as from labels alone"):
        check_method(f"{__name__}:IDLE")
