"""Projections of a teacher's features by hand and by their properties, and what they keep of the task (TSR)."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from energy_models.errors import StudentError
from students.training.distillation.gradient_projection import by_gradient
from students.training.distillation.losses import hinton_kl
from students.training.distillation.projections import (
    Moments,
    moments,
    principal,
    random,
    supervised,
    task_outputs,
    task_relevance,
    whitening,
)

torch.set_num_threads(1)


def drawn(seed: int, *size: int) -> Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def teacher(width: int, outputs: int, rows: int = 400, seed: int = 0, nuisance: float = 10.0) -> tuple[Tensor, Tensor]:
    """Features whose strongest directions say least of the outputs, which a random read-out takes from all of them."""
    features = drawn(seed, rows, width) * torch.linspace(1, nuisance, width, dtype=torch.float64)
    readout = drawn(seed + 1, width, outputs) / torch.linspace(1, nuisance, width, dtype=torch.float64)[:, None] ** 2
    return features, features @ readout


def found_of(features: Tensor, outputs: Tensor, scale: Tensor | None = None) -> Moments:
    return moments([features], [outputs], scale)


def test_moments_by_hand():
    """Features (0, 0), (2, 0), (0, 4), (2, 4): mean (1, 2), covariance diag(1, 4).

    Logits (x, -x) less their mean are themselves; their covariance with x is 1 and -1. A second part is rows as well.
    """
    features = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 4.0], [2.0, 4.0]])
    logits = torch.stack([features[:, 0] + 5, 5 - features[:, 0]], dim=1)
    for parts in ([4], [1, 3]):
        found = moments(features.split(parts), logits.split(parts), None)
        assert found.mean.tolist() == [1.0, 2.0]
        assert found.covariance.tolist() == [[1.0, 0.0], [0.0, 4.0]]
        assert found.cross.tolist() == [[1.0, -1.0], [0.0, 0.0]]


def test_the_supervised_projection_by_hand():
    """Covariance diag(1, 4), logits (x, -x) of the first feature: P = S^(-1/2) U = (1, 0), up to its sign.

    Residual fill: the second feature over its deviation, (0, 1/2). TSR: first coordinate 1, second 0; the principal
    component is the second feature, over its deviation 2, and keeps nothing.
    """
    cross = torch.tensor([[1.0, -1.0], [0.0, 0.0]], dtype=torch.float64)
    found = Moments(torch.zeros(2), torch.diag(torch.tensor([1.0, 4.0], dtype=torch.float64)), cross)
    projection, weights = supervised(found, 2, residual=0.25)
    assert projection.matrix.abs().numpy() == pytest.approx(torch.tensor([[1.0, 0.0], [0.0, 0.5]]).numpy(), abs=1e-12)
    assert weights.tolist() == [1.0, 0.25]
    assert supervised(found, None)[0].matrix.shape == (2, 1)
    assert [task_relevance(projection.matrix[:, i : i + 1], found) for i in (0, 1)] == pytest.approx([1, 0], abs=1e-12)
    assert principal(found, 1).matrix.abs().flatten().tolist() == pytest.approx([0, 0.5], abs=1e-12)
    assert task_relevance(principal(found, 1).matrix, found) == pytest.approx(0, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(classes=st.integers(2, 6), extra=st.integers(0, 4), seed=st.integers(0, 1000))
def test_tsr_of_the_supervised_projection_is_one_from_k_minus_1_coordinates_on_and_less_below(
    classes: int, extra: int, seed: int
):
    found = found_of(*teacher(12, classes, seed=seed))
    kept = [task_relevance(supervised(found, size)[0].matrix, found) for size in range(1, classes + extra)]
    assert kept[classes - 2 :] == pytest.approx([1.0] * (extra + 1), abs=1e-9)
    assert all(below < 1 - 1e-6 for below in kept[: classes - 2])
    assert kept == sorted(kept) or kept == pytest.approx(sorted(kept), abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(axes=st.integers(1, 4), seed=st.integers(0, 1000))
def test_tsr_of_a_regression_is_one_from_as_many_coordinates_as_axes(axes: int, seed: int):
    """Nothing is centred: constants on all axes matter. Axes of other units weigh alike."""
    features, outputs = teacher(8, axes, seed=seed)
    scale = outputs.std(dim=0, correction=0)
    found = found_of(features, outputs, scale)
    assert task_relevance(supervised(found, axes)[0].matrix, found) == pytest.approx(1, abs=1e-9)
    if axes > 1:
        below = supervised(found, axes - 1)[0].matrix
        assert task_relevance(below, found) < 1 - 1e-6
        units = torch.tensor([1000.0, *[1.0] * (axes - 1)], dtype=torch.float64)
        other = found_of(features, outputs * units, scale * units)
        assert task_relevance(below, other) == pytest.approx(task_relevance(below, found), rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), size=st.integers(1, 5))
def test_tsr_does_not_change_with_an_affine_map_of_features_or_of_the_projection(seed: int, size: int):
    features, logits = teacher(6, 4, seed=seed)
    found = found_of(features, logits)
    matrix, change = drawn(seed + 7, 6, size), drawn(seed + 8, 6, 6) + 3 * torch.eye(6)
    expected = task_relevance(matrix, found)
    assert 0 <= expected <= 1 + 1e-9
    moved = found_of(features @ change + 5, logits + 3)
    assert task_relevance(torch.linalg.inv(change) @ matrix, moved) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    within = drawn(seed + 9, size, size) + 3 * torch.eye(size)
    assert task_relevance(matrix @ within, found) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_no_projection_of_the_size_keeps_more_than_the_supervised_one():
    """Where strong directions are nuisance, principal components keep little, as a random projection does."""
    found = found_of(*teacher(40, 4, rows=2000, nuisance=100.0))
    best = task_relevance(supervised(found, 2)[0].matrix, found)
    torch.manual_seed(0)
    others = [task_relevance(random(found, 2).matrix, found) for _ in range(50)]
    assert best > max(others)
    assert task_relevance(principal(found, 2).matrix, found) < 0.2 * best


def test_coordinates_are_uncorrelated_and_of_unit_variance_residual_ones_too():
    features, logits = teacher(7, 3)
    found = found_of(features, logits)
    for size in (1, 2, 7):
        projection, _ = supervised(found, size)
        coordinates = (features - projection.mean) @ projection.matrix
        torch.testing.assert_close(torch.cov(coordinates.T, correction=0).reshape(size, size), torch.eye(size).double())
    torch.manual_seed(0)
    for projection in (principal(found, 3), random(found, 3)):
        coordinates = (features - projection.mean) @ projection.matrix
        assert coordinates.var(dim=0, correction=0).mean().item() == pytest.approx(1)


def test_the_supervised_projection_reads_the_logits_back():
    """K - 1 coordinates reconstruct the centred logits of a linear classifier to rounding."""
    features, logits = teacher(20, 4)
    projection, _ = supervised(found_of(features, logits), None)
    coordinates = (features - projection.mean) @ projection.matrix
    centred = task_outputs(logits, None) - task_outputs(logits, None).mean(dim=0)
    again = coordinates @ torch.linalg.lstsq(coordinates, centred).solution
    torch.testing.assert_close(again, centred, atol=1e-9, rtol=1e-9)


def test_features_without_rank_are_whitened_in_their_span_and_no_more_is_asked_of_them():
    features, logits = teacher(5, 3)
    double = torch.cat([features, features[:, :2], torch.ones(len(features), 1)], dim=1)
    found = found_of(double, logits)
    assert whitening(found.covariance).shape == (8, 5)
    assert task_relevance(supervised(found, 5)[0].matrix, found) == pytest.approx(1, abs=1e-9)
    with pytest.raises(StudentError, match="6 coordinates of 5 independent features"):
        supervised(found, 6)
    with pytest.raises(StudentError, match="9 components of 8 features"):
        principal(found, 9)
    with pytest.raises(StudentError, match="the same in all examples"):
        found_of(torch.ones(9, 3), drawn(0, 9, 2))
    with pytest.raises(StudentError, match="no linear map reads"):
        supervised(found_of(features, torch.ones(len(features), 3)), None)
    with pytest.raises(StudentError, match="5000 features of the teacher"):
        found_of(torch.zeros(2, 5000), drawn(0, 2, 2))


def test_gradient_descent_lowers_its_loss_and_stays_a_whitened_projection():
    """Of one coordinate for three classes: the loss is below that of the closed form with its best classifier."""
    features, logits = teacher(6, 3, rows=300)
    logits = 4 * logits
    found = found_of(features, logits)
    values: list[float] = []

    def loss(outputs: Tensor) -> Tensor:
        value = hinton_kl(outputs, logits, 2.0)
        values.append(value.item())
        return value

    projection = by_gradient(features, found, 1, loss, 50)
    assert min(values) < values[0] - 1e-3
    assert (projection.matrix.T @ found.covariance @ projection.matrix).item() == pytest.approx(1)
    full = by_gradient(features, found, 2, loss, 20)
    assert task_relevance(full.matrix, found) == pytest.approx(1, abs=1e-3)
