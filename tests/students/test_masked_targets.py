"""Steps without a target: nothing is learned from them, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from energy_models.errors import StudentError
from students.models.build import build
from students.spec import Shape, StudentSpec, Training
from students.training import Examples, fit
from students.training.objective import prepare

SHAPE = Shape(task="regression", channels=3, steps=12, outputs=2, step_rate_hz=20.0)
SPEC = StudentSpec(family="mlp", shape=SHAPE, seed=0, training=Training(epochs=2, batch_size=4))


def examples(seed: int) -> Examples:
    generator = torch.Generator().manual_seed(seed)
    known = torch.rand(8, 12, generator=generator) > 0.3
    targets = torch.randn(8, 12, 2, generator=generator).where(known[:, :, None], torch.nan)
    return Examples(torch.randn(8, 3, 12, generator=generator), targets, known=known)


def test_the_loss_is_the_mean_over_steps_with_a_target() -> None:
    train = examples(1)
    objective = prepare(build(SPEC), train, SPEC)
    known, warmup = train.known, objective.warmup_steps
    assert known is not None
    torch.testing.assert_close(objective.weights, train.targets[known].std(dim=0, correction=0))
    outputs = torch.randn(8, 12, 2, generator=torch.Generator().manual_seed(2)).requires_grad_()
    loss = objective.task(outputs, train.targets)
    after = known.clone()
    after[:, :warmup] = False
    errors = (outputs[after] - train.targets[after]) / objective.weights
    torch.testing.assert_close(loss, (errors**2).mean())
    loss.backward()
    assert outputs.grad is not None
    assert (outputs.grad[~after] == 0).all()
    assert (outputs.grad[after] != 0).all()


def test_a_batch_without_any_target_teaches_nothing() -> None:
    objective = prepare(build(SPEC), examples(1), SPEC)
    outputs = torch.ones(2, 12, 2).requires_grad_()
    loss = objective.task(outputs, torch.full((2, 12, 2), torch.nan))
    loss.backward()
    assert loss.item() == 0
    assert outputs.grad is not None
    assert not outputs.grad.any()


def test_a_fit_on_masked_targets_ends_with_finite_losses() -> None:
    result = fit(build(SPEC), examples(1), examples(2), SPEC)
    assert all(map(torch.isfinite, torch.tensor(result.train_losses + result.validation_losses)))


def test_a_mask_of_every_step_is_no_mask() -> None:
    train = replace(examples(1), targets=torch.randn(8, 12, 2, generator=torch.Generator().manual_seed(3)), known=None)
    masked = replace(train, known=torch.ones(8, 12, dtype=torch.bool))
    here, there = (fit(build(SPEC), one, train, SPEC).train_losses for one in (train, masked))
    assert here == pytest.approx(there, rel=1e-6)


@pytest.mark.parametrize(
    ("known", "says"),
    [(torch.ones(8, 12, dtype=torch.bool), r"\d+ of the targets are not finite"),
     (torch.zeros(8, 12, dtype=torch.bool), "no step has a target"),
     (torch.ones(8, 12), r"known steps of shape \(8, 12\) \(torch.float32\)"),
     (torch.ones(8, dtype=torch.bool), r"known steps of shape \(8,\)")],
)  # fmt: skip
def test_masks_that_do_not_fit_are_refused(known: torch.Tensor, says: str) -> None:
    with pytest.raises(StudentError, match=says):
        fit(build(SPEC), replace(examples(1), known=known), examples(2), SPEC)
