"""Eigenvalues and eigenvectors of symmetric matrices by a fixed number of Jacobi sweeps, and their exact work.

Golub and Van Loan, Matrix Computations, 4th ed., section 8.5. The number of sweeps is fixed, so the work of a decode
is the same for every window; off-diagonal elements shrink quadratically once they are small.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.baselines.numerics.small_algebra import TINY

_where: Any = np.where


def eigen(matrices: NDArray[Any], sweeps: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return eigenvalues, shape (decodes, size), and eigenvectors in rows, shape (decodes, size, size).

    Parameters
    ----------
    matrices : ndarray, shape (decodes, size, size)
        Symmetric; the precision of the result is theirs.
    sweeps : int
    """
    a = matrices.copy()
    size = a.shape[1]
    vectors = np.zeros_like(a)
    vectors[:, range(size), range(size)] = a.dtype.type(1)
    for _ in range(sweeps):
        for p in range(size - 1):
            for q in range(p + 1, size):
                _rotate(a, vectors, p, q, [row for row in range(size) if row not in (p, q)])
    return a[:, range(size), range(size)], vectors


def _rotate(a: NDArray[Any], vectors: NDArray[Any], p: int, q: int, others: list[int]) -> None:
    """Make the element (p, q) of every matrix zero by a plane rotation, in place."""
    off = a[:, p, q].copy()
    difference, doubled = a[:, q, q] - a[:, p, p], off + off
    radius = np.sqrt(difference * difference + doubled * doubled)
    ratio = doubled / (abs(difference) + radius + TINY)
    tangent = _where(difference < 0, -ratio, ratio)
    cosine = 1.0 / np.sqrt(tangent * tangent + 1.0)
    sine = tangent * cosine
    moved = tangent * off
    a[:, p, p], a[:, q, q] = a[:, p, p] - moved, a[:, q, q] + moved
    a[:, p, q] = a[:, q, p] = np.zeros_like(off)
    cosine, sine = cosine[:, None], sine[:, None]
    left, right = a[:, p, others], a[:, q, others]
    a[:, p, others], a[:, q, others] = cosine * left - sine * right, sine * left + cosine * right
    a[:, others, p], a[:, others, q] = a[:, p, others], a[:, q, others]
    left, right = vectors[:, p].copy(), vectors[:, q].copy()
    vectors[:, p], vectors[:, q] = cosine * left - sine * right, sine * left + cosine * right


def eigen_operations(size: int, sweeps: int) -> dict[str, int]:
    """Return the operations of `eigen` on one matrix; the comparison that decides a sign counts, a sign change not.

    A rotation takes 5 multiplications, 8 additions, 2 divisions and 2 roots, then 4 multiplications and 2 additions
    for each other row (the matrix is symmetric: once) and each element of the two eigenvectors.
    """
    rotations = sweeps * size * (size - 1) // 2
    turned = size - 2 + size if size > 1 else 0
    return {
        "multiply": rotations * (5 + 4 * turned), "add": rotations * (8 + 2 * turned),
        "divide": 2 * rotations, "square_root": 2 * rotations, "compare": rotations,
    }  # fmt: skip
