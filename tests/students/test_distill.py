"""Distillation losses by hand, and that a student with noisy labels gains from a good teacher."""

from __future__ import annotations

import math

import pytest
import torch

from students.models.build import build
from students.spec import MethodSpec, Shape, StudentSpec, Training
from students.training import Examples, Unlabelled, fit, predict
from students.training.distillation.losses import blend, contrastive, hinton_kl, scaled_mse

torch.set_num_threads(1)


def test_hinton_kl_by_hand():
    """T = 2; teacher logits (2 ln 3, 0) -> (3/4, 1/4); student (0, 0) -> (1/2, 1/2).

    KL = 3/4 ln(3/2) + 1/4 ln(1/2) = 0.3041 - 0.1733 = 0.1308; times T^2 = 0.5232.
    """
    teacher, student = torch.tensor([[2 * math.log(3), 0.0]]), torch.zeros(1, 2)
    expected = 4 * (0.75 * math.log(1.5) + 0.25 * math.log(0.5))
    assert hinton_kl(student, teacher, 2.0).item() == pytest.approx(expected, rel=1e-6)


def test_hinton_kl_is_a_mean_over_the_batch_and_zero_for_the_teacher_itself():
    teacher = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    student = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    assert hinton_kl(teacher, teacher, 3.0).item() == pytest.approx(0, abs=1e-6)
    each = [hinton_kl(student[i : i + 1], teacher[i : i + 1], 3.0).item() for i in range(6)]
    assert hinton_kl(student, teacher, 3.0).item() == pytest.approx(sum(each) / 6, rel=1e-5)


def test_gradient_keeps_its_size_as_temperature_grows():
    """For T -> infinity T^2 KL tends to |logit difference|^2 / (2 classes) for centred logits (Hinton 2015, eq. 4)."""
    student = torch.tensor([[1.0, -1.0]], dtype=torch.float64)
    teacher = -student / 2
    assert hinton_kl(student, teacher, 1000.0).item() == pytest.approx((1.5**2 * 2) / 4, rel=1e-5)


def test_scaled_mse_and_blend_by_hand():
    """Errors 3 and 10 over scales 1 and 5: (9 + 4) / 2 = 6.5; blended 0.25: 0.75 * 2 + 0.25 * 6.5."""
    error = scaled_mse(torch.tensor([[[3.0, 10.0]]]), torch.zeros(1, 1, 2), torch.tensor([1.0, 5.0]))
    assert error.item() == 6.5
    assert blend(torch.tensor(2.0), error, 0.25).item() == 0.75 * 2 + 0.25 * 6.5


def test_the_symmetric_loss_over_pairs_by_hand():
    """Labels (0, 1): s is the logits [[ln 3, 0], [0, 0]]. Rows -ln(3/4), ln 2; columns -ln(3/4), ln 2: their mean.

    Labels (0, 0): both examples are right answers for both; columns of s are alike (ln 3, 0), rows are even (1/2, 1/2).
    """
    logits = torch.tensor([[math.log(3), 0.0], [0.0, 0.0]])
    expected = (math.log(4 / 3) + math.log(2)) / 2
    assert contrastive(logits, torch.tensor([0, 1])).item() == pytest.approx(expected, rel=1e-6)
    column = (math.log(4 / 3) + math.log(4)) / 2
    assert contrastive(logits, torch.tensor([0, 0])).item() == pytest.approx((math.log(2) + column) / 2, rel=1e-6)


def test_a_projection_helps_as_far_as_it_holds_the_task():
    """A feature of the teacher holds the truth, four stronger ones nothing; few labels, many inputs without.

    The supervised coordinate is the truth (TSR 1), the first principal component is not (TSR near 0): steps and inputs
    being the same, the first helps more.
    """
    shape = Shape(task="classification", channels=2, steps=8, outputs=2, step_rate_hz=8)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(1000, 2, 8, generator=generator)
    margin = inputs.sum(dim=(1, 2))
    features = torch.cat([margin[:, None], 30 * torch.randn(1000, 4, generator=generator)], dim=1)
    teacher = {"z": features, "outputs": torch.stack([-margin, margin], dim=1)}
    truth = (margin > 0).long()
    few, rest = ({name: rows[part] for name, rows in teacher.items()} for part in (slice(20), slice(120, 500)))
    found = {}
    for name, size in (("tskd", 0), ("pca", 1)):
        method = MethodSpec(name=name, options={"student": "2", "teacher": "z", "size": size, "weight": 0.9})
        spec = StudentSpec(
            family="mlp", options={"depth": 1}, shape=shape, seed=0, training=Training(epochs=30), method=method
        )
        model = build(spec)
        result = fit(
            model, Examples(inputs[:20], truth[:20], few), Examples(inputs[20:120], truth[20:120]), spec,
            unlabelled=Unlabelled(inputs[120:500], rest),
        )  # fmt: skip
        accuracy = (predict(model, inputs[500:]).argmax(dim=1) == truth[500:]).float().mean().item()
        found[name] = accuracy, result.figures["tsr"]
    assert found["tskd"][1] == pytest.approx(1, abs=1e-6)
    assert found["pca"][1] < 0.01
    assert found["tskd"][0] > found["pca"][0] + 0.05, found


def test_a_good_teacher_helps_where_labels_lie():
    """A third of the training labels are flipped; a teacher with the true logits brings the student near the truth."""
    shape = Shape(task="classification", channels=2, steps=8, outputs=2, step_rate_hz=8)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(500, 2, 8, generator=generator)
    truth = (inputs.sum(dim=(1, 2)) > 0).long()
    flips = torch.rand(500, generator=generator) < 1 / 3
    labels = torch.where(flips, 1 - truth, truth)
    margin = inputs.sum(dim=(1, 2))
    teacher = torch.stack([-margin, margin], dim=1)
    scores = {}
    for method in (None, MethodSpec(name="kl", options={"weight": 0.9})):
        spec = StudentSpec(
            family="mlp", shape=shape, seed=0, training=Training(epochs=25),
            method=method,
        )
        model = build(spec)
        train = Examples(inputs[:100], labels[:100], {"outputs": teacher[:100]})
        fit(model, train, Examples(inputs[100:150], labels[100:150]), spec)
        scores[method is not None] = (predict(model, inputs[150:]).argmax(dim=1) == truth[150:]).float().mean().item()
    assert scores[True] > scores[False] + 0.05
