"""Linear projections of a teacher's features, fitted once on its training targets, and what they keep of its task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from energy_models.errors import StudentError

LARGEST_WIDTH = 4096
"""Features whose covariance is decomposed; wider ones are to be pooled first."""

RANK_TOLERANCE = 1e-10
"""Of eigenvalues of a covariance against the largest: projected in float32, weaker directions drown in its rounding."""

TASK_TOLERANCE = 1e-6
"""Of singular values against the largest: what centring leaves of the float32 logits is below it."""

_AT_ONCE = 4096  # rows


@dataclass(frozen=True, slots=True)
class Moments:
    """First and second moments of a teacher's features and of what its task reads of them, in float64.

    Parameters
    ----------
    mean : Tensor, shape (features,)
    covariance : Tensor, shape (features, features)
    cross : Tensor, shape (features, outputs)
        Covariance of features and outputs, which are centred over the classes, or divided by each axis's deviation.
    """

    mean: Tensor
    covariance: Tensor
    cross: Tensor


@dataclass(frozen=True, slots=True)
class Projection:
    """Coordinates ``(z - mean) matrix`` of features z.

    Parameters
    ----------
    mean : Tensor of float64, shape (features,)
    matrix : Tensor of float64, shape (features, coordinates)
    """

    mean: Tensor
    matrix: Tensor


def task_outputs(outputs: Tensor, scale: Tensor | None) -> Tensor:
    """Return what a task reads of outputs: logits less their mean over the classes, or axes over their deviation.

    Softmax does not see a constant on all logits, so that K classes span K - 1 dimensions.

    Parameters
    ----------
    outputs : Tensor, shape (rows, outputs)
    scale : Tensor or None, shape (outputs,)
        Of a regression's axes; None for classification.
    """
    return outputs - outputs.mean(dim=1, keepdim=True) if scale is None else outputs / scale


def moments(features: Sequence[Tensor], outputs: Sequence[Tensor], scale: Tensor | None) -> Moments:
    """Return the moments over all rows of all parts.

    Parameters
    ----------
    features : sequence of Tensor, each of shape (rows, features)
    outputs : sequence of Tensor, each of shape (rows, outputs)
        Logits or axes, row by row.
    scale : Tensor or None, shape (outputs,)
        As `task_outputs`.

    Raises
    ------
    StudentError
        Features too wide, or constant.
    """
    width = features[0].shape[1]
    if width > LARGEST_WIDTH:
        raise StudentError(
            f"{width} features of the teacher, whose covariance is too large (at most {LARGEST_WIDTH})",
            where="projection", remedy="Name a narrower layer of the teacher, or let it pool",
        )
    count, read = sum(map(len, features)), outputs[0].shape[1]
    mean, read_mean = torch.zeros(width, dtype=torch.float64), torch.zeros(read, dtype=torch.float64)
    for rows, given in _pairs(features, outputs, scale):
        mean += rows.sum(dim=0) / count
        read_mean += given.sum(dim=0) / count
    covariance, cross = mean.new_zeros(width, width), mean.new_zeros(width, read)
    for rows, given in _pairs(features, outputs, scale):
        covariance += (rows - mean).T @ (rows - mean) / count
        cross += (rows - mean).T @ (given - read_mean) / count
    if not bool(covariance.diagonal().max() > 0):
        raise StudentError(
            "the teacher's features are the same in all examples", where="projection",
            remedy="Name a layer of the teacher that depends on its input",
        )
    return Moments(mean, covariance, cross)


def _pairs(
    features: Sequence[Tensor], outputs: Sequence[Tensor], scale: Tensor | None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield rows of features and of what the task reads, in float64, some at once: parts may be larger than memory."""
    for part, given in zip(features, outputs, strict=True):
        for rows, read in zip(part.split(_AT_ONCE), given.split(_AT_ONCE), strict=True):
            yield rows.double(), task_outputs(read.double(), scale)


