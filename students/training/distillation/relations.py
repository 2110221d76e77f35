"""Relations between the examples of a batch, which two networks can share whatever their widths are."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

SMALLEST = 1e-12
"""Below which a norm or a mean distance is not divided by."""


def distance_relation(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the Huber loss of all pairwise distances, each over its batch's mean distance.

    ``psi(i, j) = |x_i - x_j| / mu``, Park, Kim, Lu and Cho 2019 (arXiv 1904.05068), equations 5 to 7; 0 for a batch of
    one example.

    Parameters
    ----------
    student, teacher : Tensor, shape (batch, features)
        Their features may differ in number.
    """
    pairs = max(len(student) * (len(student) - 1), 1)

    def relative(rows: Tensor) -> Tensor:
        found = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist")
        return found / (found.sum() / pairs).clamp(min=SMALLEST)

    return functional.smooth_l1_loss(relative(student), relative(teacher), reduction="sum") / pairs


def angle_relation(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the Huber loss of the cosines of all angles between three examples.

    ``psi(i, j, k) = cos of the angle at j``, Park, Kim, Lu and Cho 2019 (arXiv 1904.05068), equations 8 and 9; the mean
    over the ordered triples of different examples, 0 for a batch of fewer than three.

    Parameters
    ----------
    student, teacher : Tensor, shape (batch, features)
    """
    count = len(student)
    triples = max(count * (count - 1) * (count - 2), 1)
    return functional.smooth_l1_loss(_cosines(student), _cosines(teacher), reduction="sum") / triples


def _cosines(rows: Tensor) -> Tensor:
    """Return the cosines, shape (batch, batch, batch), at the first index; 0 where two of the three are one example."""
    edges = _unit(rows[None, :, :] - rows[:, None, :])
    cosines = edges @ edges.transpose(1, 2)
    return cosines * (1 - torch.eye(len(rows), dtype=rows.dtype, device=rows.device))


def _unit(vectors: Tensor) -> Tensor:
    """Return vectors along the last axis of norm 1; a vector of 0 stays 0, and has no gradient."""
    norm = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return torch.where(norm > SMALLEST, vectors / norm.clamp(min=SMALLEST), 0.0)


def similarity_relation(student: Tensor, teacher: Tensor) -> Tensor:
    """Return ``|G_student - G_teacher|^2 / batch^2``, G the inner products of a batch's examples, its rows of norm 1.

    Tung and Mori 2019 (arXiv 1907.09682), equations 1 to 4.

    Parameters
    ----------
    student, teacher : Tensor, shape (batch, features)
    """
    difference = _unit(student @ student.T) - _unit(teacher @ teacher.T)
    return (difference**2).sum() / len(student) ** 2
