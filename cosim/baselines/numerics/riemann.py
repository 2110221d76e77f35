"""Covariances as points of a curved space: shrinkage, mean and square roots, computed when a decoder is fitted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy_models.errors import DataError

Floats = NDArray[np.float64]
TOLERANCE = 1e-8
ITERATIONS = 100


def shrunk_covariances(centred: Any) -> Any:
    """Return covariances shrunk to a multiple of the identity, shape (decodes, channels, channels).

    S' = (1 - r) S + r m I with m = trace(S) / p and the oracle approximating r for n samples of p channels,
    r = min(1, (a + m^2) / ((n + 1) (a - m^2 / p))), a the mean of the squared elements of S (Chen et al. 2010,
    doi 10.1109/TSP.2010.2053029, as scikit-learn's OAS).

    Parameters
    ----------
    centred : ndarray, shape (decodes, channels, steps)
        Windows without their means; the result has their precision.
    """
    _, channels, steps = centred.shape
    kind = centred.dtype.type
    covariances = centred @ centred.transpose(0, 2, 1) * kind(1 / steps)
    squares = (covariances**2).mean(axis=(1, 2))
    mean = np.trace(covariances, axis1=1, axis2=2) * kind(1 / channels)
    # A silent window has neither: its share is one, and it is refused by whoever takes its logarithm.
    below = np.maximum((steps + 1) * (squares - mean**2 / channels), np.finfo(kind).tiny)
    share = np.minimum((squares + mean**2) / below, 1).astype(kind)[:, None, None]
    return (1 - share) * covariances + share * mean[:, None, None] * np.eye(channels, dtype=kind)


def of_eigenvalues(matrices: Floats, function: Callable[[Floats], Floats]) -> Floats:
    """Return symmetric matrices with a function applied to their eigenvalues."""
    decomposed: Any = np.linalg.eigh(matrices)
    values, vectors = decomposed
    return (vectors * function(values)[..., None, :]) @ np.swapaxes(vectors, -1, -2)


def riemannian_mean(covariances: Floats, *, where: str) -> Floats:
    """Return the point with the smallest sum of squared affine-invariant distances.

    By fixed-point steps along the mean of the logarithms (Moakher 2005, doi 10.1137/S0895479803436937).

    Parameters
    ----------
    covariances : ndarray, shape (examples, channels, channels)
    where : str
        Named in errors.

    Raises
    ------
    DataError
        If a covariance is singular, or the steps do not settle.
    """
    if not (np.linalg.eigvalsh(covariances) > 0).all():
        raise DataError("the covariance of some window is singular", where=where,
                        remedy="Check the recording for flat windows.")  # fmt: skip
    mean: Floats = covariances.mean(axis=0)
    for _ in range(ITERATIONS):
        root, inverse = of_eigenvalues(mean, np.sqrt), of_eigenvalues(mean, lambda values: 1 / np.sqrt(values))
        step: Floats = of_eigenvalues(inverse @ covariances @ inverse, np.log).mean(axis=0)
        mean = root @ of_eigenvalues(step, np.exp) @ root
        if float(np.linalg.norm(step)) < TOLERANCE * len(mean):
            return mean
    raise DataError(f"the Riemannian mean did not settle in {ITERATIONS} steps", where=where,
                    remedy="Check the recording for windows that differ by orders of magnitude.")  # fmt: skip