def supervised(found: Moments, size: int | None, residual: float = 1.0) -> tuple[Projection, Tensor]:
    """Return the projection that keeps most of the teacher's outputs, and a weight of each coordinate.

    Reduced-rank regression in closed form: with ``S^(1/2) W = U s V^T``, W the least-squares read-out of the outputs
    from features of covariance S, the columns are ``P = S^(-1/2) U``, so that coordinates are uncorrelated and of
    variance 1. Task coordinates come first and have weight 1. Coordinates beyond the rank of the task are the first
    principal components of what is left of the features once the task coordinates are known (residual fill), of
    variance 1 as well, with weight `residual`.

    BrainDistill (arXiv 2601.17625) describes a supervised projection to the minimal subspace that reconstructs the
    teacher's logits; this closed form, the fit of W from outputs, and the residual fill are our derivation.

    Parameters
    ----------
    found : Moments
    size : int or None
        Coordinates; None: the rank of the task, ``K - 1`` for K classes, the number of axes in a regression.
    residual : float

    Raises
    ------
    StudentError
        More coordinates than the features have, or outputs that no linear map reads from the features.
    """
    basis = whitening(found.covariance)
    left, strengths, _ = torch.linalg.svd(basis.T @ found.cross, full_matrices=False)
    rank = int((strengths > TASK_TOLERANCE * max(strengths[0].item(), torch.finfo(torch.float32).tiny)).sum())
    if rank == 0:
        raise StudentError(
            "no linear map reads the teacher's outputs from its features", where="projection",
            remedy="Name a later layer of the teacher",
        )
    wanted = rank if size is None else size
    if wanted > basis.shape[1]:
        raise StudentError(
            f"{wanted} coordinates of {basis.shape[1]} independent features", where="projection",
            remedy=f"Ask for {basis.shape[1]} or fewer",
        )
    matrix = basis @ left[:, : min(rank, wanted)]
    weights = torch.ones(wanted, dtype=torch.float64)
    if wanted > rank:
        matrix = torch.cat([matrix, _residual(found.covariance, matrix, wanted - rank)], dim=1)
        weights[rank:] = residual
    return Projection(found.mean, matrix), weights


def _residual(covariance: Tensor, task: Tensor, size: int) -> Tensor:
    """Return the first principal components of ``(I - S P P^T) z``, as columns that apply to z, of variance 1."""
    read = covariance @ task
    values, vectors = torch.linalg.eigh(covariance - read @ read.T)
    top = vectors[:, -size:].flip(1)
    return (top - task @ (read.T @ top)) / values[-size:].flip(0).sqrt()


def principal(found: Moments, size: int) -> Projection:
    """Return the first principal components, over the root of their mean variance.

    Parameters
    ----------
    found : Moments
    size : int

    Raises
    ------
    StudentError
        More components than features.
    """
    width = len(found.mean)
    if size > width:
        raise StudentError(f"{size} components of {width} features", where="projection",
                           remedy=f"Ask for {width} or fewer")  # fmt: skip
    _, vectors = torch.linalg.eigh(found.covariance)
    return Projection(found.mean, _of_unit_power(vectors[:, -size:].flip(1), found.covariance))


def random(found: Moments, size: int) -> Projection:
    """Return a Gaussian random projection, drawn from torch's global generator, over the root of its mean variance."""
    drawn = torch.randn(len(found.mean), size, dtype=torch.float64)
    return Projection(found.mean, _of_unit_power(drawn, found.covariance))


def _of_unit_power(matrix: Tensor, covariance: Tensor) -> Tensor:
    """Return the matrix divided so that its coordinates have a mean variance of 1: losses of projections compare."""
    return matrix / (matrix * (covariance @ matrix)).sum(dim=0).mean().sqrt()


def whitening(covariance: Tensor) -> Tensor:
    """Return B, shape (features, rank), with ``B^T S B = I``: a root of the pseudo-inverse of a covariance S."""
    values, vectors = torch.linalg.eigh(covariance)
    kept = values > RANK_TOLERANCE * values[-1]
    return vectors[:, kept] / values[kept].sqrt()


def task_relevance(matrix: Tensor, found: Moments) -> float:
    """Return the share of the variance of a teacher's outputs that is linear in projected features, from 0 to 1 (TSR).

    ``TSR(P) = tr(W^T G S W) / tr(W^T S W)``, ``G = S P (P^T S P)^+ P^T``, for features of covariance S and the
    least-squares read-out W of the outputs (logits centred over classes, or axes over their deviation). It does not
    change with an invertible affine map of the features, nor of the projection. For the projection of `supervised` it
    is 1 if and only if this has the rank of the task or more coordinates.

    BrainDistill (arXiv 2601.17625) calls TSR the proportion of task-relevant information that a projection retains;
    its formula could not be read, and this one is our derivation. The moments are those of the training examples: c
    coordinates read about c over the number of examples of any output by chance.

    Parameters
    ----------
    matrix : Tensor of float64, shape (features, coordinates)
        P.
    found : Moments
    """
    whole = whitening(found.covariance).T @ found.cross
    within = matrix.T @ found.covariance @ matrix
    kept = whitening(within).T @ (matrix.T @ found.cross)
    return float((kept**2).sum() / (whole**2).sum())
