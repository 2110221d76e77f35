"""Relations between examples, spectra of sequences and the router over layers: by hand, and by what they disregard."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from students.training.distillation.relations import angle_relation, distance_relation, similarity_relation
from students.training.distillation.router import Router, entropy_shortfall
from students.training.distillation.spectra import magnitude_distance, phase_distance

torch.set_num_threads(1)

RELATIONS = (distance_relation, angle_relation, similarity_relation)


def drawn(seed: int, *size: int) -> Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed))


def test_distance_relation_by_hand():
    """Student at 0, 1, 3: distances 1, 3, 2 of mean 2: 1/2, 3/2, 1. Teacher at 0, 2, 4: 2, 4, 2 of 8/3: 3/4, 3/2, 3/4.

    Differences 1/4, 0, 1/4; Huber below one is half the square: (1/32 + 0 + 1/32) / 3 = 1/48.
    """
    student, teacher = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[0.0], [2.0], [4.0]])
    assert distance_relation(student, teacher).item() == pytest.approx(1 / 48, rel=1e-5)


def test_angle_relation_by_hand():
    """Student: a right angle with equal legs, cosines 0 and twice 1/sqrt 2. Teacher: on a line, -1 in between, else 1.

    Differences 1, and twice 1 - 1/sqrt 2: Huber (1/2 + 2 * (1 - 1/sqrt 2)^2 / 2) / 3.
    """
    student = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    teacher = torch.tensor([[0.0], [-1.0], [1.0]])
    expected = (0.5 + (1 - 1 / math.sqrt(2)) ** 2) / 3
    assert angle_relation(student, teacher).item() == pytest.approx(expected, rel=1e-5)


def test_similarity_relation_by_hand():
    """Student (1, 0), (0, 1): G the identity. Teacher (1), (1): every inner product 1, each row over sqrt 2.

    Differences 1 - 1/sqrt 2 and 1/sqrt 2 in each row: 2 ((1 - 1/sqrt 2)^2 + 1/2) / 4.
    """
    found = similarity_relation(torch.eye(2), torch.ones(2, 1))
    assert found.item() == pytest.approx(((1 - 1 / math.sqrt(2)) ** 2 + 0.5) / 2, rel=1e-6)


@pytest.mark.parametrize("relation", RELATIONS)
def test_relations_are_zero_for_a_rotated_and_scaled_copy_of_the_teacher(relation):
    teacher = drawn(0, 7, 4)
    rotation = torch.linalg.qr(drawn(1, 4, 4)).Q
    assert relation(3 * teacher @ rotation, teacher).item() == pytest.approx(0, abs=1e-6)
    assert relation(drawn(2, 7, 4), teacher).item() > 1e-3


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("case", ["constant", "one", "two equal", "zero"])
def test_gradients_of_relations_are_finite_where_examples_coincide(relation, case: str):
    student = {
        "constant": torch.ones(5, 3), "one": drawn(0, 1, 3), "zero": torch.zeros(5, 3),
        "two equal": torch.cat([drawn(0, 4, 3), drawn(0, 4, 3)[:1]]),
    }[case].requires_grad_()  # fmt: skip
    loss = relation(student, drawn(1, len(student), 2))
    loss.backward()
    assert torch.isfinite(loss)
    assert student.grad is not None
    assert student.grad.abs().max() < 100


def test_a_circular_shift_leaves_magnitudes_alone_and_turns_phases():
    teacher = drawn(0, 3, 4, 10)
    shifted = teacher.roll(3, dims=-1)
    assert magnitude_distance(shifted, teacher).item() == pytest.approx(0, abs=1e-6)
    assert phase_distance(shifted, teacher).item() > 0.5


def test_a_scaling_leaves_phases_alone_and_changes_magnitudes():
    teacher = drawn(0, 3, 4, 10)
    assert phase_distance(2 * teacher, teacher).item() == pytest.approx(0, abs=1e-6)
    assert magnitude_distance(2 * teacher, teacher).item() > 0.3
    assert phase_distance(-teacher, teacher).item() == pytest.approx(2, rel=1e-6)


def test_spectra_by_hand():
    """Teacher (1, 0, 0, 0) has F = (1, 1, 1); a shift by one has (1, -i, -1): turned by 0, 90 and 180 degrees.

    Phase: (0 + 1 + 2) / 3. Student (1, 1, 1, 1) has F = (4, 0, 0): magnitudes log 5 - log 2, twice log 2; its phase is
    0 at the first frequency, none at the others: (0 + 1 + 1) / 3.
    """
    teacher = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    assert phase_distance(teacher.roll(1, dims=1), teacher).item() == pytest.approx(1, rel=1e-6)
    flat = torch.ones(1, 4)
    assert magnitude_distance(flat, teacher).item() == pytest.approx((math.log(5 / 2) + 2 * math.log(2)) / 3, rel=1e-6)
    assert phase_distance(flat, teacher).item() == pytest.approx(2 / 3, rel=1e-6)


@pytest.mark.parametrize("student", [torch.zeros(2, 3, 8), torch.ones(2, 3, 8), 1e6 * torch.ones(2, 3, 8)])
@pytest.mark.parametrize("distance", [magnitude_distance, phase_distance])
def test_gradients_of_spectra_are_finite_without_power(student: Tensor, distance):
    student = student.clone().requires_grad_()
    distance(student, drawn(0, 2, 3, 8)).backward()
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()


def test_the_router_by_hand():
    """Layers of one position: LN makes (1, -1) of (3, 1), (-1, 1) of (0, 4): the even mixture is 0, the last (-1, 1).

    Static scores (ln 3, 0) give gates 3/4 and 1/4: the mixture (1/2, -1/2).
    """
    layers = torch.tensor([[[[3.0, 1.0]], [[0.0, 4.0]]]])
    even, last, static = (Router(kind, 2, 2, 1, 1.0) for kind in ("uniform", "last", "static"))
    with torch.no_grad():
        static.scores.copy_(torch.tensor([math.log(3), 0.0]))
    assert even(layers)[0].flatten().tolist() == pytest.approx([0, 0], abs=1e-5)
    assert last(layers)[0].flatten().tolist() == pytest.approx([-1, 1], abs=1e-4)
    assert static(layers)[0].flatten().tolist() == pytest.approx([0.5, -0.5], abs=1e-4)
    assert static(layers)[1].tolist() == [pytest.approx([0.75, 0.25])]


def test_the_gates_follow_the_input_and_sharpen_as_the_temperature_falls():
    torch.manual_seed(0)
    router = Router("input", 3, 4, 8, 1.0)
    layers = drawn(0, 5, 3, 6, 4)
    gates = router(layers)[1]
    assert gates.sum(dim=1).tolist() == pytest.approx([1] * 5)
    assert gates.std(dim=0).min() > 1e-4
    sharp = Router("input", 3, 4, 8, 0.1)
    sharp.load_state_dict(router.state_dict())
    assert (sharp(layers)[1].max(dim=1).values > gates.max(dim=1).values).all()


def test_entropy_shortfall_by_hand():
    """Gates (1, 0) have entropy 0, even ones ln 2; a floor of half: ((ln 2 / 2)^2 + 0) / 2. Gradients are finite."""
    gates = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    assert entropy_shortfall(gates, 0.5).item() == pytest.approx((math.log(2) / 2) ** 2 / 2, rel=1e-6)
    scores = torch.tensor([[200.0, 0.0]], requires_grad=True)
    entropy_shortfall(torch.softmax(scores, dim=1), 0.5).backward()
    assert scores.grad is not None
    assert torch.isfinite(scores.grad).all()
