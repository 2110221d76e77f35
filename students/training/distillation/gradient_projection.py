"""A teacher's features projected by gradient descent on an auxiliary classifier, where a closed form has no labels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from students.training.distillation.projections import Moments, Projection, supervised, whitening

Loss = Callable[[Tensor], Tensor]
"""From the auxiliary classifier's outputs, shape (rows, outputs), to the loss to minimise, shape ()."""


def by_gradient(features: Tensor, found: Moments, size: int, loss: Loss, iterations: int) -> Projection:
    """Return the projection P that minimises ``loss(g(P^T z))`` over P and a linear classifier g, in float64.

    BrainDistill (arXiv 2601.17625) trains a supervised projection with an auxiliary classifier; that the search is
    L-BFGS over all rows in whitened coordinates, and starts at the closed form of `supervised`, is ours. The
    coordinates are decorrelated at the end, which changes no classifier.

    Parameters
    ----------
    features : Tensor, shape (rows, features)
    found : Moments
        Of these features and the teacher's outputs.
    size : int
        Coordinates, at most the rank of the task.
    loss : callable
    iterations : int

    Raises
    ------
    StudentError
        As `supervised`.
    """
    start = supervised(found, size)[0].matrix
    basis = whitening(found.covariance)
    rows = (features.double() - found.mean) @ basis
    inverse = basis.T @ found.covariance  # of the basis: P = basis M, M = basis^T S P
    matrix = (inverse @ start).requires_grad_()
    weight = (start.T @ found.cross).requires_grad_()
    bias = torch.zeros(found.cross.shape[1], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [matrix, weight, bias], max_iter=iterations, line_search_fn="strong_wolfe", tolerance_grad=1e-9
    )

    def step() -> Tensor:
        optimiser.zero_grad()
        value = loss(rows @ matrix @ weight + bias)
        value.backward()
        return value

    with torch.enable_grad():
        optimiser.step(step)
    return Projection(found.mean, basis @ torch.linalg.qr(matrix.detach()).Q)
