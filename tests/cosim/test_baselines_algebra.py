"""Small algebra and the transform: right answers, and closed-form counts equal to counting numbers."""

from __future__ import annotations

import cmath
import math
from collections import Counter
from typing import Any, ClassVar

import numpy as np
import pytest
from scipy import linalg
from sklearn.covariance import OAS

from cosim.baselines.numerics import small_algebra as algebra
from cosim.baselines.numerics.jacobi import eigen, eigen_operations
from cosim.baselines.numerics.riemann import riemannian_mean, shrunk_covariances
from cosim.baselines.numerics.spectrum import band_bins, log_band_power, read_bands, transform_operations
from energy_models.errors import DataError


class Counting:
    """A number that writes down what is done to it."""

    done: ClassVar[Counter[str]] = Counter()

    def __init__(self, value: float) -> None:
        self.value = value

    def _do(self, kind: str, value: float) -> Counting:
        Counting.done[kind] += 1
        return Counting(value)

    def __add__(self, other: Any) -> Counting:
        return self._do("add", self.value + _value(other))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Counting:
        return self._do("add", self.value - _value(other))

    def __mul__(self, other: Any) -> Counting:
        return self._do("multiply", self.value * _value(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Counting:
        return self._do("divide", self.value / _value(other))

    def __rtruediv__(self, other: Any) -> Counting:
        return self._do("divide", _value(other) / self.value)

    def sqrt(self) -> Counting:
        return self._do("square_root", math.sqrt(self.value))

    def __neg__(self) -> Counting:
        return Counting(-self.value)

    def __abs__(self) -> Counting:
        return Counting(abs(self.value))

    def __lt__(self, other: Any) -> bool:
        Counting.done["compare"] += 1
        return self.value < _value(other)

    def __ge__(self, other: Any) -> bool:
        Counting.done["compare"] += 1
        return self.value >= _value(other)


def _value(other: Any) -> float:
    return other.value if isinstance(other, Counting) else float(other)


def _counting(matrix: np.ndarray) -> list[list[Any]]:
    Counting.done = Counter()
    return [[Counting(float(value)) for value in row] for row in matrix]


def _spd(size: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(size, 3 * size))
    return rows @ rows.T


def _plain(matrix: np.ndarray) -> list[list[Any]]:
    return [[np.array([value]) for value in row] for row in matrix]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_cholesky_and_solve(size: int) -> None:
    matrix, right = _spd(size, 1), np.random.default_rng(2).normal(size=(size, 3))
    lower, inverses = algebra.cholesky(_plain(matrix))
    expected = np.linalg.cholesky(matrix)
    assert all(lower[i][j][0] == pytest.approx(expected[i, j]) for i in range(size) for j in range(i + 1))
    solved = algebra.forward_solve(lower, inverses, _plain(right))
    assert np.array([[float(v[0]) for v in row] for row in solved]) == pytest.approx(np.linalg.solve(expected, right))
    counted, reciprocal = algebra.cholesky(_counting(matrix))
    assert Counting.done == Counter(algebra.cholesky_operations(size))
    algebra.forward_solve(counted, reciprocal, _counting(right))
    assert Counting.done == Counter(algebra.forward_solve_operations(size, 3))


def test_gram_operations() -> None:
    rows = np.random.default_rng(4).normal(size=(3, 5))
    product = algebra.gram(_counting(rows))
    assert Counting.done == Counter(algebra.gram_operations(3, 5))
    assert [[value.value for value in row] for row in product] == [pytest.approx(list(row)) for row in rows @ rows.T]


@pytest.mark.parametrize("size", [2, 3, 6])
def test_largest_eigenvalue(size: int) -> None:
    matrix = _spd(size, 5)
    assert algebra.largest_eigenvalue(_plain(matrix), 6)[0] == pytest.approx(np.linalg.eigvalsh(matrix)[-1], rel=1e-10)
    sweeps = 2 if size > 2 else 1  # the zero written into a 2 x 2 matrix is a plain number that counts nothing
    algebra.largest_eigenvalue(_counting(matrix), sweeps)
    assert Counting.done == Counter(algebra.largest_eigenvalue_operations(size, sweeps))


def test_largest_eigenvalue_of_a_diagonal_matrix_divides_nothing_by_zero() -> None:
    assert algebra.largest_eigenvalue(_plain(np.diag([2.0, 2.0, 1.0])), 3)[0] == 2.0
    assert algebra.largest_eigenvalue(_plain(np.zeros((3, 3))), 3)[0] == 0.0


@pytest.mark.parametrize("size", [1, 2, 3, 12])
def test_eigenvectors(size: int) -> None:
    matrix = _spd(size, 8)
    values, vectors = eigen(matrix[None], 6)
    assert np.sort(values[0]) == pytest.approx(np.linalg.eigvalsh(matrix), rel=1e-9)
    assert vectors[0].T @ np.diag(values[0]) @ vectors[0] == pytest.approx(matrix, rel=1e-9, abs=1e-9)
    Counting.done = Counter()
    sweeps = 2 if size > 2 else 1
    numbers = np.array([[[Counting(float(value)) for value in row] for row in matrix]], dtype=object)
    eigen(numbers, sweeps)
    assert Counting.done == +Counter(eigen_operations(size, sweeps))


def test_six_sweeps_settle_64_channels_in_float32() -> None:
    matrix = _spd(64, 9).astype(np.float32)
    values, vectors = eigen(matrix[None], 6)
    rebuilt = vectors[0].T @ (np.log(values[0])[:, None] * vectors[0])
    assert rebuilt == pytest.approx(linalg.logm(matrix.astype(float)).real, abs=2e-4)


def test_shrunk_covariances_equal_scikit_learn() -> None:
    windows = np.random.default_rng(10).normal(size=(3, 4, 40)) * np.arange(1, 5)[:, None]
    centred = windows - windows.mean(axis=2, keepdims=True)
    expected = [OAS(assume_centered=True).fit(window.T).covariance_ for window in centred]
    assert shrunk_covariances(centred) == pytest.approx(np.array(expected), rel=1e-9)


def test_riemannian_mean() -> None:
    """Of commuting matrices it is the geometric mean; at it, the logarithms seen from it sum to nothing."""
    diagonal = np.stack([np.diag([1.0, 4.0]), np.diag([4.0, 1.0]), np.diag([2.0, 2.0])])
    assert riemannian_mean(diagonal, where="x") == pytest.approx(np.diag([2.0, 2.0]))
    matrices = np.stack([_spd(4, seed) for seed in range(5)])
    mean = riemannian_mean(matrices, where="x")
    inverse = np.linalg.inv(linalg.sqrtm(mean).real)
    logarithms = sum(linalg.logm(inverse @ one @ inverse).real for one in matrices)
    assert logarithms == pytest.approx(np.zeros((4, 4)), abs=1e-6)
    with pytest.raises(DataError, match="singular"):
        riemannian_mean(np.zeros((2, 3, 3)), where="x")


def _transform(values: list[complex], work: Counter[str]) -> list[complex]:
    """Radix-2 transform, one complex product and two complex additions a butterfly."""
    size = len(values)
    if size == 1:
        return values
    even, odd = _transform(values[::2], work), _transform(values[1::2], work)
    turned = [cmath.exp(-2j * math.pi * k / size) * odd[k] for k in range(size // 2)]
    work["multiply"] += 4 * (size // 2)
    work["add"] += 2 * (size // 2) + 2 * 2 * (size // 2)
    return [even[k] + turned[k] for k in range(size // 2)] + [even[k] - turned[k] for k in range(size // 2)]


@pytest.mark.parametrize("size", [8, 16, 64])
def test_real_transform_operations(size: int) -> None:
    signal = np.random.default_rng(6).normal(size=size)
    work: Counter[str] = Counter()
    packed = _transform([complex(a, b) for a, b in zip(signal[::2], signal[1::2], strict=True)], work)
    half = size // 2
    spectrum = np.zeros(half + 1, dtype=complex)
    for k in range(half // 2 + 1):
        other = packed[-k % half].conjugate()
        even, odd = (packed[k] + other) / 2, -0.5j * (packed[k] - other)  # halves and i are wiring and exponents
        turned = cmath.exp(-2j * math.pi * k / size) * odd
        spectrum[k], spectrum[half - k] = even + turned, (even - turned).conjugate()
        if k:  # the pair (0, N/2) needs two additions; the pairs 1 to N/4 count in full
            work["multiply"] += 4
            work["add"] += 2 + 2 + 2 + 2 + 2
    assert spectrum == pytest.approx(np.fft.rfft(signal))
    assert work == Counter(transform_operations(size))


def test_band_power_of_a_sine_lies_in_its_band() -> None:
    time_s = np.arange(1024) / 128
    noise = np.random.default_rng(7).normal(scale=1e-3, size=1024)
    inputs = (np.sin(2 * np.pi * 10 * time_s) + noise)[None, None, :].astype(np.float32)
    bins = band_bins(read_bands("4-8,8-13,13-30", where="x"), 128, 128.0)
    power = log_band_power(inputs, bins, 128)[0]
    assert power.argmax() == 1
    louder = log_band_power(10 * inputs, bins, 128)[0]
    assert louder - power == pytest.approx(np.full(3, math.log(100)), abs=1e-3)


@pytest.mark.parametrize("text", ["", "4", "8-4", "0-4", "a-b", "4-8-9"])
def test_malformed_bands(text: str) -> None:
    with pytest.raises(DataError, match="bands"):
        read_bands(text, where="x")


def test_band_without_a_bin_and_flat_window() -> None:
    with pytest.raises(DataError, match="holds no bin"):
        band_bins(((1.1, 1.2),), 128, 128.0)
    bins = band_bins(((4.0, 8.0),), 128, 128.0)
    with pytest.raises(DataError, match="no power"):
        log_band_power(np.ones((1, 1, 128), dtype=np.float32), bins, 128)
