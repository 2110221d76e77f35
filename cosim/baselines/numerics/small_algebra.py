"""Small dense algebra written out, so that what is counted is what is run.

Matrices are lists of rows whose elements are arrays over decodes; the counts are closed forms of the loops, and
`tests/cosim/test_baselines_algebra.py` runs the same functions on numbers that count their own operations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

_where: Any = np.where
Matrix = list[list[Any]]
TINY = 1e-30  # keeps the rotation of an already diagonal pair from dividing zero by zero


def cholesky(matrix: Matrix) -> tuple[Matrix, list[Any]]:
    """Return the lower factor L with L L' = matrix, and the inverses of its diagonal."""
    size = len(matrix)
    lower: Matrix = [[None] * size for _ in range(size)]
    inverses: list[Any] = []
    for i in range(size):
        for j in range(i + 1):
            rest = matrix[i][j]
            for k in range(j):
                rest = rest - lower[i][k] * lower[j][k]
            lower[i][j] = np.sqrt(rest) if i == j else rest * inverses[j]
        inverses.append(1.0 / lower[i][i])
    return lower, inverses


def cholesky_operations(size: int) -> dict[str, int]:
    """Return the operations of `cholesky`."""
    inner = (size - 1) * size * (size + 1) // 6
    return {
        "multiply": inner + size * (size - 1) // 2, "add": inner, "divide": size, "square_root": size,
    }  # fmt: skip


def forward_solve(lower: Matrix, inverses: list[Any], right: Matrix) -> Matrix:
    """Return Z with L Z = right."""
    solved: Matrix = []
    for i, row in enumerate(right):
        solved.append([])
        for column, wanted in enumerate(row):
            rest = wanted
            for k in range(i):
                rest = rest - lower[i][k] * solved[k][column]
            solved[i].append(rest * inverses[i])
    return solved


def forward_solve_operations(size: int, columns: int) -> dict[str, int]:
    """Return the operations of `forward_solve`."""
    inner = columns * size * (size - 1) // 2
    return {"multiply": inner + columns * size, "add": inner}


def gram(rows: Matrix) -> Matrix:
    """Return rows rows', computed once for each symmetric pair."""
    size = len(rows)
    product: Matrix = [[None] * size for _ in range(size)]
    for i in range(size):
        for j in range(i, size):
            total = rows[i][0] * rows[j][0]
            for left, right in zip(rows[i][1:], rows[j][1:], strict=True):
                total = total + left * right
            product[i][j] = product[j][i] = total
    return product


def gram_operations(size: int, inner: int) -> dict[str, int]:
    """Return the operations of `gram` on rows of `inner` elements."""
    pairs = size * (size + 1) // 2
    return {"multiply": pairs * inner, "add": pairs * (inner - 1)}


def largest_eigenvalue(matrix: Matrix, sweeps: int) -> Any:
    """Return the largest eigenvalue of a symmetric matrix after a fixed number of cyclic Jacobi sweeps.

    Golub and Van Loan, Matrix Computations, 4th ed., section 8.5.
    """
    size = len(matrix)
    a = [row[:] for row in matrix]
    for _ in range(sweeps):
        for p in range(size - 1):
            for q in range(p + 1, size):
                _rotate(a, p, q)
    largest = a[0][0]
    for index in range(1, size):
        largest = np.maximum(largest, a[index][index])
    return largest


def _rotate(a: Matrix, p: int, q: int) -> None:
    """Make the element (p, q) of a symmetric matrix zero by a plane rotation, in place."""
    difference, doubled = a[q][q] - a[p][p], a[p][q] + a[p][q]
    radius = np.sqrt(difference * difference + doubled * doubled)
    ratio = doubled / (abs(difference) + radius + TINY)
    tangent = _signed(ratio, difference)
    cosine = 1.0 / np.sqrt(tangent * tangent + 1.0)
    sine = tangent * cosine
    moved = tangent * a[p][q]
    a[p][p], a[q][q] = a[p][p] - moved, a[q][q] + moved
    a[p][q] = a[q][p] = np.zeros_like(moved)[()]
    for r in range(len(a)):
        if r in (p, q):
            continue
        left, right = a[r][p], a[r][q]
        a[r][p] = a[p][r] = cosine * left - sine * right
        a[r][q] = a[q][r] = sine * left + cosine * right


def _signed(value: Any, reference: Any) -> Any:
    """Return the value with its sign changed where the reference is negative."""
    return _where(reference < 0, -value, value)[()]


def largest_eigenvalue_operations(size: int, sweeps: int) -> dict[str, int]:
    """Return the operations of `largest_eigenvalue`; the comparison that decides a sign counts, a sign change not."""
    rotations = sweeps * size * (size - 1) // 2
    others = size - 2 if size > 1 else 0
    return {
        "multiply": rotations * (5 + 4 * others), "add": rotations * (8 + 2 * others),
        "divide": 2 * rotations, "square_root": 2 * rotations, "compare": rotations + size - 1,
    }  # fmt: skip


def summed(*parts: Mapping[str, int], times: int = 1) -> dict[str, int]:
    """Return the operations of several parts, each done `times` times."""
    total: dict[str, int] = {}
    for part in parts:
        for kind, number in part.items():
            total[kind] = total.get(kind, 0) + times * number
    return total
